//! Reads the table's names and numbers.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::CipherSuite;

pub(super) fn suites<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<CipherSuite>, D::Error> {
    list(from, |text| CipherSuite::from_name(text).or_else(|| number(text).map(CipherSuite)))
}

pub(super) fn groups<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<NamedGroup>, D::Error> {
    list(from, |text| NamedGroup::from_name(text).or_else(|| number(text).map(NamedGroup)))
}

pub(super) fn schemes<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<SignatureScheme>, D::Error> {
    list(from, |text| number(text).map(SignatureScheme))
}

fn list<'de, D: Deserializer<'de>, T>(
    from: D,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let value =
        |text: &String| read(text).ok_or_else(|| D::Error::custom(format!("unknown: {text}")));
    texts.iter().map(value).collect()
}

fn number(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}
