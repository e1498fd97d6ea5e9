//! `--probe`: audits the upstreams in the log with nginx's handshake, and adds the results to their lines.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::{Either, select};
use futures::{FutureExt, StreamExt, stream};
use tokio::runtime::Runtime;

use crate::cli::args::{LogArgs, ReleaseArgs};
use crate::cli::installed::JudgedNginx;
use crate::cli::{installed, settings, stop, targets as named};
use crate::log::intake::Intake;
use crate::log::logged_request::LoggedRequest;
use crate::nginx::tree::Tree;
use crate::nginx::upstream::upstreams;
use crate::nginx::variable::Variables;
use crate::probe::Prober;
use crate::report::Summary;
use crate::report::log::document::LogReport;
use crate::run::{self, Ending, Settings, Status};
use crate::targets::from_nginx::{Premises, targets};
use crate::targets::nginx_client::{NginxClient, NginxRequest};
use crate::targets::opened_files::OpenedFiles;
use crate::targets::options::Options;
use crate::targets::proxy_ssl::AsNginx;
use crate::targets::{Host, Role, Target, TargetKind};

/// The most upstreams that are audited, the most frequent first.
const MAX_UPSTREAMS: usize = 32;

/// The most names of the configuration that are looked up.
const MAX_NAMES: usize = 1024;

/// The most lookups at once.
const NAMES_AT_ONCE: usize = 16;

/// The results of the audits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Audited {
    /// The counts.
    pub(super) summary: Summary,
    /// Upstreams on which this program itself failed.
    pub(super) internal_errors: usize,
}

/// The audit of an upstream in the log.
struct Wanted {
    /// The upstream, as in the log.
    address: String,
    target: Arc<Target>,
    /// Why a handshake that works here may fail in nginx; `None` if it is exactly nginx's.
    unlike: Option<&'static str>,
}

/// The nginx whose handshakes are repeated: that of the options, or the one on this machine.
fn judged_nginx(release: &ReleaseArgs) -> anyhow::Result<JudgedNginx> {
    let named = |build| JudgedNginx::named(&build, None, release.openssl_conf.as_deref());
    if let Some(binary) = &release.nginx_binary {
        return Ok(named(installed::build(binary)?));
    }
    let given = JudgedNginx::given(release);
    if release.nginx_version.is_some() || release.no_detect {
        return Ok(given);
    }
    // If that nginx cannot be run, the release is unknown.
    let found = installed::find().and_then(|binary| installed::build(&binary).ok());
    Ok(match found.map(named) {
        Some(found) => JudgedNginx { library: given.library.or(found.library), ..found },
        None => given,
    })
}

/// The log does not contain nginx's settings.
const WITHOUT_CONFIGURATION: &str = "the failure could not be repeated: a handshake with nginx's default settings \
     works, and the log does not contain this upstream's settings; give the configuration with --nginx FILE";

/// Releases differ in what they offer.
const WITHOUT_RELEASE: &str = "the failure could not be repeated: the handshake works with the newest nginx, and \
     there is no nginx on this machine; give its release with --nginx-version or --nginx-binary";

/// Audits the upstreams, and adds the findings to their lines.
pub(super) fn audit(
    intake: &Intake,
    args: &LogArgs,
    tree: Option<&Tree>,
    report: &mut LogReport,
) -> anyhow::Result<Audited> {
    let nginx = judged_nginx(&args.release)?;
    let configured = tree.map(|tree| configured(tree, args, &nginx)).unwrap_or_default();
    let (sockets, mut audited) = (sockets(report), Audited::default());
    for (address, reason) in sockets.iter().filter_map(|(address, it)| Some((address, it.err()?))) {
        audited.summary.count(report.leave_out(address, reason), std::iter::empty());
    }
    let prober = Arc::new(Prober::new(settings::limits(&args.limits)));
    let runtime = Runtime::new()?;
    let ending = runtime.block_on(async {
        let stop = stop::stop(args.limits.run_timeout, std::future::pending());
        let stop = stop.boxed().shared();
        let looked_up = Box::pin(looked_up(&configured, &sockets, &prober));
        let known = match select(looked_up, stop.clone()).await {
            Either::Left((known, _)) => known,
            Either::Right(_) => HashMap::new(),
        };
        let mut wanted = Vec::new();
        for (address, socket) in &sockets {
            let Ok(socket) = socket else { continue };
            let found: Vec<_> =
                configured.iter().filter_map(|it| at(it, *socket, &known)).collect();
            if found.is_empty() {
                let target = bare(address, *socket, intake, args, &nginx)?;
                let unlike = Some(WITHOUT_CONFIGURATION);
                wanted.push(Wanted { address: address.clone(), target, unlike });
                continue;
            }
            let unlike = nginx.version.is_none().then_some(WITHOUT_RELEASE);
            let all = found.into_iter();
            wanted.extend(all.map(|target| Wanted { address: address.clone(), target, unlike }));
        }
        carry_out(&wanted, Arc::clone(&prober), stop, |one, found| {
            if let Some(reason) = one.unlike.filter(|_| found.status == Status::Pass) {
                let possibly = found.judgement.nginx_possibly.as_ref();
                let possibly = possibly.map(|text| format!("; possibly: {text}"));
                let reason = format!("{reason}{}", possibly.unwrap_or_default());
                let status = report.leave_out(&one.address, &reason);
                audited.summary.count(status, std::iter::empty());
            } else {
                audited.summary.add(found);
                report.join(&one.address, found);
            }
        })
        .await
    });
    // Do not wait for unfinished DNS lookups.
    runtime.shutdown_background();
    audited.internal_errors = ending?.internal_errors;
    Ok(audited)
}

