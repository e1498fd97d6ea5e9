//! One certificate, parsed once into owned facts (RFC 5280). What cannot be read is an error that says where.

use std::fmt;
use std::net::IpAddr;

use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

use super::key::{PublicKey, SignatureAlgorithm};

/// A SHA-256 fingerprint; prints as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A distinguished name: its DER for comparisons, its RFC 4514-like text for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    /// The `Name` in DER.
    pub der: Vec<u8>,
    /// `CN=…, O=…` in the order of the certificate; written by the certificate's author, so escape it before display.
    pub text: String,
}

/// The basicConstraints extension (RFC 5280 section 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasicConstraints {
    /// May sign certificates.
    pub ca: bool,
    /// How many intermediates may follow below.
    pub path_len: Option<u32>,
}

/// The extendedKeyUsage values a TLS audit asks about (RFC 5280 section 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedKeyUsage {
    /// anyExtendedKeyUsage.
    pub any: bool,
    /// id-kp-serverAuth.
    pub server_auth: bool,
    /// id-kp-clientAuth.
    pub client_auth: bool,
}

/// The facts of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The bytes as they were received.
    pub der: CertificateDer<'static>,
    /// SHA-256 of the bytes.
    pub sha256: Fingerprint,
    /// X.509 version: 1, 2 or 3.
    pub version: u32,
    /// Serial number, in hexadecimal.
    pub serial: String,
    /// Who it is for.
    pub subject: DistinguishedName,
    /// Who signed it.
    pub issuer: DistinguishedName,
    /// The subject's (last) common name.
    pub common_name: Option<String>,
    /// First second of validity.
    pub not_before: OffsetDateTime,
    /// Last second of validity.
    pub not_after: OffsetDateTime,
    /// The subject alternative names, `None` where the extension is absent.
    pub subject_alt_names: Option<SubjectAltNames>,
    /// The key it binds.
    pub public_key: PublicKey,
    /// How it was signed.
    pub signature_algorithm: SignatureAlgorithm,
    /// Basic constraints, where present.
    pub basic_constraints: Option<BasicConstraints>,
    /// Key usage bits as RFC 5280 numbers them (bit 0 is digitalSignature, bit 5 keyCertSign), where present.
    pub key_usage: Option<u16>,
    /// Extended key usage, where present.
    pub extended_key_usage: Option<ExtendedKeyUsage>,
    /// Subject key identifier, where present.
    pub subject_key_id: Option<Vec<u8>>,
    /// Authority key identifier, where present.
    pub authority_key_id: Option<Vec<u8>>,
    /// Where the issuer's certificate can be fetched (AIA caIssuers URLs).
    pub ca_issuers: Vec<String>,
    /// Asks clients to refuse it without a stapled OCSP response (RFC 7633).
    pub must_staple: bool,
}

/// The subjectAltName entries that name a TLS server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectAltNames {
    /// dNSName entries as written.
    pub dns: Vec<String>,
    /// iPAddress entries.
    pub ip: Vec<IpAddr>,
}

/// Why bytes could not be read as a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The bytes are not a DER certificate.
    #[error("not a DER-encoded X.509 certificate: {0}")]
    Malformed(String),
    /// More bytes follow the certificate.
    #[error("{0} bytes follow the certificate")]
    TrailingData(usize),
    /// Larger than any real certificate.
    #[error("{0} bytes is too large for a certificate")]
    TooLarge(usize),
}

impl Certificate {
    /// Whether subject and issuer are the same name. It says nothing about the signature.
    pub fn is_self_issued(&self) -> bool {
        self.subject.der == self.issuer.der
    }

    /// Whether basicConstraints makes it a certificate authority.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints.is_some_and(|constraints| constraints.ca)
    }

    /// dNSName entries, none where the extension is absent.
    pub fn dns_names(&self) -> &[String] {
        self.subject_alt_names.as_ref().map_or(&[], |names| &names.dns)
    }

    /// iPAddress entries, none where the extension is absent.
    pub fn ip_addresses(&self) -> &[IpAddr] {
        self.subject_alt_names.as_ref().map_or(&[], |names| &names.ip)
    }
}
