//! The browser-like verdict: rustls-webpki against the chosen anchors.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage};

use super::openssl::Question;
use super::purpose::Purpose;
use crate::certificate::signature::{Remembering, Verifier};

/// The verdict of a client like a browser on a chain, without the name check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrowserVerdict {
    /// A valid path to an anchor exists.
    Accepted,
    /// No path to an anchor exists.
    UnknownIssuer,
    /// A certificate is outside its validity.
    OutsideValidity,
    /// Refused for another reason, in words of this program.
    Refused(String),
    /// There is no leaf that could be read.
    NoLeaf,
}

/// Verifies the chain for this purpose.
pub fn verify(question: Question<'_>, purpose: Purpose, verifier: &Verifier) -> BrowserVerdict {
    let Question { chain, store, now, lists: _ } = question;
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
    let usage = match purpose {
        Purpose::Server => KeyUsage::server_auth(),
        Purpose::Client => KeyUsage::client_auth(),
    };
    let verdict = EndEntityCert::try_from(&leaf.der).and_then(|leaf| {
        leaf.verify_for_usage(&algorithms, &store.anchors, &intermediates, time, usage, None, None)
            .map(|_| ())
    });
    match verdict {
        Ok(()) => BrowserVerdict::Accepted,
        // If a certificate with the issuer's name did not sign, webpki reports the signature; in fact the issuer is
        // missing.
        Err(Error::UnknownIssuer | Error::InvalidSignatureForPublicKey) => {
            BrowserVerdict::UnknownIssuer
        }
        Err(Error::CertExpired { .. } | Error::CertNotValidYet { .. }) => {
            BrowserVerdict::OutsideValidity
        }
        Err(error) => BrowserVerdict::Refused(words(&error, purpose)),
    }
}

/// The text of an error; rare errors keep webpki's name.
fn words(error: &Error, purpose: Purpose) -> String {
    let known = match error {
        Error::BadDer
        | Error::BadDerTime
        | Error::ExtensionValueInvalid
        | Error::MalformedExtensions
        | Error::TrailingData(_) => "a certificate is malformed",
        Error::CaUsedAsEndEntity => match purpose {
            Purpose::Server => "an authority's certificate is used as a server's",
            Purpose::Client => "an authority's certificate is used as a client's",
        },
        Error::CertDistrusted => "an authority on the path is distrusted by name",
        Error::EmptyEkuExtension | Error::RequiredEkuNotFoundContext(_) => match purpose {
            Purpose::Server => "a certificate on the path is not meant for servers",
            Purpose::Client => "a certificate on the path is not meant for clients",
        },
        Error::EndEntityUsedAsCa => "a certificate on the path belongs to no authority",
        Error::InvalidCertValidity => "a certificate expires before it becomes valid",
        Error::InvalidSerialNumber => "a serial number is malformed",
        Error::MaximumNameConstraintComparisonsExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumSignatureChecksExceeded => "the chain is too long or too complex",
        Error::NameConstraintViolation => "a name is outside an authority's constraints",
        Error::PathLenConstraintViolated => {
            "more authorities are below an authority than it allows"
        }
        Error::SignatureAlgorithmMismatch => "a certificate names two signature algorithms",
        Error::UnsupportedCertVersion => "a certificate is not of version 3",
        Error::UnsupportedCriticalExtension => "a critical extension is unknown",
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a signature algorithm or key is not accepted"
        }
        other => return other.to_string(),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa};
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;
    use crate::certificate::chain::Chain;
    use crate::certificate::issue::{Authority, self_signed};
    use crate::certificate::trust::TrustStore;

    const NOW: OffsetDateTime = datetime!(2026-06-15 12:00 UTC);

    #[track_caller]
    fn check(sent: &[CertificateDer<'_>], anchor: &Authority, expected: &BrowserVerdict) {
        let given = vec![anchor.certificate.clone()];
        let (store, _) = TrustStore::from_certificates("test".to_owned(), given, false);
        let sent: Vec<&[u8]> = sent.iter().map(AsRef::as_ref).collect();
        let verdict = verify(
            Question { chain: &Chain::from_der(&sent), store: &store, lists: None, now: NOW },
            Purpose::Server,
            &Verifier::default(),
        );
        assert_eq!(verdict, *expected);
    }

    #[track_caller]
    fn check_leaf(change: impl FnOnce(&mut CertificateParams), expected: &BrowserVerdict) {
        let root = Authority::root("root", NOW).unwrap();
        check(&root.issue_with(&["a.test"], change).unwrap().chain(), &root, expected);
    }

    fn refused(words: &str) -> BrowserVerdict {
        BrowserVerdict::Refused(words.to_owned())
    }

    #[test]
    fn a_path_to_an_anchor_is_accepted() {
        check_leaf(|_| {}, &BrowserVerdict::Accepted);
        let root = Authority::root("root", NOW).unwrap();
        let below = root.intermediate("lower").unwrap().issue(&["a.test"]).unwrap();
        check(&below.chain(), &root, &BrowserVerdict::Accepted);
    }

    #[test]
    fn both_ends_of_the_validity_belong_to_it() {
        check_leaf(|params| params.not_after = NOW, &BrowserVerdict::Accepted);
        check_leaf(|params| params.not_before = NOW, &BrowserVerdict::Accepted);
        let second = time::Duration::SECOND;
        let outside = BrowserVerdict::OutsideValidity;
        check_leaf(|params| params.not_after = NOW - second, &outside);
        check_leaf(|params| params.not_before = NOW + second, &outside);
    }

    #[test]
    fn without_a_path_the_issuer_is_unknown() {
        let root = Authority::root("root", NOW).unwrap();
        let alone = root.intermediate("lower").unwrap().issue(&["a.test"]).unwrap().certificate;
        check(&[alone], &root, &BrowserVerdict::UnknownIssuer);
        let own = self_signed(&["a.test"], NOW).unwrap();
        check(&own.chain(), &root, &BrowserVerdict::UnknownIssuer);
    }

    #[test]
    fn a_namesake_of_the_issuer_is_unknown_too() {
        let root = Authority::root("root", NOW).unwrap();
        let namesake = Authority::root("root", NOW).unwrap();
        let below = namesake.issue(&["a.test"]).unwrap();
        check(&below.chain(), &root, &BrowserVerdict::UnknownIssuer);
    }

    #[test]
    fn other_refusals_say_why() {
        check_leaf(
            |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            &refused("an authority's certificate is used as a server's"),
        );
        check_leaf(
            |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            &refused("a certificate on the path is not meant for servers"),
        );
    }

    #[test]
    fn nothing_readable_is_no_leaf() {
        let root = Authority::root("root", NOW).unwrap();
        check(&[], &root, &BrowserVerdict::NoLeaf);
        check(&[CertificateDer::from(vec![1, 2, 3])], &root, &BrowserVerdict::NoLeaf);
    }
}
