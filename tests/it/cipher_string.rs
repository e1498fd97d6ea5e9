//! Cipher strings select what OpenSSL says that they select.

use std::process::Command;

use shakedown::openssl::cipher_string::{evaluate, refusal};

use crate::support::dice::Dice;

/// OpenSSL's own answer at a level; empty if it refuses the string.
fn openssl(text: &str, level: u8) -> Vec<String> {
    let with_level = if text.contains("SECLEVEL") {
        text.to_owned()
    } else {
        format!("{text}:@SECLEVEL={level}")
    };
    let output =
        Command::new("openssl").args(["ciphers", "-s", "-tls1_2", &with_level]).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let old = |name: &&str| !name.starts_with("TLS_") && !name.is_empty();
    names.trim().split(':').filter(old).map(ToOwned::to_owned).collect()
}

fn ours(text: &str, level: u8) -> Vec<String> {
    let list = evaluate(text, level).map(|list| list.suites).unwrap_or_default();
    list.into_iter().filter_map(|suite| suite.openssl_name().map(ToOwned::to_owned)).collect()
}

const WORDS: &[&str] = &[
    "ALL",
    "HIGH",
    "MEDIUM",
    "LOW",
    "COMPLEMENTOFALL",
    "COMPLEMENTOFDEFAULT",
    "eNULL",
    "NULL",
    "kRSA",
    "RSA",
    "kDHE",
    "kEDH",
    "DH",
    "kECDHE",
    "kEECDH",
    "ECDH",
    "DHE",
    "EDH",
    "ECDHE",
    "EECDH",
    "ADH",
    "AECDH",
    "aRSA",
    "aDSS",
    "DSS",
    "aECDSA",
    "ECDSA",
    "aNULL",
    "AES",
    "AES128",
    "AES256",
    "AESGCM",
    "AESCCM",
    "AESCCM8",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "CHACHA20",
    "ARIA",
    "ARIAGCM",
    "ARIA128",
    "ARIA256",
    "CBC",
    "MD5",
    "SHA",
    "SHA1",
    "SHA256",
    "SHA384",
    "TLSv1.2",
    "TLSv1",
    "TLSv1.0",
    "SSLv3",
    "3DES",
    "RC4",
    "RC2",
    "IDEA",
    "SEED",
    "PSK",
    "kPSK",
    "SRP",
    "GOST",
    "kECDHr",
    "NOSUCH",
    "AES128-SHA",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-AES128-SHA256",
    "TLS_AES_128_GCM_SHA256",
    "EXP",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
];

#[test]
fn strings_that_people_use_mean_what_openssl_says() {
    for text in [
        "DEFAULT",
        "HIGH:!aNULL:!MD5",
        "HIGH:!ADH:!MD5",
        "EECDH+AESGCM:EDH+AESGCM:AES256+EECDH:AES256+EDH",
        "ALL:!ADH:!EXPORT56:RC4+RSA:+HIGH:+MEDIUM:+LOW:+SSLv2:+EXP",
        "ECDHE-RSA-AES128-GCM-SHA256:ECDHE:ECDH:AES:HIGH:!NULL:!aNULL:!MD5:!ADH:!RC4",
        "DEFAULT:-kRSA:kRSA",
        "DEFAULT:@SECLEVEL=0",
        "ALL:@SECLEVEL=1",
        "ALL:COMPLEMENTOFALL:@SECLEVEL=0",
        "HIGH:@STRENGTH",
        "AES128-SHA:AES256-SHA:@STRENGTH",
        "kRSA+AES:-SHA:!CAMELLIA",
        "AES128-SHA,AES256-SHA AES128-SHA256",
        "ALL@SECLEVEL=0",
        "HIGH:!aNULL@SECLEVEL=3",
        "ALL!aNULL!RSA",
        "kRSA+AES@SECLEVEL=0",
        "@SECLEVEL=2:kRSA+NOSUCH@SECLEVEL=0:HIGH",
        "@SECLEVEL=2:NOSUCH@SECLEVEL=0:HIGH",
        "DEFAULT!AES",
        "DEFAULTNOSUCH@SECLEVEL=3:@SECLEVEL=1",
        "HIGH@SECLEVEL=3!AES",
        "HIGH@STRENGTH!RSA",
        "HIGH:!RC4!aNULL",
        "@SECLEVEL=2:HIGH:!EXPORT@SECLEVEL=0",
        "@SECLEVEL=2:DES-CBC3-SHA@SECLEVEL=0:HIGH",
        "HIGH:!PSK@SECLEVEL=3",
    ] {
        for level in 0..=3 {
            assert_eq!(ours(text, level), openssl(text, level), "{text} at {level}");
        }
    }
}

