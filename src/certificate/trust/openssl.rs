//! The verdict that nginx gives a certificate: OpenSSL's rules as nginx uses them.
//!
//! nginx's verify callback always answers "go on", so OpenSSL walks the whole chain and nginx logs the **last** error of
//! the walk (`ngx_ssl_verify_callback`, `ngx_http_upstream_ssl_handshake`). The steps below are in the order of
//! OpenSSL 3's `X509_verify_cert`; the last one that fails gives the number. Older releases of nginx set no callback for
//! upstreams, and log the first.

use time::OffsetDateTime;

use super::TrustStore;
use super::issuer::{best_issuer, is_self_signed, likely_issued};
use super::purpose::{CaStatus, suits};
pub use super::question::{OpensslVerdict, Purpose, Question, VerifyProfile};
pub use super::revocation::ListFault;
use super::revocation::RevocationCheck;
use crate::certificate::chain::Chain;
use crate::certificate::crl::RevocationLists;
use crate::certificate::openssl_view::{KEY_CERT_SIGN, OpensslView};
use crate::certificate::parse::Certificate;
use crate::certificate::signature::{SignatureCheck, Verifier};
use crate::openssl::release::OpensslRelease;
use crate::openssl::security_level;
use crate::openssl::verify_error::VerifyError;

/// The longest path that is followed, in certificates.
const MAX_PATH: usize = 100;

/// Verifies a chain.
pub fn verify(
    question: Question<'_>,
    profile: VerifyProfile,
    verifier: &Verifier,
) -> OpensslVerdict {
    match walk(question, profile, verifier) {
        Err(verdict) => verdict,
        // What could not be checked can only add a reason to refuse.
        Ok(VerifyRun { last: Some(error), .. }) => OpensslVerdict::Refused(error),
        Ok(VerifyRun { unknown: Some(why), .. }) => OpensslVerdict::CannotCheck(why),
        Ok(_) => OpensslVerdict::Accepted,
    }
}

/// What the revocation lists say of a chain, in the order in which OpenSSL meets it.
pub fn list_faults(
    question: Question<'_>,
    profile: VerifyProfile,
    verifier: &Verifier,
) -> Vec<ListFault> {
    walk(question, profile, verifier).map(|walk| walk.list_faults).unwrap_or_default()
}

fn walk<'c>(
    question: Question<'c>,
    profile: VerifyProfile,
    verifier: &'c Verifier,
) -> Result<VerifyRun<'c>, OpensslVerdict> {
    let Question { chain, store, lists, now } = question;
    let cannot = |why: &str| OpensslVerdict::CannotCheck(why.to_owned());
    if let Some(unreadable) = unreadable(chain) {
        return Err(OpensslVerdict::Unreadable(unreadable));
    }
    if chain.unreadable.is_some() {
        return Err(cannot("a certificate of the chain could not be read"));
    }
    if chain.ignored > 0 {
        return Err(cannot("the chain is longer than shakedown follows"));
    }
    let Some((leaf, sent)) = chain.certificates.split_first() else {
        return Err(cannot("no certificate was sent"));
    };
    if store.certificates.len() < store.anchors.len() {
        return Err(cannot(
            "only names and keys of these roots are known, and OpenSSL needs the certificates",
        ));
    }
    let mut walk = VerifyRun {
        path: vec![leaf],
        trusted_from: 1,
        profile,
        lists,
        now,
        verifier,
        last: None,
        unbuilt: false,
        unknown: None,
        list_faults: Vec::new(),
    };
    walk.verify(sent.iter().map(AsRef::as_ref).collect(), store);
    Ok(walk)
}

/// The first certificate that OpenSSL cannot read, even if it can be read here, and the part that OpenSSL cannot read.
pub fn unreadable(chain: &Chain) -> Option<String> {
    let says = |index: usize, part: &str| format!("certificate {}: {part}", index + 1);
    let known = chain.certificates.iter().enumerate().find_map(|(index, certificate)| {
        certificate.openssl.as_ref().err().map(|part| says(index, part))
    });
    known.or_else(|| {
        let (index, _) = chain.unreadable.as_ref()?;
        let der = chain.ders().nth(*index)?;
        OpensslView::of(der).err().map(|part| says(*index, part))
    })
}

