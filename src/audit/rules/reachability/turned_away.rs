//! `turned-away`: the server ends the connection before TLS, for a reason of its own.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "turned-away",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "the server turns this client away before TLS",
    why: "The server ends the connection for a reason that has nothing to do with TLS: too many connections, a host that is \
          not allowed or is blocked (MySQL, MariaDB), a ban after earlier connections, a domain that it does not serve \
          (XMPP). So TLS could not be tested.",
    fix: "Read the server's message in the evidence. Try again later and more slowly (--rate 1), or from a machine that the \
          server allows. For XMPP, give the domain with --server-name. MySQL and MariaDB unblock hosts after FLUSH HOSTS.",
    references: &["RFC 5321 section 3.8", "RFC 6120 section 4.9.3.6"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    report(
        &RULE,
        (endpoint, cx),
        Trouble::TurnedAway,
        ("the server turns this client away before TLS", "connections are turned away before TLS"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::failing;
    use crate::observation::{Cause, Stage};

    pub(super) fn specimen() -> Vec<Finding> {
        failing(Stage::Starttls, &Cause::TurnedAway("421 too many connections".to_owned()))
    }
}
