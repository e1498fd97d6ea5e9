//! Which handshakes are asked for: by name, by address, by time.

use std::net::IpAddr;
use std::str::FromStr;

use super::exchange::Exchange;

/// An address, or all that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    first: u128,
    bits: u32,
    is_ipv4: bool,
}

/// The text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid address {0:?}: expected one like 192.0.2.1, 2001:db8::1 or 192.0.2.0/24")]
pub struct UnknownAddressBlock(String);

impl FromStr for AddressBlock {
    type Err = UnknownAddressBlock;

    fn from_str(text: &str) -> Result<Self, UnknownAddressBlock> {
        let unknown = || UnknownAddressBlock(text.to_owned());
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(one, bits)| (one, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| unknown())?;
        let (first, all) = number(address);
        let bits = bits.map_or(Ok(all), |bits| bits.parse().map_err(|_| unknown()))?;
        if bits > all {
            return Err(unknown());
        }
        Ok(Self { first, bits, is_ipv4: address.is_ipv4() })
    }
}

impl AddressBlock {
    fn contains(&self, address: IpAddr) -> bool {
        let (number, all) = number(address);
        let rest = all - self.bits;
        let begins = |number: u128| number.checked_shr(rest).unwrap_or(0);
        address.is_ipv4() == self.is_ipv4 && begins(number) == begins(self.first)
    }
}

/// An address as a number, and how many bits it has.
fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

/// What is asked for; all where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct CaptureFilter {
    /// Names that clients ask for; `*.a.test` stands for everything below `a.test`.
    pub names: Vec<String>,
    /// Addresses of clients or servers.
    pub addresses: Vec<AddressBlock>,
    /// Nothing older, in nanoseconds since 1970.
    pub since: Option<i64>,
    /// Nothing that begins at that time or later.
    pub until: Option<i64>,
}

impl CaptureFilter {
    /// Whether that handshake is asked for.
    pub fn lets_through(&self, exchange: &Exchange) -> bool {
        let ends = [exchange.client, exchange.server, exchange.true_client()];
        let by_address =
            || ends.iter().any(|end| self.addresses.iter().any(|it| it.contains(end.ip())));
        let by_name = || {
            let name = exchange.server_name().unwrap_or_default();
            self.names.iter().any(|wanted| is_named(&name, wanted))
        };
        (self.addresses.is_empty() || by_address())
            && (self.names.is_empty() || by_name())
            && self.since.is_none_or(|since| exchange.opened >= since)
            && self.until.is_none_or(|until| exchange.opened < until)
    }
}

fn is_named(name: &str, wanted: &str) -> bool {
    let (name, wanted) = (name.to_ascii_lowercase(), wanted.to_ascii_lowercase());
    match wanted.strip_prefix('*') {
        Some(end) => name.len() > end.len() && name.ends_with(end),
        None => name == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_the_addresses_that_begin_like_it() {
        let has = |block: &str, address: &str| {
            block.parse::<AddressBlock>().unwrap().contains(address.parse().unwrap())
        };
        assert!(has("192.0.2.1", "192.0.2.1") && !has("192.0.2.1", "192.0.2.2"));
        assert!(has("192.0.2.0/24", "192.0.2.255") && !has("192.0.2.0/24", "192.0.3.0"));
        assert!(has("0.0.0.0/0", "8.8.8.8") && !has("0.0.0.0/0", "::1"));
        assert!(has("2001:db8::/32", "2001:db8:7::1") && !has("::/0", "127.0.0.1"));
        for wrong in ["a.test", "192.0.2.0/33", "192.0.2.0/x", ""] {
            assert!(wrong.parse::<AddressBlock>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_star_stands_for_everything_below() {
        assert!(is_named("www.A.test", "*.a.test") && !is_named("a.test", "*.a.test"));
        assert!(is_named("A.test", "a.test") && !is_named("", "a.test"));
    }
}
