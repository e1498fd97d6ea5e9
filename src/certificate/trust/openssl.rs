//! The verdict that nginx gives an upstream: OpenSSL's rules as nginx uses them.
//!
//! nginx's verify callback always answers "go on", so OpenSSL walks the whole chain and nginx logs the **last** error of
//! the walk (`ngx_ssl_verify_callback`, `ngx_http_upstream_ssl_handshake`). The steps below stand in the order of
//! OpenSSL 3's `X509_verify_cert`, and the last one that objects gives the number.

use time::OffsetDateTime;

use super::TrustStore;
use crate::certificate::chain::Chain;
use crate::certificate::key::{KeyType, PublicKey, SignatureHash};
use crate::certificate::parse::Certificate;
use crate::certificate::signature::{SignatureCheck, Verifier};
use crate::openssl::release::Release;
use crate::openssl::security_level;
use crate::openssl::verify_error::VerifyError;

/// How nginx was told to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// `proxy_ssl_verify_depth`: how many intermediates may stand between leaf and anchor.
    pub depth: usize,
    /// OpenSSL's security level: 2 on Debian and from OpenSSL 3.2 on, else 1.
    pub security_level: u8,
    /// The library.
    pub library: Release,
}

impl Default for Profile {
    fn default() -> Self {
        Self { depth: 1, security_level: security_level::DEFAULT, library: Release::default() }
    }
}

/// What nginx would say of a chain with `proxy_ssl_verify on`, names left aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpensslVerdict {
    /// The chain verifies.
    Accepted,
    /// nginx logs this, and answers 502.
    Refused(VerifyError),
    /// The verdict rests on something that cannot be checked here; what it is.
    CannotCheck(String),
}

/// What is to be verified: a chain, with these certificates as nginx's trusted file, at this time.
#[derive(Clone, Copy, Debug)]
pub struct Question<'c> {
    /// The chain as sent.
    pub chain: &'c Chain,
    /// The contents of `proxy_ssl_trusted_certificate`.
    pub store: &'c TrustStore,
    /// The time.
    pub now: OffsetDateTime,
}

/// Verifies a chain for a TLS server.
pub fn verify(question: Question<'_>, profile: Profile, verifier: &Verifier) -> OpensslVerdict {
    let Question { chain, store, now } = question;
    let cannot = |why: &str| OpensslVerdict::CannotCheck(why.to_owned());
    if chain.unreadable.is_some() {
        return cannot("the chain holds bytes that are no certificate");
    }
    let Some((leaf, sent)) = chain.certificates.split_first() else {
        return cannot("no certificate was sent");
    };
    if store.certificates.len() < store.anchors.len() {
        return cannot(
            "these roots are names and keys only, and OpenSSL judges whole certificates",
        );
    }
    let mut walk = Walk {
        path: vec![leaf],
        trusted_from: 1,
        profile,
        now,
        verifier,
        last: None,
        unbuilt: false,
        unknown: None,
    };
    walk.verify(sent.iter().map(AsRef::as_ref).collect(), store);
    match (walk.unknown, walk.last) {
        (Some(why), _) => OpensslVerdict::CannotCheck(why),
        (None, Some(error)) => OpensslVerdict::Refused(error),
        (None, None) => OpensslVerdict::Accepted,
    }
}

/// One run of `X509_verify_cert`.
struct Walk<'c> {
    /// The chain that is built, leaf first.
    path: Vec<&'c Certificate>,
    /// Index of the first certificate of `path` that came from the store (`num_untrusted`).
    trusted_from: usize,
    profile: Profile,
    now: OffsetDateTime,
    verifier: &'c Verifier,
    last: Option<VerifyError>,
    /// No path to an anchor was found.
    unbuilt: bool,
    unknown: Option<String>,
}

impl<'c> Walk<'c> {
    fn verify(&mut self, sent: Vec<&'c Certificate>, store: &'c TrustStore) {
        if !self.is_strong_key(&self.path[0].public_key) {
            self.object(VerifyError::EE_KEY_TOO_SMALL);
        }
        self.build(sent, store);
        if self.unbuilt && self.profile.library == Release::V1_1_1 {
            return;
        }
        self.check_extensions();
        self.check_security_level();
        self.check_signatures_and_times();
        if self.path.iter().any(|certificate| certificate.name_constraints) {
            self.unknown
                .get_or_insert("the chain constrains names, which are not checked here".to_owned());
        }
    }

    fn object(&mut self, error: VerifyError) {
        self.last = Some(error);
    }

