//! Placeholders for addresses: the same address has the same one wherever it stands.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The range for measurements of networks (RFC 2544), which no host has, and the range for documentation.
const FIRST_V4: u32 = 0xc612_0000;
const LAST_V4: u32 = 0xc613_ffff;
const FIRST_V6: u128 = 0x2001_0db8 << 96;

/// The placeholders so far.
#[derive(Clone, Debug, Default)]
pub struct Placeholders {
    wanted: bool,
    known: RefCell<HashMap<IpAddr, IpAddr>>,
}

impl Placeholders {
    /// Whether addresses are to be replaced.
    pub fn new(wanted: bool) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Whether addresses are replaced.
    pub fn are_wanted(&self) -> bool {
        self.wanted
    }

    /// What stands for an address.
    pub fn ip(&self, address: IpAddr) -> IpAddr {
        if !self.wanted || address.is_unspecified() {
            return address;
        }
        let mut known = self.known.borrow_mut();
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX).saturating_add(1);
        *known.entry(address).or_insert_with(|| match address {
            IpAddr::V4(_) => Ipv4Addr::from(FIRST_V4.saturating_add(next).min(LAST_V4)).into(),
            IpAddr::V6(_) => Ipv6Addr::from(FIRST_V6 + u128::from(next)).into(),
        })
    }

    /// The same with a port, which stays.
    pub fn socket(&self, address: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.ip(address.ip()), address.port())
    }

    /// A text with what stands for the addresses in it.
    pub fn text(&self, text: String) -> String {
        if !self.wanted {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let length = rest.find(|letter: char| !is_part(letter)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(length);
            out += &self.word(word);
            let (between, next) = after.split_at(after.find(is_part).unwrap_or(after.len()));
            out += between;
            rest = next;
        }
        out
    }

    /// A word that may be an address, with or without a port; a sentence may end behind it.
    fn word(&self, word: &str) -> String {
        let bare = word.trim_end_matches(['.', ':']);
        let end = word.get(bare.len()..).unwrap_or_default();
        let ways = [(word, ""), (bare, end)];
        let replaced = ways.into_iter().find_map(|(word, end)| {
            let inner = word.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
            if let Some(address) = inner.and_then(|it| it.parse().ok()) {
                return Some(format!("[{}]{end}", self.ip(address)));
            }
            if let Ok(address) = word.parse::<IpAddr>() {
                return Some(format!("{}{end}", self.ip(address)));
            }
            let address = word.parse::<SocketAddr>().ok()?;
            Some(format!("{}{end}", self.socket(address)))
        });
        replaced.unwrap_or_else(|| word.to_owned())
    }
}

/// Whether an address may have that letter.
fn is_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | ':' | '[' | ']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_placeholder() {
        let placeholders = Placeholders::new(true);
        let text = |text: &str| placeholders.text(text.to_owned());
        assert_eq!(text("192.0.2.7:443"), "198.18.0.1:443");
        assert_eq!(text("::1"), "2001:db8::2");
        assert_eq!(text("192.0.2.7"), "198.18.0.1");
        assert_eq!(text("a.test"), "a.test");
        assert_eq!(
            text(
                "proxy_pass https://192.0.2.7:8443/a; it is for 192.0.2.7, or [::1]:443. 1.2.840.10045"
            ),
            "proxy_pass https://198.18.0.1:8443/a; it is for 198.18.0.1, or [2001:db8::2]:443. 1.2.840.10045"
        );
        assert_eq!(text("http://[::1]/"), "http://[2001:db8::2]/");
        assert_eq!(text("0.0.0.0:443"), "0.0.0.0:443");
        assert_eq!(Placeholders::default().text("192.0.2.7".to_owned()), "192.0.2.7");
    }
}
