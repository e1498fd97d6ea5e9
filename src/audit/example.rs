//! Examples of rules in nginx's configuration: the lines with the fault, and the same with the fix.

use std::sync::LazyLock;

/// A rule's example; each side consists of whole blocks of nginx's configuration.
#[derive(Debug)]
pub struct Example {
    /// The id of the rule.
    pub rule: &'static str,
    /// The configuration with the fault.
    pub fault: &'static str,
    /// The same with the fix.
    pub fix: &'static str,
}

static EXAMPLES: LazyLock<Vec<Example>> = LazyLock::new(|| {
    let sections = include_str!("examples.txt").split("\n## ").skip(1);
    sections.filter_map(read).collect()
});

fn read(section: &'static str) -> Option<Example> {
    let (rule, configuration) = section.split_once('\n')?;
    let (fault, fix) = configuration.split_once("\n-- fix\n")?;
    Some(Example { rule, fault, fix: fix.trim_end() })
}

/// Every example.
pub fn all() -> &'static [Example] {
    &EXAMPLES
}

/// The example of the rule with that id; rules without a directive have none.
pub fn of(rule: &str) -> Option<&'static Example> {
    all().iter().find(|example| example.rule == rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::registry::find;

    #[test]
    fn every_section_is_the_example_of_one_rule_and_changes_something() {
        assert_eq!(all().len(), include_str!("examples.txt").matches("\n## ").count());
        for (at, example) in all().iter().enumerate() {
            assert!(find(example.rule).is_some(), "{} is not a rule", example.rule);
            assert!(example.fault != example.fix, "{}", example.rule);
            let again = all()[at + 1..].iter().any(|other| other.rule == example.rule);
            assert!(!again, "{} has two examples", example.rule);
        }
    }
}
