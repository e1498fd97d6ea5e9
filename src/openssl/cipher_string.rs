//! OpenSSL's cipher strings (openssl-ciphers(1)): the suites in `proxy_ssl_ciphers`, in order.
//!
//! The order of the whole list and the properties of each suite are OpenSSL 3.0's own, kept in `cipher_list.txt` as
//! `openssl ciphers -s -tls1_2 -V` lists them; a `-` marks what `DEFAULT` leaves out.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::cipher_rule::{CipherRule, Operation, rules};
use super::security_level;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// The result of a cipher string, without suites of TLS 1.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CipherList {
    /// The suites, preferred first; none where the security level forbids all that the string selects, which OpenSSL
    /// accepts and then cannot make a hello with.
    pub suites: Vec<CipherSuite>,
    /// The security level that the string sets, where it sets one.
    pub security_level: Option<u8>,
}

/// Why a cipher string could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CipherStringError {
    /// It selects nothing; nginx does not start with it.
    #[error("the cipher string {0:?} matches no cipher suite")]
    NoMatch(String),
    /// A keyword that is not supported here.
    #[error("unsupported keyword {0} in a cipher string")]
    Unsupported(String),
}

/// Reads a cipher string as OpenSSL does at this security level, unless the string sets another.
pub fn evaluate(text: &str, security_level: u8) -> Result<CipherList, CipherStringError> {
    let mut list = List { entries: known().iter().map(|known| (known, false)).collect() };
    let mut level = None;
    let rest = match text.strip_prefix("DEFAULT") {
        Some(rest) => {
            list.apply(Operation::Add, &[Keyword::All]);
            list.apply(Operation::Kill, &[Keyword::NotDefault]);
            list.apply(Operation::Kill, &[Keyword::Encryption(&["None"])]);
            rest
        }
        None => text,
    };
    for rule in rules(rest, is_known) {
        match rule {
            CipherRule::Strength => list.sort(),
            CipherRule::Level(set) => level = Some(set),
            CipherRule::Words(operation, words) => list.apply(operation, &keywords(&words)?),
            CipherRule::Invalid(what) => {
                return Err(CipherStringError::Unsupported(what.chars().take(200).collect()));
            }
        }
    }
    let active = list.entries.iter().filter(|(_, active)| *active).map(|(known, _)| *known);
    let selected: Vec<&OpensslSuite> = active.collect();
    if selected.is_empty() {
        return Err(CipherStringError::NoMatch(text.chars().take(200).collect()));
    }
    let effective = level.unwrap_or(security_level);
    let allowed = selected.into_iter().filter(|known| known.allowed_at(effective));
    Ok(CipherList { suites: allowed.map(|known| known.suite).collect(), security_level: level })
}

/// The security level that a string sets, where it sets one; also of strings that cannot be evaluated here.
pub fn level_in(text: &str) -> Option<u8> {
    let levels = rules(after_default(text), is_known).filter_map(|rule| match rule {
        CipherRule::Level(level) => Some(level),
        _ => None,
    });
    levels.last()
}

/// The rules that follow `DEFAULT`, which counts only at the start and needs no separator behind it.
fn after_default(text: &str) -> &str {
    text.strip_prefix("DEFAULT").unwrap_or(text)
}

/// OpenSSL's error if it certainly refuses the string (`SSL_CTX_set_cipher_list`).
pub fn refusal(text: &str) -> Option<&'static str> {
    let mut rules = rules(after_default(text), is_known);
    if rules.any(|rule| matches!(rule, CipherRule::Invalid(_))) {
        return Some("error:0A000118:SSL routines::invalid command");
    }
    // Suites that only a callback can enable are not in the table.
    let is_beyond = text.contains("PSK") || text.contains("SRP") || text.contains("GOST");
    let has_none = matches!(evaluate(text, 0), Err(CipherStringError::NoMatch(_)));
    (has_none && !is_beyond).then_some("error:0A0000B9:SSL routines::no cipher match")
}

