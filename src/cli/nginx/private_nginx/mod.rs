//! A private nginx that runs a copy of the configuration in its own folder and on its own sockets.

mod links;
mod ports;
mod process;
mod stand_in_pair;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use tempfile::TempDir;

use self::process::Process;
use crate::cli::args::NginxArgs;
use crate::cli::errors::UsageError;
use crate::cli::installed;
use crate::nginx::build::Build;
use crate::nginx::defaults::NginxRelease;
use crate::nginx::listener::ListenAddress;
use crate::nginx::rehearsal::{
    CopyError, Message, Omission, Relocated, Relocation, copy, opened_files, original, sockets,
    test_copy,
};
use crate::nginx::tree::Tree;
use crate::probe::stand_ins::StandIns;
use crate::targets::Target;
use crate::targets::from_nginx::endpoints_of;
use crate::targets::from_nginx::unreadable::{
    UnreadablePair, UnreadableSetting, unreadable_pairs, unreadable_settings,
};
use crate::targets::regular_file;

/// Attempts to start: another process may take a socket first.
const TRIES: usize = 3;

/// The first release with the option `-e`.
const ERROR_LOG_OPTION: NginxRelease = NginxRelease::new(1, 19, 5);

/// The nginx that runs the copy.
#[derive(Clone, Debug)]
pub(super) struct NginxProgram {
    pub(super) binary: PathBuf,
    pub(super) build: Build,
    /// The configuration file of its OpenSSL, if that is not the library's own.
    pub(super) openssl_conf: Option<PathBuf>,
    /// Whether it runs the configuration's scripts.
    pub(super) scripts: bool,
}

impl NginxProgram {
    /// The named nginx; for a rehearsal without one, that of this machine.
    pub(super) fn of(args: &NginxArgs) -> anyhow::Result<Option<Self>> {
        let here = || if args.rehearse { installed::find() } else { None };
        let Some(binary) = args.source.release.nginx_binary.clone().or_else(here) else {
            if args.rehearse {
                return Err(UsageError::new(
                    "no nginx was found to rehearse with",
                    "name one: --nginx-binary FILE",
                ));
            }
            return Ok(None);
        };
        let build = installed::build(&binary)?;
        let scripts = args.rehearse_scripts;
        Ok(Some(Self { binary, build, openssl_conf: None, scripts }))
    }
}

/// The result of starting a rehearsal.
#[derive(Debug)]
pub(super) enum StartOutcome {
    /// nginx is serving.
    Serves(Box<PrivateNginx>),
    /// nginx does not serve.
    Ended(ConfigurationAnswer),
}

/// nginx's answer about a configuration that it does not serve.
#[derive(Debug)]
pub(super) enum ConfigurationAnswer {
    /// It accepts the configuration.
    Accepted,
    /// It refuses the configuration.
    Refused(Message),
    /// There is no answer, for a reason that has nothing to do with the configuration.
    Untested(Message),
}

/// A private nginx that is serving; dropping this ends it.
#[derive(Debug)]
pub(super) struct PrivateNginx {
    // Dropped, and so ended, before its folder is removed.
    _process: Process,
    relocation: Relocation,
    left_out: Vec<Omission>,
    unreadable: Vec<UnreadablePair>,
    unreadable_settings: Vec<UnreadableSetting>,
    _folder: TempDir,
}

impl PrivateNginx {
    /// Where connections go.
    pub(super) fn stand_ins(&self) -> StandIns {
        let mut all = StandIns::default();
        // A socket with a specific address takes precedence over one for all addresses.
        let is_any = |address: &ListenAddress| matches!(address, ListenAddress::Ip(ip) if ip.ip().is_unspecified());
        let (any, own): (Vec<_>, Vec<_>) =
            self.relocation.stand_ins.iter().partition(|(address, _)| is_any(address));
        for (address, stand_in) in own.into_iter().chain(any) {
            let ListenAddress::Ip(stand_in) = stand_in else { continue };
            for (host, port) in endpoints_of(address) {
                all.put(&host, port, SocketAddr::new(stand_in.ip(), stand_in.port()));
            }
        }
        all
    }

    /// Marks what cannot be tested in a rehearsal.
    pub(super) fn mark(&self, targets: &mut [Arc<Target>]) {
        let unstapled = self.left_out.contains(&Omission::Stapling);
        for target in targets.iter_mut().filter(|target| unstapled && target.staples) {
            Arc::make_mut(target).unstapled = true;
        }
    }

