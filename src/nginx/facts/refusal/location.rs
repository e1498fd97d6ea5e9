//! Duplicate and nested locations (`ngx_http_join_exact_locations`, `ngx_http_core_location`).

use std::collections::HashSet;

use crate::nginx::problem::Fault;
use crate::nginx::tree::Directive;

/// The second of each two equal locations, and its name.
pub(super) fn duplicates(inside: &[Directive]) -> Vec<(&Directive, String)> {
    let mut known = HashSet::new();
    let locations = inside.iter().filter(|one| one.name == "location" && one.block.is_some());
    let named = locations.filter_map(|one| Some((one, name(one)?)));
    let again = named.filter(|(_, name)| !known.insert((name.0, name.1.clone())));
    again.map(|(one, (_, name))| (one, name)).collect()
}

/// Whether it is an exact one, and its name; `None` for regular expressions and named locations.
fn name(location: &Directive) -> Option<(bool, String)> {
    match kind(location) {
        (LocationKind::Exact, name) => Some((true, name)),
        (LocationKind::Prefix, name) => Some((false, name)),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LocationKind {
    Exact,
    Prefix,
    Regex,
    /// `@name`.
    Named,
}

fn kind(location: &Directive) -> (LocationKind, String) {
    let (modifier, name) = match location.arguments.as_slice() {
        [modifier, name] => (modifier.as_str(), name.as_str()),
        [glued] => ["~*", "^~", "=", "~"]
            .into_iter()
            .find_map(|modifier| Some((modifier, glued.strip_prefix(modifier)?)))
            .unwrap_or(("", glued)),
        _ => ("", ""),
    };
    let kind = match modifier {
        "=" => LocationKind::Exact,
        "~" | "~*" => LocationKind::Regex,
        _ if name.starts_with('@') => LocationKind::Named,
        _ => LocationKind::Prefix,
    };
    (kind, name.to_owned())
}

/// Whether a location is allowed inside another one.
pub(super) fn nested(outer: &Directive, location: &Directive) -> Result<(), Fault> {
    let ((around, outer), (own, inner)) = (kind(outer), kind(location));
    let inside = |kind| Fault::LocationInside { inner: inner.clone(), kind, outer: outer.clone() };
    match (around, own) {
        (LocationKind::Exact, _) => Err(inside("exact")),
        (LocationKind::Named, _) => Err(inside("named")),
        (LocationKind::Prefix, LocationKind::Exact | LocationKind::Prefix)
            if !inner.starts_with(outer.as_str()) =>
        {
            Err(Fault::LocationOutside { inner, outer })
        }
        _ => Ok(()),
    }
}
