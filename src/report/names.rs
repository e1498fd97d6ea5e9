//! Unique names for targets.

use std::collections::{BTreeMap, BTreeSet};

use super::Report;
use crate::targets::Target;
use crate::targets::address::host_port;

/// The names of a report's targets. If several have the same name, as the backends of one site do, the address is
/// added; if that is also equal, a number.
pub(super) fn distinct(report: &Report) -> Vec<String> {
    let targets = || report.targets.iter().map(|report| &*report.target);
    let mut places: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for target in targets() {
        places.entry(&target.name).or_default().insert(place(target));
    }
    let named = targets().map(|target| match places.get(&*target.name) {
        Some(all) if all.len() > 1 => format!("{} at {}", target.name, place(target)),
        _ => target.name.clone(),
    });
    numbered(named)
}

fn place(target: &Target) -> String {
    let place = target.endpoint().map(|(host, port)| host_port(host, port).to_string());
    place.unwrap_or_default()
}

/// The same, with a number added to duplicates.
fn numbered(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    names
        .map(|name| {
            let count = counts.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 { name } else { format!("{name} #{count}") }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_made_distinct() {
        let names = ["a", "b", "a", "a"].into_iter().map(str::to_owned);
        assert_eq!(numbered(names), ["a", "b", "a #2", "a #3"]);
    }
}
