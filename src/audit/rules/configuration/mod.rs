//! What a configuration says, told from the text alone.

pub mod configuration_doubtful;
pub mod configuration_ineffective;
pub mod configuration_refused;

use crate::audit::finding::Finding;
use crate::audit::rule::Rule;
use crate::nginx::facts::Fact;

/// The finding of a fact, with its place.
fn finding(rule: &Rule, fact: &Fact) -> Finding {
    let finding = rule
        .finds(fact.kind.to_string())
        .subject(format!("{} {}", fact.span.file, fact.kind))
        .evidence(format!("at {}", fact.span));
    Finding { span: Some(fact.span.clone()), ..finding }
}
