//! Which certificate OpenSSL accepts as the issuer of another: by names, key identifiers and algorithms, before any
//! signature is checked.

use time::OffsetDateTime;

use crate::certificate::openssl_view::KEY_CERT_SIGN;
use crate::certificate::parse::Certificate;
use crate::openssl::release::OpensslRelease;

/// `ossl_x509_likely_issued`, and `X509_check_issued` in 1.1.1.
pub(super) fn likely_issued(
    issuer: &Certificate,
    subject: &Certificate,
    library: OpensslRelease,
) -> bool {
    let (Ok(above), Ok(below)) = (&issuer.openssl, &subject.openssl) else { return false };
    let matches =
        below.issuer == above.subject && !above.invalid && !below.invalid && below.points_to(above);
    matches
        && match library {
            OpensslRelease::V1_1_1 => {
                above.key_usage.is_none_or(|usage| usage & KEY_CERT_SIGN != 0)
            }
            OpensslRelease::V3_0
            | OpensslRelease::V3_2
            | OpensslRelease::V3_4
            | OpensslRelease::V3_5 => {
                issuer.public_key.is_known_to(library)
                    && subject.inner_signature_algorithm.is_made_by(&issuer.public_key)
            }
        }
}

/// `EXFLAG_SS`: self-issued, by its own key as far as the identifiers say. 1.1.1 does not look at the key usage here.
pub(super) fn is_self_signed(certificate: &Certificate, library: OpensslRelease) -> bool {
    match &certificate.openssl {
        Ok(view) if library == OpensslRelease::V1_1_1 => {
            view.issuer == view.subject && !view.invalid && view.points_to(view)
        }
        _ => likely_issued(certificate, certificate, library),
    }
}

/// The issuer that OpenSSL picks: the first one that is valid now, else the one that expires last.
pub(super) fn best_issuer<'c>(
    subject: &Certificate,
    candidates: impl Iterator<Item = &'c Certificate>,
    now: OffsetDateTime,
    library: OpensslRelease,
) -> Option<&'c Certificate> {
    let mut best: Option<&Certificate> = None;
    for candidate in candidates.filter(|candidate| likely_issued(candidate, subject, library)) {
        if is_within_dates(candidate, now) {
            return Some(candidate);
        }
        if best.is_none_or(|best| candidate.not_after > best.not_after) {
            best = Some(candidate);
        }
    }
    best
}

/// Whether a certificate is valid at a time, by OpenSSL's rules: no longer in the second of notAfter.
fn is_within_dates(certificate: &Certificate, now: OffsetDateTime) -> bool {
    let well_formed =
        certificate.openssl.as_ref().is_ok_and(|view| view.well_formed_dates == [true; 2]);
    well_formed && (certificate.not_before..certificate.not_after).contains(&now)
}
