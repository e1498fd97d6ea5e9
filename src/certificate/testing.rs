//! DER by hand, for tests of what no library would write.

use x509_parser::asn1_rs::Any;
use x509_parser::prelude::FromDer;

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
