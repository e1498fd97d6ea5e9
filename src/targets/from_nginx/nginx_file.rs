//! How nginx opens the files that a configuration names, and its messages about those that it cannot use.

use std::path::Path;

use crate::certificate::pem;
use crate::openssl::release::OpensslRelease;
use crate::targets::passwords::PasswordFile;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FileUse {
    Certificate,
    Key,
    /// Certificates for verification.
    Trusted,
    /// The same, of which clients are told.
    ClientAuthorities,
    /// Revocation lists.
    Lists,
    Parameters,
    Password,
    TicketKey,
    Staple,
}

/// OpenSSL's errors where there is no terminal to ask for a password.
pub(super) const NO_PASSWORD: &str = "error:1400006B:UI routines::processing error:while reading strings error:0480006D:PEM routines::problems getting password";

/// Why the system does not open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenFailure {
    /// `ENOENT`.
    Missing,
    /// `ENXIO`: it is a socket.
    Socket,
}

impl OpenFailure {
    /// Its number, and the system's words.
    fn words(self) -> (u8, &'static str) {
        match self {
            Self::Missing => (2, "No such file or directory"),
            Self::Socket => (6, "No such device or address"),
        }
    }
}

/// nginx's message about a file that cannot be opened.
pub(super) fn unopened(
    kind: FileUse,
    name: &str,
    error: OpenFailure,
    library: Option<OpensslRelease>,
) -> String {
    let (number, words) = error.words();
    let cause = match library {
        Some(OpensslRelease::V1_1_1) => format!(
            "SSL: error:0200100{number}:system library:fopen:{words}:fopen('{name}','r') error:2006D080:BIO routines:BIO_new_file:no such file"
        ),
        _ => format!(
            "SSL: error:8000000{number}:system library::{words}:calling fopen({name}, r) error:10000080:BIO routines::no such file"
        ),
    };
    match kind {
        FileUse::Certificate => {
            format!("cannot load certificate {name:?}: BIO_new_file() failed ({cause})")
        }
        FileUse::Key => {
            format!("cannot load certificate key {name:?}: BIO_new_file() failed ({cause})")
        }
        FileUse::Trusted | FileUse::ClientAuthorities => {
            format!("SSL_CTX_load_verify_locations({name:?}) failed ({cause})")
        }
        FileUse::Lists => format!("X509_LOOKUP_load_file({name:?}) failed ({cause})"),
        FileUse::Parameters | FileUse::Staple => format!("BIO_new_file({name:?}) failed ({cause})"),
        FileUse::Password | FileUse::TicketKey => {
            format!("open() {name:?} failed ({number}: {words})")
        }
    }
}

/// nginx's message about the contents of a file.
pub(super) fn fault(kind: FileUse, name: &str, text: &[u8]) -> Option<String> {
    let trusted = || {
        let loaded = pem::trusted(text).err();
        loaded.map(|error| format!("SSL_CTX_load_verify_locations({name:?}) failed (SSL: {error})"))
    };
    match kind {
        FileUse::Certificate => pem::chain(text).err().map(|(function, error)| {
            format!("cannot load certificate {name:?}: {function} failed (SSL: {error})")
        }),
        FileUse::Key => pem::key(text).err().map(|error| {
            format!(
                "cannot load certificate key {name:?}: PEM_read_bio_PrivateKey() failed (SSL: {error})"
            )
        }),
        FileUse::Trusted => trusted(),
        FileUse::ClientAuthorities => trusted().or_else(|| {
            let told = pem::client_authorities(text).err();
            told.map(|error| format!("SSL_load_client_CA_file({name:?}) failed (SSL: {error})"))
        }),
        FileUse::Lists => pem::trusted(text).err().map(|error| {
            format!("X509_LOOKUP_load_file({name:?}) failed (SSL: {error})")
        }),
        FileUse::Parameters => pem::parameters(text).err().map(|error| {
            format!("PEM_read_bio_DHparams({name:?}) failed (SSL: {error})")
        }),
        FileUse::Password => PasswordFile::of(Path::new(name), text)
            .is_none()
            .then(|| format!("too long line in {name:?}")),
        FileUse::TicketKey => {
            (![48, 80].contains(&text.len())).then(|| format!("{name:?} must be 48 or 80 bytes"))
        }
        FileUse::Staple => (!pem::staple(text)).then(|| {
            format!(
                "d2i_OCSP_RESPONSE_bio({name:?}) failed (SSL: error:0688010A:asn1 encoding routines::nested asn1 error)"
            )
        }),
    }
}
