//! Error codes of TLS libraries, as `ERR_error_string` writes them: OpenSSL 1.x and 3.x, LibreSSL, BoringSSL and AWS-LC.
//!
//! Numbers were reused with another meaning between OpenSSL 1.0 and 1.1, and BoringSSL numbers its own way, so each
//! reason is brought to OpenSSL 1.1's number by its words, and by its number only where the words are missing.

mod packing;
pub mod reason;

use std::borrow::Cow;

use memchr::memmem;
use serde::Serialize;

use self::packing::CodePacking;
use self::reason::ALERTS;
use crate::tls::alert::AlertDescription;

/// Digits of a code: every library writes all of them.
const DIGITS: usize = 8;

/// The most codes of one line; OpenSSL queues sixteen.
const MAX_CODES: usize = 16;

/// Which side reports the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SentBy {
    /// The other side, with an alert.
    Peer,
    /// The library of the program that wrote the line.
    Us,
}

/// The part of the library that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorLibrary {
    /// The TLS protocol.
    Ssl,
    /// Certificates.
    X509,
    /// The PEM form.
    Pem,
    /// The DER form.
    Asn1,
    /// The operating system; the reason is an errno.
    System,
    /// Anything else.
    Crypto,
}

/// One code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code<'a> {
    /// The part that failed.
    pub part: ErrorLibrary,
    /// The part's name in the line, or the name that belongs to the number.
    pub library: Cow<'a, str>,
    /// The function, empty since OpenSSL 3.
    pub function: Cow<'a, str>,
    /// The reason: for [`ErrorLibrary::Ssl`] in OpenSSL 1.1's numbering, `None` where that has none.
    pub reason: Option<u32>,
    /// The reason's text, or the one that belongs to the number.
    pub text: Cow<'a, str>,
    /// Whether the reason is one of those that all parts share (`ERR_R_*`).
    pub common: bool,
}

impl Code<'_> {
    /// The alert that the peer sent.
    pub fn alert(&self) -> Option<AlertDescription> {
        let number = self.reason.filter(|_| self.part == ErrorLibrary::Ssl && !self.common)?;
        number.checked_sub(ALERTS).and_then(|alert| u8::try_from(alert).ok()).map(AlertDescription)
    }

    /// Which side reports the error.
    pub fn sent_by(&self) -> SentBy {
        if self.alert().is_some() { SentBy::Peer } else { SentBy::Us }
    }
}

/// The texts of which a message must contain one for [`find`].
pub const CODE_MARKS: [&str; 2] = ["error:", "SSL alert number "];

/// Every code of a message, oldest first. An alert that is named without a code counts as one.
pub fn find(message: &[u8]) -> Vec<Code<'_>> {
    let starts = memmem::find_iter(message, b"error:").take(MAX_CODES);
    let mut codes: Vec<Code<'_>> = starts.filter_map(|at| item(&message[at + 6..])).collect();
    if codes.is_empty() {
        codes = decimal(message);
    }
    if !codes.iter().any(|code| code.alert().is_some()) {
        codes.extend(named_alert(message));
    }
    codes
}

/// The code in a text that contains nothing else: `error:0A000410:…`, or its eight digits.
pub fn parse(text: &str) -> Option<Code<'_>> {
    let at = text.find("error:").map_or(0, |at| at + 6);
    item(&text.as_bytes()[at..])
}

fn item(bytes: &[u8]) -> Option<Code<'_>> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let ended = matches!(bytes.get(length), None | Some(b':' | b')' | b' ' | b'\n'));
    if length != DIGITS || !ended {
        return None;
    }
    let number = u32::from_str_radix(std::str::from_utf8(&bytes[..length]).ok()?, 16).ok()?;
    let mut cells =
        bytes[length..].strip_prefix(b":").unwrap_or_default().splitn(4, |b| *b == b':');
    let mut cell = || cells.next().unwrap_or_default();
    let (library, function, reason, rest) = (cell(), cell(), cell(), cell());
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    // The "error" of the next code comes before its number.
    let reason =
        if digits == DIGITS { reason.strip_suffix(b" error").unwrap_or(reason) } else { reason };
    let reason = end_of_item(reason);
    Some(read(number, [library, function, reason].map(String::from_utf8_lossy)))
}

