//! What was typed, resolved: targets, limits and look, without a default left open.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{anyhow, bail};
use time::{OffsetDateTime, UtcOffset};

use super::args::{ColorArg, LimitArgs, MetricsArg, ReportArgs, SourceArgs, TargetArgs};
use super::gate::{FailOn, threshold};
use super::input;
use super::mistake::Mistake;
use crate::certificate::trust::Assessor;
use crate::probe::{Deadlines, Family, Limits};
use crate::report::anchor::has_place;
use crate::report::{Look, ReportOptions, Summary};
use crate::targets::address::{Address, parse_host};
use crate::targets::identity::read_identity;
use crate::targets::nginx_client::NginxClient;
use crate::targets::options::Options;
use crate::targets::proxy_ssl::ProxySsl;
use crate::targets::{ClientIdentity, Host, Origin, Target, Trust, list, toml, trust};

/// Columns of a report that goes to no terminal.
pub(super) const WIDTH: usize = 100;

/// File descriptors that are not for connections.
const RESERVED_DESCRIPTORS: u64 = 64;

/// Larger files are no target files.
const MAX_CONFIG: u64 = 64 * 1024 * 1024;

/// Problems of one input that are shown; the rest is counted.
const MAX_PROBLEMS: usize = 20;

/// The wall clock.
pub(super) fn now() -> OffsetDateTime {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    OffsetDateTime::now_utc()
}

/// Every target that was named, in the order of the command line, then of the file.
pub(super) fn targets(args: &SourceArgs, limits: &LimitArgs) -> anyhow::Result<Vec<Arc<Target>>> {
    let typed = options(&args.target, limits)?;
    let mut named: Vec<(Address, Options, Option<Origin>)> = Vec::new();
    let mut problems = Vec::new();
    for text in &args.targets {
        if text == "-" {
            let (addresses, errors) = list::read("<stdin>", io::stdin().lock());
            named.extend(
                addresses
                    .into_iter()
                    .map(|(address, origin)| (address, typed.clone(), Some(origin))),
            );
            problems.extend(errors.iter().map(ToString::to_string));
        } else {
            match text.parse() {
                Ok(address) => named.push((address, typed.clone(), None)),
                Err(error) => problems.push(format!("{error}")),
            }
        }
    }
    if let Some(path) = &args.config {
        let (entries, errors) = read_config(path)?;
        let entries = entries.into_iter().map(|entry| {
            (
                entry.address,
                typed.clone().over(&entry.options),
                Some(entry.origin),
                entry.options.name,
            )
        });
        named.extend(entries.map(|(address, options, origin, name)| {
            (address, Options { name, ..options }, origin)
        }));
        problems.extend(errors.iter().map(ToString::to_string));
    }
    reject(problems)?;
    if named.is_empty() {
        return Err(Mistake::new(
            "no target is given",
            "name one (HOST:PORT), give - to read a list from stdin, or use --config FILE",
        ));
    }
    let mut identities = Identities::default();
    named
        .into_iter()
        .map(|(address, options, origin)| {
            let identity = identities.load(&options)?;
            let mut target = options.target(address, identity, origin);
            target.nginx =
                options.proxy_ssl.as_ref().map(|ssl| nginx_client(ssl, &target)).transpose()?;
            Ok(Arc::new(target))
        })
        .collect()
}

fn read_config(path: &Path) -> anyhow::Result<(Vec<toml::Entry>, Vec<toml::Problem>)> {
    let text = input::text(path, MAX_CONFIG)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Ok(toml::read(&path.display().to_string(), folder, &text))
}

/// Every problem of the input at once, so that one look mends all.
pub(super) fn reject(problems: Vec<String>) -> anyhow::Result<()> {
    let count = problems.len();
    match problems.as_slice() {
        [] => Ok(()),
        [problem] => bail!("{problem}"),
        _ => {
            let mut shown: Vec<String> = problems.into_iter().take(MAX_PROBLEMS).collect();
            if count > MAX_PROBLEMS {
                shown.push(format!("and {} more", count - MAX_PROBLEMS));
            }
            bail!("{count} problems with the targets:\n  {}", shown.join("\n  "))
        }
    }
}

pub(super) fn options(target: &TargetArgs, limits: &LimitArgs) -> anyhow::Result<Options> {
    let server_name = target.server_name.as_deref().map(server_name).transpose()?;
    Ok(Options {
        server_name,
        role: target.role.map(Into::into),
        roots: target.trust.roots(),
        add_ca_files: (!target.trust.add_ca_file.is_empty())
            .then(|| target.trust.add_ca_file.clone()),
        client_certificate: target.client_cert.clone(),
        client_key: target.client_key.clone(),
        starttls: target.starttls,
        proxy_protocol: target.proxy_protocol.then_some(true),
        timeout: limits.timeout,
        warning_days: target.warning_days,
        alpn: (!target.alpn.is_empty()).then(|| target.alpn.clone()),
        proxy_ssl: target.nginx.proxy_ssl(),
        ..Options::default()
    })
}

/// nginx as the client, with its files read.
pub(super) fn nginx_client(ssl: &ProxySsl, target: &Target) -> anyhow::Result<Arc<NginxClient>> {
    let host = match &target.host {
        Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
        host => host.to_string(),
    };
    let client = ssl.client(&host).map_err(|error| match &target.origin {
        Some(origin) => anyhow!("{}:{}: {error}", origin.file, origin.line),
        None => anyhow!("{error}"),
    })?;
    Ok(Arc::new(client))
}

