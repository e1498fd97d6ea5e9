//! Host names: what a client asks for, and whether a certificate covers it as browsers see it (RFC 9525).

use std::net::IpAddr;

use super::parse::Certificate;

/// A name that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// A DNS name in A-label form.
    Dns(&'a str),
    /// An address.
    Ip(IpAddr),
}

/// Whether a certificate covers a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// A subject alternative name matches.
    Covered,
    /// None matches.
    NotCovered,
    /// The certificate has no subject alternative name at all; whether its common name would match.
    NoSubjectAltName {
        /// The common name matches, which old clients and nginx accept.
        by_common_name: bool,
    },
}

/// Whether `certificate` covers `name`: iPAddress entries for addresses, dNSName entries for names.
pub fn coverage(certificate: &Certificate, name: Name<'_>) -> Coverage {
    let Some(names) = &certificate.subject_alt_names else {
        let by_common_name = match (name, certificate.common_name()) {
            (Name::Dns(asked), Some(common_name)) => matches(common_name, asked),
            (Name::Ip(asked), Some(common_name)) => common_name.parse() == Ok(asked),
            (_, None) => false,
        };
        return Coverage::NoSubjectAltName { by_common_name };
    };
    let covered = match name {
        Name::Dns(asked) => names.dns.iter().any(|pattern| matches(pattern, asked)),
        Name::Ip(asked) => names.ip.contains(&asked),
    };
    if covered { Coverage::Covered } else { Coverage::NotCovered }
}

/// Whether a dNSName matches: letter case aside, `*` standing for exactly the leftmost label, with at least two labels
/// behind it.
pub fn matches(pattern: &str, asked: &str) -> bool {
    let asked = asked.strip_suffix('.').unwrap_or(asked);
    if asked.is_empty() {
        return false;
    }
    match pattern.strip_prefix("*.") {
        None => pattern.eq_ignore_ascii_case(asked),
        Some(parent) => asked.split_once('.').is_some_and(|(label, rest)| {
            !label.is_empty() && parent.contains('.') && rest.eq_ignore_ascii_case(parent)
        }),
    }
}

/// A U-label name in A-label form, lower-case; `None` where IDNA does not allow it.
pub fn to_ascii(name: &str) -> Option<String> {
    if name.is_ascii() {
        return Some(name.to_ascii_lowercase());
    }
    idna::domain_to_ascii(name).ok()
}

/// The U-label form of a name, where it differs from the A-label form.
pub fn to_unicode(name: &str) -> Option<String> {
    if !name.split('.').any(|label| label.starts_with("xn--")) {
        return None;
    }
    let (unicode, valid) = idna::domain_to_unicode(name);
    (valid.is_ok() && unicode != name).then_some(unicode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, asked: &str, expected: bool) {
        assert_eq!(matches(pattern, asked), expected, "{pattern} for {asked}");
    }

    #[test]
    fn exact_names_match_whatever_their_case() {
        check("a.test", "a.test", true);
        check("A.Test", "a.tEST", true);
        check("a.test", "a.test.", true);
        check("a_b.test", "a_b.test", true);
        check("a.test", "b.a.test", false);
        check("a.test", "", false);
    }

    #[test]
    fn a_wildcard_stands_for_exactly_one_leftmost_label() {
        check("*.a.test", "b.a.test", true);
        check("*.a.test", "a.test", false);
        check("*.a.test", "c.b.a.test", false);
        check("*.a.test", ".a.test", false);
        check("b*.a.test", "bc.a.test", false);
        check("*.test", "a.test", false);
        check("*", "test", false);
    }

    #[test]
    fn idna_goes_both_ways() {
        assert_eq!(to_ascii("Bücher.test").as_deref(), Some("xn--bcher-kva.test"));
        assert_eq!(to_unicode("xn--bcher-kva.test").as_deref(), Some("bücher.test"));
        assert_eq!(to_unicode("plain.test"), None);
    }
}
