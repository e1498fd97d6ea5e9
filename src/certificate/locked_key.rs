//! Private keys in PEM that are encrypted with a password, as OpenSSL writes them: PKCS#8 (RFC 5958) with PBES2 (RFC 8018),
//! and its older form with a `DEK-Info` line (`PEM_do_header`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use md5::{Digest, Md5};
use pkcs5::EncryptionScheme;
use pkcs5::pbes2::{self, Kdf};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

use super::der::{Elements, INTEGER, OCTET_STRING, SEQUENCE};

/// The most work for one key, in rounds of PBKDF2 or blocks of scrypt; some seconds.
const MAX_WORK: u64 = 10_000_000;

/// The most blocks of 128 bytes that OpenSSL lets scrypt use.
const MAX_MEMORY: u64 = 32 * 1024 * 1024 / 128;

/// An encrypted private key.
pub struct LockedKey {
    lock: Lock,
    /// What is encrypted.
    text: Vec<u8>,
}

enum Lock {
    /// `ENCRYPTED PRIVATE KEY`.
    Pkcs8(Box<pbes2::Parameters>),
    /// `Proc-Type: 4,ENCRYPTED`.
    Traditional { cipher: Cipher, iv: Vec<u8>, kind: Traditional },
    /// Something that is not read here; what.
    Unknown(String),
}

/// The ciphers of the older form.
#[derive(Clone, Copy)]
enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
}

/// The key inside the older form.
#[derive(Clone, Copy)]
enum Traditional {
    Rsa,
    Ec,
    Pkcs8,
}

/// Why a key was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// None of the passwords is right; OpenSSL's errors.
    WrongPassword(&'static str),
    /// It could not be tried, and why.
    Untried(String),
}

/// An opened key, and the index of the password that opened it.
pub type Opened = (PrivateKeyDer<'static>, usize);

impl LockedKey {
    /// The first private key of a file in PEM, if it is encrypted.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let label = lines.find_map(label)?;
        let (mut encrypted, mut info, mut body) = (false, None, Vec::new());
        for line in lines.take_while(|line| !line.starts_with(b"-----END ")) {
            match line.iter().position(|byte| *byte == b':') {
                Some(at) => match (&line[..at], line[at + 1..].trim_ascii()) {
                    (b"Proc-Type", value) => encrypted = value == b"4,ENCRYPTED",
                    (b"DEK-Info", value) => info = Some(value),
                    _ => {}
                },
                None => body.extend_from_slice(line),
            }
        }
        let is_pkcs8 = label == b"ENCRYPTED PRIVATE KEY";
        if !is_pkcs8 && !encrypted {
            return None;
        }
        let decoded = STANDARD.decode(&body).ok();
        let found = decoded.and_then(|body| {
            if is_pkcs8 { pkcs8(&body) } else { Some(traditional(label, info?, body)) }
        });
        let damaged = || Self::unknown("its PEM block is damaged".to_owned());
        Some(found.unwrap_or_else(damaged))
    }

    fn unknown(what: String) -> Self {
        Self { lock: Lock::Unknown(what), text: Vec::new() }
    }

    /// Tries passwords in order, as nginx does.
    pub fn open<P: AsRef<[u8]>>(&self, passwords: &[P]) -> Result<Opened, OpenError> {
        let work = self.work().map_err(OpenError::Untried)?;
        let enough = usize::try_from(MAX_WORK / work.max(1)).unwrap_or(usize::MAX);
        for (index, password) in passwords.iter().take(enough).enumerate() {
            if let Some(key) = self.try_password(password.as_ref()) {
                return Ok((key, index));
            }
        }
        if enough < passwords.len() {
            let reason = format!("only {enough} passwords were tried, as each takes long");
            return Err(OpenError::Untried(reason));
        }
        Err(OpenError::WrongPassword(self.refusal()))
    }

    /// What one password costs, or why none is tried.
    fn work(&self) -> Result<u64, String> {
        let parameters = match &self.lock {
            Lock::Unknown(what) => return Err(what.clone()),
            Lock::Traditional { .. } => return Ok(1),
            Lock::Pkcs8(parameters) => parameters,
        };
        let work = match &parameters.kdf {
            Kdf::Pbkdf2(pbkdf2) => u64::from(pbkdf2.iteration_count),
            Kdf::Scrypt(scrypt) => {
                let memory = scrypt.cost_parameter.saturating_mul(scrypt.block_size.into());
                if memory > MAX_MEMORY {
                    return Err("scrypt needs more memory than OpenSSL allows".to_owned());
                }
                memory.saturating_mul(scrypt.parallelization.into())
            }
            _ => return Err("its key derivation is not supported here".to_owned()),
        };
        if work > MAX_WORK {
            return Err("its key derivation takes too long".to_owned());
        }
        Ok(work)
    }

    fn try_password(&self, password: &[u8]) -> Option<PrivateKeyDer<'static>> {
        match &self.lock {
            Lock::Unknown(_) => None,
            Lock::Pkcs8(parameters) => {
                let der = parameters.decrypt(password, &self.text).ok()?;
                is_key(&der).then(|| PrivatePkcs8KeyDer::from(der).into())
            }
            Lock::Traditional { cipher, iv, kind } => {
                let der = cipher.decrypt(password, iv, &self.text)?;
                is_key(&der).then(|| match kind {
                    Traditional::Rsa => PrivatePkcs1KeyDer::from(der).into(),
                    Traditional::Ec => PrivateSec1KeyDer::from(der).into(),
                    Traditional::Pkcs8 => PrivatePkcs8KeyDer::from(der).into(),
                })
            }
        }
    }

    /// OpenSSL's errors about a wrong password, as nginx logs them; those of OpenSSL 3.
    fn refusal(&self) -> &'static str {
        match self.lock {
            Lock::Pkcs8(_) => {
                "error:1C800064:Provider routines::bad decrypt error:11800074:PKCS12 routines::pkcs12 cipherfinal error"
            }
            Lock::Traditional { .. } | Lock::Unknown(_) => {
                "error:1C800064:Provider routines::bad decrypt error:04800065:PEM routines::bad decrypt"
            }
        }
    }
}