/// One run of `X509_verify_cert`.
struct VerifyRun<'c> {
    /// The chain that is built, leaf first.
    path: Vec<&'c Certificate>,
    /// Index of the first certificate of `path` that came from the store (`num_untrusted`).
    trusted_from: usize,
    profile: VerifyProfile,
    lists: Option<&'c RevocationLists>,
    now: OffsetDateTime,
    verifier: &'c Verifier,
    /// The error that counts so far.
    last: Option<VerifyError>,
    /// No path to an anchor was found.
    unbuilt: bool,
    unknown: Option<String>,
    list_faults: Vec<ListFault>,
}

impl<'c> VerifyRun<'c> {
    fn verify(&mut self, sent: Vec<&'c Certificate>, store: &'c TrustStore) {
        if !self.is_strong_key(self.path[0]) {
            self.object(VerifyError::EE_KEY_TOO_SMALL);
        }
        if self.build(sent, store).is_err() {
            return self.object(VerifyError::UNSPECIFIED);
        }
        if self.unbuilt && self.profile.library == OpensslRelease::V1_1_1 {
            return;
        }
        if self.path.len() > MAX_PATH {
            self.unknown = Some("the path is longer than shakedown follows".to_owned());
        }
        self.check_extensions();
        self.check_security_level();
        let library = self.profile.library;
        if library > OpensslRelease::V1_1_1 && !self.path[0].public_key.is_known_to(library) {
            // `X509_get_pubkey_parameters` stops here, regardless of earlier errors.
            self.last.get_or_insert(VerifyError::UNSPECIFIED);
            return;
        }
        self.check_revocation();
        self.check_signatures_and_times();
        self.check_name_constraints();
    }

    fn check_revocation(&mut self) {
        let Some(lists) = self.lists else { return };
        let when = (self.now, self.profile.library);
        let found = RevocationCheck::new(&self.path, lists, when, self.verifier).run();
        for fault in &found.faults {
            self.object(fault.error);
        }
        self.unknown = self.unknown.take().or(found.unknown);
        self.list_faults = found.faults;
    }

    fn object(&mut self, error: VerifyError) {
        self.last = self.last.filter(|_| self.profile.first_error).or(Some(error));
    }

    /// `build_chain`: a trusted issuer first, else one that was sent; only a self-signed certificate anchors. It stops
    /// completely at a certificate with a trusted issuer and a key that OpenSSL does not know.
    fn build(
        &mut self,
        mut sent: Vec<&'c Certificate>,
        store: &'c TrustStore,
    ) -> Result<(), UnknownKey> {
        let library = self.profile.library;
        let longest = self.profile.depth.saturating_add(1).min(MAX_PATH);
        loop {
            let self_signed = is_self_signed(self.top(), library);
            let trusted = store.certificates.iter().map(AsRef::as_ref);
            if self.path.len() <= longest
                && let Some(issuer) = best_issuer(self.top(), trusted, self.now, library)
            {
                if library > OpensslRelease::V1_1_1 && !self.top().public_key.is_known_to(library) {
                    return Err(UnknownKey);
                }
                if self_signed {
                    // A sent certificate with an anchor's name counts only if it is the anchor itself.
                    if self.path.len() == self.trusted_from && self.top().sha256 == issuer.sha256 {
                        self.trusted_from -= 1;
                        return Ok(());
                    }
                    break;
                }
                self.path.push(issuer);
                self.extend_trusted(store, longest);
                break;
            }
            let issuer = if self_signed || self.path.len() > longest {
                None
            } else {
                let unused = sent.iter().copied().filter(|one| !self.holds(one));
                best_issuer(self.top(), unused, self.now, library)
            };
            let Some(issuer) = issuer else { break };
            sent.retain(|certificate| !std::ptr::eq(*certificate, issuer));
            self.path.push(issuer);
            self.trusted_from += 1;
        }
        self.conclude(longest);
        Ok(())
    }

    fn holds(&self, certificate: &Certificate) -> bool {
        self.path.iter().any(|on| on.sha256 == certificate.sha256)
    }

