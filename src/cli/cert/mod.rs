//! `cert`: audits certificate files before they are deployed.

mod contents;
mod lists;

use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls_pki_types::CertificateDer;

use self::contents::{Contents, FoundChain, Unread};
use super::args::{CertArgs, Holder};
use super::exit::Exit;
use super::gate::Checkpoint;
use super::report_writer::ReportWriter;
use super::settings;
use crate::audit::judge::{Judgement, Standard, judge_file};
use crate::certificate::Certificate;
use crate::certificate::file::FileChain;
use crate::certificate::trust::{Assessor, Purpose};
use crate::observation::{Observation, Untried};
use crate::report::{Report, ReportKind};
use crate::run::TargetReport;
use crate::targets::address::parse_host;
use crate::targets::identity::read_certificates;
use crate::targets::options::Options;
use crate::targets::{FilePart, Host, Roots, Target, TargetKind, trust};

/// Runs the subcommand.
pub(super) fn run(args: &CertArgs) -> anyhow::Result<Exit> {
    let now = match &args.at {
        Some(text) => settings::moment(text)?,
        None => settings::now(),
    };
    let mut checkpoint = Checkpoint::open(&args.gate, now)?;
    let Contents { chains, lists, unread, .. } = Contents::read(args)?;
    let options = options(args)?;
    let outputs = ReportWriter::open(&args.report, args.gate.quiet)?.showing_chains();
    let purpose = match args.holder {
        Holder::Server => Purpose::Server,
        Holder::Client => Purpose::Client,
    };
    let authorities = authorities(args)?;
    let assessor = Assessor::of(purpose, Arc::new(trust::load(&options.trust())?), now);
    let audit = |FoundChain { chain: file, origin, .. }: FoundChain| {
        let target = match args.holder {
            Holder::Server => target(&file, &options, &args.hostname)?,
            Holder::Client => client(&file, &options, authorities.clone()),
        };
        let target = Arc::new(Target { origin, ..target });
        let judgement =
            judge_file(&target, &file, Standard { assessor: &assessor, policy: None, now });
        let observation = Observation::not_tried(Untried::TextOnly);
        Ok(TargetReport::new(target, observation, judgement, args.gate.fail_on.threshold()))
    };
    let mut targets = chains.into_iter().map(audit).collect::<anyhow::Result<Vec<_>>>()?;
    targets.extend(lists.iter().map(|file| file.report(args, &options, now)));
    targets.extend(unread.into_iter().map(|one| not_tested(one, args, &options)));
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
    Ok(options.target_of(
        TargetKind::File { host: name, part: FilePart::Chain },
        file.path.clone(),
        None,
    ))
}

/// The report about what could not be read.
fn not_tested(unread: Unread, args: &CertArgs, options: &Options) -> TargetReport {
    let Unread { name, origin, reasons } = unread;
    let host = options.server_name.clone().unwrap_or_else(|| "unnamed".to_owned());
    let kind = TargetKind::File { host: Host::Name(host), part: FilePart::Unread };
    let target = Arc::new(options.target_of(kind, name, origin));
    let observation = Observation::not_tried(Untried::Impossible(reasons.join("; ")));
    let untested = reasons.into_iter().map(|reason| ("not-tested", reason)).collect();
    let judgement = Judgement { untested, ..Judgement::default() };
    TargetReport::new(target, observation, judgement, args.gate.fail_on.threshold())
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
