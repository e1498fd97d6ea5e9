//! What clients could do before: at the live sockets, in another rehearsal, or in a saved report.

use std::path::Path;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use tokio::runtime::Runtime;

use super::private_nginx::NginxProgram;
use super::rehearsal::{rehearse, targets};
use super::source::Configuration;
use crate::audit::finding::Severity;
use crate::audit::judge::Judgement;
use crate::cli::args::NginxArgs;
use crate::cli::errors::{UsageError, warn};
use crate::cli::{input, settings};
use crate::nginx::rehearsal::tcp_sockets;
use crate::nginx::tree::Tree;
use crate::nginx::variable::Variables;
use crate::observation::scan::Replay;
use crate::observation::{Cause, Endpoint, Handshake, Observation};
use crate::probe::Prober;
use crate::probe::scan::Depth;
use crate::report::saved::{self, SavedTarget};
use crate::report::{Comparison, changes};
use crate::run::TargetReport;
use crate::run::network::Network;
use crate::targets::former::Former;
use crate::targets::from_nginx::Premises;
use crate::targets::{Host, Target};
use crate::tls::profile::{self, Profile};

/// The largest report, in bytes.
const MAX_REPORT: u64 = 1024 * 1024 * 1024;

type Clients = Vec<&'static Profile>;

/// A target as it was.
struct Old {
    name: String,
    host: String,
    port: u16,
    server_name: Option<String>,
    /// Where the connections went; a report does not say.
    endpoint: Option<(Host, u16)>,
    /// `None` where nothing listened.
    former: Option<Former>,
}

impl Old {
    fn new(target: &Target, former: Option<Former>) -> Option<Self> {
        Some(Self {
            name: target.name.clone(),
            host: target.host()?.to_string(),
            port: target.port()?,
            server_name: target.server_name.clone(),
            endpoint: target.endpoint().map(|(host, port)| (host.clone(), port)),
            former,
        })
    }

    /// Whether connections went to the same place.
    fn is_at(&self, target: &Target) -> bool {
        let here = target.endpoint().map(|(host, port)| (host.clone(), port));
        self.endpoint.is_some() && self.endpoint == here
    }

    fn is(&self, target: &Target) -> bool {
        target.port() == Some(self.port)
            && target.server_name == self.server_name
            && target.host().is_some_and(|host| host.to_string() == self.host)
    }
}

/// The clients to replay.
pub(super) struct ReplayedClients {
    /// All of them.
    pub(super) tried: Clients,
    /// Those that the user named one by one.
    pub(super) named: Clients,
}

impl ReplayedClients {
    /// Those of `--clients`, or the current ones if the rehearsal is compared.
    pub(super) fn of(args: &NginxArgs) -> Self {
        let named = args.standard.clients();
        let is_bare = named.is_empty() && args.against.is_some();
        let tried = if is_bare { group("modern") } else { named.clone() };
        // A group is not a list of clients that somebody must serve.
        let is_group = ["all", "modern"].iter().any(|name| group(name) == tried);
        Self { tried, named: if is_group { Vec::new() } else { named } }
    }

    /// Adds clients that were not named.
    pub(super) fn add(&mut self, clients: Clients) {
        for client in clients {
            if !self.tried.iter().any(|known| known.name == client.name) {
                self.tried.push(client);
            }
        }
    }
}

fn group(name: &str) -> Clients {
    profile::select(name).unwrap_or_default()
}

/// What a rehearsal is compared with.
pub(super) enum OldState {
    /// What runs now.
    Live,
    /// A report.
    Report(Vec<SavedTarget>),
    /// A configuration, which is rehearsed too.
    Configuration(Box<Configuration>),
}

impl OldState {
    /// The text of the old configuration.
    pub(super) fn tree(&self) -> Option<&Tree> {
        match self {
            Self::Configuration(configuration) => configuration.tree.as_ref(),
            Self::Live | Self::Report(_) => None,
        }
    }
}

