//! Stapled OCSP responses (RFC 6960): whether a response is about this certificate, signed by the right party and
//! current, and its status.

use aws_lc_rs::digest;
use der::{Decode, Encode};
use time::OffsetDateTime;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspResponse, OcspResponseStatus, SingleResponse,
};

use super::parse::Certificate;
use super::signature::{SignatureCheck, Verifier};

/// The largest response, in bytes.
const MAX_SIZE: usize = 64 * 1024;

/// The status of a certificate in a staple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StapleStatus {
    /// It is not revoked.
    Good,
    /// It was revoked at that time.
    Revoked(OffsetDateTime),
    /// The responder does not know it.
    Unknown,
}

/// Why a staple is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StapleError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Malformed(String),
    /// The responder gave no answer; its status.
    #[error("the responder gave no answer ({0})")]
    NotSuccessful(String),
    /// It is about other certificates.
    #[error("it is about another certificate")]
    OtherCertificate,
    /// It is not signed by the issuer, nor by a responder of the issuer.
    #[error("its signature is not from the issuer or its responder")]
    BadSignature,
    /// It expired at this time.
    #[error("it expired on {0}")]
    Expired(OffsetDateTime),
    /// It is not valid before this time.
    #[error("it is not valid before {0}")]
    NotYetValid(OffsetDateTime),
}

/// Reads and verifies the staple for `leaf`. If the issuer is not known, or its type of signature cannot be checked
/// here, the signature is not checked.
pub fn check(
    staple: &[u8],
    leaf: &Certificate,
    issuer: Option<&Certificate>,
    now: OffsetDateTime,
) -> Result<StapleStatus, StapleError> {
    let response = basic(staple)?;
    let about = response.tbs_response_data.responses.iter();
    let single = about
        .filter(|single| names(&single.cert_id, leaf))
        .max_by_key(|single| single.this_update.0.to_unix_duration())
        .ok_or(StapleError::OtherCertificate)?;
    if issuer.is_some_and(|issuer| !is_signed(&response, issuer)) {
        return Err(StapleError::BadSignature);
    }
    is_current(single, now)?;
    Ok(match &single.cert_status {
        CertStatus::Good(_) => StapleStatus::Good,
        CertStatus::Revoked(info) => StapleStatus::Revoked(moment(info.revocation_time.0)),
        CertStatus::Unknown(_) => StapleStatus::Unknown,
    })
}

fn basic(staple: &[u8]) -> Result<BasicOcspResponse, StapleError> {
    let malformed = |error: der::Error| StapleError::Malformed(error.to_string());
    if staple.len() > MAX_SIZE {
        return Err(StapleError::Malformed(format!("{} bytes is too large", staple.len())));
    }
    let response = OcspResponse::from_der(staple).map_err(malformed)?;
    if response.response_status != OcspResponseStatus::Successful {
        return Err(StapleError::NotSuccessful(format!("{:?}", response.response_status)));
    }
    let bytes = response.response_bytes.ok_or(StapleError::NotSuccessful("empty".to_owned()))?;
    BasicOcspResponse::from_der(bytes.response.as_bytes()).map_err(malformed)
}

/// Whether an answer is about this certificate: by serial number, and by the issuer's name if its hash is SHA-1, as
/// usual.
fn names(id: &CertId, leaf: &Certificate) -> bool {
    let serial = crate::tls::hex::hex(id.serial_number.as_bytes());
    let trim = |serial: &str| serial.trim_start_matches('0').to_owned();
    let name_hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &leaf.issuer.der);
    let same_hash = id.issuer_name_hash.as_bytes() == name_hash.as_ref();
    let other_hash = id.issuer_name_hash.as_bytes().len() != name_hash.as_ref().len();
    trim(&serial) == trim(&leaf.serial) && (same_hash || other_hash)
}

/// Whether the issuer signed the response, or a responder that the issuer appointed (RFC 6960 section 4.2.2.2).
fn is_signed(response: &BasicOcspResponse, issuer: &Certificate) -> bool {
    let (Ok(message), Ok(algorithm)) =
        (response.tbs_response_data.to_der(), response.signature_algorithm.to_der())
    else {
        return false;
    };
    let signature = response.signature.raw_bytes();
    let verifier = Verifier::default();
    let by = |spki: &[u8]| verifier.check_message(&algorithm, spki, &message, signature);
    if by(&issuer.public_key.spki) != SignatureCheck::Invalid {
        return true;
    }
    let appointed = response.certs.iter().flatten().take(4).filter_map(|certificate| {
        let responder = Certificate::parse(&certificate.to_der().ok()?).ok()?;
        let by_issuer = verifier.check(&responder, &issuer.public_key.spki);
        (responder.issuer.der == issuer.subject.der
            && by_issuer != SignatureCheck::Invalid
            && responder.ocsp_signing)
            .then_some(responder)
    });
    appointed.into_iter().any(|responder| by(&responder.public_key.spki) != SignatureCheck::Invalid)
}

fn is_current(single: &SingleResponse, now: OffsetDateTime) -> Result<(), StapleError> {
    let from = moment(single.this_update.0);
    if now < from {
        return Err(StapleError::NotYetValid(from));
    }
    match single.next_update.as_ref().map(|time| moment(time.0)) {
        Some(until) if now > until => Err(StapleError::Expired(until)),
        _ => Ok(()),
    }
}

fn moment(time: der::asn1::GeneralizedTime) -> OffsetDateTime {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::*;
    use crate::certificate::issue::Authority;

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..300)) {
            let now = OffsetDateTime::UNIX_EPOCH;
            let leaf = Authority::root("root", now).unwrap().issue(&["a.test"]).unwrap();
            let leaf = Certificate::parse(&leaf.certificate).unwrap();
            assert!(check(&bytes, &leaf, None, now).is_err());
        }
    }
}
