//! `cert`: audits certificate files before they are deployed.

mod lists;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use rustls_pki_types::CertificateDer;

use self::lists::ListFile;
use super::args::{CertArgs, Holder};
use super::exit::Exit;
use super::gate::Checkpoint;
use super::input;
use super::report_writer::ReportWriter;
use super::settings;
use crate::audit::judge::{Standard, judge_file};
use crate::certificate::Certificate;
use crate::certificate::file::{FileChain, FileKey};
use crate::certificate::openssl_view::KEY_CERT_SIGN;
use crate::certificate::trust::{Assessor, Purpose};
use crate::observation::{Observation, Untried};
use crate::report::escape::escape;
use crate::report::{Report, ReportKind};
use crate::run::TargetReport;
use crate::targets::address::parse_host;
use crate::targets::certificate_file;
use crate::targets::identity::{read_certificates, read_public_key};
use crate::targets::options::Options;
use crate::targets::{Host, Roots, Target, TargetKind, trust};

/// The largest file, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The largest file of a password, in bytes.
const MAX_PASSWORD: u64 = 4096;

/// Extensions of certificate files in a folder.
const ENDINGS: [&str; 8] = ["pem", "crt", "cer", "der", "p12", "pfx", "jks", "keystore"];

/// Runs the subcommand.
pub(super) fn run(args: &CertArgs) -> anyhow::Result<Exit> {
    let now = match &args.at {
        Some(text) => settings::moment(text)?,
        None => settings::now(),
    };
    let mut checkpoint = Checkpoint::open(&args.gate, now)?;
    let (chains, lists) = chains(args)?;
    let options = options(args)?;
    let outputs = ReportWriter::open(&args.report, args.gate.quiet)?.showing_chains();
    let purpose = match args.holder {
        Holder::Server => Purpose::Server,
        Holder::Client => Purpose::Client,
    };
    let authorities = authorities(args)?;
    let assessor = Assessor::of(purpose, Arc::new(trust::load(&options.trust())?), now);
    let audit = |file: FileChain| {
        let target = match args.holder {
            Holder::Server => target(&file, &options, &args.hostname)?,
            Holder::Client => client(&file, &options, authorities.clone()),
        };
        let target = Arc::new(target);
        let judgement =
            judge_file(&target, &file, Standard { assessor: &assessor, policy: None, now });
        let observation = Observation::not_tried(Untried::TextOnly);
        Ok(TargetReport::new(target, observation, judgement, args.gate.fail_on.threshold()))
    };
    let mut targets = chains.into_iter().map(audit).collect::<anyhow::Result<Vec<_>>>()?;
    targets.extend(lists.iter().map(|file| file.report(args, &options, now)));
    for report in &mut targets {
        checkpoint.apply(report);
    }
    targets.retain(|report| checkpoint.shows(report));
    let options = settings::report_options(&args.report, args.gate.fail_on, checkpoint.left_out());
    let (started_at, finished_at, kind) = (now, now, ReportKind::Files);
    let report = Report { started_at, finished_at, targets, interrupted: false, kind, options };
    outputs.write(&report)?;
    checkpoint.finish(&report.summary(), false)?;
    Ok(Exit::of_report(&report, args.report.format, args.gate.fail_on, 0))
}

