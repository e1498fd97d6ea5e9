//! One certificate, parsed once into owned facts (RFC 5280). An error says which part cannot be read.

use std::fmt;
use std::net::IpAddr;

use aws_lc_rs::digest;
use rustls_pki_types::CertificateDer;
use time::{OffsetDateTime, UtcOffset};
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::nom;
use x509_parser::oid_registry::{
    OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS, OID_PKIX_ACCESS_DESCRIPTOR_OCSP,
};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use crate::openssl::check_host;
use crate::openssl::release::OpensslRelease;

use super::distinguished_name;
pub use super::distinguished_name::DistinguishedName;
use super::key::{PublicKey, SignatureAlgorithm};
use super::openssl_view::OpensslView;
use crate::tls::hex::hex;

/// A SHA-256 fingerprint; prints as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
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
    /// Its subject.
    pub subject: DistinguishedName,
    /// Its issuer.
    pub issuer: DistinguishedName,
    /// The subject's common names, in the order of the certificate; mostly one.
    pub common_names: Vec<String>,
    /// First second of validity.
    pub not_before: OffsetDateTime,
    /// Last second of validity.
    pub not_after: OffsetDateTime,
    /// The subject alternative names, `None` if the extension is absent.
    pub subject_alt_names: Option<SubjectAltNames>,
    /// The public key.
    pub public_key: PublicKey,
    /// The signature algorithm.
    pub signature_algorithm: SignatureAlgorithm,
    /// The signature algorithm in the signed part, which OpenSSL compares with the key of a possible issuer.
    pub inner_signature_algorithm: SignatureAlgorithm,
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
    /// The URLs of its OCSP responders.
    pub ocsp_responders: Vec<String>,
    /// Signs OCSP responses for its issuer (id-kp-OCSPSigning).
    pub ocsp_signing: bool,
    /// Signed certificate timestamps embedded in it (RFC 6962).
    pub sct_count: usize,
    /// Issued under the policies of the CA/Browser Forum, as certificates of public authorities are.
    pub public_policy: bool,
    /// The certificate as OpenSSL reads it, or the part of it that OpenSSL cannot read.
    pub openssl: Result<OpensslView, &'static str>,
    /// Whether clients should refuse it without a stapled OCSP response (must-staple, RFC 7633).
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

impl ParseError {
    fn malformed(error: nom::Err<X509Error>) -> Self {
        match error {
            nom::Err::Incomplete(_) => Self::Malformed("it ends too early".to_owned()),
            nom::Err::Error(error) | nom::Err::Failure(error) => Self::Malformed(error.to_string()),
        }
    }
}

/// The largest certificate that is read, in bytes: larger than any real one.
const MAX_SIZE: usize = 64 * 1024;

/// The arc of the CA/Browser Forum's certificate policies.
const CABF_POLICIES: x509_parser::asn1_rs::Oid<'static> = x509_parser::asn1_rs::oid!(2.23.140.1);

/// The most names that are kept of one certificate, far more than any authority issues.
const MAX_NAMES: usize = 4096;

impl Fingerprint {
    /// The SHA-256 of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(fingerprint)
    }
}

impl Certificate {
    /// Reads one certificate in DER.
    pub fn parse(der: &[u8]) -> Result<Self, ParseError> {
        if der.len() > MAX_SIZE {
            return Err(ParseError::TooLarge(der.len()));
        }
        let (rest, parsed) = X509Certificate::from_der(der).map_err(ParseError::malformed)?;
        if !rest.is_empty() {
            return Err(ParseError::TrailingData(rest.len()));
        }
        let mut certificate = Self::without_extensions(der, &parsed)?;
        for extension in parsed.extensions() {
            certificate.add(extension.parsed_extension());
        }
        certificate.must_staple = parsed
            .extensions()
            .iter()
            .any(|extension| is_must_staple(&extension.oid, extension.value));
        Ok(certificate)
    }

