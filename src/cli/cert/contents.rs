//! What the files hold: chains, revocation lists, and what of a folder could not be read.
//!
//! A file that was named must be readable. One that was only found in a folder does not keep the others from their
//! audit: what of it cannot be read is a target that could not be tested.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{anyhow, bail};

use super::lists::ListFile;
use crate::certificate::Certificate;
use crate::certificate::file::{FileChain, FileKey};
use crate::certificate::openssl_view::KEY_CERT_SIGN;
use crate::cli::args::CertArgs;
use crate::cli::{input, settings};
use crate::report::escape::escape;
use crate::targets::Origin;
use crate::targets::certificate_file::{self, CertificateGroup};
use crate::targets::identity::read_public_key;

/// The largest file, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The largest file of a password, in bytes.
const MAX_PASSWORD: u64 = 4096;

/// Extensions of certificate files in a folder.
const ENDINGS: [&str; 8] = ["pem", "crt", "cer", "der", "p12", "pfx", "jks", "keystore"];

/// What was found.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) chains: Vec<FoundChain>,
    pub(super) lists: Vec<ListFile>,
    pub(super) unread: Vec<Unread>,
    /// Problems of files that were named.
    problems: Vec<String>,
}

/// A chain, and its place.
pub(super) struct FoundChain {
    pub(super) chain: FileChain,
    pub(super) origin: Option<Origin>,
    is_named: bool,
}

/// A file of a folder, or a part of one, that could not be read.
pub(super) struct Unread {
    pub(super) name: String,
    pub(super) origin: Option<Origin>,
    pub(super) reasons: Vec<String>,
}

/// A file to read.
struct NamedFile {
    path: PathBuf,
    /// Whether it was given explicitly, and not as a file of a folder.
    is_named: bool,
}

impl Contents {
    /// Reads every file; problems of named files are reported with their line.
    pub(super) fn read(args: &CertArgs) -> anyhow::Result<Self> {
        let key = args.key.as_deref().map(key).transpose()?;
        let password = password(args)?;
        let mut found = Self::default();
        for file in files(&args.files)? {
            found.add(&file, password.as_deref(), key.as_ref())?;
        }
        settings::reject(std::mem::take(&mut found.problems))?;
        found.chains = without_parts(found.chains);
        if found.chains.is_empty() && found.lists.is_empty() && found.unread.is_empty() {
            bail!("no certificate file found");
        }
        Ok(found)
    }

    fn add(
        &mut self,
        file: &NamedFile,
        password: Option<&str>,
        key: Option<&FileKey>,
    ) -> anyhow::Result<()> {
        let NamedFile { path, is_named } = file;
        let name = file.name();
        if !is_named && !path.is_file() {
            left_out(path, "is not a regular file");
            return Ok(());
        }
        let bytes = match file.bytes() {
            Ok(bytes) => bytes,
            Err(error) if *is_named => return Err(error),
            Err(error) => {
                self.problem(file, &file.whole(), vec![error.to_string()]);
                return Ok(());
            }
        };
        if !is_named && !certificate_file::may_hold_certificates(&bytes) {
            left_out(path, "contains no certificate");
            return Ok(());
        }
        match ListFile::read(&name, file.origin(1), &bytes) {
            Some(Ok(list)) => {
                let is_alone = list.is_alone;
                self.lists.push(list);
                if is_alone {
                    return Ok(());
                }
            }
            Some(Err(problem)) => self.problem(file, &file.whole(), vec![problem]),
            None => {}
        }
        for mut group in certificate_file::groups(&name, &bytes, password) {
            let problems = std::mem::take(&mut group.problems);
            self.problem(file, &group, problems);
            self.add_group(file, &group, key);
        }
        Ok(())
    }

    fn add_group(&mut self, file: &NamedFile, group: &CertificateGroup, key: Option<&FileKey>) {
        let is_named = file.is_named;
        let parsed = group.certificates.iter().filter_map(|der| Certificate::parse(der).ok());
        let parsed: Vec<Arc<Certificate>> = parsed.map(Arc::new).collect();
        let mut found = group.chains(&parsed);
        for chain in found.iter_mut().filter(|_| key.is_some()) {
            chain.key = key.cloned();
        }
        if !is_named && !found.is_empty() && found.iter().all(is_authority) {
            left_out(&file.path, "contains only CA certificates");
            return;
        }
        let origin = file.origin(group.line);
        let found = found.into_iter();
        self.chains.extend(found.map(|chain| FoundChain {
            chain,
            origin: origin.clone(),
            is_named,
        }));
    }