    /// Once a certificate of the store was taken, the rest must come from there too.
    fn extend_trusted(&mut self, store: &'c TrustStore, longest: usize) {
        let library = self.profile.library;
        while !is_self_signed(self.top(), library) && self.path.len() <= longest {
            let trusted = store.certificates.iter().map(AsRef::as_ref);
            match best_issuer(self.top(), trusted, self.now, library) {
                Some(issuer) => self.path.push(issuer),
                None => break,
            }
        }
    }

    fn conclude(&mut self, longest: usize) {
        let anchored = self.trusted_from < self.path.len();
        let self_signed = is_self_signed(self.top(), self.profile.library);
        if anchored && self_signed {
            return;
        }
        self.unbuilt = true;
        // "A preliminary error has become final": an earlier weak key hides the error about the issuer.
        if self.last.is_some() {
            return;
        }
        if self.path.len() > longest {
            self.object(VerifyError::CERT_CHAIN_TOO_LONG);
            if self.profile.library == OpensslRelease::V1_1_1 {
                return;
            }
        }
        self.object(match (self_signed, self.path.len(), anchored) {
            (true, 1, _) => VerifyError::DEPTH_ZERO_SELF_SIGNED_CERT,
            (true, ..) => VerifyError::SELF_SIGNED_CERT_IN_CHAIN,
            (false, _, true) => VerifyError::UNABLE_TO_GET_ISSUER_CERT,
            (false, _, false) => VerifyError::UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        });
    }

