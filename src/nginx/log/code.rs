//! Error codes of TLS libraries, as `ERR_error_string` writes them: OpenSSL 1.x and 3.x, LibreSSL, BoringSSL and AWS-LC.
//!
//! Numbers were reused with another meaning between OpenSSL 1.0 and 1.1, and BoringSSL numbers its own way, so each
//! reason is brought to OpenSSL 1.1's number by its words, and by its number only where the words are missing.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use memchr::memmem;
use serde::Serialize;

use crate::tls::alert::AlertDescription;

/// Codes of one line that are read; OpenSSL queues sixteen.
const MAX_CODES: usize = 16;

/// From this on, a reason is an alert of the peer: `SSL_AD_REASON_OFFSET`.
const ALERTS: u32 = 1000;

/// Who complains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SentBy {
    /// The other side, by an alert.
    Peer,
    /// The library of the program that wrote the line.
    Us,
}

/// The part of the library that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
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
    pub part: Part,
    /// The part's name in the line, or the name that belongs to the number.
    pub library: Cow<'a, str>,
    /// The function, empty since OpenSSL 3.
    pub function: Cow<'a, str>,
    /// The reason: for [`Part::Ssl`] in OpenSSL 1.1's numbering, `None` where that has none.
    pub reason: Option<u32>,
    /// The reason's words, or those that belong to the number.
    pub text: Cow<'a, str>,
    /// Whether the reason is one of those that all parts share (`ERR_R_*`).
    pub common: bool,
}

impl Code<'_> {
    /// The alert that the peer sent.
    pub fn alert(&self) -> Option<AlertDescription> {
        let number = self.reason.filter(|_| self.part == Part::Ssl && !self.common)?;
        number.checked_sub(ALERTS).and_then(|alert| u8::try_from(alert).ok()).map(AlertDescription)
    }

    /// Who complains.
    pub fn sent_by(&self) -> SentBy {
        if self.alert().is_some() { SentBy::Peer } else { SentBy::Us }
    }
}

/// Every code of a message, oldest first. An alert that is named without a code counts as one.
pub fn find(message: &[u8]) -> Vec<Code<'_>> {
    let starts = memmem::find_iter(message, b"error:").take(MAX_CODES);
    let mut codes: Vec<Code<'_>> = starts.filter_map(|at| item(&message[at + 6..])).collect();
    if !codes.iter().any(|code| code.alert().is_some()) {
        codes.extend(named_alert(message));
    }
    codes
}

/// The code of that text alone: `error:0A000410:…`, or its eight digits.
pub fn parse(text: &str) -> Option<Code<'_>> {
    let at = text.find("error:").map_or(0, |at| at + 6);
    item(&text.as_bytes()[at..])
}

fn item(bytes: &[u8]) -> Option<Code<'_>> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let ended = matches!(bytes.get(length), None | Some(b':' | b')' | b' ' | b'\n'));
    if !(7..=8).contains(&length) || !ended {
        return None;
    }
    let number = u32::from_str_radix(std::str::from_utf8(&bytes[..length]).ok()?, 16).ok()?;
    let mut cells =
        bytes[length..].strip_prefix(b":").unwrap_or_default().splitn(4, |b| *b == b':');
    let mut cell = || cells.next().unwrap_or_default();
    let (library, function, reason) = (cell(), cell(), end_of_item(cell()));
    Some(read(number, [library, function, reason].map(String::from_utf8_lossy)))
}

/// A reason without data runs into the end of the parenthesis, or into the next code.
fn end_of_item(reason: &[u8]) -> &[u8] {
    let next = memmem::find(reason, b" error").unwrap_or(reason.len());
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
    reason[..end.min(next)].trim_ascii()
}

