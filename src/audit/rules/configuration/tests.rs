use super::*;
use crate::audit::finding::Severity;
use crate::audit::fixtures::setting;
use crate::audit::registry::{RULES, members};
use crate::audit::rule::RuleGroup;

#[test]
fn every_rule_reports_its_fact_in_the_fact_s_words_and_place() {
    for rule in RULES.iter().filter(|rule| rule.group().is_some()) {
        let findings = (rule.specimen)();
        let [finding] = findings.as_slice() else { panic!("{findings:#?}") };
        assert_eq!((finding.rule, finding.severity), (rule.id, rule.severity));
        let guess = (rule.id == "directive-unknown").then_some("probably meant: proxy_ssl_verify");
        let seen = match rule.id {
            "configuration-not-loaded" => Some(
                "changed at 2026-06-15T11:00:00Z; worker process 7 is from 2026-06-15T10:00:00Z",
            ),
            "upgrade-not-running" => Some("master process 7 has the old file in memory"),
            _ => None,
        };
        let at = ["at /etc/nginx/nginx.conf:7"].into_iter();
        let evidence: Vec<&str> = at.chain(guess).chain(seen).collect();
        assert_eq!(finding.evidence, evidence);
        assert_eq!(finding.place.as_ref().map(|place| place.line), Some(7));
        assert_eq!(finding.fix.as_ref().map(|fix| fix.text.as_str()), Some(rule.fix));
    }
}

#[test]
fn what_nginx_refuses_is_an_error_unless_it_could_not_be_tested() {
    for rule in members(RuleGroup::Refused) {
        let untested = rule.id == configuration_untested::RULE.id;
        let expected = if untested { Severity::Note } else { Severity::Error };
        assert_eq!(rule.severity, expected, "{}", rule.id);
    }
    assert!(setting(FactKind::Refused(Fault::TooLarge))[0].could_not_test);
}
