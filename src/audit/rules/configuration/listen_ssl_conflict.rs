//! `listen-ssl-conflict`: a server without TLS shares its socket with a TLS server.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "listen-ssl-conflict",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "a server without TLS shares its socket with a TLS server",
    why: "The ssl parameter applies to the socket, not to the server: every server on that address and port uses \
          TLS, and plain requests get 400.",
    fix: "Give the plain server another port, or add ssl to its listen as well and a \
          certificate to the server. Check with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_core_module.html#listen",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#example",
    ],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Doubtful),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{place, setting};
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::PlainBesideTls { other: place(1) })
    }
}
