//! `configuration-doubtful`: a setting is hardly what was meant.

use super::finding;
use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, Verdict};
use crate::nginx::facts::{Fact, FactKind};

pub(crate) const RULE: Rule = Rule {
    id: "configuration-doubtful",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "a setting is hardly what was meant",
    why: "It works, and does something else than it seems to: a name that leads elsewhere, a port \
          without TLS, a session that another place has checked.",
    fix: "Look whether it is meant; if not, write what is, check with nginx -t and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html",
    ],
    consequence_of: &[],
    check: Check::Setting(check),
};

fn check(fact: &Fact) -> Verdict {
    match fact.kind {
        FactKind::NameTaken { .. }
        | FactKind::PlainOn443
        | FactKind::PlainTo443
        | FactKind::NameNotSent { .. }
        | FactKind::GroupName { .. }
        | FactKind::Port80
        | FactKind::ResolverMissing { .. }
        | FactKind::SharedSession { .. }
        | FactKind::SharedIdentity { .. } => finding(&RULE, fact).into(),
        _ => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::configuration::told;
    use crate::nginx::facts::FactKind;

    #[test]
    fn it_is_told_with_its_place_and_nothing_else_is() {
        assert_eq!(told(&super::RULE, FactKind::Port80), ["note 7"]);
        assert!(told(&super::RULE, FactKind::KeyMissing).is_empty());
    }
}