#[test]
fn strings_that_keep_nginx_from_starting_are_those_that_openssl_refuses() {
    for text in [
        "AES128-SHA",
        "AES128-SHA:@SECLEVEL=3",
        "aNULL",
        "NOSUCH",
        "RC4",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_AES_128_GCM_SHA256",
        "HIGH/AES",
        "HIGH:!",
        "HIGH+",
        "HIGH:@SECLEVEL=9",
        "HIGH@SECLEVEL=",
        "NOSUCH/:HIGH",
        "HIGH@SECLEVEL=2/x",
        "ALL!ALL",
        "HIGH:!RC4/MD5",
        "HIGH:!3DES/MD5",
    ] {
        // Without -s it lists what the string selects at any level.
        let output = Command::new("openssl").args(["ciphers", "-tls1_2", text]).output().unwrap();
        assert_eq!(evaluate(text, 2).is_ok(), output.status.success(), "{text}");
        assert_eq!(refusal(text).is_none(), output.status.success(), "{text}");
    }
}

#[test]
fn every_word_alone_and_every_pair_means_what_openssl_says() {
    for word in WORDS {
        assert_eq!(ours(word, 0), openssl(word, 0), "{word}");
    }
    let mut dice = Dice(7);
    let mut next = |below: usize| usize::try_from(dice.roll(below as u64)).unwrap();
    for _ in 0..250 {
        let rules: Vec<String> = (0..=next(5))
            .map(|index| {
                let sign = if index == 0 { "" } else { ["", "", "!", "-", "+"][next(5)] };
                let mut words: Vec<&str> =
                    (0..=next(2)).map(|_| WORDS[next(WORDS.len())]).collect();
                // Nobody combines a suite's own name with anything else.
                words.truncate(
                    words.iter().position(|word| word.contains('-')).map_or(3, |at| at.max(1)),
                );
                words.truncate(if words[0].contains('-') { 1 } else { 3 });
                format!("{sign}{}", words.join("+"))
            })
            .collect();
        // A sign may follow a word at once; after several words, some of which exclude each other, OpenSSL skips it.
        let joined = |text: String, rule: &String| {
            let last = text.rsplit([':', '!']).next().unwrap_or_default();
            let is_glued = rule.starts_with('!') && !last.contains('+') && !last.is_empty();
            if is_glued || text.is_empty() { text + rule } else { text + ":" + rule }
        };
        let text = rules.iter().fold(String::new(), joined);
        let level = u8::try_from(next(4)).unwrap();
        assert_eq!(ours(&text, level), openssl(&text, level), "{text} at {level}");
    }
}

#[test]
fn the_words_that_openssl_knows_are_known() {
    for word in [
        "MEDIUM",
        "LOW",
        "EXP",
        "EXPORT",
        "SSLv2",
        "3DES",
        "DES",
        "RC4",
        "IDEA",
        "SEED",
        "PSK",
        "kRSAPSK",
        "SRP",
        "GOST",
        "kDH",
        "kECDHr",
        "KRB5",
        "RC4-SHA",
        "DES-CBC3-SHA",
        "PSK-AES128-CBC-SHA",
        "AES128-SHA",
        "TLS_AES_128_GCM_SHA256",
        "ADH-AES128-SHA",
        "aECDSA",
    ] {
        // What follows an unknown word is skipped up to the next separator.
        let text = format!("{word}/:HIGH");
        let output = Command::new("openssl").args(["ciphers", &text]).output().unwrap();
        assert_eq!(refusal(&text).is_none(), output.status.success(), "{word}");
    }
}
