//! The names of a server, and how they match.

use std::fmt;

use super::inherit::{Scope, Set};

/// A name of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerName {
    /// A literal name, in lower case.
    Exact(String),
    /// `.a.test`, with its dot: the name itself and all its subdomains.
    Domain(String),
    /// `*.a.test`: the part after the star, with its dot.
    Leading(String),
    /// `www.a.*`: the part before the star, with its dot.
    Trailing(String),
    /// A regular expression, without the `~`.
    Regex(String),
    /// A name that is unknown here, such as `$hostname`.
    Variable(String),
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) | Self::Domain(name) | Self::Variable(name) => f.write_str(name),
            Self::Leading(suffix) => write!(f, "*{suffix}"),
            Self::Trailing(prefix) => write!(f, "{prefix}*"),
            Self::Regex(pattern) => write!(f, "~{pattern}"),
        }
    }
}

impl ServerName {
    /// Parses an argument of `server_name`.
    pub fn read(text: &str) -> Self {
        if let Some(pattern) = text.strip_prefix('~') {
            return Self::Regex(pattern.to_owned());
        }
        let text = text.to_ascii_lowercase();
        if text.starts_with('$') {
            return Self::Variable(text);
        }
        if let Some(suffix) = text.strip_prefix('*') {
            return Self::Leading(suffix.to_owned());
        }
        if text.len() > 1 && text.starts_with('.') {
            return Self::Domain(text);
        }
        match text.strip_suffix('*').filter(|prefix| prefix.ends_with('.')) {
            Some(prefix) => Self::Trailing(prefix.to_owned()),
            None => Self::Exact(text),
        }
    }

    /// Whether it has a star at the start or the end, even an implied one.
    pub fn is_pattern(&self) -> bool {
        matches!(self, Self::Domain(_) | Self::Leading(_) | Self::Trailing(_))
    }

    /// How well it matches a name in lower case: nginx prefers exact names, then the longest pattern with a leading
    /// star, then the longest with a trailing one (`ngx_hash_find_combined`). Regular expressions are not evaluated.
    pub fn rank(&self, host: &str) -> Option<(u8, usize)> {
        match self {
            Self::Exact(name) => (name == host).then_some((3, name.len())),
            Self::Domain(suffix) if suffix[1..] == *host => Some((2, suffix.len())),
            Self::Domain(suffix) | Self::Leading(suffix) => {
                let covers = host.len() > suffix.len() && host.ends_with(suffix.as_str());
                covers.then_some((2, suffix.len()))
            }
            Self::Trailing(prefix) => {
                let covers = host.len() > prefix.len() && host.starts_with(prefix.as_str());
                covers.then_some((1, prefix.len()))
            }
            Self::Regex(_) | Self::Variable(_) => None,
        }
    }
}

/// The names of a server block; several `server_name` directives are combined.
pub fn server_names(server: &Scope<'_>) -> Vec<Set<ServerName>> {
    let directives = server.own("server_name").iter();
    let words = directives.flat_map(|one| one.arguments.iter().map(move |word| (word, one)));
    words
        .map(|(word, one)| Set { value: ServerName::read(word), span: one.span.clone() })
        .filter(|name| name.value != ServerName::Exact(String::new()))
        .collect()
}

/// The value of `$server_name`: the first name, in lower case and without the dot that it may begin with
/// (`ngx_http_core_merge_srv_conf`). `None` if only the machine knows it.
pub fn own_name(server: &Scope<'_>) -> Option<String> {
    let first = server.own("server_name").first().map(|one| ServerName::read(one.first()));
    match first {
        None => Some(String::new()),
        Some(ServerName::Variable(_)) => None,
        Some(ServerName::Domain(name)) => Some(name[1..].to_owned()),
        Some(name) => Some(name.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_their_form() {
        let exact = |text: &str| ServerName::Exact(text.to_owned());
        let leading = |text: &str| ServerName::Leading(text.to_owned());
        for (text, expected) in [
            ("A.test", exact("a.test")),
            ("*.a.test", leading(".a.test")),
            (".a.test", ServerName::Domain(".a.test".to_owned())),
            ("www.a.*", ServerName::Trailing("www.a.".to_owned())),
            ("~^(?<x>A)$", ServerName::Regex("^(?<x>A)$".to_owned())),
            ("$hostname", ServerName::Variable("$hostname".to_owned())),
            ("_", exact("_")),
        ] {
            assert_eq!(ServerName::read(text), expected, "{text}");
        }
    }

    #[test]
    fn patterns_match_any_number_of_labels_but_not_none() {
        let rank = |text: &str, host: &str| ServerName::read(text).rank(host);
        assert_eq!(rank("*.a.test", "x.y.a.test"), Some((2, 7)));
        assert_eq!(rank("*.a.test", "a.test"), None);
        assert_eq!(rank("www.a.*", "www.a.test"), Some((1, 6)));
        assert_eq!(rank("a.test", "a.test"), Some((3, 6)));
        assert_eq!(rank("~a", "a"), None);
    }
}
