//! Values that `SSL_CONF_cmd` refuses. What differs between releases, or is not certain, counts as accepted.

use super::cipher_string;
use super::group_name::{self, GroupSupport};
use super::release::OpensslRelease;
use crate::tls::suite::CipherSuite;

/// Whether a command takes the name of a file.
pub fn names_file(command: &str) -> bool {
    const FILES: [&str; 8] = [
        "Certificate",
        "PrivateKey",
        "ServerInfoFile",
        "DHParameters",
        "ChainCAFile",
        "VerifyCAFile",
        "RequestCAFile",
        "ClientCAFile",
    ];
    FILES.iter().any(|known| known.eq_ignore_ascii_case(command))
}

/// Whether OpenSSL certainly refuses the value.
pub fn is_refused(command: &str, value: &str, library: Option<OpensslRelease>) -> bool {
    match command.to_ascii_lowercase().as_str() {
        "minprotocol" | "maxprotocol" => !LIMITS.contains(&value),
        "protocol" => !words(value).all(|word| {
            in_list(&["ALL"], word) || in_list(&LIMITS[1..], word) || in_list(&["SSLv2"], word)
        }),
        "options" => !words(value).all(|word| in_list(&OPTIONS, word)) || value.is_empty(),
        "verifymode" => !words(value).all(|word| in_list(&VERIFY, word)),
        "signaturealgorithms" | "clientsignaturealgorithms" => {
            // From 3.2 on, providers may bring schemes with names of their own.
            let is_whole = library.is_some_and(|library| library < OpensslRelease::V3_2);
            let is_unknown =
                |word: &str| (is_whole || word.contains('+')) && is_unknown_scheme(word);
            value.split(':').any(is_unknown)
        }
        "cipherstring" => cipher_string::refusal(value).is_some(),
        // From 3.0 on, one that is known is enough.
        "ciphersuites" => {
            let mut names = value.split(':').filter(|name| !name.is_empty()).peekable();
            names.peek().is_some()
                && names.all(|name| CipherSuite::from_name(name).is_none_or(|one| !one.is_tls13()))
        }
        "groups" | "curves" => refuses_groups(value, library),
        "ecdhparameters" => {
            let is_automatic = ["auto", "automatic", "+automatic"]
                .iter()
                .any(|word| word.eq_ignore_ascii_case(value));
            !is_automatic && refuses_groups(value, library)
        }
        "numtickets" => value.starts_with('-') && value != "-0",
        "recordpadding" => value.parse::<u32>().is_ok_and(|bytes| bytes > 16384),
        _ => false,
    }
}

/// Whether a list has a group that no release knows. From 3.5 on, lists may have marks.
fn refuses_groups(value: &str, library: Option<OpensslRelease>) -> bool {
    let may_have_marks = library.is_none_or(|library| library >= OpensslRelease::V3_5);
    if may_have_marks && value.contains(['?', '*', '/', '-']) {
        return false;
    }
    let is_old = library == Some(OpensslRelease::V1_1_1);
    let is_unknown = |name: &str| match group_name::support(name) {
        GroupSupport::Unknown => true,
        GroupSupport::OfProvider => is_old,
        GroupSupport::Known | GroupSupport::Since3_5 => false,
    };
    value.split(':').any(is_unknown)
}

/// The words of a list, without their signs.
fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(|word| word.trim().trim_start_matches(['+', '-']))
}

fn in_list(list: &[&str], word: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// `ALGORITHM+HASH` with an unknown part. Other names are left to the release.
fn is_unknown_scheme(word: &str) -> bool {
    const KEYS: [&str; 5] = ["RSA", "RSA-PSS", "PSS", "DSA", "ECDSA"];
    const HASHES: [&str; 12] = [
        "MD5",
        "SHA1",
        "SHA224",
        "SHA256",
        "SHA384",
        "SHA512",
        "SHA3-224",
        "SHA3-256",
        "SHA3-384",
        "SHA3-512",
        "SHA512-224",
        "SHA512-256",
    ];
    match word.split_once('+') {
        Some((key, hash)) => !in_list(&KEYS, key) || !in_list(&HASHES, hash),
        None => {
            !word.contains(['_', '?', '-'])
                && !in_list(&["ed25519", "ed448"], word)
                && !word.to_ascii_lowercase().contains("mldsa")
        }
    }
}

/// Versions; the names depend on case.
const LIMITS: [&str; 8] =
    ["None", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "DTLSv1", "DTLSv1.2"];

/// The options of all releases.
const OPTIONS: [&str; 25] = [
    "SessionTicket",
    "EmptyFragments",
    "Bugs",
    "Compression",
    "ServerPreference",
    "NoResumptionOnRenegotiation",
    "DHSingle",
    "ECDHSingle",
    "UnsafeLegacyRenegotiation",
    "UnsafeLegacyServerConnect",
    "ClientRenegotiation",
    "EncryptThenMac",
    "NoRenegotiation",
    "AllowNoDHEKEX",
    "PreferNoDHEKEX",
    "PrioritizeChaCha",
    "MiddleboxCompat",
    "AntiReplay",
    "ExtendedMasterSecret",
    "CANames",
    "KTLS",
    "StrictCertCheck",
    "TxCertificateCompression",
    "RxCertificateCompression",
    "KTLSTxZerocopySendfile",
];

const VERIFY: [&str; 6] =
    ["Peer", "Request", "Require", "Once", "RequestPostHandshake", "RequirePostHandshake"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_release_refuses_is_refused() {
        for (command, value) in [
            ("MinProtocol", "TLSv1.2"),
            ("Protocol", "ALL,-TLSv1.3"),
            ("Options", "ServerPreference,-Compression"),
            ("VerifyMode", "Require,Once"),
            ("SignatureAlgorithms", "RSA+SHA256:rsa_pss_rsae_sha256:ed25519"),
            ("SignatureAlgorithms", "falcon512:RSA+SHA256"),
            ("Groups", "x25519_kyber768:X25519"),
            ("CipherString", "HIGH"),
            ("Ciphersuites", "TLS_AES_128_GCM_SHA256:FOO"),
            ("Groups", "P-256:X25519"),
            ("ECDHParameters", "Automatic"),
            ("NumTickets", "3"),
            ("RecordPadding", "16"),
            ("DHParameters", "x"),
        ] {
            assert!(!is_refused(command, value, None), "{command} {value}");
        }
        for (command, value) in [
            ("MinProtocol", "TLSv9"),
            ("maxprotocol", "tlsv1.2"),
            ("Protocol", "foo"),
            ("Options", "Foo"),
            ("Options", ""),
            ("VerifyMode", "Foo"),
            ("SignatureAlgorithms", "RSA+FOO"),
            ("ClientSignatureAlgorithms", "x+SHA256"),
            ("CipherString", "FOO"),
            ("Ciphersuites", "FOO"),
            ("Curves", "foo"),
            ("ECDHParameters", "foo"),
            ("NumTickets", "-1"),
            ("RecordPadding", "99999999"),
        ] {
            assert!(is_refused(command, value, None), "{command} {value}");
        }
    }
}