fn read(number: u32, [library, function, text]: [Cow<'_, str>; 3]) -> Code<'_> {
    let shape = Shape::of(number, &library, &function);
    let (part, raw, common) = shape.split(number, &library);
    let text = if text.starts_with("reason(") { Cow::Borrowed("") } else { text };
    let own = part == Part::Ssl && !common;
    let reason = if own { ssl_reason(shape, raw, &text) } else { Some(raw) };
    let text = if text.is_empty() { Cow::Borrowed(words(reason.filter(|_| own))) } else { text };
    let library = if library.is_empty() { Cow::Borrowed(part.name()) } else { library };
    Code { part, library, function, reason, text, common }
}

/// How a library packs its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// OpenSSL 3: library in bits 23 to 30, flags in 18 to 22, reason below; or an errno.
    Three,
    /// OpenSSL 1 and LibreSSL: library, function and reason in 8, 12 and 12 bits.
    One,
    /// BoringSSL and AWS-LC: library and reason in 8 and 12 bits, no function.
    Boring,
}

/// The highest bit marks an errno of the system, since OpenSSL 3.
const SYSTEM_FLAG: u32 = 0x8000_0000;

/// `ERR_RFLAG_COMMON`: a reason that all parts share.
const COMMON_FLAG: u32 = 2 << 18;

/// Bits of an OpenSSL 3 reason, below its flags.
const REASON_BITS: u32 = 0x3_ffff;

impl Shape {
    /// The number fits the library's name in one shape; without a name, the libraries that speak of TLS are looked for.
    fn of(number: u32, library: &str, function: &str) -> Self {
        if function == "OPENSSL_internal" {
            return Self::Boring;
        }
        if number & SYSTEM_FLAG != 0 {
            return Self::Three;
        }
        let (one, three) = (number >> 24, number >> 23 & 0xff);
        match LIBRARIES.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(library)) {
            Some((known, ..)) if *known == three => Self::Three,
            Some(_) => Self::One,
            None if three == SSL && number & 0x3_f000 == 0 => Self::Three,
            None if one == BORING_SSL && number & 0xff_f000 == 0 => Self::Boring,
            None if LIBRARIES.iter().any(|(known, ..)| *known == one) => Self::One,
            None => Self::Three,
        }
    }

    /// The part, the raw reason, and whether all parts share it.
    fn split(self, number: u32, library: &str) -> (Part, u32, bool) {
        let raw = number & 0xfff;
        match self {
            Self::Three if number & SYSTEM_FLAG != 0 => {
                (Part::System, number & !SYSTEM_FLAG, false)
            }
            Self::Three => {
                let common = number & COMMON_FLAG != 0;
                let reason = number & REASON_BITS;
                // The shared reasons moved from 64 and up to 256 and up.
                let reason = if common && reason >= 256 { reason - 191 } else { reason };
                (part(number >> 23 & 0xff, library), reason, common)
            }
            Self::One => {
                let part = part(number >> 24, library);
                (part, raw, part != Part::System && raw < SHARED_END)
            }
            Self::Boring => {
                let part = if number >> 24 == BORING_SSL { Part::Ssl } else { part(0, library) };
                (part, raw, raw < SHARED_END)
            }
        }
    }
}

/// `ERR_LIB_SSL` of OpenSSL.
const SSL: u32 = 20;

/// `ERR_LIB_SSL` of BoringSSL.
const BORING_SSL: u32 = 16;

/// Reasons of one part begin here; below are those that all share.
const SHARED_END: u32 = 100;

/// `ERR_LIB_*` of OpenSSL with the names that lines hold.
const LIBRARIES: &[(u32, &str, Part)] = &[
    (SSL, "SSL routines", Part::Ssl),
    (11, "x509 certificate routines", Part::X509),
    (9, "PEM routines", Part::Pem),
    (13, "asn1 encoding routines", Part::Asn1),
    (2, "system library", Part::System),
    (32, "BIO routines", Part::Crypto),
    (3, "bignum routines", Part::Crypto),
    (4, "rsa routines", Part::Crypto),
    (5, "Diffie-Hellman routines", Part::Crypto),
    (6, "digital envelope routines", Part::Crypto),
    (16, "elliptic curve routines", Part::Crypto),
    (34, "X509 V3 routines", Part::X509),
    (35, "PKCS12 routines", Part::Pem),
    (36, "random number generator", Part::Crypto),
    (37, "DSO support routines", Part::Crypto),
    (38, "engine routines", Part::Crypto),
    (57, "Provider routines", Part::Crypto),
    (60, "DECODER routines", Part::Pem),
];