/// Envoy writes BoringSSL's codes in decimal: `TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED`.
fn decimal(message: &[u8]) -> Vec<Code<'_>> {
    let starts = memmem::find_iter(message, b":SSL routines:OPENSSL_internal:").take(MAX_CODES);
    let code_at = |at: usize| {
        let digits = message[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let number: u32 = std::str::from_utf8(&message[at - digits..at]).ok()?.parse().ok()?;
        let mut cells = message[at + 1..].splitn(4, |byte| *byte == b':');
        let mut cell = || cells.next().unwrap_or_default();
        let (library, function) = (cell(), cell());
        let reason = cell();
        let end = reason.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
        let reason = &reason[..end.unwrap_or(reason.len())];
        let reason = reason.strip_suffix(b"_TLS_error_end").unwrap_or(reason);
        Some(read(number, [library, function, reason].map(String::from_utf8_lossy)))
    };
    starts.filter_map(code_at).collect()
}

/// A reason without data ends with the parenthesis.
fn end_of_item(reason: &[u8]) -> &[u8] {
    let mut depth = 0_usize;
    let closes = |byte: &u8| {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 0 => return true,
            b')' => depth -= 1,
            _ => {}
        }
        false
    };
    let end = reason.iter().position(closes).unwrap_or(reason.len());
    reason[..end].trim_ascii()
}

