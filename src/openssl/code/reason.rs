//! Reasons of the SSL library in OpenSSL 1.1's numbering, with the texts of each release.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::packing::{CodePacking, named};
use super::{Code, ErrorLibrary};
use crate::openssl::release::OpensslRelease;
use crate::openssl::rows;
use crate::tls::alert::AlertDescription;

/// From this on, a reason is an alert of the peer: `SSL_AD_REASON_OFFSET`.
pub(super) const ALERTS: u32 = 1000;

/// The reason with which OpenSSL reports that the peer sent this alert.
pub fn of_alert(alert: AlertDescription) -> u32 {
    ALERTS + u32::from(alert.0)
}

/// `ERR_R_INTERNAL_ERROR`, which every part of OpenSSL has, in OpenSSL 1.1's numbering.
pub const INTERNAL_ERROR: u32 = 68;
/// `SSL_R_NO_CIPHERS_AVAILABLE`: a client has nothing left to offer.
pub const NO_CIPHERS_AVAILABLE: u32 = 181;
/// `SSL_R_NO_PROTOCOLS_AVAILABLE`: a client has no version left to offer.
pub const NO_PROTOCOLS_AVAILABLE: u32 = 191;
/// `SSL_R_UNSUPPORTED_PROTOCOL`: the peer's version is off.
pub const UNSUPPORTED_PROTOCOL: u32 = 258;
/// `SSL_R_WRONG_VERSION_NUMBER`: the data is not TLS.
pub const WRONG_VERSION_NUMBER: u32 = 267;
/// `SSL_R_RECORD_LAYER_FAILURE`: added by OpenSSL 3.2 and later to every error of a record.
pub const RECORD_LAYER_FAILURE: u32 = 313;
/// `SSL_R_NO_SUITABLE_DIGEST_ALGORITHM` and similar: the security level forbids the peer's signature.
pub const LEGACY_SIGNATURE: u32 = 333;
/// `SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED`: the server does not support RFC 5746.
pub const UNSAFE_LEGACY_RENEGOTIATION: u32 = 338;
/// `SSL_R_DH_KEY_TOO_SMALL`: the group is below the security level.
pub const DH_KEY_TOO_SMALL: u32 = 394;

/// The tables of reasons, read once.
struct Reasons {
    /// Texts by number: of 1.0.2, 1.1.1, 3.0 and 3.5; `-` for none.
    words: HashMap<u32, [&'static str; 4]>,
    /// Numbers by the texts of 1.1.1 and later, in lower case.
    by_text: HashMap<String, u32>,
    /// OpenSSL's number for each of BoringSSL's, by number and by name.
    boring: HashMap<u32, Option<u32>>,
    boring_by_name: HashMap<&'static str, Option<u32>>,
}

static REASONS: LazyLock<Reasons> = LazyLock::new(|| {
    let mut reasons = Reasons {
        words: HashMap::new(),
        by_text: HashMap::new(),
        boring: HashMap::new(),
        boring_by_name: HashMap::new(),
    };
    for row in rows(include_str!("../reasons.tsv")) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [number, words @ ..] = cells.as_slice() else { continue };
        let (Ok(number), Ok(words)) = (number.parse(), <[&str; 4]>::try_from(words)) else {
            continue;
        };
        for text in current(&words) {
            reasons.by_text.insert(text.to_ascii_lowercase(), number);
        }
        reasons.words.insert(number, words);
    }
    for row in rows(include_str!("../boringssl.tsv")) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [number, name, openssl] = cells.as_slice() else { continue };
        let Ok(number) = number.parse() else { continue };
        reasons.boring.insert(number, openssl.parse().ok());
        reasons.boring_by_name.insert(name, openssl.parse().ok());
    }
    reasons
});

/// The texts since 1.1.1, oldest first.
fn current<'a>(words: &'a [&'static str; 4]) -> impl DoubleEndedIterator<Item = &'static str> + 'a {
    words[1..].iter().copied().filter(|text| *text != "-")
}

/// The reason in OpenSSL 1.1's numbering.
pub(super) fn number(shape: CodePacking, raw: u32, text: &str) -> Option<u32> {
    let reasons = &*REASONS;
    if raw >= ALERTS {
        return Some(raw);
    }
    if shape == CodePacking::Boring {
        return match reasons.boring_by_name.get(text) {
            Some(number) => *number,
            None => reasons.boring.get(&raw).copied().flatten(),
        };
    }
    let known = reasons.words.get(&raw);
    let is_text = |word: &str| word.eq_ignore_ascii_case(text);
    if text.is_empty() || known.is_some_and(|words| current(words).any(is_text)) {
        return Some(raw);
    }
    if let Some(number) = reasons.by_text.get(&text.to_ascii_lowercase()) {
        return Some(*number);
    }
    // Texts that only 1.0.2 has: their numbers mean something else today.
    let old = known.is_some_and(|words| is_text(words[0]));
    (!old).then_some(raw)
}

/// The text of a number.
pub(super) fn words(reason: Option<u32>) -> &'static str {
    let words = reason.and_then(|number| REASONS.words.get(&number));
    words.and_then(|words| current(words).next_back()).unwrap_or("")
}

/// The text of a TLS reason in a release; `None` if it has none.
pub fn words_in(reason: u32, library: OpensslRelease) -> Option<&'static str> {
    let [_, text_1_1_1, text_3_0, text_3_5] = REASONS.words.get(&reason)?;
    let text = match library {
        OpensslRelease::V1_1_1 => text_1_1_1,
        OpensslRelease::V3_0 => text_3_0,
        OpensslRelease::V3_2 | OpensslRelease::V3_4 | OpensslRelease::V3_5 => text_3_5,
    };
    (*text != "-").then_some(*text)
}

/// The number and text of the TLS reason with this text, in any release or BoringSSL's spelling.
pub fn by_text(text: &str) -> Option<Code<'static>> {
    let spelled = text.trim().to_ascii_lowercase().replace('_', " ");
    let boring = || REASONS.boring_by_name.get(text.trim()).copied().flatten();
    let reason = REASONS.by_text.get(&spelled).copied().or_else(boring)?;
    Some(ssl(reason))
}

/// The TLS reason with that number, if OpenSSL 1.1 and later have a text for it.
pub fn by_number(number: u32) -> Option<Code<'static>> {
    REASONS.words.get(&number).and_then(|words| current(words).next())?;
    Some(ssl(number))
}

/// The TLS reason with that number, in OpenSSL 1.1's numbering.
pub fn ssl(reason: u32) -> Code<'static> {
    let (part, library) = named(ErrorLibrary::Ssl);
    Code {
        part,
        library: Cow::Borrowed(library),
        function: Cow::Borrowed(""),
        reason: Some(reason),
        text: Cow::Borrowed(words(Some(reason))),
        common: false,
    }
}

/// The longest text of a TLS reason in a message without codes.
pub fn find_text(message: &str) -> Option<Code<'static>> {
    let message = message.to_ascii_lowercase();
    let held = REASONS.by_text.iter().filter(|(text, _)| {
        text.len() >= MIN_TEXT && *text != SAYS_NOTHING && message.contains(*text)
    });
    let (_, reason) = held.max_by_key(|(text, reason)| (text.len(), **reason))?;
    Some(ssl(*reason))
}

/// Other programs write this for any failed handshake.
const SAYS_NOTHING: &str = "ssl handshake failure";

/// Shorter texts occur in too many messages.
const MIN_TEXT: usize = 12;
