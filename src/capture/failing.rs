//! Connections whose handshakes failed, with their packets, to be written to a small capture.

use std::net::SocketAddr;

use super::exchange::{Breakdown, Conclusion, Exchange};
use super::kept::{KeptPacket, KeptPackets};

/// Bytes of packets that are kept.
const MAX_BYTES: usize = 128 * 1024 * 1024;

/// Words after which a client may say what is nobody's business; `AUTH TLS` says nothing.
const SECRETS: [&[u8]; 6] =
    [b"AUTH ", b"AUTHENTICATE ", b"LOGIN ", b"PASS ", b"USER ", b"AUTHORIZATION:"];

/// A connection.
#[derive(Clone, Debug)]
pub struct FailingConnection {
    /// Who opened it.
    pub client: SocketAddr,
    /// To whom.
    pub server: SocketAddr,
    /// Whether a PROXY header in it names another client.
    pub is_proxied: bool,
    /// Why the handshake failed: its class and the likeliest cause.
    pub why: String,
    /// Its packets; side 0 is the client's.
    pub packets: Vec<KeptPacket>,
}

/// The connections so far.
#[derive(Clone, Debug, Default)]
pub struct FailingConnections {
    /// Those that are kept.
    pub connections: Vec<FailingConnection>,
    /// Those of which the packets were too many.
    pub left_out: u64,
    bytes: usize,
}

impl FailingConnections {
    /// Takes a handshake that failed, with its packets.
    pub fn add(&mut self, exchange: &Exchange, kept: &KeptPackets, why: String) {
        let size = self.bytes.saturating_add(kept.size());
        let packets = kept.all().filter(|packets| size <= MAX_BYTES && !packets.is_empty());
        let Some(packets) = packets else {
            self.left_out += 1;
            return;
        };
        self.bytes = size;
        let packets = packets.iter().map(|packet| without_data(packet, exchange)).collect();
        self.connections.push(FailingConnection {
            client: exchange.client,
            server: exchange.server,
            is_proxied: exchange.proxied.is_some(),
            why,
            packets,
        });
    }
}

/// The packet without what a client says in plain text: of a request its method, of a dialogue no passwords.
fn without_data(packet: &KeptPacket, exchange: &Exchange) -> KeptPacket {
    let mut packet = packet.clone();
    if packet.side != 0 {
        return packet;
    }
    if exchange.conclusion == Conclusion::Failed(Breakdown::PlainHttp) {
        let method = packet.payload.iter().position(|byte| *byte == b' ').map_or(0, |at| at + 1);
        let is_method = packet
            .payload
            .iter()
            .take(method)
            .all(|byte| byte.is_ascii_uppercase() || *byte == b' ');
        let kept = if is_method && method <= 8 { method } else { 0 };
        mask(packet.payload.get_mut(kept..).unwrap_or_default());
    } else if exchange.preface.is_some() && packet.payload.first().is_some_and(u8::is_ascii_graphic)
    {
        for line in packet.payload.split_mut(|byte| *byte == b'\n') {
            mask_secret(line);
        }
    }
    packet
}

fn mask(bytes: &mut [u8]) {
    let plain = bytes.iter_mut().filter(|byte| !matches!(byte, b'\r' | b'\n'));
    plain.for_each(|byte| *byte = b'x');
}

fn mask_secret(line: &mut [u8]) {
    let upper = line.to_ascii_uppercase();
    let behind = |word: &&[u8]| {
        let at = upper.windows(word.len()).position(|part| part == *word)?;
        Some(at + word.len())
    };
    let Some(secret) = SECRETS.iter().filter_map(behind).min() else { return };
    let harmless = [&b"TLS"[..], b"SSL"]
        .iter()
        .any(|word| upper.get(secret..).is_some_and(|rest| rest.trim_ascii() == *word));
    if !harmless {
        mask(line.get_mut(secret..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_a_dialogue_are_masked() {
        let masked = |text: &str| {
            let mut line = text.as_bytes().to_vec();
            mask_secret(&mut line);
            String::from_utf8(line).unwrap()
        };
        assert_eq!(masked("a1 login bob secret\r"), "a1 login xxxxxxxxxx\r");
        assert_eq!(
            masked("Proxy-Authorization: Basic QQ==\r"),
            "Proxy-Authorization:xxxxxxxxxxx\r"
        );
        for harmless in ["EHLO client.test\r", "AUTH TLS\r", "STARTTLS\r"] {
            assert_eq!(masked(harmless), harmless);
        }
    }
}