    /// `build_chain`: a trusted issuer first, else one that was sent; only a self-signed certificate anchors.
    fn build(&mut self, mut sent: Vec<&'c Certificate>, store: &'c TrustStore) {
        let longest = self.profile.depth.saturating_add(1);
        let mut self_signed = is_self_signed(self.path[0]);
        loop {
            if self.path.len() <= longest
                && let Some(issuer) =
                    best_issuer(self.top(), store.certificates.iter().map(AsRef::as_ref), self.now)
            {
                if self_signed {
                    // What was sent in the name of an anchor counts only where it is that very anchor.
                    if self.path.len() == self.trusted_from && self.top().sha256 == issuer.sha256 {
                        self.trusted_from -= 1;
                        return;
                    }
                    break;
                }
                self.path.push(issuer);
                self.extend_trusted(store, longest);
                return self.conclude(longest);
            }
            let issuer = if self_signed || self.path.len() > longest {
                None
            } else {
                best_issuer(self.top(), sent.iter().copied(), self.now)
            };
            let Some(issuer) = issuer else { break };
            sent.retain(|certificate| !std::ptr::eq(*certificate, issuer));
            self.path.push(issuer);
            self.trusted_from += 1;
            self_signed = is_self_signed(issuer);
        }
        self.conclude(longest);
    }

    /// Once a certificate of the store was taken, the rest must come from there too.
    fn extend_trusted(&mut self, store: &'c TrustStore, longest: usize) {
        while !is_self_signed(self.top()) && self.path.len() <= longest {
            match best_issuer(self.top(), store.certificates.iter().map(AsRef::as_ref), self.now) {
                Some(issuer) => self.path.push(issuer),
                None => break,
            }
        }
    }