pub(super) fn server_name(text: &str) -> anyhow::Result<String> {
    match parse_host(text) {
        Ok(Host::Name(name)) => Ok(name),
        _ => Err(Mistake::new(
            format!("--server-name {text:?} is no DNS name"),
            "an address is never sent as SNI; leave the option out, or give a name",
        )),
    }
}

/// Client certificates by their files, each read once.
#[derive(Default)]
struct Identities {
    known: HashMap<(PathBuf, PathBuf), Arc<ClientIdentity>>,
}

impl Identities {
    fn load(&mut self, options: &Options) -> anyhow::Result<Option<Arc<ClientIdentity>>> {
        let Some(files) = options.identity_files() else {
            return Ok(None);
        };
        if let Some(known) = self.known.get(&files) {
            return Ok(Some(Arc::clone(known)));
        }
        let identity = Arc::new(read_identity(&files.0, &files.1)?);
        self.known.insert(files, Arc::clone(&identity));
        Ok(Some(identity))
    }
}

/// One assessor for each set of roots that a target names; what nobody names is not loaded.
pub(super) fn assessors(
    targets: &[Arc<Target>],
    now: OffsetDateTime,
) -> anyhow::Result<HashMap<Trust, Arc<Assessor>>> {
    let mut assessors = HashMap::new();
    for target in targets {
        if !assessors.contains_key(&target.trust) {
            let store = Arc::new(trust::load(&target.trust)?);
            assessors.insert(target.trust.clone(), Arc::new(Assessor::new(store, now)));
        }
    }
    Ok(assessors)
}

/// The run's limits, kept below what this process may open.
pub(super) fn limits(args: &LimitArgs) -> Limits {
    let connections = usize::try_from(args.concurrency).unwrap_or(usize::MAX);
    let descriptors =
        rlimit::increase_nofile_limit(u64::from(args.concurrency) + RESERVED_DESCRIPTORS)
            .map_or(usize::MAX, |most| {
                usize::try_from(most.saturating_sub(RESERVED_DESCRIPTORS)).unwrap_or(usize::MAX)
            });
    Limits {
        deadlines: Deadlines {
            dns: args.dns_timeout,
            connect: args.connect_timeout,
            starttls: args.starttls_timeout,
            handshake: args.handshake_timeout,
            read: args.read_timeout,
        },
        connections: connections.min(descriptors).max(1),
        per_address: 4,
        rate: args.rate,
        family: match (args.ipv4, args.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        },
    }
}

/// How the report for people looks: as wide as the terminal, in colour only on one.
pub(super) fn look(args: &ReportArgs, to_stdout: bool) -> Look {
    let colour = colour(args.color, to_stdout);
    Look { width: if to_stdout { width() } else { WIDTH }, colour, show_chain: args.show_chain }
}

/// Whether to use colour.
pub(super) fn colour(wanted: ColorArg, to_stdout: bool) -> bool {
    match wanted {
        ColorArg::Always => true,
        ColorArg::Never => false,
        // This knows NO_COLOR, CLICOLOR, CLICOLOR_FORCE and terminals that cannot.
        ColorArg::Auto => {
            to_stdout && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
        }
    }
}

/// Seconds by which the host's clock is ahead of UTC.
pub(super) fn local_offset(now: OffsetDateTime) -> i64 {
    UtcOffset::local_offset_at(now).map_or(0, |offset| offset.whole_seconds().into())
}

/// What the report is told beside what was found.
pub(super) fn report_options(
    args: &ReportArgs,
    fail_on: FailOn,
    left_out: Summary,
) -> ReportOptions {
    let root = std::env::current_dir().ok();
    ReportOptions {
        threshold: threshold(fail_on),
        anchor: args.sarif_anchor.clone(),
        root: root.map(|root| root.display().to_string()),
        blackbox: args.metrics_compat == Some(MetricsArg::Blackbox),
        left_out,
        omit_times: args.omit_times,
    }
}

/// Some forms put every finding at a place in a file; where there is none, they must be told one.
pub(super) fn check_places(args: &ReportArgs, targets: &[Arc<Target>]) -> anyhow::Result<()> {
    let forms = args.output.iter().map(|one| one.format.unwrap_or(args.format));
    let form = forms.chain([args.format]).find(|form| form.needs_place());
    let homeless = targets.iter().find(|target| !has_place(target));
    match (form, homeless) {
        (Some(form), Some(target)) if args.sarif_anchor.is_none() => Err(Mistake::new(
            format!(
                "{} has no place in a file, and --format {} needs one",
                target.name,
                form.name()
            ),
            "name the targets in a file (--config FILE), or give a file to point at (--sarif-anchor FILE)",
        )),
        _ => Ok(()),
    }
}

/// Where GitHub Actions takes the summary of a job.
pub(super) fn step_summary() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the environment is read here and nowhere else")]
    let path = std::env::var_os("GITHUB_STEP_SUMMARY")?;
    (!path.is_empty()).then(|| path.into())
}

/// Columns of what is written to stdout.
pub(super) fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(WIDTH, |(width, _)| usize::from(width.0))
}
