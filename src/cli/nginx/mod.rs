//! `nginx`: reads a configuration, audits every listener and upstream, and writes the fixes that work as a patch.

mod against;
mod candidate_runner;
mod configuration_answer;
mod failed_reload;
mod fixes;
mod manifests;
mod private_nginx;
mod rehearsal;
mod requests;
mod running;
pub(in crate::cli) mod source;

use std::path::{self, Path, PathBuf};
use std::sync::Arc;

use self::against::ReplayedClients;
use self::private_nginx::NginxProgram;
use self::rehearsal::{Rehearsal, rehearse, targets};
use self::source::Configuration;
use super::args::{ConfigurationArgs, Framing, NginxArgs, ReleaseArgs};
use super::engine::{Done, Job, carry_out};
use super::errors::{UsageError, warn};
use super::exit::Exit;
use super::input;
use super::installed::{ConfigurationPlace, JudgedNginx};
use crate::audit::finding::Fix;
use crate::audit::ignore::IgnoreComment;
use crate::audit::judge::{Judgement, judge_settings};
use crate::audit::listener::Candidate;
use crate::nginx::build::Build;
use crate::nginx::edit::Patch;
use crate::nginx::kubernetes::material::{self, SecretFiles};
use crate::nginx::problem::Span;
use crate::nginx::rehearsal::tcp_sockets;
use crate::nginx::tree::Tree;
use crate::nginx::variable::Variables;
use crate::observation::{Observation, Untried};
use crate::probe::scan::Depth;
use crate::report::Format;
use crate::run::TargetReport;
use crate::targets::address::parse_host;
use crate::targets::from_nginx::written::has_scripts;
use crate::targets::from_nginx::{Found, Premises, Untestable};
use crate::targets::identity::read_identity;
use crate::targets::opened_files::OpenedFiles;
use crate::targets::options::Options;
use crate::targets::{Origin, Target, TargetKind};
use crate::tls::profile::Profile;

/// Runs the subcommand.
pub(super) fn run(args: &NginxArgs) -> anyhow::Result<Exit> {
    check_output(args)?;
    check_stdin(args)?;
    let mut program = NginxProgram::of(args)?;
    let mut configuration = read(args)?;
    let mut nginx = match &mut program {
        Some(program) => {
            let nginx = args.source.named_nginx(&configuration, &program.build);
            let system = nginx.system.clone();
            program.openssl_conf = system.is_named.then(|| system.file.into());
            nginx
        }
        None => args.source.nginx(&configuration),
    };
    nginx.version = nginx.version.or(configuration.release);
    configuration.check_text(nginx.version);
    let old = args.against.as_deref().map(|old| against::read(old, args)).transpose()?;
    let requests = requests::read(args, &configuration, old.as_ref())?;
    let ignored = configuration.ignored();
    let options = options(args)?;
    let premises = premises(args, &options, &nginx, &configuration, &ignored)?;
    configuration.check_startup(&premises, args.is_static, nginx.master.as_ref());
    let mut rehearsal = None;
    match &program {
        Some(program) if args.rehearse => rehearsal = Some(rehearse(program, &mut configuration)?),
        Some(program) => configuration.ask(program, args.source.root.is_some()),
        None => {}
    }
    let mut found = if args.is_static {
        Found::default()
    } else {
        targets(&configuration, &premises, rehearsal.as_ref())
    };
    configuration.leave_keys_to(&found.targets);
    let mut clients = ReplayedClients::of(args);
    clients.add(requests.as_ref().map(requests::clients).unwrap_or_default());
    ask_about(&mut found.targets, &clients.named);
    if let (Some(old), Some(program)) = (old, &program) {
        let how = (program, &premises);
        let compared = against::mark(old, &mut found.targets, &clients, args, how)?;
        if let Some(rehearsal) = &mut rehearsal {
            rehearsal.rehearsed.compared = Some(compared);
        }
    }
    if let Some(requests) = &requests {
        let is_compared = args.against.is_some();
        requests::mark(requests, &mut found.targets, &configuration.listeners, is_compared);
    }
    let known = known(args, &configuration, &options, &found.untestable);
    if found.targets.is_empty() && known.is_empty() {
        return Err(nothing_to_test(&configuration));
    }
    let job = Job {
        targets: found.targets.into(),
        depth: Depth {
            scan: args.scan || args.standard.policy.is_some() || requests.is_some(),
            clients: clients.tried,
            ..Depth::default()
        },
        policy: args.standard.policy()?,
        rehearsal: rehearsal.as_ref().map(|rehearsal| rehearsal.rehearsed.clone()),
        runnable: rehearsal
            .as_ref()
            .and_then(|rehearsal| rehearsal.runnable(args, &configuration, &premises)),
        stand_ins: rehearsal.as_ref().map(Rehearsal::stand_ins).unwrap_or_default(),
        known,
        ignored,
        keep_fixes: wants_fixes(args),
        root: args.source.root.clone(),
    };
    let mut run = args.run.clone();
    if args.diff && configuration.tree.is_none() {
        run.report.framing = Framing::Comments;
    }
    let Done { exit, fixes, changes, .. } = carry_out(job, &run)?;
    drop(rehearsal);
    if configuration.tree.is_none() && args.diff {
        if let Err(error) = manifests::show(&fixes) {
            warn(&error.to_string());
        }
    } else if let Some(tree) = configuration.tree.filter(|_| wants_fixes(args)) {
        // The audit is reported; writing the patch does not change its exit status.
        if let Err(error) = hand_over(args, &tree, &found.places, (&fixes, &changes)) {
            warn(&error.to_string());
        }
    }
    Ok(exit)
}

