//! `protocol-error`: the answer starts like TLS and then breaks the protocol.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "protocol-error",
    severity: Severity::Error,
    section: Section::Reachability,
    summary: "the server breaks the TLS protocol",
    why: "The server's answer starts like TLS and then breaks the protocol, or is longer than any real server's answer. No \
          client can connect.",
    fix: "Check what is between this machine and the server (a proxy or an inspecting device), and the server's TLS library.",
    references: &["RFC 8446 section 6.2"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    report(
        &RULE,
        (endpoint, cx),
        Trouble::ProtocolError,
        ("the server breaks the TLS protocol", "handshakes break the TLS protocol"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::failing;
    use crate::observation::{Cause, Stage};

    pub(super) fn specimen() -> Vec<Finding> {
        failing(Stage::Handshake, &Cause::ProtocolError("a record of type 99".to_owned()))
    }
}
