//! Distinguished names: the DER for comparisons, and a text similar to RFC 4514 for people.

use x509_parser::asn1_rs::{Any, Oid, Tag, oid};
use x509_parser::oid_registry::{OID_X509_COMMON_NAME, OID_X509_ORGANIZATION_NAME};
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::key::dotted;
use crate::tls::hex::hex;

/// A distinguished name: its DER for comparisons, its RFC 4514-like text for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    /// The `Name` in DER.
    pub der: Vec<u8>,
    /// `CN=…, O=…` in the order of the certificate; written by the certificate's author, so escape it before display.
    pub text: String,
}

impl DistinguishedName {
    /// Reads a `Name` in DER; if it cannot be read, it keeps its bytes, and the text says so.
    pub fn from_der(der: &[u8]) -> Self {
        match X509Name::from_der(der) {
            Ok((_, name)) => Self::of(&name),
            Err(_) => Self { der: der.to_vec(), text: "(unreadable name)".to_owned() },
        }
    }

    /// The most specific common name.
    pub fn common_name(&self) -> Option<String> {
        self.last_value(&OID_X509_COMMON_NAME)
    }

    /// The most specific organization.
    pub fn organization(&self) -> Option<String> {
        self.last_value(&OID_X509_ORGANIZATION_NAME)
    }

    pub(super) fn of(name: &X509Name<'_>) -> Self {
        Self { der: name.as_raw().to_vec(), text: text(name) }
    }

    fn last_value(&self, id: &Oid<'_>) -> Option<String> {
        let (_, name) = X509Name::from_der(&self.der).ok()?;
        name.iter_attributes()
            .filter(|attribute| attribute.attr_type() == id)
            .last()
            .map(|attribute| value(attribute.attr_value()))
    }
}

/// The common names of a subject, in the order of the certificate.
pub(super) fn common_names(subject: &X509Name<'_>) -> Vec<String> {
    let attributes = subject.iter_common_name().take(MAX_COMMON_NAMES);
    attributes.map(|attribute| value(attribute.attr_value())).collect()
}

fn text(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    for part in name.iter_rdn() {
        if text.len() > MAX_TEXT {
            text.push_str(", …");
            break;
        }
        for (index, attribute) in part.iter().enumerate() {
            match index {
                _ if text.is_empty() => {}
                0 => text.push_str(", "),
                _ => text.push_str(" + "),
            }
            push_attribute(&mut text, attribute);
        }
    }
    text
}

fn push_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let id = attribute.attr_type();
    match ATTRIBUTES.iter().find(|(known, _)| known == id) {
        Some((_, short)) => text.push_str(short),
        None => text.push_str(&dotted(id)),
    }
    text.push('=');
    for character in value(attribute.attr_value()).chars() {
        if ",+\"\\<>;".contains(character) {
            text.push('\\');
        }
        text.push(character);
    }
}

/// The value as text; a value that is not a string is shown in hexadecimal.
fn value(any: &Any<'_>) -> String {
    let bytes = &any.data[..any.data.len().min(MAX_VALUE)];
    let mut text = match any.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::NumericString
        | Tag::VisibleString => String::from_utf8_lossy(bytes).into_owned(),
        // T.61 as every implementation writes it: Latin-1.
        Tag::T61String => bytes.iter().map(|byte| char::from(*byte)).collect(),
        Tag::BmpString => utf16(bytes),
        Tag::UniversalString => utf32(bytes),
        _ => format!("#{}", hex(bytes)),
    };
    if any.data.len() > MAX_VALUE {
        text.push('…');
    }
    text
}

fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn utf32(bytes: &[u8]) -> String {
    let scalar =
        |four: &[u8]| char::from_u32(u32::from_be_bytes([four[0], four[1], four[2], four[3]]));
    bytes.chunks_exact(4).map(|four| scalar(four).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// The most bytes of a value that are shown; X.520 allows 64 characters for most.
const MAX_VALUE: usize = 256;

/// Length of a text after which no further part is added.
const MAX_TEXT: usize = 2048;

/// The most common names of one certificate; real certificates have far fewer.
const MAX_COMMON_NAMES: usize = 64;

/// Attribute types with OpenSSL's short names.
const ATTRIBUTES: &[(Oid<'static>, &str)] = &[
    (OID_X509_COMMON_NAME, "CN"),
    (oid!(2.5.4.4), "SN"),
    (oid!(2.5.4.5), "serialNumber"),
    (oid!(2.5.4.6), "C"),
    (oid!(2.5.4.7), "L"),
    (oid!(2.5.4.8), "ST"),
    (oid!(2.5.4.9), "street"),
    (OID_X509_ORGANIZATION_NAME, "O"),
    (oid!(2.5.4.11), "OU"),
    (oid!(2.5.4.12), "title"),
    (oid!(2.5.4.13), "description"),
    (oid!(2.5.4.15), "businessCategory"),
    (oid!(2.5.4.17), "postalCode"),
    (oid!(2.5.4.42), "GN"),
    (oid!(2.5.4.46), "dnQualifier"),
    (oid!(2.5.4.97), "organizationIdentifier"),
    (oid!(0.9.2342.19200300.100.1.1), "UID"),
    (oid!(0.9.2342.19200300.100.1.25), "DC"),
    (oid!(1.2.840.113549.1.9.1), "emailAddress"),
    (oid!(1.3.6.1.4.1.311.60.2.1.1), "jurisdictionL"),
    (oid!(1.3.6.1.4.1.311.60.2.1.2), "jurisdictionST"),
    (oid!(1.3.6.1.4.1.311.60.2.1.3), "jurisdictionC"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::testing::tlv;

    /// A `Name` of one part for each `(last arc below 2.5.4, string tag, contents)`.
    fn name(parts: &[(u8, u8, &[u8])]) -> DistinguishedName {
        let parts = parts.iter().map(|(arc, tag, body)| {
            let pair = [tlv(6, &[0x55, 4, *arc]), tlv(*tag, body)].concat();
            tlv(0x31, &tlv(0x30, &pair))
        });
        DistinguishedName::from_der(&tlv(0x30, &parts.collect::<Vec<_>>().concat()))
    }

    #[track_caller]
    fn check(parts: &[(u8, u8, &[u8])], expected: &str) {
        assert_eq!(name(parts).text, expected);
    }

    #[test]
    fn parts_stand_in_the_order_of_the_certificate() {
        check(
            &[(6, 19, b"DE"), (10, 12, b"Example"), (3, 12, b"a.test")],
            "C=DE, O=Example, CN=a.test",
        );
        check(&[], "");
    }

    #[test]
    fn what_looks_like_a_separator_is_escaped() {
        check(&[(10, 12, b"Example, Inc."), (3, 12, b"a+b")], "O=Example\\, Inc., CN=a\\+b");
    }

    #[test]
    fn every_kind_of_string_is_read() {
        check(&[(3, 20, b"M\xfcller")], "CN=Müller");
        check(&[(3, 30, b"\0M\0\xfc")], "CN=Mü");
        check(&[(3, 28, b"\0\0\0M\0\x01\xf6\x00")], "CN=M😀");
        check(&[(3, 12, b"M\xff")], "CN=M\u{fffd}");
        check(&[(3, 4, b"\x01\x02")], "CN=#0102");
        check(&[(127, 12, b"x")], "2.5.4.127=x");
    }

    #[test]
    fn hostile_lengths_are_cut() {
        let long = vec![b'x'; 5000];
        let text = name(&[(3, 12, &long)]).text;
        assert_eq!(text.chars().count(), "CN=".len() + MAX_VALUE + 1);
        let many = vec![(3, 12, long.as_slice()); 12];
        assert!(name(&many).text.len() < MAX_TEXT + 2 * MAX_VALUE);
    }

    #[test]
    fn attributes_are_found_by_what_they_are_and_not_by_text() {
        let tricky = name(&[(3, 12, b"x, O=Other"), (10, 12, b"Example, Inc.")]);
        assert_eq!(tricky.organization().as_deref(), Some("Example, Inc."));
        assert_eq!(tricky.common_name().as_deref(), Some("x, O=Other"));
        assert_eq!(name(&[]).organization(), None);
    }

    #[test]
    fn garbage_is_not_a_name() {
        assert_eq!(DistinguishedName::from_der(b"garbage").text, "(unreadable name)");
    }
}
