//! `starttls-refused`: the server stays in plain text.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "starttls-refused",
    severity: Severity::Error,
    section: Section::Reachability,
    summary: "the server refuses STARTTLS",
    why: "The server speaks the plain-text protocol, but does not upgrade to TLS. Clients that require TLS cannot use it.",
    fix: "Enable TLS in the server, or probe the port where TLS starts at once, without --starttls.",
    references: &["RFC 3207"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    report(
        &RULE,
        (endpoint, cx),
        Trouble::StarttlsRefused,
        ("the server refuses STARTTLS", "attempts at STARTTLS are refused"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::failing;
    use crate::observation::{Cause, Stage};

    pub(super) fn specimen() -> Vec<Finding> {
        failing(Stage::Starttls, &Cause::StarttlsRefused("454 TLS not available".to_owned()))
    }
}
