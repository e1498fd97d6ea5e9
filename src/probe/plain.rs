//! What a peer that answers a hello in plain text seems to speak, from its first bytes.

use crate::observation::PlainProtocol;

/// Bytes of a first line that are kept.
const MAX_LINE: usize = 200;

/// Bytes of an unknown protocol that are kept.
const MAX_BYTES: usize = 16;

/// Names the protocol of a peer's first bytes.
pub fn classify(bytes: &[u8]) -> PlainProtocol {
    let line = first_line(bytes);
    if line.starts_with("HTTP/") || line.starts_with('<') {
        return PlainProtocol::Http(line);
    }
    if line.starts_with("SSH-") {
        return PlainProtocol::Ssh(line);
    }
    let greets = ["220", "421", "554", "* OK", "* BYE", "* BAD", "+OK", "-ERR"]
        .iter()
        .any(|start| line.starts_with(start));
    if greets || is_mysql(bytes) {
        return PlainProtocol::Greeting(line);
    }
    PlainProtocol::Unknown(bytes.iter().copied().take(MAX_BYTES).collect())
}

fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    String::from_utf8_lossy(line.get(..MAX_LINE).unwrap_or(line)).into_owned()
}

/// A MySQL server greets with packet 0 of protocol version 10.
fn is_mysql(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, 0, 0, 10, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_their_first_bytes() {
        assert_eq!(
            classify(b"HTTP/1.1 400 Bad\r\nX: y"),
            PlainProtocol::Http("HTTP/1.1 400 Bad".to_owned())
        );
        assert_eq!(classify(b"SSH-2.0-x\r\n"), PlainProtocol::Ssh("SSH-2.0-x".to_owned()));
        assert_eq!(
            classify(b"220 mail ready\r\n"),
            PlainProtocol::Greeting("220 mail ready".to_owned())
        );
        assert_eq!(classify(&[0xff; 99]), PlainProtocol::Unknown(vec![0xff; MAX_BYTES]));
        assert_eq!(classify(b""), PlainProtocol::Unknown(Vec::new()));
    }
}
