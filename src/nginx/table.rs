//! The blocks that give a variable its value by a key: `map`, `geo` and `split_clients`.

use super::tree::Directive;

/// One such block.
#[derive(Debug)]
pub(super) struct Table<'t> {
    /// The text that the key is made from.
    pub source: &'t str,
    rows: Vec<(&'t str, &'t str)>,
    default: &'t str,
    kind: Kind,
    /// Whether keys may be patterns of host names.
    hostnames: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Map,
    /// `geo` and `split_clients`, whose keys are not compared as text.
    Other,
}

/// What a known key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row<'t> {
    /// This value, which may hold variables.
    Value(&'t str),
    /// One of several.
    Unknown,
}

/// Stands among the keys for whatever no key matches.
const NO_KEY: &str = "";

impl<'t> Table<'t> {
    /// The variable's name and its table; `None` for any other directive.
    pub(super) fn read(block: &'t Directive) -> Option<(&'t str, Self)> {
        let (source, variable) = match (&*block.name, block.arguments.as_slice()) {
            ("map" | "split_clients" | "geo", [source, variable]) => (source.as_str(), variable),
            ("geo", [variable]) => ("$remote_addr", variable),
            _ => return None,
        };
        let kind = if block.name == "map" { Kind::Map } else { Kind::Other };
        let mut table = Self { source, rows: Vec::new(), default: "", kind, hostnames: false };
        for row in block.children() {
            match (&*row.name, row.arguments.as_slice()) {
                ("hostnames", []) => table.hostnames = true,
                ("default", [value]) => table.default = value,
                ("*", [value]) if kind == Kind::Other => table.default = value,
                ("proxy" | "delete", [_]) if kind == Kind::Other => {}
                (key, [value]) => table.rows.push((key, value)),
                _ => {}
            }
        }
        Some((variable.strip_prefix('$')?, table))
    }

    /// Its keys, and one for whatever matches none of them.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'t str> {
        self.rows.iter().map(|&(key, _)| key).chain([NO_KEY])
    }

    /// The value of one of the keys.
    pub(super) fn by_key(&self, key: &str) -> &'t str {
        let row = self.rows.iter().find(|(known, _)| *known == key);
        row.map_or(self.default, |&(_, value)| value)
    }

    /// The value for a text: exact keys first, then patterns of host names, then regular expressions
    /// (`ngx_http_map_find`).
    pub(super) fn row(&self, text: &str) -> Row<'t> {
        if self.kind == Kind::Other {
            return if self.rows.is_empty() { Row::Value(self.default) } else { Row::Unknown };
        }
        let is_regex = |key: &str| key.starts_with('~');
        let plain = |key: &'t str| key.strip_prefix('\\').unwrap_or(key);
        let exact = self
            .rows
            .iter()
            .find(|(key, _)| !is_regex(key) && plain(key).eq_ignore_ascii_case(text));
        let found = exact.or_else(|| self.by_pattern(text));
        match found {
            Some(&(_, value)) => Row::Value(value),
            None if self.rows.iter().any(|(key, _)| is_regex(key)) => Row::Unknown,
            None => Row::Value(self.default),
        }
    }

    /// The row of the longest pattern that matches a host name, those with the star in front first.
    fn by_pattern(&self, host: &str) -> Option<&(&'t str, &'t str)> {
        let host = host.to_ascii_lowercase();
        let rows = || self.rows.iter().filter(|_| self.hostnames);
        let leading = |key: &str| {
            let suffix = key.strip_prefix('*').or_else(|| key.starts_with('.').then_some(key))?;
            let bare = key.starts_with('.') && suffix[1..].eq_ignore_ascii_case(&host);
            let covers = host.len() > suffix.len() && host.ends_with(&suffix.to_ascii_lowercase());
            (bare || covers).then_some(suffix.len())
        };
        let trailing = |key: &str| {
            let prefix = key.strip_suffix('*').filter(|prefix| prefix.ends_with('.'))?;
            let covers =
                host.len() > prefix.len() && host.starts_with(&prefix.to_ascii_lowercase());
            covers.then_some(prefix.len())
        };
        let longest = |length: &dyn Fn(&str) -> Option<usize>| {
            rows().filter_map(|row| Some((length(row.0)?, row))).max_by_key(|(length, _)| *length)
        };
        longest(&leading).or_else(|| longest(&trailing)).map(|(_, row)| row)
    }
}