fn part(number: u32, library: &str) -> Part {
    let named = LIBRARIES.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(library));
    let numbered = || LIBRARIES.iter().find(|(known, ..)| library.is_empty() && *known == number);
    named.or_else(numbered).map_or(Part::Crypto, |(.., part)| *part)
}

impl Part {
    /// OpenSSL's name for it.
    fn name(self) -> &'static str {
        LIBRARIES.iter().find(|(.., part)| *part == self).map_or("", |(_, name, _)| name)
    }
}

/// Reasons by release: number to the words of 1.0.2, and of 1.1.1 and later.
struct Reasons {
    old: HashMap<u32, &'static str>,
    new: HashMap<u32, Vec<&'static str>>,
    /// Words of 1.1.1, 3.0 and 3.5; `-` for none.
    by_release: HashMap<u32, [&'static str; 3]>,
    by_text: HashMap<String, u32>,
    boring: HashMap<u32, (&'static str, Option<u32>)>,
    boring_by_name: HashMap<&'static str, Option<u32>>,
}

static REASONS: LazyLock<Reasons> = LazyLock::new(|| {
    let mut reasons = Reasons {
        old: HashMap::new(),
        new: HashMap::new(),
        by_release: HashMap::new(),
        by_text: HashMap::new(),
        boring: HashMap::new(),
        boring_by_name: HashMap::new(),
    };
    for row in rows(include_str!("tables/reasons.tsv")) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [number, old, new @ ..] = cells.as_slice() else { continue };
        let Ok(number) = number.parse() else { continue };
        if let [text_1_1_1, text_3_0, text_3_5] = new {
            reasons.by_release.insert(number, [text_1_1_1, text_3_0, text_3_5]);
        }
        let new: Vec<&str> = new.iter().copied().filter(|text| *text != "-").collect();
        for text in &new {
            reasons.by_text.insert(text.to_ascii_lowercase(), number);
        }
        reasons.old.insert(number, old);
        reasons.new.insert(number, new);
    }
    for row in rows(include_str!("tables/boringssl.tsv")) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [number, name, openssl] = cells.as_slice() else { continue };
        let Ok(number) = number.parse() else { continue };
        reasons.boring.insert(number, (name, openssl.parse().ok()));
        reasons.boring_by_name.insert(name, openssl.parse().ok());
    }
    reasons
});

fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|row| !row.starts_with('#') && !row.is_empty())
}

/// The reason in OpenSSL 1.1's numbering.
fn ssl_reason(shape: Shape, raw: u32, text: &str) -> Option<u32> {
    let reasons = &*REASONS;
    if raw >= ALERTS {
        return Some(raw);
    }
    if shape == Shape::Boring {
        return match reasons.boring_by_name.get(text) {
            Some(number) => *number,
            None => reasons.boring.get(&raw).and_then(|(_, number)| *number),
        };
    }
    let agrees = |texts: &Vec<&str>| texts.iter().any(|known| known.eq_ignore_ascii_case(text));
    if text.is_empty() || reasons.new.get(&raw).is_some_and(agrees) {
        return Some(raw);
    }
    if let Some(number) = reasons.by_text.get(&text.to_ascii_lowercase()) {
        return Some(*number);
    }
    // Words of 1.0.2 that no later release has: its number means something else today.
    let old = reasons.old.get(&raw).is_some_and(|known| known.eq_ignore_ascii_case(text));
    (!old).then_some(raw)
}

/// The words that belong to a number.
fn words(reason: Option<u32>) -> &'static str {
    let texts = reason.and_then(|number| REASONS.new.get(&number));
    texts.and_then(|texts| texts.last()).copied().unwrap_or("")
}

/// A release of OpenSSL, as far as its words differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// 1.1.1.
    V1_1_1,
    /// 3.0 and 3.1.
    V3_0,
    /// 3.2 and later.
    V3_2,
}

