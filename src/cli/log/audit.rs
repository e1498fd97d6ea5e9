//! `--probe`: the upstreams that the log names, audited as nginx meets them, so that a diagnosis stands beside its lines.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::LogArgs;
use crate::audit::finding::Severity;
use crate::cli::exit::Exit;
use crate::cli::settings;
use crate::nginx::log::intake::Intake;
use crate::nginx::tree::Tree;
use crate::nginx::upstream::upstreams;
use crate::nginx::variable::Variables;
use crate::probe::scan::Depth;
use crate::report::log::document::LogReport;
use crate::run::{self, FetchIssuers, Settings, Status, TargetReport};
use crate::target::disk::Disk;
use crate::target::from_nginx::{Premises, targets};
use crate::target::options::Options;
use crate::target::proxy_ssl::ProxySsl;
use crate::target::{Host, Role, Target};

/// Upstreams that are audited, the most frequent first.
const MAX_UPSTREAMS: usize = 32;

/// Audits the upstreams, and joins what was found to their lines.
pub(super) fn audit(
    intake: &Intake,
    args: &LogArgs,
    report: &mut LogReport,
) -> anyhow::Result<Exit> {
    let configured = args.nginx.as_deref().map(|path| configured(path, args)).unwrap_or_default();
    let mut addresses = Vec::new();
    let mut targets = Vec::new();
    for upstream in report.upstreams.iter().take(MAX_UPSTREAMS) {
        for target in wanted(&upstream.address, &configured, intake, args)? {
            addresses.push(upstream.address.clone());
            targets.push(target);
        }
    }
    let reports = probe(targets, args)?;
    let mut exit = Exit::Passed;
    for (address, found) in addresses.iter().zip(reports) {
        let Some(found) = found else { continue };
        exit = match (found.status, exit) {
            (Status::Fail, _) => Exit::Findings,
            (Status::Untested, Exit::Passed) => Exit::Untested,
            (_, exit) => exit,
        };
        report.join(address, &found);
    }
    Ok(exit)
}

fn probe(targets: Vec<Arc<Target>>, args: &LogArgs) -> anyhow::Result<Vec<Option<TargetReport>>> {
    let now = settings::now();
    let settings = Settings {
        limits: settings::limits(&args.limits),
        depth: Depth::default(),
        policy: None,
        threshold: Severity::Error,
        now,
        fetch_issuers: FetchIssuers::Never,
        assessors: settings::assessors(&targets, now)?,
    };
    let mut reports: Vec<Option<TargetReport>> = targets.iter().map(|_| None).collect();
    let runtime = Runtime::new()?;
    runtime.block_on(run::audit(targets, Arc::new(settings), interrupted(), |index, report| {
        reports[index] = Some(report);
    }));
    runtime.shutdown_background();
    Ok(reports)
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What nginx's configuration says of this address; else nginx as it is without directives.
fn wanted(
    address: &str,
    configured: &[Arc<Target>],
    intake: &Intake,
    args: &LogArgs,
) -> anyhow::Result<Vec<Arc<Target>>> {
    let Ok(socket) = address.parse::<SocketAddr>().or_else(|_| with_port(address)) else {
        return Ok(Vec::new());
    };
    let known: Vec<Arc<Target>> =
        configured.iter().filter_map(|target| at(target, socket)).collect();
    if !known.is_empty() {
        return Ok(known);
    }
    let name = intake.errors.tally.host_of(address.as_bytes());
    let options = Options {
        server_name: name.and_then(|name| settings::server_name(&name).ok()),
        proxy_ssl: Some(ProxySsl::default()),
        ..options(args)
    };
    let Ok(parsed) = socket.to_string().parse() else { return Ok(Vec::new()) };
    let mut target = options.target(parsed, None, None);
    let client = ProxySsl::default();
    target.nginx = Some(settings::nginx_client(&client, &target)?);
    Ok(vec![Arc::new(target)])
}

fn options(args: &LogArgs) -> Options {
    Options {
        role: Some(Role::Upstream),
        roots: args.trust.roots(),
        add_ca_files: (!args.trust.add_ca_file.is_empty()).then(|| args.trust.add_ca_file.clone()),
        timeout: args.limits.timeout,
        ..Options::default()
    }
}

/// nginx leaves the port out where it is the scheme's own.
fn with_port(address: &str) -> Result<SocketAddr, std::net::AddrParseError> {
    let ip: IpAddr = address.trim_matches(['[', ']']).parse()?;
    Ok(SocketAddr::new(ip, 443))
}

/// The upstreams of a configuration.
fn configured(path: &Path, args: &LogArgs) -> Vec<Arc<Target>> {
    let tree = tree(path);
    let options = options(args);
    let premises = Premises {
        options: &options,
        identity: None,
        connect: None,
        root: None,
        version: None,
        library: None,
        apart: std::collections::HashSet::new(),
    };
    targets(&[], &upstreams(&tree, &Variables::default()), &premises).targets
}

/// The configuration that was named.
pub(super) fn tree(path: &Path) -> Tree {
    Tree::read(&Disk::default(), &path.display().to_string())
}

/// The target, where it leads to this address.
fn at(target: &Arc<Target>, socket: SocketAddr) -> Option<Arc<Target>> {
    let (host, port) = target.endpoint();
    if port != socket.port() {
        return None;
    }
    match host {
        Host::Ip(ip) => (*ip == socket.ip()).then(|| Arc::clone(target)),
        Host::Name(name) => {
            let mut addresses = (&**name, port).to_socket_addrs().ok()?;
            addresses.any(|address| address == socket).then(|| {
                let connect_to = Some((Host::Ip(socket.ip()), port));
                Arc::new(Target { connect_to, ..(**target).clone() })
            })
        }
    }
}