/// The label of a private key's first line.
fn label(line: &[u8]) -> Option<&[u8]> {
    let label = line.strip_prefix(b"-----BEGIN ")?.strip_suffix(b"-----")?;
    // OpenSSL does not read the format of OpenSSH.
    (label.ends_with(b"PRIVATE KEY") && label != b"OPENSSH PRIVATE KEY").then_some(label)
}

/// An `EncryptedPrivateKeyInfo`.
fn pkcs8(der: &[u8]) -> Option<LockedKey> {
    let mut inside = Elements(der).expect(SEQUENCE).ok()?.inside();
    let algorithm = inside.expect(SEQUENCE).ok()?;
    let text = inside.expect(OCTET_STRING).ok()?.body.to_vec();
    let unsupported = "its encryption is not supported here: OpenSSL writes PBES2 with AES or DES-EDE3 by default";
    let Ok(EncryptionScheme::Pbes2(parameters)) = EncryptionScheme::try_from(algorithm.whole)
    else {
        return Some(LockedKey::unknown(unsupported.to_owned()));
    };
    let is_block_mode = matches!(
        parameters.encryption,
        pbes2::EncryptionScheme::Aes128Cbc { .. }
            | pbes2::EncryptionScheme::Aes192Cbc { .. }
            | pbes2::EncryptionScheme::Aes256Cbc { .. }
            | pbes2::EncryptionScheme::DesEde3Cbc { .. }
    );
    if !is_block_mode {
        return Some(LockedKey::unknown(unsupported.to_owned()));
    }
    Some(LockedKey { lock: Lock::Pkcs8(Box::new(parameters)), text })
}

/// A key with headers: `DEK-Info: AES-256-CBC,` and the initialization vector in hexadecimal digits.
fn traditional(label: &[u8], info: &[u8], text: Vec<u8>) -> LockedKey {
    let (name, digits) = match info.iter().position(|byte| *byte == b',') {
        Some(at) => (info[..at].trim_ascii(), info[at + 1..].trim_ascii()),
        None => (info, &[][..]),
    };
    let kind = match label {
        b"RSA PRIVATE KEY" => Traditional::Rsa,
        b"EC PRIVATE KEY" => Traditional::Ec,
        b"PRIVATE KEY" => Traditional::Pkcs8,
        _ => {
            let label = String::from_utf8_lossy(label);
            return LockedKey::unknown(format!("a key of the kind {label} is not supported here"));
        }
    };
    let Some(cipher) = Cipher::named(name) else {
        let name = String::from_utf8_lossy(name);
        return LockedKey::unknown(format!("its encryption with {name} is not supported here"));
    };
    match bytes(digits).filter(|iv| iv.len() == cipher.block()) {
        Some(iv) => LockedKey { lock: Lock::Traditional { cipher, iv, kind }, text },
        None => LockedKey::unknown("its DEK-Info line is damaged".to_owned()),
    }
}

/// Bytes in hexadecimal digits.
fn bytes(digits: &[u8]) -> Option<Vec<u8>> {
    let pairs = digits.chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    });
    pairs.collect()
}

/// Whether this is the structure of a private key: a sequence that begins with a version. After a wrong password it is not.
fn is_key(der: &[u8]) -> bool {
    let mut outer = Elements(der);
    let Ok(sequence) = outer.expect(SEQUENCE) else { return false };
    outer.end().is_ok() && sequence.inside().expect(INTEGER).is_ok()
}

impl Cipher {
    fn named(name: &[u8]) -> Option<Self> {
        let all = [
            ("AES-128-CBC", Self::Aes128),
            ("AES-192-CBC", Self::Aes192),
            ("AES-256-CBC", Self::Aes256),
            ("DES-EDE3-CBC", Self::TripleDes),
        ];
        let found = all.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        found.map(|(_, cipher)| *cipher)
    }