/// Notes in each listener the clients that the operator names one by one; those of a capture have no names.
fn ask_about(targets: &mut [Arc<Target>], clients: &[&'static Profile]) {
    let named = clients.iter().copied().filter(|client| client.captured.is_none());
    let named: Vec<&'static Profile> = named.collect();
    let listeners = targets.iter_mut().filter(|target| target.is_tcp_listener());
    for target in listeners.filter(|_| !named.is_empty()) {
        Arc::make_mut(target).expect.asked.clone_from(&named);
    }
}

fn wants_fixes(args: &NginxArgs) -> bool {
    args.diff || args.write.is_some()
}

fn read(args: &NginxArgs) -> anyhow::Result<Configuration> {
    let variables: Variables = args.source.var.iter().cloned().collect();
    let how = (&variables, args.next);
    let mut configuration = Configuration::read(&args.config, args.source.root.as_deref(), how)?;
    configuration.provide_files(given_secrets(&args.source.secret)?);
    if !args.rehearse {
        configuration.check_readable()?;
    }
    if args.write.is_some() && configuration.tree.is_none() {
        return Err(UsageError::new(
            "a copy of Kubernetes objects cannot be written",
            "remove --write; --diff prints manifests with the fixes",
        ));
    }
    Ok(configuration)
}

/// The largest file of a Secret; Kubernetes allows 1 MiB.
const MAX_SECRET: u64 = 4 * 1024 * 1024;

fn given_secrets(given: &[(String, PathBuf)]) -> anyhow::Result<SecretFiles> {
    let mut all = SecretFiles::new();
    for (id, file) in given {
        all.extend(material::given(id, &input::bytes(file, MAX_SECRET)?));
    }
    Ok(all)
}

fn options(args: &NginxArgs) -> anyhow::Result<Options> {
    Ok(Options {
        roots: args.trust.roots(),
        add_ca_files: (!args.trust.add_ca_file.is_empty()).then(|| args.trust.add_ca_file.clone()),
        client_certificate: args.client_cert.as_deref().map(path::absolute).transpose()?,
        client_key: args.client_key.as_deref().map(path::absolute).transpose()?,
        timeout: args.run.limits.timeout,
        ..Options::default()
    })
}

fn premises<'a>(
    args: &NginxArgs,
    options: &'a Options,
    nginx: &JudgedNginx,
    configuration: &Configuration,
    ignored: &[IgnoreComment],
) -> anyhow::Result<Premises<'a>> {
    let identity =
        options.identity_files().map(|(certificate, key)| read_identity(&certificate, &key, None));
    Ok(Premises {
        options,
        identity: identity.transpose()?.map(Arc::new),
        connect: args.source.connect.as_deref().map(parse_host).transpose()?,
        root: args.source.root.clone(),
        request: !args.no_request,
        version: nginx.version,
        library: nginx.library,
        foreign: nginx.foreign.clone(),
        system: nginx.system.commands.clone(),
        apart: ignored.iter().map(|one| (one.origin.file.clone(), one.origin.line)).collect(),
        sockets: configuration.tree.as_ref().map(tcp_sockets).unwrap_or_default(),
        is_live: is_live(args, configuration),
        rehearsed: args.rehearse,
        opened: OpenedFiles::default(),
    })
}

/// Whether the sockets are those of this machine's nginx, and nothing but its configuration decides what they do.
fn is_live(args: &NginxArgs, configuration: &Configuration) -> bool {
    let is_elsewhere = args.rehearse || args.source.root.is_some() || args.source.connect.is_some();
    let scripts = configuration.tree.as_ref().is_some_and(has_scripts);
    !is_elsewhere && !scripts && configuration.place_here().is_some()
}

fn hand_over(
    args: &NginxArgs,
    tree: &Tree,
    places: &[Vec<Span>],
    (fixes, changes): (&[(usize, Fix)], &[Candidate]),
) -> anyhow::Result<()> {
    let patch = fixes::patch(tree, places, fixes, changes)?;
    let chains = fixes::chain_files(changes);
    if args.diff {
        let files = patch.files.iter().chain(&chains).cloned().collect();
        fixes::show(&Patch { files }, args.source.root.as_deref())?;
    }
    match &args.write {
        Some(folder) => fixes::write(&patch, &chains, tree, folder),
        None => Ok(()),
    }
}