    /// The certificates that are replaced, because they cannot be loaded.
    pub(super) fn unreadable(&self) -> &[UnreadablePair] {
        &self.unreadable
    }

    /// The settings that are removed, because their files cannot be loaded.
    pub(super) fn unreadable_settings(&self) -> &[UnreadableSetting] {
        &self.unreadable_settings
    }

    /// The parts of the configuration that the copy omits.
    pub(super) fn left_out(&self) -> &[Omission] {
        &self.left_out
    }
}

/// Starts nginx with the configuration. A configuration that this program cannot read is only tested, because its
/// sockets are unknown. Files that are given with a text are replaced by it, and certificates that cannot be loaded by others.
pub(super) fn start(
    tree: &Tree,
    program: &NginxProgram,
    changed: &[(String, Vec<u8>)],
) -> anyhow::Result<StartOutcome> {
    let unreadable = unreadable_pairs(tree);
    let mut replaced = stand_in_pair::files(&unreadable)?;
    replaced.extend_from_slice(changed);
    let mut tries = 0;
    loop {
        tries += 1;
        match start_once(tree, program, &replaced)? {
            StartOutcome::Ended(ConfigurationAnswer::Untested(message))
                if tries < TRIES && message.words.contains(IN_USE) => {}
            StartOutcome::Serves(running) => {
                let running = PrivateNginx { unreadable, ..*running };
                return Ok(StartOutcome::Serves(Box::new(running)));
            }
            outcome @ StartOutcome::Ended(_) => return Ok(outcome),
        }
    }
}

const IN_USE: &str = "Address already in use";

fn start_once(
    tree: &Tree,
    program: &NginxProgram,
    changed: &[(String, Vec<u8>)],
) -> anyhow::Result<StartOutcome> {
    let (folder, path) = own_folder()?;
    let (settings, removed) = unreadable_settings(tree);
    let sockets = match sockets(tree) {
        Ok(sockets) => sockets,
        Err(error) => return Ok(StartOutcome::Ended(untested(tree, &error))),
    };
    let relocation = Relocation {
        stand_ins: ports::stand_ins(&sockets).context("no socket is free on loopback")?,
        arguments: program.build.arguments.clone(),
        scripts: program.scripts,
        replaced: replaced(changed, &path),
        removed,
        folder: path,
    };
    let copy = match copy(tree, &relocation) {
        Ok(copy) => copy,
        Err(error) => return Ok(StartOutcome::Ended(untested(tree, &error))),
    };
    if let Some(message) = waits_for(tree, &relocation) {
        return Ok(StartOutcome::Ended(ConfigurationAnswer::Untested(message)));
    }
    write(&copy, tree, &relocation).context("cannot copy the configuration")?;
    for (name, text) in changed {
        fs::write(&relocation.replaced[name], text)?;
    }
    let only_test = !tree.problems.is_empty();
    let mut process = run(program, &relocation, &copy, only_test)?;
    if only_test {
        process.ends()?;
    } else if process.serves()? {
        let left_out = copy.left_out;
        return Ok(StartOutcome::Serves(Box::new(PrivateNginx {
            _process: process,
            relocation,
            left_out,
            unreadable: Vec::new(),
            unreadable_settings: settings,
            _folder: folder,
        })));
    }
    Ok(StartOutcome::Ended(answer(tree, &relocation, program, &process.said())?))
}

/// Tests the configuration as it is with `nginx -t`, on a copy of its files.
pub(super) fn test(tree: &Tree, program: &NginxProgram) -> anyhow::Result<ConfigurationAnswer> {
    let (_folder, path) = own_folder()?;
    let relocation = Relocation {
        stand_ins: BTreeMap::new(),
        arguments: Vec::new(),
        scripts: true,
        replaced: BTreeMap::new(),
        removed: BTreeSet::new(),
        folder: path,
    };
    if let Some(message) = waits_for(tree, &relocation) {
        return Ok(ConfigurationAnswer::Untested(message));
    }
    let copy = test_copy(tree, &relocation);
    write(&copy, tree, &relocation).context("cannot copy the configuration")?;
    let mut process = run(program, &relocation, &copy, true)?;
    process.ends()?;
    answer(tree, &relocation, program, &process.said())
}

