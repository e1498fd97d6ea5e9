//! `proxy-pass-http-to-443`: proxy_pass uses plain HTTP on port 443.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "proxy-pass-http-to-443",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "proxy_pass uses plain HTTP on port 443",
    why: "A TLS server answers plain HTTP with 400 (The plain HTTP request was sent to HTTPS \
          port), or closes the connection.",
    fix: "Use https:// in proxy_pass. Check with nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass"],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Doubtful),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::setting;
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::PlainTo443)
    }
}