/// Refuses a patch that could not be written, before anything is probed. A patch can follow a report in text, but not
/// one in a format for programs.
fn check_output(args: &NginxArgs) -> anyhow::Result<()> {
    if args.run.fleet.is_part() {
        return Err(UsageError::new(
            "--shard and --resume are for probe and scan",
            "a configuration is always audited as a whole; remove them",
        ));
    }
    if let Some(folder) = &args.write {
        fixes::check_empty(folder)?;
    }
    let report = &args.run.report;
    let to_stdout = report.output.iter().all(|one| one.format.is_some());
    if args.diff && to_stdout && report.format != Format::Table {
        return Err(UsageError::new(
            format!("--diff and --format {} both write to stdout", report.format.name()),
            "write the report to a file: --output FILE",
        ));
    }
    Ok(())
}

/// Refuses to read standard input twice: the second time it has ended.
fn check_stdin(args: &NginxArgs) -> anyhow::Result<()> {
    let files = [&args.config].into_iter().chain(&args.against).chain(&args.access_log);
    if files.filter(|path| *path == Path::new("-")).count() < 2 {
        return Ok(());
    }
    Err(UsageError::new("stdin is given twice", "- can stand for one file; name the others"))
}

impl ConfigurationArgs {
    /// The nginx that this configuration is judged as: that of the options, or that of this machine if the configuration
    /// is this machine's.
    fn nginx(&self, configuration: &Configuration) -> JudgedNginx {
        let ReleaseArgs { nginx_version: version, openssl_version: library, no_detect, .. } =
            self.release;
        let named = self.release.openssl_conf.as_deref();
        let given = JudgedNginx::given(&self.release);
        if no_detect || self.connect.is_some() || version.is_some() {
            return given;
        }
        let Some(place) = self.place(configuration) else { return given };
        let detected = JudgedNginx::detect(place, named);
        match library {
            Some(_) => JudgedNginx { library, foreign: None, ..detected },
            None => detected,
        }
    }

    /// The nginx of a program that is named.
    fn named_nginx(&self, configuration: &Configuration, build: &Build) -> JudgedNginx {
        let is_elsewhere = self.release.no_detect || self.connect.is_some();
        let place = self.place(configuration).filter(|_| !is_elsewhere);
        JudgedNginx::named(build, place, self.release.openssl_conf.as_deref())
    }

    /// Where the configuration is, if this machine has it.
    fn place<'c>(&'c self, configuration: &'c Configuration) -> Option<ConfigurationPlace<'c>> {
        let tree = configuration.tree.as_ref()?;
        match &self.root {
            Some(root) => {
                configuration.on_disk.then(|| ConfigurationPlace::Below(root, &tree.main))
            }
            None => configuration.place_here().map(ConfigurationPlace::Here),
        }
    }
}

fn nothing_to_test(configuration: &Configuration) -> anyhow::Error {
    let name = &configuration.name;
    if configuration.listeners.is_empty() {
        return UsageError::new(
            format!("no listener or upstream with TLS in {name}"),
            "give the main file; shakedown reads the files that it includes",
        );
    }
    UsageError::new(
        format!("no listener in {name} accepts a client: all refuse every name"),
        "a server without ssl_reject_handshake is needed for a test",
    )
}

/// What is known before anything is probed: findings in the text, and targets that cannot be probed.
fn known(
    args: &NginxArgs,
    configuration: &Configuration,
    options: &Options,
    untestable: &[Untestable],
) -> Vec<TargetReport> {
    let threshold = args.run.gate.fail_on.threshold();
    let report = |name: &str, origin: Origin, judgement: Judgement, seen| {
        let target = options.target_of(TargetKind::Configuration, name.to_owned(), Some(origin));
        TargetReport::new(Arc::new(target), seen, judgement, threshold)
    };
    let mut reports = Vec::new();
    let judgement = judge_settings(&configuration.facts);
    if !judgement.findings.is_empty() || args.is_static {
        let origin = Origin { file: configuration.name.clone(), line: 1, column: 1 };
        let nothing = Observation::not_tried(Untried::TextOnly);
        reports.push(report(&configuration.name, origin, judgement, nothing));
    }
    reports.extend(untestable.iter().map(|one| {
        let origin = Origin {
            file: one.span.file.to_string(),
            line: one.span.line,
            column: one.span.column,
        };
        let judgement = Judgement {
            untested: vec![("not-tested", one.reason.clone())],
            ..Judgement::default()
        };
        let seen = Observation::not_tried(Untried::Impossible(one.reason.clone()));
        report(&one.name, origin, judgement, seen)
    }));
    reports
}
