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
    /// The names of which it must have one, if there are any.
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
    if kind == ClientAuthType::Off {
        return Ok(None);
    }
    let is_mandatory = !matches!(kind, ClientAuthType::Request | ClientAuthType::VerifyIfGiven);
    let authority = if verifies { Some(authority(authorities, names, provider)?) } else { None };
    Ok(Some(Arc::new(ClientVerifier { provider: Arc::clone(provider), is_mandatory, authority })))
}

fn authority(
    certificates: Option<Vec<CertificateDer<'static>>>,
    names: Vec<String>,
    provider: &Arc<CryptoProvider>,
) -> anyhow::Result<ClientAuthority> {
    let certificates = certificates
        .ok_or_else(|| anyhow!("client_auth_type verifies, but client_ca_file is missing"))?;
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| anyhow!("client_ca_file: {error}"))?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let inner = builder.build().map_err(|error| anyhow!("client_ca_file: {error}"))?;
    Ok(ClientAuthority { inner, certificates, names })
}

/// Accepts certificates whose key the client has: any, or those of an authority.
#[derive(Debug)]
struct ClientVerifier {
    provider: Arc<CryptoProvider>,
    is_mandatory: bool,
    authority: Option<ClientAuthority>,
}

/// The authority of clients.
#[derive(Debug)]
struct ClientAuthority {
    inner: Arc<dyn ClientCertVerifier>,
    /// Its file, which may have clients' own certificates, too.
    certificates: Vec<CertificateDer<'static>>,
    /// The client has one of these names, if there are any.
    names: Vec<String>,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authority.as_ref().map_or(&[], |authority| authority.inner.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(authority) = &self.authority {
            authority.check(certificate, issuers, now)?;
        }
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

impl ClientAuthority {
    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        // Whoever signs its own certificate may be in the file with it, as an authority or not.
        if self.certificates.iter().any(|one| one == certificate) {
            check_dates(certificate, now)?;
        } else {
            self.inner.verify_client_cert(certificate, issuers, now)?;
        }
        if !self.names.is_empty() && !has_name(certificate, &self.names) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(())
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