/// What nginx would wait for instead of answering: a pipe or a device among its files. A pipe that was read is empty, so it is
/// left to the nginx that it is meant for.
fn waits_for(tree: &Tree, relocation: &Relocation) -> Option<Message> {
    opened_files(tree, relocation).into_iter().find_map(|(span, name)| {
        let kind = regular_file::kind(Path::new(&name)).ok()?;
        if !kind.keeps_waiting() {
            return None;
        }
        let words = format!("nginx was not started, because \"{name}\" is a {kind}");
        Some(Message { words, span: span.clone() })
    })
}

/// A new folder for a copy, and its path.
fn own_folder() -> anyhow::Result<(TempDir, String)> {
    let folder = tempfile::Builder::new().prefix("shakedown-").tempdir()?;
    let path = folder.path().canonicalize()?;
    let path = path.to_str().context("the temporary folder is not valid UTF-8")?.to_owned();
    if path.contains(['*', '?', '[', '\\']) {
        bail!("the temporary folder {path} has a name that nginx would read as a pattern");
    }
    // If the master runs as root, its workers have fewer rights, but must be able to read the folder.
    let is_root = fs::metadata(&path)?.uid() == 0;
    fs::set_permissions(&path, fs::Permissions::from_mode(if is_root { 0o711 } else { 0o700 }))?;
    Ok((folder, path))
}

fn run(
    program: &NginxProgram,
    relocation: &Relocation,
    copy: &Relocated,
    only_test: bool,
) -> anyhow::Result<Process> {
    let mut arguments = vec!["-c", copy.main.as_str()];
    if !copy.globals.is_empty() {
        arguments.extend(["-g", copy.globals.as_str()]);
    }
    if program.build.version >= ERROR_LOG_OPTION {
        arguments.extend(["-e", "stderr"]);
    }
    if only_test {
        arguments.push("-t");
    }
    let started = (program.binary.as_path(), program.openssl_conf.as_deref());
    Process::start(started, &relocation.folder, &arguments)
        .context("cannot run /bin/sh, which starts nginx")
}

/// The path of each changed file.
fn replaced(changed: &[(String, Vec<u8>)], folder: &str) -> BTreeMap<String, String> {
    let names = changed.iter().enumerate();
    names.map(|(at, (name, _))| (name.clone(), format!("{folder}/run/changed-{at}"))).collect()
}

/// What nginx's messages mean after it has ended.
fn answer(
    tree: &Tree,
    relocation: &Relocation,
    program: &NginxProgram,
    said: &str,
) -> anyhow::Result<ConfigurationAnswer> {
    // What follows concerns this machine: sockets, logs, the pid file.
    if said.contains("syntax is ok") {
        return Ok(ConfigurationAnswer::Accepted);
    }
    let emergency = said.lines().find_map(|line| line.split_once("[emerg] "));
    let Some((_, emergency)) = emergency else {
        let words = if said.trim().is_empty() { "it gave no message in time" } else { said.trim() };
        bail!("{} did not start: {words}", program.binary.display());
    };
    let message = original(tree, relocation, emergency);
    // These errors concern this machine or the user who runs shakedown.
    let is_local =
        ["bind() to ", "Permission denied", "Too many open files", "still could not bind"]
            .iter()
            .any(|words| message.words.contains(words));
    Ok(if is_local {
        ConfigurationAnswer::Untested(message)
    } else {
        ConfigurationAnswer::Refused(message)
    })
}

fn untested(tree: &Tree, error: &CopyError) -> ConfigurationAnswer {
    let words = error.to_string();
    ConfigurationAnswer::Untested(match error {
        CopyError::NoName => Message::whole(&tree.main, words),
        CopyError::TooManyPorts(span) | CopyError::Traffic(span, _) => {
            Message { words, span: span.clone() }
        }
    })
}

/// Writes the copy, readable only by its owner.
fn write(copy: &Relocated, tree: &Tree, relocation: &Relocation) -> io::Result<()> {
    let mut folders = fs::DirBuilder::new();
    folders.recursive(true).mode(0o711);
    folders.create(format!("{}/run", relocation.folder))?;
    for (path, text) in &copy.files {
        if let Some(folder) = Path::new(path).parent() {
            folders.create(folder)?;
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(text)?;
    }
    links::beside(tree, relocation, &copy.main)
}
