//! `protocol-error`: TLS at first sight only.

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
    why: "What the server sends is TLS by its first bytes and nonsense after them, or more than any honest \
          server sends. No client can talk to it.",
    fix: "Check what stands between here and the server (a proxy that rewrites, a device that inspects), and \
          the server's TLS library.",
    references: &["RFC 8446 section 6.2"],
    consequence_of: &[],
    check: Check::Endpoint(check),
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
    use super::RULE;
    use crate::audit::fixtures::check_error;
    use crate::observation::{Cause, Stage};

    #[test]
    fn it_fails_every_client() {
        check_error(RULE.id, Stage::Handshake, &Cause::ProtocolError("x".to_owned()));
    }
}