fn read(number: u32, [library, function, text]: [Cow<'_, str>; 3]) -> Code<'_> {
    let shape = CodePacking::of(number, &library, &function);
    let ((part, name), raw, common) = shape.split(number, &library);
    let text = if text.starts_with("reason(") { Cow::Borrowed("") } else { text };
    let own = part == ErrorLibrary::Ssl && !common;
    let reason = if own { reason::number(shape, raw, &text) } else { Some(raw) };
    let text =
        if text.is_empty() { Cow::Borrowed(reason::words(reason.filter(|_| own))) } else { text };
    let library = if library.is_empty() { Cow::Borrowed(name) } else { library };
    Code { part, library, function, reason, text, common }
}

/// `SSL alert number N`, as in a line that somebody shortened.
fn named_alert(message: &[u8]) -> Option<Code<'static>> {
    let words = b"SSL alert number ";
    let at = memmem::find(message, words)? + words.len();
    let digits = message[at..].iter().take_while(|byte| byte.is_ascii_digit()).take(3).count();
    let number: u8 = std::str::from_utf8(&message[at..at + digits]).ok()?.parse().ok()?;
    Some(reason::ssl(reason::of_alert(AlertDescription(number))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, reason: u32, alert: Option<u8>) {
        let code = parse(text).unwrap();
        assert_eq!(code.part, ErrorLibrary::Ssl, "{code:?}");
        assert_eq!(code.reason, Some(reason), "{code:?}");
        assert_eq!(code.alert().map(|alert| alert.0), alert);
    }

    #[test]
    fn every_library_packs_an_alert_its_own_way() {
        let alert = "sslv3 alert handshake failure:SSL alert number 40";
        check(&format!("error:0A000410:SSL routines::{alert}"), 1040, Some(40));
        check(&format!("error:14094410:SSL routines:ssl3_read_bytes:{alert}"), 1040, Some(40));
        check(
            "error:14077410:SSL routines:SSL23_GET_SERVER_HELLO:sslv3 alert handshake failure",
            1040,
            Some(40),
        );
        check(
            "error:14004410:SSL routines:CONNECT_CR_SRVR_HELLO:sslv3 alert handshake failure",
            1040,
            Some(40),
        );
        check(
            "error:10000410:SSL routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE",
            1040,
            Some(40),
        );
        check("error:0A000461:SSL routines::reason(1121):SSL alert number 121", 1121, Some(121));
        for bare in ["0A000458", "14094458", "error:10000458", "0a000458"] {
            check(bare, 1112, Some(112));
        }
    }

    #[test]
    fn reasons_are_brought_to_one_numbering_by_their_words() {
        check("error:1408A0C1:SSL routines:ssl3_get_client_hello:no shared cipher", 193, None);
        check(
            "error:14082174:SSL routines:ssl3_check_cert_and_algorithm:dh key too small",
            394,
            None,
        );
        check("error:100000b8:SSL routines:OPENSSL_internal:NO_SHARED_CIPHER", 193, None);
        check("error:1408F10B:SSL routines:ssl3_get_record:wrong version number", 267, None);
        check("0A00010B", 267, None);
        let bad_dh =
            parse("error:1408D06C:SSL routines:SSL3_GET_KEY_EXCHANGE:bad dh g length").unwrap();
        assert_eq!(bad_dh.reason, None, "108 is another reason today");
    }

    #[test]
    fn other_libraries_and_shared_reasons_are_distinguished() {
        let part = |text: &str| {
            let code = parse(text).unwrap();
            (code.part, code.reason, code.common)
        };
        assert_eq!(
            part("error:0A0C0103:SSL routines::internal error"),
            (ErrorLibrary::Ssl, Some(68), true)
        );
        assert_eq!(
            part("error:14094044:SSL routines:ssl3_read_bytes:internal error"),
            (ErrorLibrary::Ssl, Some(68), true)
        );
        assert_eq!(
            part("error:05800074:x509 certificate routines::key values mismatch"),
            (ErrorLibrary::X509, Some(116), false)
        );
        assert_eq!(
            part(
                "error:0B080074:x509 certificate routines:X509_check_private_key:key values mismatch"
            ),
            (ErrorLibrary::X509, Some(116), false)
        );
        assert_eq!(
            part("error:80000002:system library::No such file or directory:calling fopen(/x, r)"),
            (ErrorLibrary::System, Some(2), false)
        );
        assert_eq!(
            part("error:02001002:system library:fopen:No such file or directory"),
            (ErrorLibrary::System, Some(2), false)
        );
        assert_eq!(part("error:05800074"), (ErrorLibrary::X509, Some(116), false));
        assert_eq!(parse("error:05800074").unwrap().library, "x509 certificate routines");
        assert_eq!(parse("error:0909006C").unwrap().library, "PEM routines");
        assert_eq!(
            part("error:10000080:BIO routines::no such file"),
            (ErrorLibrary::Crypto, Some(128), false)
        );
    }

    #[test]
    fn a_line_may_hold_several_codes() {
        let line = b"SSL_do_handshake() failed (SSL: error:0A0000C6:SSL routines::packet length too long error:0A000139:SSL routines::record layer failure) while SSL handshaking";
        let codes = find(line);
        let found: Vec<_> = codes.iter().map(|code| (code.reason, &*code.text)).collect();
        assert_eq!(
            found,
            [(Some(198), "packet length too long"), (Some(313), "record layer failure")]
        );
    }

    #[test]
    fn words_that_end_in_error_are_kept_whole() {
        let line = b"SSL_read() failed (SSL: error:14191044:SSL routines:tls1_enc:internal error) while waiting for request";
        assert_eq!(find(line)[0].text, "internal error");
        let line = b"failed (SSL: error:0A0C0103:SSL routines::internal error error:0A000139:SSL routines::record layer failure)";
        let texts: Vec<_> = find(line).iter().map(|code| code.text.clone().into_owned()).collect();
        assert_eq!(texts, ["internal error", "record layer failure"]);
    }

    #[test]
    fn text_that_is_not_a_code_gives_none() {
        for text in [
            "",
            "error:",
            "12",
            "0A00045",
            "deadbeef0",
            "sni-required",
            "handshake_failure",
            "error:xyz",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
