//! The exporter: its targets and the metrics of their last audit.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::counting::Counters;
use super::module;
use super::web::Web;
use crate::cli::args::{GateArgs, ServeArgs};
use crate::cli::errors::{UsageError, warn};
use crate::cli::fleet::Listed;
use crate::cli::gate::Checkpoint;
use crate::cli::stop::time_is_up;
use crate::cli::targets::Warnings;
use crate::cli::{settings, targets};
use crate::probe::Prober;
use crate::report::escape::escape;
use crate::report::formats::prometheus::{self, render_exporter};
use crate::report::{Report, ReportKind, ReportOptions};
use crate::run::network::Network;
use crate::run::{self, Settings, TrustStores};
use crate::targets::Target;
use crate::targets::options::Options;

/// The most probes at once.
const MAX_PROBES: usize = 32;

/// The most probes that wait for others to end. With those that run they are fewer than the connections, so that other
/// requests are always answered.
const MAX_WAITING: usize = 16;

/// The exporter.
pub(super) struct Exporter {
    args: ServeArgs,
    /// The options for every target.
    typed: Options,
    targets: RwLock<Vec<Arc<Target>>>,
    /// What was warned of when they were read.
    warnings: Mutex<Warnings>,
    metrics: RwLock<Option<String>>,
    /// One for each probe, whether it runs or waits.
    seats: Semaphore,
    /// One for each probe that runs.
    permits: Semaphore,
    /// What was done so far.
    pub(super) counters: Counters,
    /// How its own clients are met.
    pub(super) web: Web,
    /// The roots, as last read.
    stores: Mutex<TrustStores>,
    /// Shared by all audits and probes, so that the limits per address apply to all of them.
    network: Arc<dyn Network>,
}

/// Why a probe was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The target is not configured.
    #[error("this target is not configured; --any-target allows any target")]
    NotConfigured,
    /// There are too many probes.
    #[error("too many targets are being probed")]
    Busy,
    /// The request is invalid.
    #[error("{0}")]
    Invalid(String),
}

impl Refused {
    /// Its name in metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NotConfigured => "not-configured",
            Self::Busy => "busy",
            Self::Invalid(_) => "invalid",
        }
    }
}

impl Exporter {
    /// Reads the files in the options, so that errors show before anything is served.
    pub(super) fn new(args: ServeArgs) -> anyhow::Result<Self> {
        if args.source.targets.iter().any(|target| target == "-") {
            return Err(UsageError::new(
                "serve cannot read targets from stdin",
                "it reads the targets again before each audit; use a file (--config FILE)",
            ));
        }
        let mut warnings = Warnings::default();
        let targets = match targets(&args, &mut warnings) {
            // With --any-target there need not be any.
            Err(_) if args.any_target && is_bare(&args) => Vec::new(),
            targets => targets?,
        };
        let now = settings::now();
        Checkpoint::open(&gate(&args), now)?;
        let web = Web::new(args.web_config.as_deref())?;
        let typed = targets::options(&args.source.target, &args.limits)?;
        let network: Arc<dyn Network> = Arc::new(Prober::new(settings::limits(&args.limits)));
        Settings::new(&targets, Arc::clone(&network), now)?;
        Ok(Self {
            args,
            typed,
            targets: RwLock::new(targets),
            warnings: Mutex::new(warnings),
            metrics: RwLock::new(None),
            seats: Semaphore::new(MAX_PROBES + MAX_WAITING),
            permits: Semaphore::new(MAX_PROBES),
            counters: Counters::default(),
            web,
            stores: Mutex::default(),
            network,
        })
    }

    /// The metrics of the last audit, and of the exporter itself.
    pub(super) fn metrics(&self) -> Option<String> {
        let audited = self.metrics.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(audited + &rendered(|out| render_exporter(&self.counters.figures(), out)))
    }

    /// Reads the web configuration again; if that fails, the previous one is kept.
    pub(super) fn reload_web(&self) {
        if let Err(error) = self.web.reload() {
            self.counters.count(|figures| figures.web_reads_failed += 1);
            warn(&format!("keeping the previous web configuration: {error:#}"));
        }
    }

