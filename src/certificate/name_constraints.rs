//! Name constraints as OpenSSL checks them (`NAME_CONSTRAINTS_check`), in its order and with its results.

use super::canonical::{Attribute, CanonicalName, text};
use super::der::{Element, Elements, IA5_STRING, SEQUENCE, Unreadable, context};
use crate::openssl::verify_error::VerifyError;

/// A name of a subject, or the base of a constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneralName {
    /// A type with its value.
    Other(Vec<u8>),
    /// A mail address.
    Email(Vec<u8>),
    /// A host name.
    Dns(Vec<u8>),
    /// A distinguished name.
    Directory(CanonicalName),
    /// A URI.
    Uri(Vec<u8>),
    /// An address; in a constraint, address and mask.
    Ip(Vec<u8>),
    /// One of the kinds that OpenSSL cannot constrain, by its tag.
    Unsupported(u8),
}

/// The names of a certificate that constraints apply to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectNames {
    directory: CanonicalName,
    attributes: usize,
    emails: Vec<Option<Vec<u8>>>,
    pub(super) common_names: Vec<String>,
    pub(super) alternative: Vec<GeneralName>,
}

/// The names that a certificate permits and excludes below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameConstraints {
    permitted: Vec<Subtree>,
    excluded: Vec<Subtree>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Subtree {
    base: GeneralName,
    /// Without minimum and maximum, as RFC 5280 requires.
    plain: bool,
}

/// The most comparisons of one check.
const MAX_COMPARISONS: usize = 1 << 20;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

impl SubjectNames {
    pub(super) fn of(attributes: &[Attribute<'_>]) -> Result<Self, Unreadable> {
        let mut names = Self { attributes: attributes.len(), ..Self::default() };
        for attribute in attributes {
            match attribute.oid {
                COMMON_NAME => names.common_names.extend(text(attribute.value)?),
                EMAIL_ADDRESS => names.emails.push(
                    (attribute.value.tag == IA5_STRING).then(|| attribute.value.body.to_vec()),
                ),
                _ => {}
            }
        }
        Ok(names)
    }

    /// Holds the subject's distinguished name, once it is known.
    pub(super) fn with_directory(mut self, name: &CanonicalName) -> Self {
        self.directory = name.clone();
        self
    }
}

/// Reads the contents of `GeneralNames`.
pub(super) fn general_names(names: Elements<'_>) -> Result<Vec<GeneralName>, Unreadable> {
    names.all()?.into_iter().map(general_name).collect()
}

fn general_name(name: Element<'_>) -> Result<GeneralName, Unreadable> {
    let body = || name.body.to_vec();
    Ok(match name.tag {
        0xa0 => {
            let mut parts = name.inside();
            let oid = parts.next()?.oid()?.to_vec();
            parts.expect(context(0, true))?.inside().next()?;
            parts.end()?;
            GeneralName::Other(oid)
        }
        0x81 => GeneralName::Email(body()),
        0x82 => GeneralName::Dns(body()),
        0xa4 => {
            let mut inside = name.inside();
            let directory = CanonicalName::of(inside.expect(SEQUENCE)?.inside())?;
            inside.end()?;
            GeneralName::Directory(directory)
        }
        0x86 => GeneralName::Uri(body()),
        0x87 => GeneralName::Ip(body()),
        0x88 => {
            Element { tag: super::der::OID, ..name }.oid()?;
            GeneralName::Unsupported(name.tag)
        }
        0xa3 | 0xa5 => GeneralName::Unsupported(name.tag),
        _ => return Err(Unreadable),
    })
}

impl NameConstraints {
    pub(super) fn of(mut parts: Elements<'_>) -> Result<Self, Unreadable> {
        let permitted = subtrees(parts.optional(context(0, true))?)?;
        let excluded = subtrees(parts.optional(context(1, true))?)?;
        parts.end().map(|()| Self { permitted, excluded })
    }