    /// Keeps what is wrong with a part of a file.
    fn problem(&mut self, file: &NamedFile, part: &CertificateGroup, reasons: Vec<String>) {
        let name = &part.name;
        if file.is_named {
            self.problems.extend(reasons.iter().map(|reason| format!("{name}: {reason}")));
        } else if !reasons.is_empty() {
            let origin = file.origin(part.line);
            self.unread.push(Unread { name: name.clone(), origin, reasons });
        }
    }
}

impl NamedFile {
    /// Whether it is standard input.
    fn is_stdin(&self) -> bool {
        self.is_named && self.path == Path::new("-")
    }

    /// What it is called; the contents of a `data:` URL are no name.
    fn name(&self) -> String {
        if certificate_file::is_data(&self.path) {
            "data: URL".to_owned()
        } else if self.is_stdin() {
            "<stdin>".to_owned()
        } else {
            self.path.display().to_string()
        }
    }

    /// A place in it; a `data:` URL and standard input have none.
    fn origin(&self, line: u32) -> Option<Origin> {
        let file = self.path.display().to_string();
        let has_places = !certificate_file::is_data(&self.path) && !self.is_stdin();
        has_places.then_some(Origin { file, line, column: 1 })
    }

    /// The file itself, as far as it has problems.
    fn whole(&self) -> CertificateGroup {
        CertificateGroup { name: self.name(), line: 1, ..CertificateGroup::default() }
    }

    fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        if certificate_file::is_data(&self.path) {
            return certificate_file::bytes(&self.path)
                .map_err(|error| anyhow!("cannot read data: {error}"));
        }
        if self.is_stdin() {
            return input::stdin(MAX_FILE);
        }
        input::bytes(&self.path, MAX_FILE)
    }
}

/// The password of keystores; one line end at the end of its file does not belong to it.
fn password(args: &CertArgs) -> anyhow::Result<Option<String>> {
    if let Some(path) = &args.password_file {
        let text = input::text(path, MAX_PASSWORD)?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        return Ok(Some(text.strip_suffix('\r').unwrap_or(text).to_owned()));
    }
    let Some(name) = &args.password_env else { return Ok(None) };
    #[expect(clippy::disallowed_methods, reason = "the command line names the variable")]
    let value = std::env::var(name);
    value.map(Some).map_err(|_| anyhow!("the environment has no variable {name} with text"))
}

/// Removes a chain of a folder that is the start of a longer one in the same folder: certbot's cert.pem and
/// fullchain.pem.
fn without_parts(chains: Vec<FoundChain>) -> Vec<FoundChain> {
    let is_part = |found: &FoundChain| {
        let one = &found.chain;
        !found.is_named
            && chains.iter().map(|found| &found.chain).any(|other| {
                other.chain.certificates.len() > one.chain.certificates.len()
                    && other.chain.certificates.starts_with(&one.chain.certificates)
                    && Path::new(&other.path).parent() == Path::new(&one.path).parent()
            })
    };
    let keep: Vec<bool> = chains.iter().map(|found| !is_part(found)).collect();
    let kept = chains.into_iter().zip(keep).filter(|(found, keep)| {
        if !keep {
            let path = Path::new(&found.chain.path);
            left_out(path, "is the start of a longer chain in the same folder");
        }
        *keep
    });
    kept.map(|(found, _)| found).collect()
}

/// Reports that a file of a folder is not audited.
fn left_out(path: &Path, why: &str) {
    // If stderr is closed, the message is lost.
    let _ = writeln!(
        anstream::stderr(),
        "shakedown: note: skipping {}, which {why}; to audit it, give its path",
        escape(&path.display().to_string())
    );
}

/// Whether this is a CA certificate and not a server's: it may sign others, and has no host name.
fn is_authority(file: &FileChain) -> bool {
    file.chain.leaf().is_some_and(|leaf| {
        leaf.is_ca()
            && leaf.key_usage.is_some_and(|usage| usage & KEY_CERT_SIGN != 0)
            && leaf.dns_names().is_empty()
            && leaf.ip_addresses().is_empty()
    })
}

/// The files, those of a folder sorted by name.
fn files(named: &[PathBuf]) -> anyhow::Result<Vec<NamedFile>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(NamedFile { path: path.clone(), is_named: true });
            continue;
        }
        let entries = fs::read_dir(path)
            .map_err(|error| anyhow!("cannot read {}: {error}", path.display()))?;
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
            })
            .collect();
        found.sort();
        files.extend(found.into_iter().map(|path| NamedFile { path, is_named: false }));
    }
    Ok(files)
}

fn key(path: &Path) -> anyhow::Result<FileKey> {
    Ok(FileKey { path: path.display().to_string(), spki: Ok(read_public_key(path, None)?) })
}
