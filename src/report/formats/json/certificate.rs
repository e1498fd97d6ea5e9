//! A certificate in the JSON document.

use schemars::JsonSchema;
use serde::Serialize;

use crate::certificate::Certificate;
use crate::certificate::parse::Fingerprint;
use crate::report::words::timestamp;
use crate::run::TargetReport;

/// Every distinct certificate that was sent.
pub(super) fn distinct(report: &TargetReport) -> Vec<CertificateView<'_>> {
    let handshakes = report.observation.endpoints.iter().flat_map(|endpoint| &endpoint.handshakes);
    let seen = handshakes.filter_map(|cell| cell.chain.as_ref());
    let assessed = report.judgement.chains.iter().map(|assessed| &assessed.chain);
    let mut distinct: Vec<&Certificate> = Vec::new();
    for certificate in seen.chain(assessed).flat_map(|chain| &chain.certificates) {
        if !distinct.iter().any(|known| known.sha256 == certificate.sha256) {
            distinct.push(certificate);
        }
    }
    distinct.into_iter().map(CertificateView::of).collect()
}

/// One certificate.
#[derive(Serialize, JsonSchema)]
pub(super) struct CertificateView<'a> {
    sha256: String,
    subject: &'a str,
    issuer: &'a str,
    serial: &'a str,
    not_before: String,
    not_after: String,
    dns_names: &'a [String],
    ip_addresses: Vec<String>,
    key_type: String,
    key_bits: u32,
    /// SHA-256 of the public key (its `SubjectPublicKeyInfo`).
    public_key_sha256: String,
    signature_algorithm: &'a str,
    is_ca: bool,
}

impl<'a> CertificateView<'a> {
    fn of(certificate: &'a Certificate) -> Self {
        Self {
            sha256: certificate.sha256.to_string(),
            subject: &certificate.subject.text,
            issuer: &certificate.issuer.text,
            serial: &certificate.serial,
            not_before: timestamp(certificate.not_before),
            not_after: timestamp(certificate.not_after),
            dns_names: certificate.dns_names(),
            ip_addresses: certificate.ip_addresses().iter().map(ToString::to_string).collect(),
            key_type: certificate.public_key.key_type.to_string(),
            key_bits: certificate.public_key.bits,
            public_key_sha256: Fingerprint::of(&certificate.public_key.spki).to_string(),
            signature_algorithm: &certificate.signature_algorithm.name,
            is_ca: certificate.is_ca(),
        }
    }
}