    fn without_extensions(der: &[u8], parsed: &X509Certificate<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            der: CertificateDer::from(der.to_vec()),
            sha256: Fingerprint::of(der),
            version: parsed.version().0.saturating_add(1),
            serial: hex(parsed.raw_serial()),
            subject: DistinguishedName::of(parsed.subject()),
            issuer: DistinguishedName::of(parsed.issuer()),
            common_names: distinguished_name::common_names(parsed.subject()),
            not_before: moment(&parsed.validity().not_before)?,
            not_after: moment(&parsed.validity().not_after)?,
            subject_alt_names: None,
            public_key: PublicKey::of(parsed.public_key()),
            signature_algorithm: SignatureAlgorithm::of(&parsed.signature_algorithm),
            inner_signature_algorithm: SignatureAlgorithm::of(&parsed.tbs_certificate.signature),
            basic_constraints: None,
            key_usage: None,
            extended_key_usage: None,
            subject_key_id: None,
            authority_key_id: None,
            ca_issuers: Vec::new(),
            ocsp_responders: Vec::new(),
            must_staple: false,
            sct_count: 0,
            ocsp_signing: false,
            public_policy: false,
            openssl: OpensslView::of(der),
        })
    }

    fn add(&mut self, extension: &ParsedExtension<'_>) {
        match extension {
            ParsedExtension::SubjectAlternativeName(names) => {
                self.subject_alt_names = Some(SubjectAltNames::of(&names.general_names));
            }
            ParsedExtension::BasicConstraints(constraints) => {
                self.basic_constraints = Some(BasicConstraints {
                    ca: constraints.ca,
                    path_len: constraints.path_len_constraint,
                });
            }
            ParsedExtension::KeyUsage(usage) => self.key_usage = Some(usage.flags),
            ParsedExtension::ExtendedKeyUsage(usage) => {
                self.ocsp_signing = usage.ocsp_signing;
                self.extended_key_usage = Some(ExtendedKeyUsage {
                    any: usage.any,
                    server_auth: usage.server_auth,
                    client_auth: usage.client_auth,
                });
            }
            ParsedExtension::SubjectKeyIdentifier(id) => self.subject_key_id = Some(id.0.to_vec()),
            ParsedExtension::AuthorityKeyIdentifier(authority) => {
                self.authority_key_id = authority.key_identifier.as_ref().map(|id| id.0.to_vec());
            }
            ParsedExtension::SCT(timestamps) => self.sct_count = timestamps.len(),
            ParsedExtension::CertificatePolicies(policies) => {
                self.public_policy =
                    policies.iter().any(|policy| policy.policy_id.starts_with(&CABF_POLICIES));
            }
            ParsedExtension::AuthorityInfoAccess(access) => {
                let urls = |method| {
                    let entries = access.accessdescs.iter();
                    let entries = entries.filter(|entry| entry.access_method == method);
                    entries.filter_map(|entry| uri(&entry.access_location)).take(8).collect()
                };
                self.ca_issuers = urls(OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS);
                self.ocsp_responders = urls(OID_PKIX_ACCESS_DESCRIPTOR_OCSP);
            }
            _ => {}
        }
    }

    /// Whether subject and issuer are the same name. It says nothing about the signature.
    pub fn is_self_issued(&self) -> bool {
        self.subject.der == self.issuer.der
    }

    /// The most specific common name.
    pub fn common_name(&self) -> Option<&str> {
        self.common_names.last().map(String::as_str)
    }

    /// Whether basicConstraints makes it a certificate authority.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints.is_some_and(|constraints| constraints.ca)
    }

    /// dNSName entries, none where the extension is absent.
    pub fn dns_names(&self) -> &[String] {
        self.subject_alt_names.as_ref().map_or(&[], |names| &names.dns)
    }

    /// The security bits of its signature, as a release of OpenSSL counts them.
    pub fn signature_bits(&self, library: OpensslRelease) -> u32 {
        self.signature_algorithm.bits.unwrap_or_else(|| self.public_key.security_bits(library))
    }

    /// Whether OpenSSL accepts this certificate for `name`, as nginx asks it to.
    pub fn check_host(&self, name: &str) -> bool {
        check_host::covers(self.dns_names(), &self.common_names, name)
    }

    /// iPAddress entries, none where the extension is absent.
    pub fn ip_addresses(&self) -> &[IpAddr] {
        self.subject_alt_names.as_ref().map_or(&[], |names| &names.ip)
    }
}