/// Every chain in the given files, and every revocation list; problems of a file are reported with their line.
fn chains(args: &CertArgs) -> anyhow::Result<(Vec<FileChain>, Vec<ListFile>)> {
    let key = args.key.as_deref().map(key).transpose()?;
    let password = password(args)?;
    let (mut chains, mut lists, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (path, is_named) in files(&args.files)? {
        if !is_named && !path.is_file() {
            left_out(&path, "is not a regular file");
            continue;
        }
        let bytes = bytes(&path)?;
        if !is_named && !certificate_file::may_hold_certificates(&bytes) {
            left_out(&path, "contains no certificate");
            continue;
        }
        if let Some(file) = ListFile::read(&name(&path), &bytes) {
            let is_alone = file.as_ref().is_ok_and(|file| file.is_alone);
            match file {
                Ok(file) => lists.push(file),
                Err(problem) => problems.push(problem),
            }
            if is_alone {
                continue;
            }
        }
        let groups = certificate_file::groups(&name(&path), &bytes, password.as_deref());
        for group in groups {
            problems
                .extend(group.problems.iter().map(|problem| format!("{}: {problem}", group.name)));
            let parsed: Vec<Certificate> =
                group.certificates.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
            let mut found = group.chains(&parsed);
            for chain in found.iter_mut().filter(|_| key.is_some()) {
                chain.key.clone_from(&key);
            }
            if !is_named && !found.is_empty() && found.iter().all(is_authority) {
                left_out(&path, "contains only CA certificates");
                continue;
            }
            chains.extend(found.into_iter().map(|found| (found, is_named)));
        }
    }
    settings::reject(problems)?;
    let chains = without_parts(chains);
    if chains.is_empty() && lists.is_empty() {
        bail!("no certificate file found");
    }
    Ok((chains, lists))
}

/// What a file is called; the contents of a `data:` URL are no name.
fn name(path: &Path) -> String {
    if certificate_file::is_data(path) {
        "data: URL".to_owned()
    } else {
        path.display().to_string()
    }
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    if certificate_file::is_data(path) {
        return certificate_file::bytes(path).map_err(|error| anyhow!("cannot read data: {error}"));
    }
    input::bytes(path, MAX_FILE)
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
fn without_parts(chains: Vec<(FileChain, bool)>) -> Vec<FileChain> {
    let is_part = |(one, is_named): &(FileChain, bool)| {
        !is_named
            && chains.iter().any(|(other, _)| {
                other.chain.certificates.len() > one.chain.certificates.len()
                    && other.chain.certificates.starts_with(&one.chain.certificates)
                    && Path::new(&other.path).parent() == Path::new(&one.path).parent()
            })
    };
    let keep: Vec<bool> = chains.iter().map(|chain| !is_part(chain)).collect();
    let kept = chains.into_iter().zip(keep).filter(|((chain, _), keep)| {
        if !keep {
            left_out(Path::new(&chain.path), "is the start of a longer chain in the same folder");
        }
        *keep
    });
    kept.map(|((chain, _), _)| chain).collect()
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

/// The files, those of a folder sorted by name, and whether each was given explicitly.
fn files(named: &[PathBuf]) -> anyhow::Result<Vec<(PathBuf, bool)>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push((path.clone(), true));
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
        files.extend(found.into_iter().map(|path| (path, false)));
    }
    Ok(files)
}

fn key(path: &Path) -> anyhow::Result<FileKey> {
    Ok(FileKey { path: path.display().to_string(), spki: Ok(read_public_key(path, None)?) })
}

fn options(args: &CertArgs) -> anyhow::Result<Options> {
    let names: Vec<String> =
        args.hostname.iter().map(|text| host_name(text)).collect::<anyhow::Result<_>>()?;
    let mut names = names.into_iter();
    Ok(Options {
        server_name: names.next(),
        extra_names: Some(names.collect()),
        roots: args.trust.roots().or_else(|| args.ca_names.clone().map(Roots::File)),
        add_ca_files: (!args.trust.add_ca_file.is_empty()).then(|| args.trust.add_ca_file.clone()),
        warning_days: args.expiry.warning_days,
        critical_days: args.expiry.critical_days,
        ..Options::default()
    })
}

fn host_name(text: &str) -> anyhow::Result<String> {
    Ok(parse_host(text)?.to_string())
}

/// The subjects of the CA certificates in `--ca-names`, if it was given.
fn authorities(args: &CertArgs) -> anyhow::Result<Option<Vec<String>>> {
    match (args.holder, &args.ca_names) {
        (Holder::Server, Some(_)) => bail!("--ca-names needs --as client"),
        (Holder::Client, _) if !args.hostname.is_empty() => {
            bail!("--hostname is for servers: the name of a client is not verified")
        }
        (_, None) => Ok(None),
        (Holder::Client, Some(path)) => {
            let subject = |der: &CertificateDer<'static>| Ok(Certificate::parse(der)?.subject.text);
            let named: anyhow::Result<_> = read_certificates(path)?.iter().map(subject).collect();
            named.with_context(|| format!("cannot read {}", path.display())).map(Some)
        }
    }
}

/// The target for a client's chain in a file.
fn client(file: &FileChain, options: &Options, authorities: Option<Vec<String>>) -> Target {
    let kind = TargetKind::ClientFile { host: own_name(file), authorities };
    options.target_of(kind, file.path.clone(), None)
}

/// The target for a chain in a file. Without --hostname, the certificate's own first name is checked.
fn target(file: &FileChain, options: &Options, asked: &[String]) -> anyhow::Result<Target> {
    let name = match asked.first() {
        Some(name) => parse_host(name)?,
        None => own_name(file),
    };
    let server_name = match &name {
        Host::Name(name) => Some(name.clone()),
        Host::Ip(_) => None,
    };
    let options = Options { server_name, ..options.clone() };
    Ok(options.target_of(TargetKind::File { host: name }, file.path.clone(), None))
}

fn own_name(file: &FileChain) -> Host {
    let leaf = file.chain.leaf();
    let dns =
        leaf.and_then(|leaf| leaf.dns_names().first()).map(|name| name.replacen("*.", "any.", 1));
    let ip = leaf.and_then(|leaf| leaf.ip_addresses().first()).copied();
    match (dns, ip) {
        (Some(name), _) => Host::Name(name.to_ascii_lowercase()),
        (None, Some(ip)) => Host::Ip(ip),
        (None, None) => {
            Host::Name(leaf.and_then(|leaf| leaf.common_name()).unwrap_or("unnamed").to_owned())
        }
    }
}
