//! `configuration-refused`: nginx does not start with this.

use super::finding;
use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, Verdict};
use crate::nginx::facts::{Fact, FactKind};

pub(crate) const RULE: Rule = Rule {
    id: "configuration-refused",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "nginx does not start with this",
    why: "nginx refuses the configuration when it starts, and keeps the old one at a reload; \
          what is written has no effect until then.",
    fix: "Mend the directive, check with nginx -t, and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html",
    ],
    consequence_of: &[],
    check: Check::Setting(check),
};

fn check(fact: &Fact) -> Verdict {
    match fact.kind {
        FactKind::NoCertificate { is_refused: true }
        | FactKind::KeyMissing
        | FactKind::ClientCaMissing { .. }
        | FactKind::TrustMissing
        | FactKind::TooNew { .. }
        | FactKind::Refused { .. } => finding(&RULE, fact).into(),
        _ => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::configuration::told;
    use crate::nginx::facts::FactKind;

    #[test]
    fn it_is_told_with_its_place_and_nothing_else_is() {
        assert_eq!(told(&super::RULE, FactKind::TrustMissing), ["error 7"]);
        assert!(told(&super::RULE, FactKind::PlainOn443).is_empty());
    }
}
