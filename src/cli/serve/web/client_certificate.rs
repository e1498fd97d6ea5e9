//! What is asked of clients' certificates.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::file::ClientAuthType;
use crate::certificate::Certificate;

/// What a client's certificate must be.
pub(super) struct Requirement {
    pub(super) kind: ClientAuthType,
    /// The authorities, or clients' own certificates.
    pub(super) authorities: Option<Vec<CertificateDer<'static>>>,
    /// Its names: one of these, if there are any.
    pub(super) names: Vec<String>,
}

/// Makes the verifier of clients' certificates.
pub(super) fn verifier(
    requirement: Requirement,
    provider: &Arc<CryptoProvider>,
) -> anyhow::Result<Option<Arc<dyn ClientCertVerifier>>> {
    let Requirement { kind, authorities, names } = requirement;
    let verifies = kind >= ClientAuthType::VerifyIfGiven;
    if kind == ClientAuthType::Off && authorities.is_some() {
        bail!("client_ca_file has no effect without client_auth_type");
    }
    if !names.is_empty() && !verifies {
        bail!(
            "client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert; without it, \
             clients name themselves"
        );
    }
    if !verifies {
        let any = AnyCertificate {
            provider: Arc::clone(provider),
            is_required: kind == ClientAuthType::RequireAny,
        };
        return Ok((kind != ClientAuthType::Off).then(|| Arc::new(any) as _));
    }
    let authorities = authorities
        .ok_or_else(|| anyhow!("client_auth_type verifies, but client_ca_file is missing"))?;
    let mut roots = RootCertStore::empty();
    for authority in &authorities {
        roots.add(authority.clone()).map_err(|error| anyhow!("client_ca_file: {error}"))?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    // Names that must be there cannot be there without a certificate.
    let is_optional = kind == ClientAuthType::VerifyIfGiven && names.is_empty();
    let builder = if is_optional { builder.allow_unauthenticated() } else { builder };
    let inner = builder.build().map_err(|error| anyhow!("client_ca_file: {error}"))?;
    Ok(Some(Arc::new(OfAuthority { inner, authorities, names })))
}

/// Accepts any certificate whose key the client has.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
    is_required: bool,
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Accepts certificates of an authority, and those that are in its file themselves.
#[derive(Debug)]
struct OfAuthority {
    inner: Arc<dyn ClientCertVerifier>,
    authorities: Vec<CertificateDer<'static>>,
    names: Vec<String>,
}

impl ClientCertVerifier for OfAuthority {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // Whoever signs its own certificate may be in the file with it, as an authority or not.
        if self.authorities.iter().any(|one| one == certificate) {
            check_dates(certificate, now)?;
        } else {
            self.inner.verify_client_cert(certificate, issuers, now)?;
        }
        if !self.names.is_empty() && !has_name(certificate, &self.names) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let parsed = Certificate::parse(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.not_before.unix_timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.not_after.unix_timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// Whether one of the certificate's names is one of these, letter by letter.
fn has_name(certificate: &CertificateDer<'_>, allowed: &[String]) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            allowed.iter().any(|one| one == name)
        }
        GeneralName::IPAddress(bytes) => {
            let address = address(bytes);
            address.is_some() && allowed.iter().any(|one| one.parse().ok() == address)
        }
        _ => false,
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
