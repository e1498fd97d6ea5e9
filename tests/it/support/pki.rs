//! Certificates on disk, generated for each test and valid today.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    SignatureAlgorithm,
};
use rustls_pki_types::CertificateDer;
use shakedown::certificate::issue::{Authority, Issued};
use tempfile::TempDir;
use time::OffsetDateTime;

/// A folder with a root that the audit trusts, and the files of a test.
pub(crate) struct Pki {
    pub(crate) folder: TempDir,
    pub(crate) now: OffsetDateTime,
    pub(crate) root: Authority,
    pub(crate) intermediate: Authority,
}

/// A certificate file and a key file.
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// A separate file with the certificates after the first, if there are any.
    pub(crate) issuers: Option<PathBuf>,
}

impl Pki {
    /// With ECDSA keys.
    pub(crate) fn new() -> Self {
        Self::with(&PKCS_ECDSA_P256_SHA256)
    }

    /// With RSA keys.
    pub(crate) fn rsa() -> Self {
        Self::with(&PKCS_RSA_SHA256)
    }

    /// With keys of this kind.
    pub(crate) fn with(algorithm: &'static SignatureAlgorithm) -> Self {
        Self::within(tempfile::tempdir().unwrap(), algorithm)
    }

    /// With its files in this folder.
    pub(crate) fn within(folder: TempDir, algorithm: &'static SignatureAlgorithm) -> Self {
        let now = OffsetDateTime::now_utc();
        let root = Authority::root_with("it root", now, algorithm).unwrap();
        let intermediate = root.intermediate("it intermediate").unwrap();
        fs::write(folder.path().join("ca.pem"), pem(std::slice::from_ref(&root.certificate)))
            .unwrap();
        Self { folder, now, root, intermediate }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn ca_file(&self) -> String {
        self.path("ca.pem").display().to_string()
    }

    /// A healthy certificate for these names, written as `name.pem` and `name.key`.
    pub(crate) fn server(&self, name: &str, names: &[&str]) -> Files {
        let issued = self.intermediate.issue(names).unwrap();
        self.write(name, &issued, &issued.chain())
    }

    /// A changed certificate, and its chain.
    pub(crate) fn changed(
        &self,
        name: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Files {
        let issued = self.intermediate.issue_with(names, change).unwrap();
        self.write(name, &issued, &issued.chain())
    }

    /// A certificate for a client, written as `name.pem` and `name.key`.
    pub(crate) fn client(&self, name: &str) -> Files {
        let purpose = |params: &mut CertificateParams| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        };
        let issued = self.intermediate.issue_with(&["client"], purpose).unwrap();
        self.write(name, &issued, &issued.chain())
    }

    /// Writes a certificate's key, and the chain that a server should send.
    pub(crate) fn write(&self, name: &str, issued: &Issued, chain: &[CertificateDer<'_>]) -> Files {
        let file = |kind: &str| self.path(&format!("{name}.{kind}"));
        let issuers = (chain.len() > 1).then(|| file("issuers.pem"));
        let files = Files { certificate: file("pem"), key: file("key"), issuers };
        fs::write(&files.certificate, pem(chain)).unwrap();
        if let Some(issuers) = &files.issuers {
            fs::write(issuers, pem(&chain[1..])).unwrap();
        }
        fs::write(&files.key, issued.key.serialize_pem()).unwrap();
        files
    }
}

/// Certificates as PEM text.
pub(crate) fn pem(certificates: &[CertificateDer<'_>]) -> String {
    pem_of("CERTIFICATE", certificates)
}

/// Blocks of PEM with this label.
pub(crate) fn pem_of(label: &str, blocks: &[impl AsRef<[u8]>]) -> String {
    let blocks = blocks.iter().map(|der| {
        let body = base64(der.as_ref());
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    });
    blocks.collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * index)) as usize & 63];
            text.push(if index <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// A self-signed certificate from the openssl command, for what rcgen cannot make.
pub(crate) fn openssl_req(folder: &Path, name: &str, options: &[&str]) -> Files {
    let file = |kind: &str| folder.join(format!("{name}.{kind}"));
    let files = Files { certificate: file("pem"), key: file("key"), issuers: None };
    let fixed = ["req", "-x509", "-nodes", "-days", "90", "-subj", "/CN=a.test"];
    let names = ["-addext", "subjectAltName=DNS:a.test", "-addext", "basicConstraints=CA:FALSE"];
    openssl(Command::new("openssl").args(fixed).args(names).args(options), &files);
    files
}

/// A root for the openssl command, for what rcgen cannot issue.
pub(crate) struct OpenSslAuthority {
    folder: TempDir,
    root: Files,
}

impl OpenSslAuthority {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let root = Files { certificate: file("ca.pem"), key: file("ca.key"), issuers: None };
        let fixed = ["req", "-x509", "-nodes", "-days", "90", "-subj", "/CN=it openssl"];
        openssl(Command::new("openssl").args(fixed).args(["-newkey", "rsa:2048"]), &root);
        Self { folder, root }
    }

    pub(crate) fn ca_file(&self) -> String {
        self.root.certificate.display().to_string()
    }

    /// A certificate for a.test with a key for `-newkey` and a signature with `digest`. Without a name in its
    /// extensions it has no extensions, and so is of version 1.
    pub(crate) fn issue(&self, key: &str, digest: &str, names: Option<&str>) -> Files {
        let file = |name: &str| self.folder.path().join(name);
        let (request, extensions) = (file("leaf.csr"), file("leaf.ext"));
        let files = Files { certificate: file("leaf.pem"), key: file("leaf.key"), issuers: None };
        let requested =
            Files { certificate: request.clone(), key: files.key.clone(), issuers: None };
        let fixed = ["req", "-new", "-nodes", "-subj", "/CN=a.test", "-newkey", key];
        openssl(Command::new("openssl").args(fixed), &requested);
        let mut sign = Command::new("openssl");
        sign.args(["x509", "-req", "-days", "80", "-set_serial", "7", digest, "-in"]).arg(request);
        sign.arg("-CA").arg(&self.root.certificate).arg("-CAkey").arg(&self.root.key);
        if let Some(names) = names {
            fs::write(&extensions, format!("subjectAltName={names}")).unwrap();
            sign.arg("-extfile").arg(extensions);
        }
        run(sign.arg("-out").arg(&files.certificate));
        files
    }
}

fn openssl(command: &mut Command, made: &Files) {
    run(command.arg("-out").arg(&made.certificate).arg("-keyout").arg(&made.key));
}

fn run(command: &mut Command) {
    let output =
        command.output().expect("the openssl command is needed: install the package openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
