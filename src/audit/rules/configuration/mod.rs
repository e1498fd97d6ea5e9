//! What a configuration says, told from the text alone.

pub mod configuration_doubtful;
pub mod configuration_ineffective;
pub mod configuration_refused;

use crate::audit::finding::Finding;
use crate::audit::rule::Rule;
use crate::nginx::facts::Fact;
use crate::target::Origin;

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
