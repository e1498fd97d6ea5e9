//! Guesses the protocol of a peer that does not answer a `ClientHello` in TLS, from its first bytes.
//!
//! The peer's text is kept as received, except for its length and invalid UTF-8; reports escape it.

use crate::observation::PlainProtocol;
use crate::tls::codec::{ByteReader, DecodeError};

/// The most characters of the peer's text that are kept.
const MAX_TEXT: usize = 200;
/// The most bytes of an unknown protocol that are kept.
const MAX_UNKNOWN: usize = 16;

/// The protocol that starts with these bytes.
pub fn classify(first_bytes: &[u8]) -> PlainProtocol {
    if let Ok(greeting) = mysql_greeting(first_bytes) {
        return PlainProtocol::Greeting(greeting);
    }
    let notice = |window: &[u8]| window == NOTICE_OF_DISCONNECTION;
    if first_bytes.windows(NOTICE_OF_DISCONNECTION.len()).any(notice) {
        return PlainProtocol::Greeting("LDAP notice of disconnection".to_owned());
    }
    let line = first_line(first_bytes);
    let lower = line.to_ascii_lowercase();
    if starts_with_any(&lower, &["http/", "<!doctype html", "<html"]) {
        PlainProtocol::Http(line)
    } else if lower.starts_with("ssh-") {
        PlainProtocol::Ssh(line)
    } else if starts_with_any(&lower, GREETINGS)
        || is_reply_line(line.as_bytes())
        || (lower.starts_with(':') && lower.contains(" notice "))
    {
        PlainProtocol::Greeting(line)
    } else {
        PlainProtocol::Unknown(first_bytes.iter().copied().take(MAX_UNKNOWN).collect())
    }
}

/// The peer's text: the first line as lossy UTF-8, at most 200 characters.
fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().chars().take(MAX_TEXT).collect()
}

/// How greetings of POP3, IMAP, XMPP, ManageSieve and IRC start.
const GREETINGS: &[&str] = &[
    "+ok",
    "-err",
    "* ok",
    "* bye",
    "* preauth",
    "<?xml",
    "<stream:",
    "<stream ",
    "\"implementation\"",
    "notice ",
    "error :",
];

/// The object identifier of the notice that an LDAP server sends for invalid data (RFC 4511 section 4.4.1).
const NOTICE_OF_DISCONNECTION: &[u8] = b"1.3.6.1.4.1.1466.20036";

fn first_line(bytes: &[u8]) -> String {
    words(bytes.split(|byte| *byte == b'\n').next().unwrap_or_default())
}

fn starts_with_any(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| text.starts_with(prefix))
}

/// Whether it is a reply of SMTP or FTP: three digits, then a space, a hyphen or the end.
pub(super) fn is_reply_line(line: &[u8]) -> bool {
    let Some((code, rest)) = line.split_at_checked(3) else {
        return false;
    };
    matches!(code, [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'])
        && matches!(rest.first(), None | Some(b' ' | b'-'))
}

/// The version or the error in a MySQL greeting: packet length, sequence 0, then 10 or 255.
fn mysql_greeting(bytes: &[u8]) -> Result<String, DecodeError> {
    const HANDSHAKE_V10: u8 = 10;
    const ERROR: u8 = 255;
    let mut reader = ByteReader::new(bytes);
    let [length, _, high, sequence, kind] = reader.array()?;
    if high != 0 || sequence != 0 || length == 0 {
        return Err(DecodeError::TrailingBytes);
    }
    match kind {
        HANDSHAKE_V10 => {
            let version = reader.rest().split(|byte| *byte == 0).next().unwrap_or_default();
            let plausible = version.first().is_some_and(u8::is_ascii_digit) && version.is_ascii();
            plausible.then(|| format!("MySQL {}", words(version))).ok_or(DecodeError::TrailingBytes)
        }
        ERROR => {
            let code = u16::from_le_bytes(reader.array()?);
            Ok(format!("MySQL error {code}: {}", words(reader.rest())))
        }
        _ => Err(DecodeError::TrailingBytes),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(first_bytes: &[u8], expected: &PlainProtocol) {
        assert_eq!(&classify(first_bytes), expected);
    }

    #[test]
    fn web_servers_are_recognised_by_their_status_line_or_page() {
        let status = "HTTP/1.1 400 Bad Request".to_owned();
        check(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n", &PlainProtocol::Http(status));
        check(b"<html>\n<head>", &PlainProtocol::Http("<html>".into()));
    }

    #[test]
    fn ssh_servers_are_recognised_by_their_banner() {
        check(b"SSH-2.0-OpenSSH_9.2\r\n", &PlainProtocol::Ssh("SSH-2.0-OpenSSH_9.2".into()));
    }

    #[test]
    fn servers_that_greet_are_recognised_by_their_first_line() {
        for line in ["220 mx.test ESMTP", "220-first of many", "+OK ready", "* OK IMAP4", "554"] {
            let bytes = format!("{line}\r\nmore\r\n");
            check(bytes.as_bytes(), &PlainProtocol::Greeting(line.into()));
        }
        for line in ["\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"", ":irc.a.test NOTICE * :hello"] {
            check(line.as_bytes(), &PlainProtocol::Greeting(line.into()));
        }
        let bye =
            b"\x30\x2b\x02\x01\0\x78\x26\x0a\x01\x02\x04\0\x04\0\x8a\x161.3.6.1.4.1.1466.20036";
        check(bye, &PlainProtocol::Greeting("LDAP notice of disconnection".into()));
        let mysql = b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0";
        check(mysql, &PlainProtocol::Greeting("MySQL 8.0.36".into()));
        let blocked = b"\x45\0\0\0\xff\x6a\x04Host is not allowed";
        check(blocked, &PlainProtocol::Greeting("MySQL error 1130: Host is not allowed".into()));
    }

    #[test]
    fn other_bytes_are_kept_as_they_are_up_to_a_limit() {
        check(b"RFB 003.008\n", &PlainProtocol::Unknown(b"RFB 003.008\n".to_vec()));
        check(b"2200 no reply", &PlainProtocol::Unknown(b"2200 no reply".to_vec()));
        check(b"", &PlainProtocol::Unknown(Vec::new()));
        check(&[0xff; 300], &PlainProtocol::Unknown(vec![0xff; MAX_UNKNOWN]));
    }

    #[test]
    fn long_and_broken_text_is_bounded_and_readable() {
        let bytes = [&b"HTTP/1.1 200 \xff\x1b["[..], &[b'a'; 5000]].concat();
        let PlainProtocol::Http(line) = classify(&bytes) else { panic!("not HTTP") };
        assert_eq!(line.chars().count(), MAX_TEXT);
        assert!(line.contains('\u{fffd}') && line.contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn any_bytes_are_classified(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = classify(&bytes);
        }
    }
}