/// The words of a release for a TLS reason; `None` where it has none.
pub fn words_in(reason: u32, release: Release) -> Option<&'static str> {
    let [text_1_1_1, text_3_0, text_3_2] = REASONS.by_release.get(&reason)?;
    let text = match release {
        Release::V1_1_1 => text_1_1_1,
        Release::V3_0 => text_3_0,
        Release::V3_2 => text_3_2,
    };
    (*text != "-").then_some(*text)
}

/// The number and words of the TLS reason of these words, in any release or BoringSSL's spelling.
pub fn by_text(text: &str) -> Option<Code<'static>> {
    let spelled = text.trim().to_ascii_lowercase().replace('_', " ");
    let boring = || REASONS.boring_by_name.get(text.trim()).copied().flatten();
    let reason = REASONS.by_text.get(&spelled).copied().or_else(boring)?;
    Some(ssl(reason))
}

/// The TLS reason of that number, where OpenSSL 1.1 and later have words for it.
pub fn by_number(number: u32) -> Option<Code<'static>> {
    REASONS.new.get(&number).filter(|texts| !texts.is_empty())?;
    Some(ssl(number))
}

/// The TLS reason of that number, in OpenSSL 1.1's numbering.
pub fn ssl(reason: u32) -> Code<'static> {
    Code {
        part: Part::Ssl,
        library: Cow::Borrowed(Part::Ssl.name()),
        function: Cow::Borrowed(""),
        reason: Some(reason),
        text: Cow::Borrowed(words(Some(reason))),
        common: false,
    }
}

/// `SSL alert number N`, as in a line that somebody shortened.
fn named_alert(message: &[u8]) -> Option<Code<'static>> {
    let words = b"SSL alert number ";
    let at = memmem::find(message, words)? + words.len();
    let digits = message[at..].iter().take_while(|byte| byte.is_ascii_digit()).take(3).count();
    let number: u8 = std::str::from_utf8(&message[at..at + digits]).ok()?.parse().ok()?;
    Some(ssl(ALERTS + u32::from(number)))
}

/// The longest words of a TLS reason that a message without codes holds.
pub fn spoken(message: &str) -> Option<Code<'static>> {
    let message = message.to_ascii_lowercase();
    let said =
        REASONS.by_text.iter().filter(|(text, _)| text.len() >= SPOKEN && message.contains(*text));
    let (_, reason) = said.max_by_key(|(text, reason)| (text.len(), **reason))?;
    Some(ssl(*reason))
}

/// Shorter words stand in too many messages.
const SPOKEN: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, reason: u32, alert: Option<u8>) {
        let code = parse(text).unwrap();
        assert_eq!(code.part, Part::Ssl, "{code:?}");
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
    fn other_parts_and_shared_reasons_are_told_apart() {
        let part = |text: &str| {
            let code = parse(text).unwrap();
            (code.part, code.reason, code.common)
        };
        assert_eq!(
            part("error:0A0C0103:SSL routines::internal error"),
            (Part::Ssl, Some(68), true)
        );
        assert_eq!(
            part("error:14094044:SSL routines:ssl3_read_bytes:internal error"),
            (Part::Ssl, Some(68), true)
        );
        assert_eq!(
            part("error:05800074:x509 certificate routines::key values mismatch"),
            (Part::X509, Some(116), false)
        );
        assert_eq!(
            part(
                "error:0B080074:x509 certificate routines:X509_check_private_key:key values mismatch"
            ),
            (Part::X509, Some(116), false)
        );
        assert_eq!(
            part("error:80000002:system library::No such file or directory:calling fopen(/x, r)"),
            (Part::System, Some(2), false)
        );
        assert_eq!(
            part("error:02001002:system library:fopen:No such file or directory"),
            (Part::System, Some(2), false)
        );
        assert_eq!(
            part("error:10000080:BIO routines::no such file"),
            (Part::Crypto, Some(128), false)
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
    fn what_is_no_code_is_none() {
        for text in
            ["", "error:", "12", "deadbeef0", "sni-required", "handshake_failure", "error:xyz"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