    fn conclude(&mut self, longest: usize) {
        let anchored = self.trusted_from < self.path.len();
        let self_signed = is_self_signed(self.top());
        if anchored && self_signed {
            return;
        }
        self.unbuilt = true;
        // "A preliminary error has become final": a weak key met before keeps what would be said of the issuer unsaid.
        if self.last.is_some() {
            return;
        }
        if self.path.len() > longest {
            self.object(VerifyError::CERT_CHAIN_TOO_LONG);
            if self.profile.library == Release::V1_1_1 {
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

    /// `check_extensions`: critical ones, authorities that are none, purposes, path lengths.
    fn check_extensions(&mut self) {
        let mut authorities = 0;
        for index in 0..self.path.len() {
            let certificate = self.path[index];
            if certificate.unhandled_critical {
                self.object(VerifyError::UNHANDLED_CRITICAL_EXTENSION);
            }
            if index > 0 && !may_issue(certificate, index + 1 < self.path.len()) {
                self.object(VerifyError::INVALID_CA);
            }
            if !serves_tls(certificate, index > 0) {
                self.object(VerifyError::INVALID_PURPOSE);
            }
            let path_len =
                certificate.basic_constraints.and_then(|constraints| constraints.path_len);
            if index > 1 && path_len.is_some_and(|most| authorities > most) {
                self.object(VerifyError::PATH_LENGTH_EXCEEDED);
            }
            if index > 0 && !certificate.is_self_issued() {
                authorities += 1;
            }
        }
    }

    /// `check_auth_level`: the keys of authorities, and every signature but the anchor's.
    fn check_security_level(&mut self) {
        for index in 0..self.path.len() {
            let certificate = self.path[index];
            if index > 0 && !self.is_strong_key(&certificate.public_key) {
                self.object(VerifyError::CA_KEY_TOO_SMALL);
            }
            if index + 1 < self.path.len()
                && !self.is_strong_hash(certificate.signature_algorithm.hash)
            {
                self.object(VerifyError::CA_MD_TOO_WEAK);
            }
        }
    }

    /// `internal_verify`: from the anchor down to the leaf, signatures and dates.
    fn check_signatures_and_times(&mut self) {
        let last = self.path.len() - 1;
        let top = self.path[last];
        let complete = likely_issued(top, top);
        if !complete && last == 0 {
            self.object(VerifyError::UNABLE_TO_VERIFY_LEAF_SIGNATURE);
        }
        for index in (0..=last).rev() {
            if index < last {
                self.check_signature(index);
            } else if !complete && last > 0 {
                // Without its issuer the last certificate is not looked at at all.
                continue;
            }
            self.check_time(self.path[index]);
        }
    }

    fn check_signature(&mut self, index: usize) {
        let (subject, issuer) = (self.path[index], self.path[index + 1]);
        if lacks_usage(issuer, KEY_CERT_SIGN) {
            self.object(VerifyError::KEYUSAGE_NO_CERTSIGN);
        }
        match self.verifier.check(subject, &issuer.public_key.spki) {
            SignatureCheck::Valid => {}
            SignatureCheck::Invalid => self.object(VerifyError::CERT_SIGNATURE_FAILURE),
            SignatureCheck::CannotCheck => {
                let name = &subject.signature_algorithm.name;
                self.unknown =
                    Some(format!("a signature of the kind {name} cannot be checked here"));
            }
        }
    }

    fn check_time(&mut self, certificate: &Certificate) {
        if self.now < certificate.not_before {
            self.object(VerifyError::CERT_NOT_YET_VALID);
        }
        if self.now > certificate.not_after {
            self.object(VerifyError::CERT_HAS_EXPIRED);
        }
    }

    /// Security bits as OpenSSL counts them, against what the level wants.
    fn is_strong_key(&self, key: &PublicKey) -> bool {
        let bits = match key.key_type {
            KeyType::Rsa => security_level::rsa_bits(key.bits, self.profile.library),
            KeyType::Dsa => security_level::finite_field_bits(key.bits),
            KeyType::Ec(_) => key.bits / 2,
            KeyType::Ed25519 => 128,
            KeyType::Ed448 => 224,
            KeyType::Unknown => 0,
        };
        bits >= security_level::least_bits(self.profile.security_level)
    }

    fn is_strong_hash(&self, hash: SignatureHash) -> bool {
        match hash {
            SignatureHash::Md5 | SignatureHash::Sha1 => self.profile.security_level == 0,
            SignatureHash::Strong | SignatureHash::Unknown => true,
        }
    }
}

/// Key usage bits, as RFC 5280 numbers them.
const DIGITAL_SIGNATURE: u16 = 1;
const KEY_ENCIPHERMENT: u16 = 1 << 2;
const KEY_AGREEMENT: u16 = 1 << 4;
const KEY_CERT_SIGN: u16 = 1 << 5;

/// `ku_reject`: the extension is there and has none of the bits.
fn lacks_usage(certificate: &Certificate, bits: u16) -> bool {
    certificate.key_usage.is_some_and(|usage| usage & bits == 0)
}

/// `EXFLAG_SS`: self-issued, by its own key as far as the identifiers say.
fn is_self_signed(certificate: &Certificate) -> bool {
    likely_issued(certificate, certificate)
}

/// `ossl_x509_likely_issued`: names and key identifiers, not the signature.
fn likely_issued(issuer: &Certificate, subject: &Certificate) -> bool {
    let ids = (&subject.authority_key_id, &issuer.subject_key_id);
    subject.issuer.der == issuer.subject.der
        && matches!(ids, (Some(wanted), Some(offered)) if wanted == offered)
            | matches!(ids, (None, _) | (_, None))
}

/// The issuer that OpenSSL picks: the first one that is valid now, else the one that ends last.
fn best_issuer<'c>(
    subject: &Certificate,
    candidates: impl Iterator<Item = &'c Certificate>,
    now: OffsetDateTime,
) -> Option<&'c Certificate> {
    let mut best: Option<&Certificate> = None;
    for candidate in candidates.filter(|candidate| likely_issued(candidate, subject)) {
        if (candidate.not_before..=candidate.not_after).contains(&now) {
            return Some(candidate);
        }
        if best.is_none_or(|best| candidate.not_after > best.not_after) {
            best = Some(candidate);
        }
    }
    best
}

/// `X509_check_ca`, as strict as for an intermediate where `below_anchor`.
fn may_issue(certificate: &Certificate, below_anchor: bool) -> bool {
    if lacks_usage(certificate, KEY_CERT_SIGN) {
        return false;
    }
    match certificate.basic_constraints {
        Some(constraints) => constraints.ca,
        None if below_anchor => false,
        None => {
            (certificate.version == 1 && is_self_signed(certificate))
                || certificate.key_usage.is_some()
        }
    }
}

/// `check_purpose_ssl_server`.
fn serves_tls(certificate: &Certificate, authority: bool) -> bool {
    if certificate.extended_key_usage.is_some_and(|usage| !usage.server_auth) {
        return false;
    }
    if authority {
        return may_issue(certificate, false);
    }
    !lacks_usage(certificate, DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT)
}

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
        let question = Question { chain: &Chain::from_der(&sent), store: &store, now };
        let profile = Profile { depth: usize::MAX, ..Profile::default() };
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
