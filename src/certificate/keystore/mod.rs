//! Keystores: PKCS#12 (RFC 7292) and the JKS of Java, with their certificates and private keys.

mod ber;
mod jks;
mod pbe;
mod pkcs12;

/// The contents of a keystore.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Keystore {
    /// The certificates in DER: the chains of keys first, each once.
    pub certificates: Vec<Vec<u8>>,
    /// The private keys, in DER of PKCS#8.
    pub keys: Vec<Vec<u8>>,
    /// What could not be opened.
    pub notes: Vec<String>,
}

/// Why a keystore cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    /// It is damaged, or not what it begins as.
    #[error("damaged {0} keystore")]
    Damaged(&'static str),
    /// Nothing can be read without the password.
    #[error("the keystore is encrypted: give the password with --password-file or --password-env")]
    PasswordNeeded,
    /// The password is wrong.
    #[error("the password is not that of the keystore")]
    WrongPassword,
    /// It is encrypted in a way that is not supported.
    #[error("the keystore is encrypted with {0}, which is not supported")]
    Unsupported(String),
    /// Opening it would take too long.
    #[error("the keystore asks for more than {MAX_ROUNDS} rounds of its key derivations in all")]
    TooManyRounds,
    /// It has more entries than a keystore may have.
    #[error("the keystore has more than {MAX_ENTRIES} entries")]
    TooMany,
}

/// The most rounds of all key derivations of a keystore; programs write a few hundred thousand for each.
const MAX_ROUNDS: u64 = 5_000_000;

/// The most certificates and keys.
const MAX_ENTRIES: usize = 10_000;

/// The rounds that a keystore may still ask for.
struct RoundsLeft(u64);

impl RoundsLeft {
    fn take(&mut self, rounds: u64) -> Result<(), KeystoreError> {
        self.0 = self.0.checked_sub(rounds).ok_or(KeystoreError::TooManyRounds)?;
        Ok(())
    }
}

impl Keystore {
    /// Whether the bytes begin as a keystore does.
    pub fn is_one(bytes: &[u8]) -> bool {
        pkcs12::is_pkcs12(bytes) || jks::is_jks(bytes)
    }

    /// Reads a keystore; `None` if the bytes are none. The certificates of JKS are not encrypted.
    pub fn read(bytes: &[u8], password: Option<&str>) -> Option<Result<Self, KeystoreError>> {
        if pkcs12::is_pkcs12(bytes) {
            return Some(pkcs12::read(bytes, password));
        }
        jks::is_jks(bytes).then(|| jks::read(bytes, password))
    }

    fn add(&mut self, certificate: &[u8]) -> Result<(), KeystoreError> {
        if self.certificates.len() >= MAX_ENTRIES {
            return Err(KeystoreError::TooMany);
        }
        if !self.certificates.iter().any(|known| known == certificate) {
            self.certificates.push(certificate.to_vec());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn other_files_are_no_keystores() {
        for bytes in
            [&b""[..], b"-----BEGIN CERTIFICATE-----", b"\x30\x03\x02\x01\x03x", b"\xfe\xed"]
        {
            assert_eq!(Keystore::read(bytes, None), None);
        }
    }

    #[test]
    fn cut_off_keystores_are_damaged() {
        let jks = b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01\0\0\0\x02";
        assert_eq!(Keystore::read(jks, None), Some(Err(KeystoreError::Damaged("JKS"))));
        let pkcs12 = b"\x30\x06\x02\x01\x03\x30\x01\x00";
        assert!(matches!(Keystore::read(pkcs12, None), Some(Err(_))));
    }

    #[test]
    fn all_keys_together_may_not_take_too_long() {
        let mut left = RoundsLeft(MAX_ROUNDS);
        assert_eq!(left.take(MAX_ROUNDS - 1), Ok(()));
        assert_eq!(left.take(2), Err(KeystoreError::TooManyRounds));
        assert_eq!(RoundsLeft(5).take(u64::MAX), Err(KeystoreError::TooManyRounds));
    }

    #[test]
    fn a_cut_off_keystore_in_ber_is_damaged() {
        let ber = b"\x30\x80\x02\x01\x03\x30\x80\x06\x09";
        assert!(Keystore::is_one(ber));
        assert_eq!(Keystore::read(ber, None), Some(Err(KeystoreError::Damaged("PKCS#12"))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(end in proptest::collection::vec(any::<u8>(), 0..200)) {
            for begin in [&b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01"[..], b"\x30\x82\x01\x00\x02\x01\x03\x30", b"\x30\x80\x02\x01\x03\x30"] {
                let _ = Keystore::read(&[begin, &end].concat(), Some("x"));
            }
        }
    }
}