/// Whether a client with `newest` as its newest version offers the suite (`ssl_cipher_disabled`).
pub fn offered_with(suite: CipherSuite, newest: ProtocolVersion) -> bool {
    known().iter().find(|known| known.suite == suite).is_none_or(|known| known.oldest <= newest)
}

/// One line of OpenSSL's list.
#[derive(Debug)]
struct OpensslSuite {
    suite: CipherSuite,
    oldest: ProtocolVersion,
    key_exchange: &'static str,
    authentication: &'static str,
    /// Cipher and key bits: `AESGCM` and 256.
    encryption: &'static str,
    bits: u16,
    mac: &'static str,
    default: bool,
}

impl OpensslSuite {
    fn parse(line: &'static str) -> Option<Self> {
        let mut words = line.split(' ');
        let number = u16::from_str_radix(words.next()?, 16).ok()?;
        let oldest = words.next()?.parse().ok()?;
        let (key_exchange, authentication) = (words.next()?, words.next()?);
        let encryption = words.next()?;
        let (encryption, bits) = encryption.split_once('(').unwrap_or((encryption, "0)"));
        let bits = bits.strip_suffix(')')?.parse().ok()?;
        let mac = words.next()?;
        let default = words.next().is_none();
        let suite = CipherSuite(number);
        Some(Self { suite, oldest, key_exchange, authentication, encryption, bits, mac, default })
    }

    /// `ssl_security_default_callback` for `SSL_SECOP_CIPHER_SUPPORTED`.
    fn allowed_at(&self, level: u8) -> bool {
        if level == 0 {
            return true;
        }
        let least = security_level::least_bits(level);
        let ephemeral = matches!(self.key_exchange, "ECDH" | "DH");
        u32::from(self.bits) >= least
            && self.authentication != "None"
            && self.mac != "MD5"
            && !(least > 160 && self.mac == "SHA1")
            && (level < 3 || ephemeral)
    }
}

fn known() -> &'static [OpensslSuite] {
    static KNOWN: LazyLock<Vec<OpensslSuite>> = LazyLock::new(|| {
        include_str!("cipher_list.txt").lines().filter_map(OpensslSuite::parse).collect()
    });
    &KNOWN
}

/// The suites in their present order, each active or not (`CIPHER_ORDER`).
struct List {
    entries: Vec<(&'static OpensslSuite, bool)>,
}

impl List {
    /// `ssl_cipher_apply_rule`.
    fn apply(&mut self, operation: Operation, keywords: &[Keyword]) {
        let hit = |known: &OpensslSuite| keywords.iter().all(|keyword| keyword.matches(known));
        let takes = |(known, active): &(&'static OpensslSuite, bool)| {
            hit(known)
                && match operation {
                    Operation::Add => !active,
                    Operation::Delete | Operation::Order => *active,
                    Operation::Kill => true,
                }
        };
        let (taken, kept): (Vec<_>, Vec<_>) = self.entries.drain(..).partition(takes);
        let with = |active| taken.iter().map(move |(known, _)| (*known, active));
        self.entries = match operation {
            Operation::Add | Operation::Order => kept.into_iter().chain(with(true)).collect(),
            Operation::Delete => with(false).chain(kept).collect(),
            Operation::Kill => kept,
        };
    }