    fn top(&self) -> &'c Certificate {
        self.path[self.path.len() - 1]
    }

    /// `check_extensions`: critical ones, issuers that are not authorities, purposes, path lengths.
    fn check_extensions(&mut self) {
        let library = self.profile.library;
        let invalid_ca = VerifyError::invalid_ca(library);
        let mut authorities: u32 = 0;
        for index in 0..self.path.len() {
            let certificate = self.path[index];
            let Ok(view) = &certificate.openssl else { continue };
            if view.unhandled_critical {
                self.object(VerifyError::UNHANDLED_CRITICAL_EXTENSION);
            }
            if view.proxy {
                self.object(VerifyError::PROXY_CERTIFICATES_NOT_ALLOWED);
            }
            let authority = CaStatus::of(certificate, library);
            let below_anchor = index + 1 < self.path.len();
            if index > 0 && !authority.may_issue(below_anchor) {
                self.object(invalid_ca);
            }
            if self.path.len() > 1 && library > OpensslRelease::V1_1_1 {
                if !certificate.public_key.is_known_to(library) {
                    self.object(VerifyError::UNSPECIFIED);
                } else if certificate.public_key.explicit_curve {
                    self.object(VerifyError::EC_KEY_EXPLICIT_PARAMS);
                }
            }
            // The purpose of a certificate with malformed extensions is not checked.
            if !view.invalid && !suits(view, authority, index > 0, self.profile.purpose) {
                self.object(VerifyError::INVALID_PURPOSE);
            }
            let most = view.basic_constraints.and_then(|(_, length)| length);
            if index > 1 && most.is_some_and(|most| authorities > most) {
                self.object(VerifyError::PATH_LENGTH_EXCEEDED);
            }
            if index > 0 && view.subject != view.issuer {
                authorities += 1;
            }
        }
    }

    /// `check_auth_level`: the keys of authorities, and every signature but the anchor's.
    fn check_security_level(&mut self) {
        for index in 0..self.path.len() {
            let certificate = self.path[index];
            if index > 0 && !self.is_strong_key(certificate) {
                self.object(VerifyError::CA_KEY_TOO_SMALL);
            }
            if index + 1 < self.path.len() && !self.is_strong_signature(certificate) {
                self.object(VerifyError::CA_MD_TOO_WEAK);
            }
        }
    }

    /// `internal_verify`: from the anchor down to the leaf, signatures and dates.
    fn check_signatures_and_times(&mut self) {
        let last = self.path.len() - 1;
        let top = self.path[last];
        let complete = likely_issued(top, top, self.profile.library);
        if !complete && last == 0 {
            self.object(VerifyError::UNABLE_TO_VERIFY_LEAF_SIGNATURE);
        }
        for index in (0..=last).rev() {
            if index < last {
                self.check_signature(index);
            } else if !complete && last > 0 {
                // Without its issuer, the last certificate is not checked at all.
                continue;
            }
            self.check_time(self.path[index]);
        }
    }

    fn check_signature(&mut self, index: usize) {
        let (subject, issuer) = (self.path[index], self.path[index + 1]);
        let usage = issuer.openssl.as_ref().ok().and_then(|view| view.key_usage);
        if usage.is_some_and(|usage| usage & KEY_CERT_SIGN == 0) {
            self.object(VerifyError::KEYUSAGE_NO_CERTSIGN);
        }
        if !subject.openssl.as_ref().is_ok_and(|view| view.algorithms_agree) {
            return self.object(VerifyError::CERT_SIGNATURE_FAILURE);
        }
        match self.verifier.check(subject, &issuer.public_key.spki) {
            SignatureCheck::Valid => {}
            SignatureCheck::Invalid => self.object(VerifyError::CERT_SIGNATURE_FAILURE),
            SignatureCheck::CannotCheck => {
                let name = &subject.signature_algorithm.name;
                self.unknown = Some(format!("a {name} signature cannot be checked here"));
            }
        }
    }

    fn check_time(&mut self, certificate: &Certificate) {
        let Ok(view) = &certificate.openssl else { return };
        let [before, after] = view.well_formed_dates;
        if !before {
            self.object(VerifyError::ERROR_IN_CERT_NOT_BEFORE_FIELD);
        } else if self.now < certificate.not_before {
            self.object(VerifyError::CERT_NOT_YET_VALID);
        }
        // The last second of a certificate is already too late for OpenSSL.
        if !after {
            self.object(VerifyError::ERROR_IN_CERT_NOT_AFTER_FIELD);
        } else if self.now >= certificate.not_after {
            self.object(VerifyError::CERT_HAS_EXPIRED);
        }
    }

    /// `check_name_constraints`: every certificate against all above it, the anchor among them. Self-issued ones are
    /// skipped, except for the leaf.
    fn check_name_constraints(&mut self) {
        for index in (0..self.path.len()).rev() {
            let Ok(view) = &self.path[index].openssl else { continue };
            if index > 0 && view.subject == view.issuer {
                continue;
            }
            for above in (index + 1..self.path.len()).rev() {
                let constraints = self.path[above]
                    .openssl
                    .as_ref()
                    .ok()
                    .and_then(|above| above.name_constraints.as_ref());
                if let Some(Err(error)) =
                    constraints.map(|constraints| constraints.check(&view.names, index == 0))
                {
                    self.object(error);
                }
            }
        }
    }

    fn is_strong_key(&self, certificate: &Certificate) -> bool {
        let VerifyProfile { security_level: level, library, .. } = self.profile;
        level == 0
            || certificate.public_key.security_bits(library) >= security_level::least_bits(level)
    }

    fn is_strong_signature(&self, certificate: &Certificate) -> bool {
        let VerifyProfile { security_level: level, library, .. } = self.profile;
        level == 0 || certificate.signature_bits(library) >= security_level::least_bits(level)
    }
}

/// A key that the release does not support: OpenSSL stops there without an error of verification.
struct UnknownKey;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::issue::Authority;

    #[test]
    fn no_depth_is_too_deep() {
        let now = time::macros::datetime!(2026-06-15 12:00 UTC);
        let root = Authority::root("root", now).unwrap();
        let chain = root.intermediate("a").unwrap().issue(&["a.test"]).unwrap().chain();
        let sent: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
        let anchors = vec![root.certificate.clone()];
        let (store, _) = TrustStore::from_certificates("test".to_owned(), anchors, false);
        let chain = Chain::from_der(&sent);
        let question = Question { chain: &chain, store: &store, lists: None, now };
        let profile = VerifyProfile { depth: usize::MAX, ..VerifyProfile::default() };
        assert_eq!(verify(question, profile, &Verifier::default()), OpensslVerdict::Accepted);
    }

    #[test]
    fn errors_read_as_nginx_writes_them() {
        assert_eq!(
            VerifyError::CERT_HAS_EXPIRED.to_string(),
            "upstream SSL certificate verify error: (10:certificate has expired)"
        );
    }
}
