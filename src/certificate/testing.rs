//! DER by hand, for tests of what no library would write.

use aws_lc_rs::digest;
use rcgen::{CustomExtension, SigningKey};
use x509_parser::asn1_rs::Any;
use x509_parser::prelude::FromDer;

use super::Certificate;
use super::issue::Authority;

/// An element with the shortest length, as DER wants it.
pub(super) fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let header = match body.len() {
        0..0x80 => vec![tag, length[1]],
        0x80..0x100 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [header.as_slice(), body].concat()
}

/// The elements inside the first element, each with its header.
pub(super) fn children(der: &[u8]) -> Vec<Vec<u8>> {
    let (_, element) = Any::from_der(der).unwrap();
    let mut rest = element.data;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (after, _) = Any::from_der(rest).unwrap();
        found.push(rest[..rest.len() - after.len()].to_vec());
        rest = after;
    }
    found
}

/// An OCSP response of the authority itself, made at that time, by which this certificate of its is good, or was revoked then.
pub(crate) fn staple(
    authority: &Authority,
    leaf: &Certificate,
    at: &[u8],
    revoked: bool,
) -> Vec<u8> {
    const SHA1: [u8; 7] = [6, 5, 0x2b, 14, 3, 2, 0x1a];
    const ECDSA_SHA256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    const BASIC: [u8; 11] = [6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
    let sequence = |parts: &[&[u8]]| tlv(0x30, &parts.concat());
    let issuer = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &leaf.issuer.der);
    let serial: Vec<u8> = leaf.serial.as_bytes().chunks(2).map(from_hex).collect();
    let id = sequence(&[
        &sequence(&[&SHA1]),
        &tlv(4, issuer.as_ref()),
        &tlv(4, &[0; 20]),
        &tlv(2, &serial),
    ]);
    let time = tlv(0x18, at);
    let status = if revoked { tlv(0xa1, &time) } else { tlv(0x80, &[]) };
    let answer = sequence(&[&id, &status, &time]);
    let data = sequence(&[&tlv(0xa1, &leaf.issuer.der), &time, &sequence(&[&answer])]);
    let signature = authority.key().sign(&data).unwrap();
    let signature = tlv(3, &[&[0], &*signature].concat());
    let basic = sequence(&[&data, &sequence(&[&ECDSA_SHA256]), &signature]);
    let bytes = sequence(&[&BASIC, &tlv(4, &basic)]);
    sequence(&[&tlv(10, &[0]), &tlv(0xa0, &bytes)])
}

fn from_hex(digits: &[u8]) -> u8 {
    u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap()
}

/// The extension that says where the issuer's certificate lies (RFC 5280 section 4.2.2.1).
pub(crate) fn ca_issuers(url: &str) -> CustomExtension {
    const METHOD: [u8; 10] = [6, 8, 0x2b, 6, 1, 5, 5, 7, 48, 2];
    let description = tlv(0x30, &[&METHOD[..], &tlv(0x86, url.as_bytes())].concat());
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], tlv(0x30, &description))
}
