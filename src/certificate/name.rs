//! Host names, and whether a certificate covers one as in browsers (RFC 9525).

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

/// Whether a dNSName matches, ignoring case; `*` matches exactly the leftmost label, and at least two labels must
/// follow.
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

/// A U-label name as A-labels in lower case; `None` if IDNA does not allow it.
pub fn to_ascii(name: &str) -> Option<String> {
    if name.is_ascii() {
        return Some(name.to_ascii_lowercase());
    }
    idna::domain_to_ascii(name).ok()
}

/// The U-label form of a name, if it differs from the A-label form.
pub fn to_unicode(name: &str) -> Option<String> {
    if !name.split('.').any(|label| label.starts_with("xn--")) {
        return None;
    }
    let (unicode, valid) = idna::domain_to_unicode(name);
    (valid.is_ok() && unicode != name).then_some(unicode)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, SanType};
    use rustls_pki_types::ServerName;
    use webpki::EndEntityCert;

    use super::*;
    use crate::certificate::issue::Authority;

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
    fn a_wildcard_matches_exactly_one_leftmost_label() {
        check("*.a.test", "b.a.test", true);
        check("*.a.test", "a.test", false);
        check("*.a.test", "c.b.a.test", false);
        check("*.a.test", ".a.test", false);
        check("b*.a.test", "bc.a.test", false);
        check("*.test", "a.test", false);
        check("*", "test", false);
    }

    #[test]
    fn browsers_agree_on_every_pattern() {
        let now = time::macros::datetime!(2026-06-15 12:00 UTC);
        let root = Authority::root("root", now).unwrap();
        let asked = ["a.test", "A.TEST", "a.test.", "b.a.test", "c.b.a.test", "_x.a.test", "test"];
        for pattern in
            ["a.test", "a.test.", "A.Test", "*.a.test", "*.test", "*", "b*.a.test", "*.*.test", ""]
        {
            let name = SanType::DnsName(pattern.try_into().unwrap());
            let change = |params: &mut CertificateParams| params.subject_alt_names = vec![name];
            let leaf = root.issue_with(&["x.test"], change).unwrap().certificate;
            let browser = EndEntityCert::try_from(&leaf).unwrap();
            let ours = Certificate::parse(&leaf).unwrap();
            for asked in asked {
                let name = ServerName::try_from(asked).unwrap();
                let theirs = browser.verify_is_valid_for_subject_name(&name).is_ok();
                let covered = coverage(&ours, Name::Dns(asked)) == Coverage::Covered;
                assert_eq!(covered, theirs, "{pattern:?} for {asked:?}");
            }
        }
    }

    #[test]
    fn an_address_is_covered_by_an_address_only() {
        let now = time::macros::datetime!(2026-06-15 12:00 UTC);
        let root = Authority::root("root", now).unwrap();
        let address = Name::Ip([127, 0, 0, 1].into());
        let covers = |names: Vec<SanType>| {
            let change = |params: &mut CertificateParams| params.subject_alt_names = names;
            let leaf = root.issue_with(&["127.0.0.1"], change).unwrap().certificate;
            coverage(&Certificate::parse(&leaf).unwrap(), address)
        };
        let dns = SanType::DnsName("127.0.0.1".try_into().unwrap());
        assert_eq!(covers(vec![SanType::IpAddress([127, 0, 0, 1].into())]), Coverage::Covered);
        assert_eq!(covers(vec![dns]), Coverage::NotCovered);
        assert_eq!(covers(vec![]), Coverage::NoSubjectAltName { by_common_name: true });
    }

    #[test]
    fn idna_goes_both_ways() {
        assert_eq!(to_ascii("Bücher.test").as_deref(), Some("xn--bcher-kva.test"));
        assert_eq!(to_unicode("xn--bcher-kva.test").as_deref(), Some("bücher.test"));
        assert_eq!(to_unicode("plain.test"), None);
    }
}
