//! Issues certificates for the demo and the tests: authorities and leaves, valid or with faults.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber, SignatureAlgorithm,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use time::{Duration, OffsetDateTime};

/// A certificate with its key and its issuers.
#[derive(Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// Its key.
    pub key: KeyPair,
    /// Its issuers up to the root, nearest first, the root left out.
    pub issuers: Vec<CertificateDer<'static>>,
}

impl Issued {
    /// The chain as a server should send it.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        std::iter::once(&self.certificate).chain(&self.issuers).cloned().collect()
    }

    /// The private key in PKCS#8.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }
}

/// A certificate authority.
#[derive(Debug)]
pub struct Authority {
    /// Its own certificate.
    pub certificate: CertificateDer<'static>,
    params: CertificateParams,
    issuer: Issuer<'static, KeyPair>,
    above: Vec<CertificateDer<'static>>,
    now: OffsetDateTime,
    algorithm: &'static SignatureAlgorithm,
}

impl Authority {
    /// A root, valid for ten years around `now`, with ECDSA keys.
    pub fn root(name: &str, now: OffsetDateTime) -> Result<Self, rcgen::Error> {
        Self::root_with(name, now, &PKCS_ECDSA_P256_SHA256)
    }

    /// A root whose keys, and those below it, are of the given algorithm.
    pub fn root_with(
        name: &str,
        now: OffsetDateTime,
        algorithm: &'static SignatureAlgorithm,
    ) -> Result<Self, rcgen::Error> {
        Self::make(authority(name, now), now, algorithm)
    }

    /// A root with changed parameters.
    pub fn root_changed(
        name: &str,
        now: OffsetDateTime,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<Self, rcgen::Error> {
        let mut params = authority(name, now);
        change(&mut params);
        Self::make(params, now, &PKCS_ECDSA_P256_SHA256)
    }

    fn make(
        params: CertificateParams,
        now: OffsetDateTime,
        algorithm: &'static SignatureAlgorithm,
    ) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate_for(algorithm)?;
        let certificate = params.self_signed(&key)?.der().clone();
        let issuer = Issuer::new(params.clone(), key);
        Ok(Self { certificate, params, issuer, above: Vec::new(), now, algorithm })
    }

    /// Its key, which signs.
    #[cfg(test)]
    pub(super) fn key(&self) -> &KeyPair {
        self.issuer.key()
    }

    /// Its private key in PEM, for another program to sign with.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// An authority below this one.
    pub fn intermediate(&self, name: &str) -> Result<Self, rcgen::Error> {
        self.intermediate_with(name, |_| {})
    }

    /// An authority below this one, with changed parameters.
    pub fn intermediate_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate_for(self.algorithm)?;
        let mut params = authority(name, self.now);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let above = std::iter::once(&certificate).chain(&self.above).cloned().collect();
        let issuer = Issuer::new(params.clone(), key);
        Ok(Self { certificate, params, issuer, above, now: self.now, algorithm: self.algorithm })
    }

    /// Another certificate for the name and key of `other`, signed by this authority, with changed parameters.
    pub fn cross_sign(
        &self,
        other: &Self,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<CertificateDer<'static>, rcgen::Error> {
        let mut params = other.params.clone();
        change(&mut params);
        Ok(params.signed_by(other.issuer.key(), &self.issuer)?.der().clone())
    }

    /// A revocation list without entries, valid for 30 days of which ten have passed, with changed parameters.
    pub fn revocation_list(
        &self,
        change: impl FnOnce(&mut CertificateRevocationListParams),
    ) -> Result<CertificateRevocationListDer<'static>, rcgen::Error> {
        let mut params = CertificateRevocationListParams {
            this_update: self.now.saturating_sub(Duration::days(10)),
            next_update: self.now.saturating_add(Duration::days(20)),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        change(&mut params);
        Ok(params.signed_by(&self.issuer)?.der().clone())
    }

    /// A server certificate for these names, valid for 90 days of which ten have passed.
    pub fn issue(&self, names: &[&str]) -> Result<Issued, rcgen::Error> {
        self.issue_with(names, |_| {})
    }

    /// A server certificate with changed parameters.
    pub fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<Issued, rcgen::Error> {
        let key = KeyPair::generate_for(self.algorithm)?;
        let mut params = leaf(names, self.now)?;
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        Ok(Issued { certificate, key, issuers: self.above.clone() })
    }
}

/// A self-signed server certificate.
pub fn self_signed(names: &[&str], now: OffsetDateTime) -> Result<Issued, rcgen::Error> {
    let key = KeyPair::generate()?;
    let certificate = leaf(names, now)?.self_signed(&key)?.der().clone();
    Ok(Issued { certificate, key, issuers: Vec::new() })
}

fn authority(name: &str, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) =
        (now.saturating_sub(Duration::days(3650)), now.saturating_add(Duration::days(3650)));
    params
}

fn leaf(names: &[&str], now: OffsetDateTime) -> Result<CertificateParams, rcgen::Error> {
    let mut params =
        CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or("nobody"));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) =
        (now.saturating_sub(Duration::days(10)), now.saturating_add(Duration::days(80)));
    Ok(params)
}