    /// The length of a block, in bytes.
    fn block(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            Self::TripleDes => 8,
        }
    }

    /// The length of a key, in bytes.
    fn key(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
        }
    }

    fn decrypt(self, password: &[u8], iv: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let key = derived(password, &iv[..8], self.key());
        match self {
            Self::Aes128 => decrypted::<aes::Aes128>(&key, iv, text),
            Self::Aes192 => decrypted::<aes::Aes192>(&key, iv, text),
            Self::Aes256 => decrypted::<aes::Aes256>(&key, iv, text),
            Self::TripleDes => decrypted::<des::TdesEde3>(&key, iv, text),
        }
    }
}

fn decrypted<C: BlockCipherDecrypt + KeyInit>(
    key: &[u8],
    iv: &[u8],
    text: &[u8],
) -> Option<Vec<u8>> {
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(text).ok()
}

/// A key of this length from a password (`EVP_BytesToKey` with MD5 and one round).
fn derived(password: &[u8], salt: &[u8], length: usize) -> Vec<u8> {
    let mut key: Vec<u8> = Vec::new();
    while key.len() < length {
        let last = key.len().checked_sub(16).map_or(&[][..], |at| &key[at..]);
        let next = Md5::digest([last, password, salt].concat());
        key.extend_from_slice(&next);
    }
    key.truncate(length);
    key
}

#[cfg(test)]
mod tests {
    use cbc::cipher::BlockModeEncrypt;
    use pkcs5::der::Encode;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};
    use rcgen::KeyPair;

    use super::*;

    fn block(label: &str, headers: &str, der: &[u8]) -> String {
        format!(
            "-----BEGIN {label}-----\n{headers}{}\n-----END {label}-----\n",
            STANDARD.encode(der)
        )
    }

    /// A key in PKCS#8, with PBKDF2 and this number of rounds.
    fn locked(key: &KeyPair, rounds: u32) -> String {
        let parameters =
            pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(rounds, &[7; 8], [9; 16]).unwrap();
        let text = if rounds > 10_000 {
            vec![0; 16]
        } else {
            parameters.encrypt(b"right", &key.serialize_der()).unwrap()
        };
        let mut buffer = [0; 256];
        let algorithm = EncryptionScheme::Pbes2(parameters).encode_to_slice(&mut buffer).unwrap();
        let body = [algorithm, &super::super::der::encode(OCTET_STRING, &text)].concat();
        block("ENCRYPTED PRIVATE KEY", "", &super::super::der::encode(SEQUENCE, &body))
    }

    /// The same in the older form.
    fn traditional_of(key: &KeyPair) -> String {
        let iv = [0xab; 16];
        let secret = derived(b"right", &iv[..8], 16);
        let cipher = cbc::Encryptor::<aes::Aes128>::new_from_slices(&secret, &iv).unwrap();
        let text = cipher.encrypt_padded_vec::<Pkcs7>(&key.serialize_der());
        let headers =
            format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{}\n\n", "AB".repeat(16));
        block("PRIVATE KEY", &headers, &text)
    }

    #[test]
    fn the_first_password_that_is_right_opens_it() {
        let key = KeyPair::generate().unwrap();
        for text in [locked(&key, 10), traditional_of(&key)] {
            let text = format!("# a comment: here\n{text}");
            let locked = LockedKey::find(text.as_bytes()).unwrap();
            let (opened, index) = locked.open(&["wrong", "right", "other"]).unwrap();
            assert_eq!((opened.secret_der(), index), (&key.serialize_der()[..], 1));
            let Err(OpenError::WrongPassword(words)) = locked.open(&["wrong", ""]) else {
                panic!("a wrong password opens {text}")
            };
            assert!(words.contains("bad decrypt"), "{words}");
        }
    }

    #[test]
    fn what_is_not_encrypted_is_not_locked() {
        let key = KeyPair::generate().unwrap();
        let plain = key.serialize_pem();
        assert!(LockedKey::find(plain.as_bytes()).is_none());
        // The first key counts.
        let both = format!("{plain}{}", locked(&key, 10));
        assert!(LockedKey::find(both.as_bytes()).is_none());
        assert!(LockedKey::find(b"").is_none());
    }

    #[test]
    fn a_key_that_would_take_too_long_is_not_tried() {
        let key = KeyPair::generate().unwrap();
        let check = |text: &str, expected: &str| {
            let Err(OpenError::Untried(reason)) =
                LockedKey::find(text.as_bytes()).unwrap().open(&["a", "b"])
            else {
                panic!("tried: {text}")
            };
            assert!(reason.contains(expected), "{reason}");
        };
        check(&locked(&key, 20_000_000), "takes too long");
        check(&block("ENCRYPTED PRIVATE KEY", "", &[0x30, 0]), "damaged");
        let camellia = "Proc-Type: 4,ENCRYPTED\nDEK-Info: CAMELLIA-256-CBC,00\n\n";
        check(&block("RSA PRIVATE KEY", camellia, b""), "CAMELLIA-256-CBC is not supported");
        let short = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0\n\n";
        check(&block("RSA PRIVATE KEY", short, b""), "damaged");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200), header in "(Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-(128|256)-CBC,[0-9A-F]{0,33}\n\n)?") {
            for label in ["ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY"] {
                if let Some(key) = LockedKey::find(block(label, &header, &bytes).as_bytes()) {
                    let _ = key.open(&["a"]);
                }
            }
        }
    }
}