async fn carry_out(
    wanted: &[Wanted],
    prober: Arc<Prober>,
    stop: impl Future<Output = ()>,
    mut take: impl FnMut(&Wanted, &run::TargetReport),
) -> anyhow::Result<Ending> {
    let targets: Vec<Arc<Target>> = wanted.iter().map(|one| Arc::clone(&one.target)).collect();
    let now = settings::now();
    let settings = Settings::new(&targets, prober, now)?;
    let (reports, ending) = run::audit_all(targets, settings, stop).await;
    for (one, found) in wanted.iter().zip(reports) {
        take(one, &found);
    }
    Ok(ending)
}

/// The upstreams of the log, each with its address, or the reason why it is not audited.
fn sockets(report: &LogReport) -> Vec<(String, Result<SocketAddr, &'static str>)> {
    let socket = |(place, address): (usize, &str)| {
        if place >= MAX_UPSTREAMS {
            return Err("only the 32 upstreams with the most lines are audited");
        }
        if address.starts_with("unix:") {
            return Err("it is a unix socket, which is not probed");
        }
        let socket = address.parse().or_else(|_| with_port(address));
        socket.map_err(|_| "the log contains no address for it")
    };
    let addresses = report.upstreams.iter().map(|upstream| &upstream.address);
    addresses.enumerate().map(|(place, it)| (it.clone(), socket((place, it)))).collect()
}

/// nginx omits the default port of the scheme.
fn with_port(address: &str) -> Result<SocketAddr, std::net::AddrParseError> {
    let ip: IpAddr = address.trim_matches(['[', ']']).parse()?;
    Ok(SocketAddr::new(ip, 443))
}

/// nginx with its defaults, as the client of this address.
fn bare(
    address: &str,
    socket: SocketAddr,
    intake: &Intake,
    args: &LogArgs,
    nginx: &JudgedNginx,
) -> anyhow::Result<Arc<Target>> {
    let logged = || intake.errors.tally.requests_of(address.as_bytes());
    let name = logged().find_map(|request| request.host.clone());
    let JudgedNginx { version, library, .. } = *nginx;
    let client = AsNginx { version, library, ..AsNginx::default() };
    let options = Options {
        server_name: name.as_ref().and_then(|name| named::server_name(name).ok()),
        as_nginx: Some(client.clone()),
        ..options(args)
    };
    let mut target = options.target(socket.to_string().parse()?, None, None);
    let host = name.unwrap_or_else(|| address.to_owned());
    let request = request(logged(), &host).filter(|_| !args.no_request);
    let client = named::nginx_client(&client, &target)?;
    let system_commands = nginx.system.commands.clone();
    target.nginx = Some(Arc::new(NginxClient { system_commands, request, ..client }));
    Ok(Arc::new(target))
}

/// nginx's request for each path in the log. Its Host is not in there: that of nginx's client is assumed.
fn request<'a>(
    logged: impl Iterator<Item = &'a LoggedRequest>,
    host: &str,
) -> Option<NginxRequest> {
    let requests = logged.filter_map(|request| {
        let method = request.method.to_owned();
        let path = request.path.clone()?;
        Some(NginxRequest { method, assumed: true, ..NginxRequest::get(host, path) })
    });
    let first = requests.reduce(|mut first, other| {
        first.join(&other);
        first
    });
    first.filter(|request| request.host.bytes().all(|byte| byte.is_ascii_graphic()))
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

/// The upstreams of a configuration.
fn configured(tree: &Tree, args: &LogArgs, nginx: &JudgedNginx) -> Vec<Arc<Target>> {
    let options = options(args);
    let premises = Premises {
        options: &options,
        identity: None,
        connect: None,
        root: None,
        request: !args.no_request,
        version: nginx.version,
        library: nginx.library,
        foreign: None,
        system: nginx.system.commands.clone(),
        apart: std::collections::HashSet::new(),
        sockets: Vec::new(),
        is_live: false,
        rehearsed: false,
        opened: OpenedFiles::default(),
    };
    targets(&[], &upstreams(tree, &Variables::default()), &[], &premises).targets
}

/// The addresses of the configuration's names.
type ResolvedNames = HashMap<Host, Vec<IpAddr>>;

/// Looks up every name that a configured upstream has at a port of the log, each once.
async fn looked_up(
    configured: &[Arc<Target>],
    sockets: &[(String, Result<SocketAddr, &'static str>)],
    prober: &Prober,
) -> ResolvedNames {
    let ports: BTreeSet<u16> =
        sockets.iter().filter_map(|(_, socket)| Some(socket.ok()?.port())).collect();
    let names: BTreeSet<&String> = configured
        .iter()
        .filter_map(|target| match target.endpoint() {
            Some((Host::Name(name), port)) if ports.contains(&port) => Some(name),
            _ => None,
        })
        .collect();
    let look_up = |name: &String| {
        let host = Host::Name(name.clone());
        async move {
            let addresses = prober.resolve(&host).await.unwrap_or_default();
            (host, addresses)
        }
    };
    stream::iter(names.into_iter().take(MAX_NAMES))
        .map(look_up)
        .buffer_unordered(NAMES_AT_ONCE)
        .collect()
        .await
}

/// The target, if it leads to this address.
fn at(target: &Arc<Target>, socket: SocketAddr, known: &ResolvedNames) -> Option<Arc<Target>> {
    let (host, port) = target.endpoint().filter(|(_, port)| *port == socket.port())?;
    match host {
        Host::Ip(ip) => (*ip == socket.ip()).then(|| Arc::clone(target)),
        Host::Name(_) => known.get(host)?.contains(&socket.ip()).then(|| {
            let mut target = Target::clone(target);
            if let TargetKind::Endpoint { connect_to, .. } = &mut target.kind {
                *connect_to = Some((Host::Ip(socket.ip()), port));
            }
            Arc::new(target)
        }),
    }
}
