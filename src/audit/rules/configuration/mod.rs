//! What a configuration says, told from the text alone.

pub mod configuration_doubtful;
pub mod configuration_ineffective;
pub mod configuration_refused;

use crate::audit::finding::Finding;
use crate::audit::rule::Rule;
use crate::nginx::facts::Fact;
use crate::targets::Origin;

/// The finding of a fact, with its place.
fn finding(rule: &Rule, fact: &Fact) -> Finding {
    let place =
        Origin { file: fact.span.file.to_string(), line: fact.span.line, column: fact.span.column };
    let mut finding = rule.finds(fact.kind.to_string());
    finding.place = Some(place);
    finding
        .subject(format!("{} {}", fact.span.file, fact.kind))
        .evidence(format!("at {}", fact.span))
}

/// What a rule makes of a fact: severity and line, where it says anything.
#[cfg(test)]
fn told(rule: &Rule, kind: crate::nginx::facts::FactKind) -> Vec<String> {
    let span = crate::nginx::problem::Span { file: "a.conf".into(), line: 7, column: 1 };
    let findings = crate::audit::judge::judge_settings(&[Fact { span, kind }]).findings.into_iter();
    let told = findings.filter(|finding| finding.rule == rule.id);
    told.map(|one| format!("{} {}", one.severity, one.place.unwrap().line)).collect()
}
