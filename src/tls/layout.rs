//! The layout of a known client's hello: which extensions it sends, in which order.

use serde::Deserialize;

use super::extension::ExtensionType;
use super::hex;

/// One extension in a hello's layout, with its contents if they do not follow from the profile's other fields.
///
/// The table writes it as `0x000a`, or `0x000b=0100`; `00*32` stands for 32 zero bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaidOut {
    /// Its number.
    pub kind: ExtensionType,
    /// Its contents.
    pub body: Vec<u8>,
}

impl<'de> Deserialize<'de> for LaidOut {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        laid_out(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("invalid extension: {text}")))
    }
}

fn laid_out(text: &str) -> Option<LaidOut> {
    let (number, contents) = text.split_once('=').unwrap_or((text, ""));
    let number = u16::from_str_radix(number.strip_prefix("0x")?, 16).ok()?;
    let mut body = Vec::new();
    for part in contents.split_ascii_whitespace() {
        let (digits, times) = part.split_once('*').unwrap_or((part, "1"));
        body.extend(hex::bytes(digits)?.repeat(times.parse().ok()?));
    }
    Some(LaidOut { kind: ExtensionType(number), body })
}

/// The layout for a client whose extensions were not recorded in order.
pub(super) fn usual() -> Vec<LaidOut> {
    let place = |(kind, body): (ExtensionType, &[u8])| LaidOut { kind, body: body.to_vec() };
    let places: [(ExtensionType, &[u8]); 9] = [
        (ExtensionType::SERVER_NAME, &[]),
        (ExtensionType::RENEGOTIATION_INFO, &[0]),
        (ExtensionType::SUPPORTED_GROUPS, &[]),
        (ExtensionType::EC_POINT_FORMATS, &[1, 0]),
        (ExtensionType::SIGNATURE_ALGORITHMS, &[]),
        (ExtensionType::ALPN, &[]),
        (ExtensionType::SUPPORTED_VERSIONS, &[]),
        (ExtensionType::PSK_KEY_EXCHANGE_MODES, &[1, 1]),
        (ExtensionType::KEY_SHARE, &[]),
    ];
    places.map(place).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_a_number_and_bytes() {
        let read = |text: &str| laid_out(text).map(|it| (it.kind.0, it.body));
        assert_eq!(read("0x000a"), Some((10, vec![])));
        assert_eq!(read("0xfe0d=0100 00*2 07"), Some((0xfe0d, vec![1, 0, 0, 0, 7])));
        assert_eq!(read("0x000b=010"), None);
        assert_eq!(read("11"), None);
    }
}