    /// `@STRENGTH`.
    fn sort(&mut self) {
        self.entries.sort_by_key(|(known, active)| if *active { u16::MAX - known.bits } else { 0 });
    }
}

/// The condition of one word of a rule.
#[derive(Clone, Copy, Debug)]
enum Keyword {
    All,
    NotDefault,
    Suite(CipherSuite),
    KeyExchange(&'static str),
    Authentication(&'static str),
    /// Any authentication.
    Signed,
    Encryption(&'static [&'static str]),
    Bits(&'static [&'static str], u16),
    Mac(&'static str),
    Oldest(ProtocolVersion),
    /// Suites that are not in the table, such as those with a shared key.
    Nothing,
}

impl Keyword {
    fn matches(self, known: &OpensslSuite) -> bool {
        match self {
            Self::All => known.encryption != "None",
            Self::NotDefault => !known.default,
            Self::Suite(suite) => known.suite == suite,
            Self::KeyExchange(name) => known.key_exchange == name,
            Self::Authentication(name) => known.authentication == name,
            Self::Signed => known.authentication != "None",
            Self::Encryption(names) => names.contains(&known.encryption),
            Self::Bits(names, bits) => names.contains(&known.encryption) && known.bits == bits,
            Self::Mac(name) => known.mac == name,
            Self::Oldest(version) => known.oldest == version,
            Self::Nothing => false,
        }
    }
}

const AES: &[&str] = &["AES", "AESGCM", "AESCCM", "AESCCM8"];

/// What the words of one rule mean, all of which must match.
fn keywords(words: &[&str]) -> Result<Vec<Keyword>, CipherStringError> {
    let mut all = Vec::new();
    for word in words {
        all.extend(keyword(word)?.unwrap_or_default());
    }
    Ok(all)
}

/// Whether OpenSSL knows a word, even if it is not supported here.
fn is_known(word: &str) -> bool {
    !matches!(keyword(word), Ok(None))
}

/// One word of `cipher_aliases` in `ssl/ssl_ciph.c`, or a suite's name.
fn keyword(word: &str) -> Result<Option<Vec<Keyword>>, CipherStringError> {
    use Keyword::{
        All, Authentication, Bits, Encryption, KeyExchange, Mac, NotDefault, Nothing, Oldest,
        Signed,
    };
    let anonymous = Authentication("None");
    Ok(Some(match word {
        "ALL" | "HIGH" => vec![All],
        "COMPLEMENTOFALL" | "eNULL" | "NULL" => vec![Encryption(&["None"])],
        "COMPLEMENTOFDEFAULT" => vec![NotDefault],
        "kRSA" | "RSA" => vec![KeyExchange("RSA")],
        "kDHE" | "kEDH" | "DH" => vec![KeyExchange("DH")],
        "kECDHE" | "kEECDH" | "ECDH" => vec![KeyExchange("ECDH")],
        "DHE" | "EDH" => vec![KeyExchange("DH"), Signed],
        "ECDHE" | "EECDH" => vec![KeyExchange("ECDH"), Signed],
        "ADH" => vec![KeyExchange("DH"), anonymous],
        "AECDH" => vec![KeyExchange("ECDH"), anonymous],
        "aRSA" => vec![Authentication("RSA")],
        "aDSS" | "DSS" => vec![Authentication("DSS")],
        "aECDSA" | "ECDSA" => vec![Authentication("ECDSA")],
        "aNULL" => vec![anonymous],
        "AES" => vec![Encryption(AES)],
        "AES128" => vec![Bits(AES, 128)],
        "AES256" => vec![Bits(AES, 256)],
        "AESGCM" => vec![Encryption(&["AESGCM"])],
        "AESCCM" => vec![Encryption(&["AESCCM", "AESCCM8"])],
        "AESCCM8" => vec![Encryption(&["AESCCM8"])],
        "CAMELLIA" => vec![Encryption(&["Camellia"])],
        "CAMELLIA128" => vec![Bits(&["Camellia"], 128)],
        "CAMELLIA256" => vec![Bits(&["Camellia"], 256)],
        "CHACHA20" => vec![Encryption(&["CHACHA20/POLY1305"])],
        "ARIA" | "ARIAGCM" => vec![Encryption(&["ARIAGCM"])],
        "ARIA128" => vec![Bits(&["ARIAGCM"], 128)],
        "ARIA256" => vec![Bits(&["ARIAGCM"], 256)],
        "CBC" => vec![Encryption(&["AES", "Camellia"])],
        "MD5" => vec![Mac("MD5")],
        "SHA" | "SHA1" => vec![Mac("SHA1")],
        "SHA256" => vec![Mac("SHA256")],
        "SHA384" => vec![Mac("SHA384")],
        "TLSv1.2" => vec![Oldest(ProtocolVersion::TLS1_2)],
        "TLSv1" | "TLSv1.0" => vec![Oldest(ProtocolVersion::TLS1)],
        "SSLv3" => vec![Oldest(ProtocolVersion::SSL3)],
        "MEDIUM" | "LOW" | "3DES" | "PSK" | "kPSK" | "aPSK" | "kRSAPSK" | "kDHEPSK"
        | "kECDHEPSK" | "SRP" | "kSRP" | "aSRP" => vec![Nothing],
        // Red Hat's name for the policy of the system.
        "PROFILE=SYSTEM" => return Err(CipherStringError::Unsupported(word.to_owned())),
        "FIPS" | "SUITEB128" | "SUITEB128ONLY" | "SUITEB128C2" | "SUITEB192" => {
            return Err(CipherStringError::Unsupported(word.to_owned()));
        }
        // This list has no suites of TLS 1.3, and OpenSSL 3.0 does not accept IANA's names.
        _ => {
            match CipherSuite::from_name(word).filter(|suite| suite.openssl_name() == Some(word)) {
                Some(suite) if known().iter().any(|known| known.suite == suite) => {
                    vec![Keyword::Suite(suite)]
                }
                // Suites that only a callback can enable are not in the table.
                Some(_) if ["PSK", "SRP"].iter().any(|kind| word.contains(kind)) => vec![Nothing],
                _ => return Ok(None),
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        let list = evaluate(text, 2).unwrap();
        list.suites.into_iter().filter_map(CipherSuite::openssl_name).collect()
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        assert_eq!(known().len(), include_str!("cipher_list.txt").lines().count());
    }

    #[test]
    fn a_string_selects_and_orders() {
        assert_eq!(
            names("ECDHE+AESGCM:!ECDSA:AES128-SHA:+ECDHE-RSA-AES256-GCM-SHA384"),
            ["ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA", "ECDHE-RSA-AES256-GCM-SHA384"]
        );
        assert_eq!(names("AES128-SHA:NOSUCH:ECDHE-RSA-AES256-SHA:-AES128-SHA:AES128-SHA").len(), 2);
        assert!(!names("DEFAULT").contains(&"ECDHE-RSA-CAMELLIA128-SHA256"));
    }

    #[test]
    fn a_level_removes_suites_and_is_returned() {
        assert!(names("DEFAULT:@SECLEVEL=0").len() >= names("DEFAULT").len());
        assert_eq!(evaluate("DEFAULT:@SECLEVEL=1", 2).unwrap().security_level, Some(1));
        assert_eq!(level_in("DEFAULT@SECLEVEL=1:!x:@SECLEVEL=0"), Some(0));
        assert_eq!((level_in("DEFAULT"), level_in("@SECLEVEL=9")), (None, None));
        assert!(matches!(evaluate("PROFILE=SYSTEM", 2), Err(CipherStringError::Unsupported(_))));
        assert_eq!(evaluate("AES128-SHA", 3).unwrap().suites, []);
        assert_eq!(evaluate("NOSUCH", 3), Err(CipherStringError::NoMatch("NOSUCH".into())));
        assert!(matches!(evaluate("FIPS", 2), Err(CipherStringError::Unsupported(_))));
        assert!(matches!(
            evaluate("TLS_AES_128_GCM_SHA256", 2),
            Err(CipherStringError::NoMatch(_))
        ));
    }

    #[test]
    fn an_older_client_leaves_newer_suites_out() {
        assert!(!offered_with(CipherSuite(0xc02f), ProtocolVersion::TLS1_1));
        assert!(offered_with(CipherSuite(0x002f), ProtocolVersion::TLS1));
    }
}
