//! Every rule, one line each, by family. A test holds this list against the files in `rules/`.

use super::rule::Rule;
use super::rules::certificate;

/// All rules, in the order in which reports and documents show them.
pub const RULES: &[&Rule] = &[
    &certificate::certificate_expired::RULE,
];

/// The rule of that id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id)
}

/// The known id nearest to `id`, where one is near enough to be meant.
pub fn closest(id: &str) -> Option<&'static str> {
    RULES
        .iter()
        .map(|rule| (strsim::jaro_winkler(id, rule.id), rule.id))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, id)| id)
}