/// Reads what `--against` names.
pub(super) fn read(old: &Path, args: &NginxArgs) -> anyhow::Result<OldState> {
    if old == Path::new("live") {
        return Ok(OldState::Live);
    }
    if old.is_file() {
        let text = input::bytes(old, MAX_REPORT)?;
        if text.trim_ascii_start().starts_with(b"{") {
            return saved::read(&String::from_utf8_lossy(&text))
                .map(OldState::Report)
                .map_err(|error| anyhow::anyhow!("{}: {error}", old.display()));
        }
    }
    let variables: Variables = args.source.var.iter().cloned().collect();
    let configuration = Configuration::read(old, None, (&variables, None))?;
    Ok(OldState::Configuration(Box::new(configuration)))
}

/// Notes in each target who connected before, and returns which targets there is nothing to compare with.
pub(super) fn mark(
    old: OldState,
    targets: &mut [Arc<Target>],
    clients: &ReplayedClients,
    args: &NginxArgs,
    how: (&NginxProgram, &Premises<'_>),
) -> anyhow::Result<Comparison> {
    let before = before(old, targets, &clients.tried, args, how)?;
    let old = args.against.as_deref().unwrap_or_else(|| Path::new("live"));
    let named = &clients.named;
    let all = targets.to_vec();
    for target in targets.iter_mut().filter(|target| target.is_tcp_listener()) {
        let same: Vec<&Old> = before.iter().filter(|known| known.is(target)).collect();
        let likest =
            same.iter().max_by_key(|known| (known.is_at(target), known.name == target.name));
        let Some(likest) = likest else { continue };
        // One name may be served at several addresses. Whoever came to one that is gone comes here.
        let is_gone = |known: &&Old| {
            known.endpoint.is_some() && !all.iter().any(|one| known.is(one) && known.is_at(one))
        };
        let others = same.iter().copied().filter(|known| !std::ptr::eq(*known, *likest));
        let known = [*likest].into_iter().chain(others.filter(is_gone));
        let former = known.filter_map(|known| known.former.clone()).reduce(Former::and);
        let former = former.map(|known| {
            let (named, old) = (named.clone(), old.display().to_string());
            Former { old, named, ..known }
        });
        Arc::make_mut(target).former = former;
    }
    let listeners = targets.iter().filter(|target| target.is_tcp_listener());
    let added = listeners.filter(|target| target.former.is_none());
    let gone = before.iter().filter(|known| !targets.iter().any(|target| known.is(target)));
    let gone: Vec<String> = gone.map(|known| known.name.clone()).collect();
    let comparison = Comparison {
        old: old.display().to_string(),
        added: added.map(|target| target.name.clone()).collect(),
        gone,
    };
    if !comparison.gone.is_empty() {
        // Formats that list findings alone do not say it.
        warn(&comparison.to_string());
    }
    Ok(comparison)
}

fn before(
    old: OldState,
    new: &[Arc<Target>],
    clients: &Clients,
    args: &NginxArgs,
    how: (&NginxProgram, &Premises<'_>),
) -> anyhow::Result<Vec<Old>> {
    let limits = settings::limits(&args.run.limits);
    let mut configuration = match old {
        OldState::Live => return live(new, clients, &Prober::new(limits)),
        OldState::Report(saved) => {
            return Ok(saved.into_iter().filter(is_endpoint).map(of_report).collect());
        }
        OldState::Configuration(configuration) => *configuration,
    };
    let (program, premises) = how;
    let rehearsal = rehearse(program, &mut configuration)?;
    if rehearsal.running.is_none() {
        let name = args.against.as_deref().unwrap_or(Path::new("live")).display();
        return Err(UsageError::new(
            format!("nginx does not run {name}"),
            format!("shakedown nginx {name} --rehearse says why"),
        ));
    }
    // What leads where depends on the old sockets.
    let sockets = configuration.tree.as_ref().map(tcp_sockets).unwrap_or_default();
    let premises = Premises { sockets, ..premises.clone() };
    let found = targets(&configuration, &premises, Some(&rehearsal));
    observe(&Prober::with_stand_ins(limits, rehearsal.stand_ins()), &found.targets, clients)
}

/// Whether a report's target was connected to. Of other targets and of unix sockets, the port is 0.
fn is_endpoint(saved: &SavedTarget) -> bool {
    saved.port != 0 || saved.endpoint_is_unix()
}

/// What the sockets that run now do.
fn live(new: &[Arc<Target>], clients: &Clients, network: &Prober) -> anyhow::Result<Vec<Old>> {
    let is_hidden =
        |target: &Arc<Target>| target.endpoint().is_some_and(|(host, _)| host.is_unspecified());
    let (hidden, reachable): (Vec<_>, Vec<_>) = new.iter().cloned().partition(is_hidden);
    let mut before = observe(network, &reachable, clients)?;
    if before.iter().all(|known| known.former.is_none()) {
        return Err(UsageError::new(
            "no live socket of this configuration answers",
            "start nginx, or name the old configuration: --against FILE",
        ));
    }
    before.extend(hidden.iter().filter_map(|target| {
        let reason = "another socket of the configuration has the loopback address, so the live one cannot be reached";
        Old::new(target, Some(Former { unknown: Some(reason.to_owned()), ..Former::default() }))
    }));
    Ok(before)
}

/// Replays the clients at every listener.
fn observe(
    network: &Prober,
    targets: &[Arc<Target>],
    clients: &Clients,
) -> anyhow::Result<Vec<Old>> {
    let depth = Depth { clients: clients.clone(), unexplained: true, ..Depth::default() };
    let listeners = targets.iter().filter(|target| target.is_tcp_listener());
    let seen = listeners.map(|target| {
        let depth = &depth;
        async move {
            let seen = Network::observe(network, target, depth).await;
            Old::new(target, former(target, seen, clients))
        }
    });
    let all = stream::iter(seen).buffered(network.limits().targets_at_once()).collect::<Vec<_>>();
    let runtime = Runtime::new()?;
    let seen = runtime.block_on(all);
    // Do not wait for unfinished DNS lookups.
    runtime.shutdown_background();
    Ok(seen.into_iter().flatten().collect())
}

/// Who connected at every address; `None` if nothing listens.
fn former(target: &Arc<Target>, seen: Observation, clients: &Clients) -> Option<Former> {
    let mut cells = seen.endpoints.iter().flat_map(|endpoint| &endpoint.handshakes).peekable();
    let refused = |cell: &Handshake| {
        cell.failure().is_some_and(|failure| failure.cause == Cause::ConnectionRefused)
    };
    if cells.peek().is_some() && cells.all(refused) {
        return None;
    }
    let replays = || seen.endpoints.iter().flat_map(|endpoint| &endpoint.replays);
    if replays().next().is_none() {
        let unknown = Some("the clients could not be tried before the change".to_owned());
        return Some(Former { unknown, ..Former::default() });
    }
    let is_unclear =
        |replay: &Replay| replay.outcome.as_ref().is_err_and(|failure| !failure.is_refusal());
    let unclear = replays()
        .find(|replay| is_unclear(replay))
        .map(|replay| format!("before the change, {} could not be tried", replay.profile.title));
    let connects = |endpoint: &Endpoint, client: &Profile| {
        let own = endpoint.replays.iter().find(|replay| replay.profile.name == client.name);
        own.is_some_and(|replay| replay.outcome.is_ok())
    };
    let everywhere =
        clients.iter().filter(|client| seen.endpoints.iter().all(|one| connects(one, client)));
    let everywhere = everywhere.copied().collect();
    // Only what was seen is compared; there are no findings to compare it with.
    let report = TargetReport::new(Arc::clone(target), seen, Judgement::default(), Severity::Error);
    Some(Former {
        clients: everywhere,
        tried: clients.clone(),
        unknown: unclear,
        behaviour: changes::behaviour(&report),
        ..Former::default()
    })
}

fn of_report(saved: SavedTarget) -> Old {
    let connects = |client: &&'static Profile| {
        let mut own =
            saved.behaviour.clients.iter().filter(|one| one.title == client.title).peekable();
        own.peek().is_some() && own.all(|one| one.outcome == "established")
    };
    let unknown =
        saved.behaviour.clients.is_empty().then(|| {
            "the report to compare with has no clients; make it with --clients".to_owned()
        });
    let is_tried =
        |client: &&Profile| saved.behaviour.clients.iter().any(|one| one.title == client.title);
    let former = Former {
        clients: profile::known().filter(connects).collect(),
        tried: profile::known().filter(is_tried).collect(),
        unknown,
        behaviour: Some(Arc::new(saved.behaviour.clone())),
        ..Former::default()
    };
    Old {
        name: saved.name,
        host: saved.host,
        port: saved.port,
        server_name: saved.server_name,
        endpoint: None,
        former: Some(former),
    }
}