impl SubjectAltNames {
    fn of(names: &[GeneralName<'_>]) -> Self {
        let mut kept = Self::default();
        for name in names.iter().take(MAX_NAMES) {
            match name {
                GeneralName::DNSName(name) => kept.dns.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => kept.ip.extend(address(bytes)),
                _ => {}
            }
        }
        kept
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

fn uri(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    }
}

/// RFC 5280 section 4.1.2.5 requires UTC. A `UTCTime` with an offset occurs nevertheless, and the offset is applied.
pub(super) fn moment(time: &ASN1Time) -> Result<OffsetDateTime, ParseError> {
    let out_of_range = || ParseError::Malformed("a date is out of range".to_owned());
    time.to_datetime().checked_to_offset(UtcOffset::UTC).ok_or_else(out_of_range)
}

/// The TLS feature extension with status_request in it (RFC 7633).
fn is_must_staple(id: &x509_parser::asn1_rs::Oid<'_>, value: &[u8]) -> bool {
    const TLS_FEATURE: x509_parser::asn1_rs::Oid<'static> =
        x509_parser::asn1_rs::oid!(1.3.6.1.5.5.7.1.24);
    const STATUS_REQUEST: [u8; 3] = [0x02, 0x01, 0x05];
    *id == TLS_FEATURE && value.windows(3).any(|bytes| bytes == STATUS_REQUEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};
    use rcgen::{BasicConstraints as Constraints, CustomExtension, IsCa, SanType};
    use time::macros::datetime;

    use super::*;
    use crate::certificate::issue::{Authority, Issued};
    use crate::certificate::testing::{children, tlv};

    const NOW: OffsetDateTime = datetime!(2026-06-15 12:00 UTC);

    fn root() -> Authority {
        Authority::root("root", NOW).unwrap()
    }

    fn parse(issued: &Issued) -> Certificate {
        Certificate::parse(&issued.certificate).unwrap()
    }

    /// A certificate whose notBefore is this element; its signature is then wrong, which parsing does not check.
    fn not_before(tag: u8, text: &str) -> Result<OffsetDateTime, ParseError> {
        let der = root().issue(&["a.test"]).unwrap().certificate;
        let mut certificate = children(&der);
        let mut tbs = children(&certificate[0]);
        // version, serialNumber, signature, issuer, validity (RFC 5280 section 4.1).
        let not_after = children(&tbs[4]).remove(1);
        tbs[4] = tlv(0x30, &[tlv(tag, text.as_bytes()), not_after].concat());
        certificate[0] = tlv(0x30, &tbs.concat());
        let der = tlv(0x30, &certificate.concat());
        Certificate::parse(&der).map(|certificate| certificate.not_before)
    }

    #[test]
    fn dates_are_read_in_both_forms_and_with_their_oddities() {
        const UTC: u8 = 23;
        const GENERALIZED: u8 = 24;
        let check = |tag, text, expected| assert_eq!(not_before(tag, text), Ok(expected), "{text}");
        check(UTC, "260102030405Z", datetime!(2026-01-02 03:04:05 UTC));
        check(UTC, "491231235959Z", datetime!(2049-12-31 23:59:59 UTC));
        check(UTC, "500101000000Z", datetime!(1950-01-01 00:00:00 UTC));
        check(UTC, "260102030405+0100", datetime!(2026-01-02 02:04:05 UTC));
        check(UTC, "2601020304Z", datetime!(2026-01-02 03:04:00 UTC));
        check(GENERALIZED, "20260102030405Z", datetime!(2026-01-02 03:04:05 UTC));
        check(GENERALIZED, "99991231235959Z", datetime!(9999-12-31 23:59:59 UTC));
        for (tag, text) in [(UTC, "260230000000Z"), (UTC, "x"), (GENERALIZED, "20260102030405")] {
            assert!(matches!(not_before(tag, text), Err(ParseError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn the_fields_of_a_server_certificate_are_read() {
        let issued = root().issue(&["a.test", "*.b.test", "127.0.0.1", "::1"]).unwrap();
        let leaf = parse(&issued);
        assert_eq!((leaf.version, leaf.subject.text.as_str()), (3, "CN=a.test"));
        assert_eq!((leaf.issuer.text.as_str(), leaf.common_name()), ("CN=root", Some("a.test")));
        assert_eq!(leaf.dns_names(), ["a.test", "*.b.test"]);
        let addresses: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(leaf.ip_addresses(), addresses);
        assert_eq!(leaf.not_after - leaf.not_before, time::Duration::days(90));
        assert_eq!(leaf.public_key.to_string(), "EC prime256v1");
        assert_eq!(leaf.signature_algorithm.name, "ecdsa-with-SHA256");
        assert_eq!((leaf.is_ca(), leaf.key_usage), (false, Some(1)));
        let usage = leaf.extended_key_usage.unwrap();
        assert!(usage.server_auth && !usage.client_auth && !usage.any);
        assert_eq!(leaf.sha256, Fingerprint::of(&issued.certificate));
    }

    #[test]
    fn the_key_identifiers_link_a_certificate_to_its_issuer() {
        let root = root();
        let authority = Certificate::parse(&root.certificate).unwrap();
        let leaf = parse(&root.issue(&["a.test"]).unwrap());
        assert!(authority.is_ca() && authority.is_self_issued() && !leaf.is_self_issued());
        assert!(authority.subject_key_id.is_some());
        assert_eq!(leaf.authority_key_id, authority.subject_key_id);
    }

    #[test]
    fn constraints_and_stapling_are_seen() {
        let lower = root().issue_with(&["a.test"], |params| {
            params.is_ca = IsCa::Ca(Constraints::Constrained(2));
            let feature = vec![0x30, 3, 2, 1, 5];
            let staple = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 24], feature);
            params.custom_extensions.push(staple);
        });
        let lower = parse(&lower.unwrap());
        let expected = BasicConstraints { ca: true, path_len: Some(2) };
        assert_eq!((lower.basic_constraints, lower.must_staple), (Some(expected), true));
    }

    #[test]
    fn names_of_other_kinds_are_no_server_names() {
        let mail = SanType::Rfc822Name("a@a.test".try_into().unwrap());
        let leaf = root().issue_with(&[], |params| params.subject_alt_names = vec![mail]).unwrap();
        assert_eq!(parse(&leaf).subject_alt_names, Some(SubjectAltNames::default()));
    }

    #[test]
    fn a_parse_error_says_what_is_wrong() {
        let der = root().certificate.to_vec();
        let longer = [der.as_slice(), b"xyz"].concat();
        assert_eq!(Certificate::parse(&longer), Err(ParseError::TrailingData(3)));
        let huge = vec![0; MAX_SIZE + 1];
        assert_eq!(Certificate::parse(&huge), Err(ParseError::TooLarge(MAX_SIZE + 1)));
        for bytes in [&der[..der.len() - 1], b"", b"\x30", b"garbage"] {
            assert!(matches!(Certificate::parse(bytes), Err(ParseError::Malformed(_))));
        }
    }

    proptest! {
        #[test]
        fn changed_bytes_never_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut der = sample().to_vec();
            for (at, byte) in changes {
                let at = at.index(der.len());
                der[at] = byte;
            }
            let _ = Certificate::parse(&der[..cut.index(der.len())]);
            let _ = Certificate::parse(&der);
            let _ = DistinguishedName::from_der(&der);
        }

        #[test]
        fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = Certificate::parse(&bytes);
            let _ = DistinguishedName::from_der(&bytes);
        }
    }

    fn sample() -> &'static [u8] {
        static SAMPLE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        SAMPLE.get_or_init(|| root().issue(&["a.test", "127.0.0.1"]).unwrap().certificate.to_vec())
    }
}