    /// Audits the configured targets; if they cannot be read again, the previous ones are kept.
    pub(super) async fn audit(&self) {
        let read =
            targets(&self.args, &mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner));
        match read {
            Ok(targets) => {
                *self.targets.write().unwrap_or_else(PoisonError::into_inner) = targets;
            }
            Err(_) if is_bare(&self.args) => {}
            Err(error) => {
                self.counters.count(|figures| figures.reads_failed += 1);
                warn(&format!("keeping the previous targets: {error:#}"));
            }
        }
        let limit = self.args.limits.run_timeout;
        self.counters.count(|figures| figures.audits += 1);
        match self.run(self.configured(), time_is_up(limit)).await {
            Ok(report) => {
                let metrics = rendered(|out| prometheus::render(&report, out));
                *self.metrics.write().unwrap_or_else(PoisonError::into_inner) = Some(metrics);
            }
            Err(error) => {
                self.counters.count(|figures| figures.audits_failed += 1);
                warn(&format!("cannot audit the targets: {error:#}"));
            }
        }
    }

    /// Probes one target with the options of a module, until the request's timeout.
    pub(super) async fn probe(
        &self,
        name: &str,
        module: Option<&str>,
        patience: impl Future<Output = ()>,
    ) -> Result<String, Refused> {
        let target = self.target(name, module)?;
        let _seat = self.seats.try_acquire().map_err(|_| Refused::Busy)?;
        let mut patience = pin!(patience);
        let _permit = tokio::select! {
            permit = self.permits.acquire() => permit.map_err(|_| Refused::Busy)?,
            () = &mut patience => return Err(Refused::Busy),
        };
        let probe = self.counters.probe();
        let report = self.run(vec![target], patience).await;
        probe.complete();
        let report = report.map_err(|error| Refused::Invalid(format!("{error:#}")))?;
        Ok(rendered(|out| prometheus::render_probe(&report, out)))
    }

    fn configured(&self) -> Vec<Arc<Target>> {
        self.targets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The target of that name, host, or host and port; a module changes how it is probed.
    fn target(&self, name: &str, module: Option<&str>) -> Result<Arc<Target>, Refused> {
        let options = module.map(|name| {
            module::options(name).ok_or_else(|| {
                Refused::Invalid(format!(
                    "unknown module {:?}; known modules: {}",
                    escape(name),
                    module::names()
                ))
            })
        });
        let options = options.transpose()?;
        let configured = self.configured();
        let known = configured.iter().find(|target| is_called(target, name));
        match (known, options) {
            (Some(target), None) => Ok(Arc::clone(target)),
            (Some(target), Some(options)) => {
                let mut changed = Target::clone(target);
                changed.role = options.role.unwrap_or(changed.role);
                changed.starttls = options.starttls.or(changed.starttls);
                Ok(Arc::new(changed))
            }
            (None, _) if !self.args.any_target => Err(Refused::NotConfigured),
            (None, options) => {
                let address = name
                    .parse()
                    .map_err(|error| Refused::Invalid(escape(&format!("{error}")).into_owned()))?;
                let options = options.unwrap_or_default().over(&self.typed);
                Ok(Arc::new(options.target(address, None, None)))
            }
        }
    }

    fn settings(&self, targets: &[Arc<Target>], now: OffsetDateTime) -> anyhow::Result<Settings> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = Settings::with_stores(targets, Arc::clone(&self.network), now, &mut stores)?;
        stores.problems().iter().for_each(|problem| warn(problem));
        Ok(settings)
    }

    async fn run(
        &self,
        targets: Vec<Arc<Target>>,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<Report> {
        let now = settings::now();
        let settings =
            Settings { threshold: self.args.fail_on.threshold(), ..self.settings(&targets, now)? };
        let mut checkpoint = Checkpoint::open(&gate(&self.args), now)?;
        let (mut targets, ending) = run::audit_all(targets, settings, stop).await;
        for report in &mut targets {
            checkpoint.apply(report);
        }
        let threshold = self.args.fail_on.threshold();
        Ok(Report {
            started_at: now,
            finished_at: settings::now(),
            targets,
            interrupted: ending.stopped,
            kind: ReportKind::Endpoints,
            options: ReportOptions { threshold, ..ReportOptions::default() },
        })
    }
}

fn targets(args: &ServeArgs, warnings: &mut Warnings) -> anyhow::Result<Vec<Arc<Target>>> {
    let listed = targets::read(&args.source, &args.limits, Listed::default(), warnings)?;
    Ok(listed.targets.iter().collect())
}

/// Whether there is no target at all.
fn is_bare(args: &ServeArgs) -> bool {
    args.source.targets.is_empty() && args.source.config.is_none()
}

fn gate(args: &ServeArgs) -> GateArgs {
    GateArgs { gate: args.gate.clone(), fail_on: args.fail_on, ..GateArgs::default() }
}

fn is_called(target: &Target, name: &str) -> bool {
    let host = target.host().map(ToString::to_string).unwrap_or_default();
    let endpoint = name.parse().ok().map(|address| Options::default().target(address, None, None));
    name == target.name
        || name.eq_ignore_ascii_case(&host)
        || endpoint.is_some_and(|other| other.kind == target.kind)
}

fn rendered(render: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    // Writing to memory cannot fail.
    let _ = render(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}
