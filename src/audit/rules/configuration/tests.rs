use std::collections::BTreeSet;

use super::*;
use crate::audit::finding::Severity;
use crate::audit::judge::judge_settings;
use crate::audit::registry::{RULES, members};
use crate::audit::rule::RuleGroup;
use crate::nginx::defaults::NginxRelease;
use crate::nginx::facts::Plain;
use crate::nginx::problem::Span;

fn span(line: u32) -> Span {
    Span { file: "a.conf".into(), line, column: 1 }
}

/// One fact of each kind, and one fault for each rule about faults.
fn samples() -> Vec<FactKind> {
    let text = || "proxy_ssl_crl".to_owned();
    let since = NginxRelease::new(1, 25, 1);
    let faults = [
        Fault::UnexpectedEnd,
        Fault::UnknownDirective(text()),
        Fault::NotAllowed(text()),
        Fault::Duplicate(text()),
        Fault::InvalidValue(text()),
        Fault::Unreadable { path: text(), reason: "2: No such file or directory".to_owned() },
        Fault::TooLarge,
    ];
    let kinds = [
        FactKind::TooNew { directive: text(), since, elsewhere: false },
        FactKind::Removed { directive: text(), since },
        FactKind::FileRefused { words: text() },
        FactKind::LibraryRefuses { words: text() },
        FactKind::CertificateMissing,
        FactKind::KeyMissing,
        FactKind::ClientCaMissing { trusted_since: None },
        FactKind::TrustMissing,
        FactKind::TestFailed { words: text() },
        FactKind::Untested { reason: text() },
        FactKind::DefaultServerDecides {
            directive: "ssl_protocols",
            default: span(1),
            until: None,
        },
        FactKind::DefaultCertificate,
        FactKind::VerifySettingUnused { directive: text() },
        FactKind::ProxySslUnused { directive: text(), reason: Plain::Http },
        FactKind::ClientCaUnused,
        FactKind::StaplingIgnored { certificate: text() },
        FactKind::SuitesIgnored { suites: vec![text()] },
        FactKind::CommandWins { directive: text(), command: text() },
        FactKind::OtherModule { directive: text(), meant: "grpc_ssl_" },
        FactKind::AnnotationIgnored { annotation: text(), reason: "it is empty" },
        FactKind::NameTaken { name: text(), first: span(1) },
        FactKind::PlainOn443,
        FactKind::PlainBesideTls { other: span(1) },
        FactKind::PlainTo443,
        FactKind::NameNotSent { is_verified: true },
        FactKind::GroupName { name: text() },
        FactKind::Port80,
        FactKind::ResolverMissing { host: text() },
        FactKind::SharedSession { other: span(1) },
        FactKind::SharedIdentity { other: span(1) },
    ];
    faults.into_iter().map(FactKind::Refused).chain(kinds).collect()
}

#[test]
fn every_rule_reports_its_fact_with_its_place_words_and_fix() {
    let mut met = BTreeSet::new();
    for kind in samples() {
        let words = kind.to_string();
        let rule = rule(&kind);
        let judgement = judge_settings(&[Fact { span: span(7), kind }]);
        let [finding] = judgement.findings.as_slice() else { panic!("{words}: {judgement:#?}") };
        assert_eq!((finding.rule, finding.severity), (rule.id, rule.severity));
        assert_eq!(finding.message, words);
        assert!(words.len() > 8, "{}", rule.id);
        assert_eq!(finding.evidence, ["at a.conf:7"]);
        assert_eq!(finding.place.as_ref().map(|place| place.line), Some(7));
        assert_eq!(finding.fix.as_ref().map(|fix| fix.text.as_str()), Some(rule.fix));
        met.insert(rule.id);
    }
    let all: BTreeSet<&str> =
        RULES.iter().filter(|rule| rule.group().is_some()).map(|rule| rule.id).collect();
    assert_eq!(met, all);
}

#[test]
fn what_nginx_refuses_is_an_error_unless_it_could_not_be_tested() {
    for rule in members(RuleGroup::Refused) {
        let untested = rule.id == configuration_untested::RULE.id;
        let expected = if untested { Severity::Note } else { Severity::Error };
        assert_eq!(rule.severity, expected, "{}", rule.id);
    }
    let fact = Fact { span: span(1), kind: FactKind::Refused(Fault::TooLarge) };
    let judgement = judge_settings(&[fact]);
    assert_eq!(judgement.untested.len(), 1, "{judgement:#?}");
}
