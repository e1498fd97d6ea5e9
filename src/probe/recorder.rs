//! A verifier and certificate resolver that record what the server sends and let the handshake continue.
//!
//! Chains are judged elsewhere, once each. The signature that proves possession of the key is checked here, and the
//! result is recorded.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::certificate::cache::ChainCache;
use crate::certificate::handshake_signature;
use crate::certificate::key::KeyType;
use crate::certificate::parse::DistinguishedName;
use crate::certificate::{Certificate, Chain};
use crate::observation::ClientCertificateRequest;
use crate::tls::scheme;

/// The most CA names of a request that are kept; more are rare and of no use in a report.
const MAX_AUTHORITIES: usize = 256;

/// The sizes of RSA keys, in bits, whose signatures the library can check by every scheme.
const RSA_BITS: RangeInclusive<u32> = 2048..=8192;

/// What the server sent on one connection.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) chain: Option<Arc<Chain>>,
    pub(super) ocsp_staple: Option<Vec<u8>>,
    pub(super) request: Option<ClientCertificateRequest>,
    pub(super) bad_signature: bool,
    pub(super) unchecked_signature: bool,
    pub(super) scheme: Option<scheme::SignatureScheme>,
}

/// Signature schemes that are offered in TLS 1.3 although the library cannot verify them: Ed448, RSA-PSS keys,
/// brainpool curves and ML-DSA. A server whose certificate requires one of them may still be healthy.
const UNVERIFIED: [u16; 10] =
    [0x0808, 0x0809, 0x080a, 0x080b, 0x081a, 0x081b, 0x081c, 0x0904, 0x0905, 0x0906];

/// Records one connection.
#[derive(Debug)]
pub(super) struct HandshakeRecorder {
    chains: Arc<ChainCache>,
    algorithms: WebPkiSupportedAlgorithms,
    identity: Option<Arc<CertifiedKey>>,
    schemes: Vec<SignatureScheme>,
    seen: Mutex<Seen>,
}

impl HandshakeRecorder {
    pub(super) fn new(
        chains: Arc<ChainCache>,
        algorithms: WebPkiSupportedAlgorithms,
        identity: Option<Arc<CertifiedKey>>,
    ) -> Self {
        let schemes = algorithms.supported_schemes();
        Self { chains, algorithms, identity, schemes, seen: Mutex::default() }
    }

    /// The same, also offering schemes that cannot be verified here. In TLS 1.2 rustls would refuse such signatures.
    pub(super) fn with_unverified(mut self) -> Self {
        self.schemes.extend(UNVERIFIED.map(SignatureScheme::from));
        self
    }

    /// The same, offering only these schemes.
    pub(super) fn with_schemes(self, schemes: &[scheme::SignatureScheme]) -> Self {
        let schemes = schemes.iter().map(|scheme| SignatureScheme::from(scheme.0)).collect();
        Self { schemes, ..self }
    }

    /// Returns what was recorded so far.
    pub(super) fn take(&self) -> Seen {
        std::mem::take(&mut *self.lock())
    }

    /// Whether the server asked for a client certificate.
    pub(super) fn saw_request(&self) -> bool {
        self.lock().request.is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks a signature, and records what came of it. What the library does not check is checked here, as far as possible.
    /// The handshake continues in any case, so that the rest is seen as well.
    fn check(
        &self,
        message: &[u8],
        signature: &DigitallySignedStruct,
        by_library: impl FnOnce() -> Result<HandshakeSignatureValid, Error>,
    ) -> HandshakeSignatureValid {
        let is_known = self.algorithms.supported_schemes().contains(&signature.scheme);
        let by_library = is_known.then(by_library);
        let scheme = scheme::SignatureScheme(signature.scheme.into());
        let mut seen = self.lock();
        seen.scheme = Some(scheme);
        let leaf = seen.chain.as_ref().and_then(|chain| chain.leaf().cloned());
        let valid = match (by_library, leaf) {
            (Some(Ok(_)), _) => Some(true),
            (Some(Err(error)), leaf) if !is_beyond(&error, leaf.as_deref()) => Some(false),
            (_, None) => None,
            (_, Some(leaf)) => {
                let (spki, signature) = (&leaf.public_key.spki, signature.signature());
                handshake_signature::is_valid(scheme, spki, message, signature)
            }
        };
        seen.unchecked_signature |= valid.is_none();
        seen.bad_signature |= valid == Some(false);
        HandshakeSignatureValid::assertion()
    }
}

/// Whether the library's refusal proves nothing: it does not read the certificate (for example of version 1), or does not
/// support RSA keys of this size.
fn is_beyond(error: &Error, leaf: Option<&Certificate>) -> bool {
    let is_unread = matches!(
        error,
        Error::InvalidCertificate(CertificateError::BadEncoding | CertificateError::Other(_))
    );
    let is_unusual = leaf.is_some_and(|leaf| {
        let key = &leaf.public_key;
        key.key_type == KeyType::Rsa && !RSA_BITS.contains(&key.bits)
    });
    is_unread || is_unusual
}

impl ServerCertVerifier for HandshakeRecorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp_response: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let sent: Vec<&[u8]> =
            std::iter::once(end_entity).chain(intermediates).map(AsRef::as_ref).collect();
        let chain = self.chains.intern(&sent);
        let mut seen = self.lock();
        seen.chain = Some(chain);
        seen.ocsp_staple = (!ocsp_response.is_empty()).then(|| ocsp_response.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(self.check(message, signature, || {
            verify_tls12_signature(message, cert, signature, &self.algorithms)
        }))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(self.check(message, signature, || {
            verify_tls13_signature(message, cert, signature, &self.algorithms)
        }))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

impl ResolvesClientCert for HandshakeRecorder {
    /// rustls calls this only after a CertificateRequest.
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        _: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let authorities = root_hint_subjects
            .iter()
            .take(MAX_AUTHORITIES)
            .map(|der| DistinguishedName::from_der(der).text)
            .collect();
        self.lock().request =
            Some(ClientCertificateRequest { authorities, answered: self.identity.is_some() });
        self.identity.clone()
    }

    fn has_certs(&self) -> bool {
        self.identity.is_some()
    }
}
