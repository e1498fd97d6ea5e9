//! Blocks that define a variable by a key: `map`, `geo` and `split_clients`.

use std::collections::HashMap;

use super::server_name::ServerName;
use super::tree::Directive;

/// One such block.
#[derive(Debug)]
pub(super) struct MapTable<'t> {
    /// The text that is the key.
    pub source: &'t str,
    /// The values by their keys as written; of duplicate keys the first.
    rows: HashMap<&'t str, &'t str>,
    /// The values of exact keys, in lower case.
    exact: HashMap<String, &'t str>,
    /// Host name patterns with their values.
    patterns: Vec<(ServerName, &'t str)>,
    has_regex: bool,
    default: &'t str,
    kind: TableKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TableKind {
    Map,
    /// `geo` and `split_clients`, whose keys are not compared as text.
    Other,
}

/// The value for a known key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MappedValue<'t> {
    /// This value, which may contain variables.
    Value(&'t str),
    /// One of several values.
    Unknown,
}

/// The key that represents every text without a match.
const NO_KEY: &str = "";

impl<'t> MapTable<'t> {
    /// The variable's name and its table; `None` for other directives.
    pub(super) fn read(block: &'t Directive) -> Option<(&'t str, Self)> {
        let (source, variable) = match (&*block.name, block.arguments.as_slice()) {
            ("map" | "split_clients" | "geo", [source, variable]) => (source.as_str(), variable),
            ("geo", [variable]) => ("$remote_addr", variable),
            _ => return None,
        };
        let mut table = Self {
            source,
            rows: HashMap::new(),
            exact: HashMap::new(),
            patterns: Vec::new(),
            has_regex: false,
            default: "",
            kind: if block.name == "map" { TableKind::Map } else { TableKind::Other },
        };
        let hostnames = block.children().iter().any(|row| row.name == "hostnames");
        for row in block.children() {
            table.add(row, hostnames);
        }
        Some((variable.strip_prefix('$')?, table))
    }

    fn add(&mut self, row: &'t Directive, hostnames: bool) {
        let [value] = row.arguments.as_slice() else { return };
        match (row.name.as_str(), self.kind) {
            ("default", _) | ("*", TableKind::Other) => self.default = value,
            ("proxy" | "delete", TableKind::Other) => {}
            (key, _) => {
                self.rows.entry(key).or_insert(value);
                match ServerName::read(key) {
                    ServerName::Regex(_) => self.has_regex = true,
                    pattern if hostnames && pattern.is_pattern() => {
                        self.patterns.push((pattern, value));
                    }
                    _ => {
                        let key = key.strip_prefix('\\').unwrap_or(key).to_ascii_lowercase();
                        self.exact.entry(key).or_insert(value);
                    }
                }
            }
        }
    }

    /// The number of rows that a lookup examines.
    pub(super) fn steps(&self) -> usize {
        1 + self.patterns.len()
    }

    /// Its keys, and one that represents every text without a match.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'t str> {
        self.rows.keys().copied().chain([NO_KEY])
    }

    /// The value of one of the keys.
    pub(super) fn by_key(&self, key: &str) -> &'t str {
        self.rows.get(key).copied().unwrap_or(self.default)
    }

    /// The value for a text: exact keys first, then host name patterns, then regular expressions (`ngx_http_map_find`).
    pub(super) fn row(&self, text: &str) -> MappedValue<'t> {
        if self.kind == TableKind::Other {
            return if self.rows.is_empty() {
                MappedValue::Value(self.default)
            } else {
                MappedValue::Unknown
            };
        }
        let text = text.to_ascii_lowercase();
        match self.exact.get(&text).copied().or_else(|| self.by_pattern(&text)) {
            Some(value) => MappedValue::Value(value),
            None if self.has_regex => MappedValue::Unknown,
            None => MappedValue::Value(self.default),
        }
    }

    /// The value of the longest pattern that matches a host name in lower case; patterns with a leading star come
    /// first.
    fn by_pattern(&self, host: &str) -> Option<&'t str> {
        let ranked =
            self.patterns.iter().filter_map(|(pattern, value)| Some((pattern.rank(host)?, *value)));
        // Of equal ones, the first applies.
        let best = ranked.reduce(|best, one| if one.0 > best.0 { one } else { best });
        best.map(|(_, value)| value)
    }
}
