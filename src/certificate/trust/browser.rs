//! The browser-like verdict: rustls-webpki against the chosen anchors.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use time::OffsetDateTime;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage};

use super::TrustStore;
use crate::certificate::chain::Chain;
use crate::certificate::signature::{Remembering, Verifier};

/// What a browser-like client says of a chain, names left aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrowserVerdict {
    /// A valid path to an anchor exists.
    Accepted,
    /// No path to an anchor exists.
    UnknownIssuer,
    /// A certificate is outside its validity.
    OutsideValidity,
    /// Refused for another reason, in webpki's words.
    Refused(String),
    /// There is no leaf that could be read.
    NoLeaf,
}

/// Verifies the chain for server authentication at `now`.
pub fn verify(
    chain: &Chain,
    store: &TrustStore,
    now: OffsetDateTime,
    verifier: &Verifier,
) -> BrowserVerdict {
    let Some((leaf, others)) = chain.certificates.split_first() else {
        return BrowserVerdict::NoLeaf;
    };
    let intermediates: Vec<CertificateDer<'_>> =
        others.iter().map(|c| CertificateDer::from(c.der.as_ref())).collect();
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or(0);
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let remembering: Vec<Remembering<'_>> = ALL_VERIFICATION_ALGS
        .iter()
        .map(|algorithm| Remembering { verifier, algorithm: *algorithm })
        .collect();
    let algorithms: Vec<&dyn SignatureVerificationAlgorithm> =
        remembering.iter().map(|algorithm| algorithm as _).collect();
    let verdict = EndEntityCert::try_from(&leaf.der).and_then(|leaf| {
        leaf.verify_for_usage(
            &algorithms,
            &store.anchors,
            &intermediates,
            time,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map(|_| ())
    });
    match verdict {
        Ok(()) => BrowserVerdict::Accepted,
        Err(Error::UnknownIssuer) => BrowserVerdict::UnknownIssuer,
        Err(Error::CertExpired { .. } | Error::CertNotValidYet { .. }) => {
            BrowserVerdict::OutsideValidity
        }
        Err(error) => BrowserVerdict::Refused(error.to_string()),
    }
}
