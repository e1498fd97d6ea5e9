//! `tls_server_config`: what TLS of the exporter is made of.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::client_certificate::{Requirement, verifier};
use super::file::{ClientAuthType, TlsSection, TlsVersion};
use crate::certificate::file;
use crate::cli::tls_clock::TlsClock;
use crate::targets::identity::{read_certificates, read_identity};

/// Suites by their names in Go; `None` for those that this program does not have.
const SUITES: [(&str, Option<SupportedCipherSuite>); 22] = [
    ("TLS_AES_128_GCM_SHA256", Some(cipher_suite::TLS13_AES_128_GCM_SHA256)),
    ("TLS_AES_256_GCM_SHA384", Some(cipher_suite::TLS13_AES_256_GCM_SHA384)),
    ("TLS_CHACHA20_POLY1305_SHA256", Some(cipher_suite::TLS13_CHACHA20_POLY1305_SHA256)),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        Some(cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Some(cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        Some(cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Some(cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        Some(cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        Some(cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", None),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", None),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_RSA_WITH_AES_256_CBC_SHA", None),
    ("TLS_RSA_WITH_AES_128_GCM_SHA256", None),
    ("TLS_RSA_WITH_AES_256_GCM_SHA384", None),
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", None),
    ("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", None),
    ("TLS_RSA_WITH_AES_128_CBC_SHA256", None),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", None),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", None),
];

/// Groups by their names in the format.
const GROUPS: [(&str, Option<&'static dyn SupportedKxGroup>); 4] = [
    ("X25519", Some(kx_group::X25519)),
    ("CurveP256", Some(kx_group::SECP256R1)),
    ("CurveP384", Some(kx_group::SECP384R1)),
    ("CurveP521", None),
];

/// TLS as configured.
pub(super) struct ServerTls {
    pub(super) config: Arc<ServerConfig>,
    pub(super) client_auth: ClientAuthType,
    /// Whether clients need one of some names.
    pub(super) has_names: bool,
    /// What was left out.
    pub(super) remarks: Vec<String>,
}

/// Reads the files of the section, with paths from `folder`.
pub(super) fn tls(section: TlsSection, folder: &Path) -> anyhow::Result<ServerTls> {
    let mut remarks = Vec::new();
    let suites = chosen("cipher_suites", section.cipher_suites.as_deref(), &SUITES, &mut remarks)?;
    let groups =
        chosen("curve_preferences", section.curve_preferences.as_deref(), &GROUPS, &mut remarks)?;
    let lowest = section.min_version.unwrap_or(TlsVersion::Tls12);
    let highest = section.max_version.unwrap_or(TlsVersion::Tls13);
    if lowest < TlsVersion::Tls12 {
        remarks.push("min_version: the exporter has TLS 1.2 and TLS 1.3 only".to_owned());
    }
    let mut provider = default_provider();
    if let Some(suites) = suites {
        // As in Go, the list is about TLS 1.2.
        provider.cipher_suites.retain(|suite| suite.tls13().is_some());
        provider.cipher_suites.extend(suites.into_iter().filter(|suite| suite.tls13().is_none()));
    }
    if let Some(groups) = groups {
        provider.kx_groups = groups;
    }
    let versions = versions(lowest, highest, &provider)?;
    let provider = Arc::new(provider);
    let (chain, key) = identity(&section, folder)?;
    let authorities = authorities(&section, folder)?;
    let names = section.client_allowed_sans.unwrap_or_default();
    let has_names = !names.is_empty();
    let client_auth = match section.client_auth_type.unwrap_or_default() {
        // Who needs a name needs a certificate.
        ClientAuthType::VerifyIfGiven if has_names => ClientAuthType::RequireAndVerify,
        other => other,
    };
    let requirement = Requirement { kind: client_auth, authorities, names };
    let builder = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::new(TlsClock))
        .with_protocol_versions(&versions)?;
    let builder = match verifier(requirement, &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| anyhow!("certificate and key cannot be used together: {error}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ignore_client_order = section.prefer_server_cipher_suites.is_none_or(|flag| flag.0);
    Ok(ServerTls { config: Arc::new(config), client_auth, has_names, remarks })
}

/// The things of these names, in their order; `None` without a list.
fn chosen<T: Copy>(
    setting: &str,
    names: Option<&[String]>,
    known: &[(&str, Option<T>)],
    remarks: &mut Vec<String>,
) -> anyhow::Result<Option<Vec<T>>> {
    let mut found = Vec::new();
    for name in names.unwrap_or_default() {
        match known.iter().find(|(known, _)| known == name) {
            Some((_, Some(thing))) => found.push(*thing),
            Some((_, None)) => {
                remarks.push(format!("{setting}: the exporter does not have {name}"));
            }
            None => bail!("{setting}: unknown name {name:?}"),
        }
    }
    let is_listed = names.is_some_and(|names| !names.is_empty());
    if is_listed && found.is_empty() {
        bail!("{setting}: the exporter has none of these");
    }
    Ok(is_listed.then_some(found))
}

/// The versions that are left.
fn versions(
    lowest: TlsVersion,
    highest: TlsVersion,
    provider: &CryptoProvider,
) -> anyhow::Result<Vec<&'static SupportedProtocolVersion>> {
    let has_old_suites = provider.cipher_suites.iter().any(|suite| suite.tls13().is_none());
    let mut versions = Vec::new();
    if lowest <= TlsVersion::Tls12 && highest >= TlsVersion::Tls12 && has_old_suites {
        versions.push(&version::TLS12);
    }
    if highest >= TlsVersion::Tls13 {
        versions.push(&version::TLS13);
    }
    if versions.is_empty() {
        bail!(
            "min_version, max_version and cipher_suites leave no version; the exporter has TLS 1.2 and TLS 1.3"
        );
    }
    Ok(versions)
}

type OwnIdentity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The exporter's own chain and key. As in Prometheus, a file is preferred to a text.
fn identity(section: &TlsSection, folder: &Path) -> anyhow::Result<OwnIdentity> {
    let path = |file: &Option<String>| file.as_ref().map(|file| folder.join(file));
    match (path(&section.cert_file), path(&section.key_file)) {
        (Some(certificate), Some(key)) => {
            let identity = read_identity(&certificate, &key, None)?;
            let key = identity.key.ok_or_else(|| anyhow!("no private key in {}", key.display()))?;
            Ok((identity.chain, key))
        }
        (certificate, key) => {
            let chain = chain("cert", certificate.as_ref(), section.cert.as_deref())?
                .context("tls_server_config has neither cert_file nor cert")?;
            let pem = match (&key, &section.key) {
                (Some(key), _) => crate::cli::input::bytes(key, MAX_KEY)?,
                (None, Some(key)) => key.clone().into_bytes(),
                (None, None) => bail!("tls_server_config has neither key_file nor key"),
            };
            let key = PrivateKeyDer::from_pem_slice(&pem);
            Ok((chain, key.map_err(|_| anyhow!("key: no private key in PEM without a password"))?))
        }
    }
}

/// The largest file of a key.
const MAX_KEY: u64 = 1024 * 1024;

fn authorities(
    section: &TlsSection,
    folder: &Path,
) -> anyhow::Result<Option<Vec<CertificateDer<'static>>>> {
    let path = section.client_ca_file.as_ref().map(|file| folder.join(file));
    chain("client_ca", path.as_ref(), section.client_ca.as_deref())
}

/// The certificates of a file, or else of a text.
fn chain(
    setting: &str,
    path: Option<&PathBuf>,
    text: Option<&str>,
) -> anyhow::Result<Option<Vec<CertificateDer<'static>>>> {
    if let Some(path) = path {
        return Ok(Some(read_certificates(path)?));
    }
    let Some(text) = text else { return Ok(None) };
    let (blocks, problems) = file::blocks(text.as_bytes());
    if let Some(problem) = problems.first() {
        bail!("{setting}: {problem}");
    }
    if blocks.is_empty() {
        bail!("{setting}: no certificate in PEM");
    }
    Ok(Some(blocks.into_iter().map(|block| block.der).collect()))
}
