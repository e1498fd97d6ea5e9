//! `certificate-expired`: the leaf's notAfter has passed, so every client that verifies refuses it.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{ChainView, Check, Context, Rule, Verdict};
use crate::certificate::Certificate;

pub(crate) const RULE: Rule = Rule {
    id: "certificate-expired",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the certificate has expired",
    why: "Every client that verifies refuses the connection. nginx itself never looks at the dates of its own \
          certificate and goes on serving the one it loaded at its last reload.",
    fix: "Renew the certificate, check that ssl_certificate names the new file, run nginx -t and reload.",
    references: &["RFC 5280 section 4.1.2.5"],
    consequence_of: &[],
    check: Check::Leaf(check),
};

fn check(leaf: &Certificate, _: &ChainView<'_>, cx: &Context<'_>) -> Verdict {
    if cx.now <= leaf.not_after {
        return Verdict::Pass;
    }
    RULE.finds(format!("the certificate {} expired on {}", leaf.subject.text, leaf.not_after.date())).into()
}