    /// Checks the names of a certificate below; `leaf` if it is the server's own.
    pub fn check(&self, names: &SubjectNames, leaf: bool) -> Result<(), VerifyError> {
        let count = names.attributes + names.alternative.len();
        if count.saturating_mul(self.permitted.len() + self.excluded.len()) > MAX_COMPARISONS {
            return Err(VerifyError::UNSPECIFIED);
        }
        if !names.directory.is_empty() {
            self.check_one(&GeneralName::Directory(names.directory.clone()))?;
            for email in &names.emails {
                let email = email.clone().ok_or(VerifyError::UNSUPPORTED_NAME_SYNTAX)?;
                self.check_one(&GeneralName::Email(email))?;
            }
        }
        names.alternative.iter().try_for_each(|name| self.check_one(name))?;
        let named = names.alternative.iter().any(|name| matches!(name, GeneralName::Dns(_)));
        if leaf && !named {
            for name in &names.common_names {
                if let Some(host) = host_name(name)? {
                    self.check_one(&GeneralName::Dns(host.as_bytes().to_vec()))?;
                }
            }
        }
        Ok(())
    }

    /// `nc_match`: if there are permitted constraints of its type, one must permit the name; none may exclude it.
    fn check_one(&self, name: &GeneralName) -> Result<(), VerifyError> {
        let mut permitted = None;
        for subtree in self.permitted.iter().filter(|subtree| same_kind(&subtree.base, name)) {
            if !subtree.plain {
                return Err(VerifyError::SUBTREE_MINMAX);
            }
            if permitted != Some(true) {
                permitted = Some(is_within(name, &subtree.base)?);
            }
        }
        if permitted == Some(false) {
            return Err(VerifyError::PERMITTED_VIOLATION);
        }
        for subtree in self.excluded.iter().filter(|subtree| same_kind(&subtree.base, name)) {
            if !subtree.plain {
                return Err(VerifyError::SUBTREE_MINMAX);
            }
            if is_within(name, &subtree.base)? {
                return Err(VerifyError::EXCLUDED_VIOLATION);
            }
        }
        Ok(())
    }
}

fn subtrees(list: Option<Element<'_>>) -> Result<Vec<Subtree>, Unreadable> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let subtree = |one: Element<'_>| {
        let mut parts = one.inside();
        let base = general_name(parts.next()?)?;
        let minimum = parts.optional(context(0, false))?.map(Element::integer).transpose()?;
        let maximum = parts.optional(context(1, false))?;
        parts.end()?;
        let plain = maximum.is_none() && minimum.is_none_or(|number| number == [0]);
        Ok(Subtree { base, plain })
    };
    list.inside().all()?.into_iter().map(subtree).collect()
}

fn same_kind(base: &GeneralName, name: &GeneralName) -> bool {
    match (base, name) {
        (GeneralName::Other(one), GeneralName::Other(other)) => one == other,
        (GeneralName::Unsupported(one), GeneralName::Unsupported(other)) => one == other,
        (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

/// `nc_match_single`.
fn is_within(name: &GeneralName, base: &GeneralName) -> Result<bool, VerifyError> {
    match (name, base) {
        (GeneralName::Directory(name), GeneralName::Directory(base)) => Ok(name.begins_with(base)),
        (GeneralName::Dns(name), GeneralName::Dns(base)) => Ok(dns_within(name, base)),
        (GeneralName::Email(name), GeneralName::Email(base)) => email_within(name, base),
        (GeneralName::Uri(name), GeneralName::Uri(base)) => uri_within(name, base),
        (GeneralName::Ip(name), GeneralName::Ip(base)) => ip_within(name, base),
        _ => Err(VerifyError::UNSUPPORTED_CONSTRAINT_TYPE),
    }
}

fn ends_with(name: &[u8], end: &[u8]) -> bool {
    name.len() >= end.len() && name[name.len() - end.len()..].eq_ignore_ascii_case(end)
}

fn dns_within(name: &[u8], base: &[u8]) -> bool {
    let boundary = || name.len() == base.len() || name[name.len() - base.len() - 1] == b'.';
    base.is_empty() || (ends_with(name, base) && (base[0] == b'.' || boundary()))
}

fn email_within(name: &[u8], base: &[u8]) -> Result<bool, VerifyError> {
    let at = |text: &[u8]| text.iter().rposition(|byte| *byte == b'@');
    let name_at = at(name).ok_or(VerifyError::UNSUPPORTED_NAME_SYNTAX)?;
    let base_at = at(base);
    if base_at.is_none() && base.first() == Some(&b'.') {
        return Ok(name.len() > base.len() && ends_with(name, base));
    }
    let host = match base_at {
        None => base,
        Some(base_at) => {
            let (wanted, local) = (&base[..base_at], &name[..name_at]);
            if base_at > 0 {
                if wanted.len() != local.len() {
                    return Ok(false);
                }
                if wanted.contains(&0) || local.contains(&0) {
                    return Err(VerifyError::UNSUPPORTED_NAME_SYNTAX);
                }
                if wanted != local {
                    return Ok(false);
                }
            }
            &base[base_at + 1..]
        }
    };
    Ok(name[name_at + 1..].eq_ignore_ascii_case(host))
}

fn uri_within(uri: &[u8], base: &[u8]) -> Result<bool, VerifyError> {
    let unsupported = VerifyError::UNSUPPORTED_NAME_SYNTAX;
    let colon = uri.iter().position(|byte| *byte == b':').ok_or(unsupported)?;
    let rest = uri[colon + 1..].strip_prefix(b"//").ok_or(unsupported)?;
    let find = |wanted: u8| rest.iter().position(|byte| *byte == wanted);
    let host = &rest[..find(b':').or_else(|| find(b'/')).unwrap_or(rest.len())];
    if host.is_empty() {
        return Err(unsupported);
    }
    if base.first() == Some(&b'.') {
        return Ok(host.len() > base.len() && ends_with(host, base));
    }
    Ok(host.eq_ignore_ascii_case(base))
}

fn ip_within(address: &[u8], base: &[u8]) -> Result<bool, VerifyError> {
    if !matches!(address.len(), 4 | 16) || !matches!(base.len(), 8 | 32) {
        return Err(VerifyError::UNSUPPORTED_NAME_SYNTAX);
    }
    if address.len() * 2 != base.len() {
        return Ok(false);
    }
    let (network, mask) = base.split_at(address.len());
    Ok(address.iter().zip(network).zip(mask).all(|((one, other), mask)| one & mask == other & mask))
}

/// `cn2dnsid`: a common name that could be a host name of two or more labels.
fn host_name(name: &str) -> Result<Option<&str>, VerifyError> {
    let name = name.trim_end_matches('\0');
    if name.contains('\0') {
        return Err(VerifyError::UNSUPPORTED_NAME_SYNTAX);
    }
    let bytes = name.as_bytes();
    let inner = |at: usize| at > 0 && at + 1 < bytes.len();
    let fits = |at: usize| match bytes[at] {
        byte if byte.is_ascii_alphanumeric() || byte == b'_' => true,
        b'-' => inner(at),
        b'.' => inner(at) && bytes[at - 1] != b'-' && !matches!(bytes[at + 1], b'.' | b'-'),
        _ => false,
    };
    Ok((name.contains('.') && (0..bytes.len()).all(fits)).then_some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_within_constraints_as_openssl_reads_them() {
        for (name, base, expected) in [
            ("a.test", "", true),
            ("a.test", "a.test", true),
            ("b.A.test", "a.test", true),
            ("ba.test", "a.test", false),
            ("b.a.test", ".a.test", true),
            ("a.test", ".a.test", false),
            ("test", "a.test", false),
        ] {
            assert_eq!(
                dns_within(name.as_bytes(), base.as_bytes()),
                expected,
                "{name} in {base:?}"
            );
        }
        assert_eq!(ip_within(&[10, 1, 2, 3], &[10, 0, 0, 0, 255, 0, 0, 0]), Ok(true));
        assert_eq!(ip_within(&[11, 1, 2, 3], &[10, 0, 0, 0, 255, 0, 0, 0]), Ok(false));
        assert_eq!(email_within(b"a@b.test", b"b.test"), Ok(true));
        assert_eq!(email_within(b"a@c.b.test", b".b.test"), Ok(true));
        assert_eq!(uri_within(b"https://a.test:1/", b"a.test"), Ok(true));
        assert!(uri_within(b"mailto:a", b"a.test").is_err());
    }

    #[test]
    fn a_common_name_counts_where_it_could_be_a_host_name() {
        for (name, expected) in [
            ("a.test", true),
            ("a", false),
            ("-a.test", false),
            ("a..test", false),
            ("a b.test", false),
        ] {
            assert_eq!(host_name(name).unwrap().is_some(), expected, "{name}");
        }
        assert!(host_name("a.test\0b").is_err());
    }
}
