//! `configuration-ineffective`: a setting has no effect where it stands.

use super::finding;
use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, Verdict};
use crate::nginx::facts::{Fact, FactKind};

pub(crate) const RULE: Rule = Rule {
    id: "configuration-ineffective",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "a setting has no effect where it stands",
    why: "Whoever wrote it relies on something that is not so: nginx takes another server's setting, \
          another module's, or none.",
    fix: "Move the setting to where nginx reads it, or take it out; then check with nginx -t and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html",
    ],
    consequence_of: &[],
    check: Check::Setting(check),
};

fn check(fact: &Fact) -> Verdict {
    match fact.kind {
        FactKind::DefaultServerDecides { .. }
        | FactKind::NoCertificate { is_refused: false }
        | FactKind::VerifySettingUnused { .. }
        | FactKind::SuitesIgnored { .. }
        | FactKind::CommandWins { .. }
        | FactKind::OtherModule { .. }
        | FactKind::Removed { .. }
        | FactKind::AnnotationIgnored { .. } => finding(&RULE, fact).into(),
        _ => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::configuration::told;
    use crate::nginx::facts::FactKind;

    #[test]
    fn it_is_told_with_its_place_and_nothing_else_is() {
        assert_eq!(
            told(
                &super::RULE,
                FactKind::VerifySettingUnused { directive: "proxy_ssl_crl".to_owned() }
            ),
            ["warning 7"]
        );
        assert!(told(&super::RULE, FactKind::Port80).is_empty());
    }
}
