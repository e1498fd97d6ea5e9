//! Binary protocols: directories and databases.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Dialogue, refused, turned_away};
use crate::observation::Cause;

/// Our capabilities in MySQL: long passwords, protocol 4.1, TLS, the newer authentication, and its plugins.
pub(super) const MYSQL_CAPABILITIES: u32 = 0x0008_8a01;

/// Code 51 of RFC 4511 appendix A.
const LDAP_BUSY: u8 = 51;

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<'_, S> {
    /// The SSLRequest message and its one-byte answer (PostgreSQL protocol 3.0).
    pub(super) async fn postgres(&mut self) -> Result<(), Cause> {
        self.say(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
        match self.exactly::<1>().await? {
            [b'S'] => Ok(()),
            [b'N'] => Err(refused("N: TLS is disabled in the server")),
            [b'E'] => Err(refused("E: the server answers SSLRequest with an error")),
            [other] => Err(refused(&format!("unexpected byte {other:#04x}"))),
        }
    }

    /// The StartTLS extended operation (RFC 4511 section 4.14) and its result code.
    pub(super) async fn ldap(&mut self) -> Result<(), Cause> {
        let mut request = vec![0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16];
        request.extend_from_slice(b"1.3.6.1.4.1.1466.20037");
        self.say(&request).await?;
        let no_ldap = || refused("the answer is not an LDAP message");
        let [tag, length] = self.exactly::<2>().await?;
        if tag != 0x30 {
            return Err(no_ldap());
        }
        let length = match length {
            0..=0x7f => usize::from(length),
            0x81 => usize::from(self.exactly::<1>().await?[0]),
            0x82 => usize::from(u16::from_be_bytes(self.exactly::<2>().await?)),
            0x84 => usize::try_from(u32::from_be_bytes(self.exactly::<4>().await?))
                .unwrap_or(usize::MAX),
            _ => return Err(no_ldap()),
        };
        let body = self.bytes(length).await?;
        match ldap_result(&body) {
            Some(0) => Ok(()),
            Some(LDAP_BUSY) => Err(turned_away("LDAP result code 51 (busy)")),
            Some(code) => Err(refused(&format!("LDAP result code {code}{}", ldap_meaning(code)))),
            None => Err(refused("the answer is not an extended response")),
        }
    }

    /// The greeting shows whether the server has `CLIENT_SSL`; the reply is a handshake response without its body.
    pub(super) async fn mysql(&mut self) -> Result<(), Cause> {
        let [a, b, c, sequence] = self.exactly::<4>().await?;
        let greeting =
            self.bytes(usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16).await?;
        match greeting.split_first() {
            Some((10, _)) => {}
            // "Host … is not allowed to connect", "Host … is blocked", "Too many connections": these are not about TLS.
            Some((0xff, [low, high, words @ ..])) => {
                let code = u16::from_le_bytes([*low, *high]);
                let words =
                    words.strip_prefix(b"#").and_then(|words| words.get(5..)).unwrap_or(words);
                let words = String::from_utf8_lossy(words);
                return Err(turned_away(&format!("MySQL error {code}: {words}")));
            }
            _ => return Err(refused("the greeting is not from MySQL")),
        }
        if !mysql_has_tls(&greeting) {
            return Err(refused("TLS is disabled in the server"));
        }
        let mut request = vec![32, 0, 0, sequence.wrapping_add(1)];
        request.extend(mysql_response_header());
        self.say(&request).await
    }
}

/// The common start of the TLS request and the login: capabilities, packets of 16 MiB, utf8, and 23 bytes of filler.
pub(super) fn mysql_response_header() -> [u8; 32] {
    let mut header = [0; 32];
    header[..4].copy_from_slice(&MYSQL_CAPABILITIES.to_le_bytes());
    header[7] = 1;
    header[8] = 33;
    header
}

/// The result code of an ExtendedResponse: message id, then `[APPLICATION 24]`, which starts with an enumerated.
fn ldap_result(body: &[u8]) -> Option<u8> {
    let (2, rest) = body.split_first().map(|(tag, rest)| (*tag, rest))? else {
        return None;
    };
    let (length, rest) = rest.split_first()?;
    let rest = rest.get(usize::from(*length)..)?;
    match rest {
        [0x78, _, 0x0a, 1, code, ..]
        | [0x78, 0x81, _, 0x0a, 1, code, ..]
        | [0x78, 0x84, _, _, _, _, 0x0a, 1, code, ..] => Some(*code),
        _ => None,
    }
}

/// The meaning of result codes of servers without TLS (RFC 4511 appendix A).
fn ldap_meaning(code: u8) -> &'static str {
    match code {
        1 => " (operationsError)",
        2 => " (protocolError: the server does not support StartTLS, or TLS is not configured)",
        8 => " (strongerAuthRequired)",
        52 => " (unavailable: TLS is not configured)",
        53 => " (unwillingToPerform)",
        _ => "",
    }
}

/// Capability bit 11 is in the two bytes after the version, the thread id, eight bytes of challenge and a zero.
fn mysql_has_tls(greeting: &[u8]) -> bool {
    let version_end = greeting.iter().skip(1).position(|byte| *byte == 0).map(|at| at + 2);
    version_end.and_then(|at| greeting.get(at + 4 + 8 + 1..at + 4 + 8 + 3)).is_some_and(
        |capabilities| u16::from_le_bytes([capabilities[0], capabilities[1]]) & 0x0800 != 0,
    )
}
