//! Two servers, one with a fault, and the output of a command for each.

use std::any::Any;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use super::commands;
use crate::support::pki::{Files, Pki};
use crate::support::program::text;
use crate::support::server::Nginx;

/// A command that runs longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// The same for a command that should hang.
const LITTLE_PATIENCE: Duration = Duration::from_secs(3);

/// How the fault shows in the output of one finding's commands.
pub(super) enum Sign {
    /// A command fails.
    Fails,
    /// It succeeds, which it should not.
    Works,
    /// It does not end.
    Hangs,
    /// It prints this text.
    Says(String),
    /// It does not print this text.
    Lacks(String),
    /// Its output matches this pattern.
    Shape(fn(&str) -> bool),
    /// The first fails and the second succeeds.
    FirstAlone,
}

impl Sign {
    pub(super) fn says(words: impl Into<String>) -> Self {
        Self::Says(words.into())
    }

    pub(super) fn lacks(words: impl Into<String>) -> Self {
        Self::Lacks(words.into())
    }

    /// The time limit of a command.
    pub(super) fn patience(&self) -> Duration {
        if matches!(self, Self::Hangs) { LITTLE_PATIENCE } else { PATIENCE }
    }

    /// Whether each command shows the fault; curl over TLS shows every fault by failing.
    pub(super) fn shows(&self, shown: &[Shown]) -> bool {
        let one = |shown: &Shown| match self {
            _ if shown.command.starts_with("curl ") && shown.command.contains("https://") => {
                !shown.works
            }
            Self::Fails => !shown.works,
            Self::Works => shown.works,
            Self::Hangs => shown.hangs,
            Self::Says(words) => shown.text.contains(words),
            Self::Lacks(words) => !shown.text.contains(words),
            Self::Shape(shape) => shape(&shown.text),
            Self::FirstAlone => false,
        };
        match (self, shown) {
            (Self::FirstAlone, [first, second]) => !first.works && second.works,
            _ => shown.iter().all(one),
        }
    }
}

/// The result of a command.
#[derive(Debug)]
pub(super) struct Shown {
    command: String,
    works: bool,
    hangs: bool,
    pub(super) text: String,
}

impl Shown {
    /// Runs a command in a shell, with a time limit.
    pub(super) fn by(shell: &str, command: &str, patience: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(shell)
            .args(["-c", command])
            .env("OPENSSL_CONF", "/dev/null")
            .current_dir(folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let (out, err) = (all(child.stdout.take().unwrap()), all(child.stderr.take().unwrap()));
        let started = Instant::now();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if started.elapsed() > patience => break None,
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        if status.is_none() {
            killpg(group, Signal::SIGKILL).unwrap();
            child.wait().unwrap();
        }
        let text = [out.join().unwrap(), err.join().unwrap()].concat();
        let works = status.is_some_and(|status| status.success());
        Self { command: command.to_owned(), works, hangs: status.is_none(), text }
    }
}

fn all(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The installed shells that people paste commands into.
pub(super) fn shells() -> Vec<&'static str> {
    let there = |shell: &&str| Command::new(shell).args(["-c", "true"]).output().is_ok();
    ["sh", "zsh"].into_iter().filter(there).collect()
}

/// A server with a fault and one without, each with its address, and how they are audited.
pub(super) struct Scene {
    pub(super) faulty: String,
    pub(super) healthy: String,
    /// The arguments for the one with the fault, with `ADDRESS` as its address.
    pub(super) args: Vec<String>,
    /// The same for the one without.
    pub(super) healthy_args: Vec<String>,
    pub(super) sign: Sign,
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) kept: Vec<Box<dyn Any>>,
}

impl Scene {
    /// Two servers that are audited under the name a.test with this CA.
    pub(super) fn new(faulty: &impl ToString, healthy: &impl ToString, sign: Sign) -> Self {
        let args = vec!["probe".to_owned(), "a.test:443:ADDRESS".to_owned()];
        Self {
            faulty: faulty.to_string(),
            healthy: healthy.to_string(),
            healthy_args: args.clone(),
            args,
            sign,
            environment: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Two nginx with these blocks.
    pub(super) fn of(pki: Pki, faulty: &str, healthy: &str, sign: Sign) -> Self {
        let ca_file = pki.ca_file();
        Self::served(faulty, healthy, sign).with(&["--ca-file", &ca_file]).keep(pki)
    }

    /// The same without a CA.
    pub(super) fn served(faulty: &str, healthy: &str, sign: Sign) -> Self {
        let (faulty, healthy) = (Nginx::start(faulty), Nginx::start(healthy));
        let place = |server: &Nginx| format!("127.0.0.1:{}", server.port);
        Self::new(&place(&faulty), &place(&healthy), sign).keep(faulty).keep(healthy)
    }

    /// The same with more options for both.
    pub(super) fn with(mut self, options: &[&str]) -> Self {
        for args in [&mut self.args, &mut self.healthy_args] {
            args.extend(options.iter().map(ToString::to_string));
        }
        self
    }

    /// The same with other arguments for both.
    pub(super) fn by(mut self, args: &[&str]) -> Self {
        self.args = args.iter().map(ToString::to_string).collect();
        self.healthy_args = self.args.clone();
        self
    }

    /// The same with an environment variable for the audits.
    pub(super) fn env(mut self, name: &'static str, value: String) -> Self {
        self.environment.push((name, value));
        self
    }

    /// The same, keeping something alive until the end.
    pub(super) fn keep(mut self, thing: impl Any) -> Self {
        self.kept.push(Box::new(thing));
        self
    }

    /// The one target of an audit.
    pub(super) fn audit(&self, address: &str, args: &[String]) -> Value {
        let args = args.iter().map(|arg| arg.replace("ADDRESS", address));
        let output = Command::new(env!("CARGO_BIN_EXE_shakedown"))
            .args(args)
            .args(["--format", "json", "--timeout", "2s"])
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (*name, value)))
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        report["targets"][0].clone()
    }

    /// The commands in the finding of this rule.
    pub(super) fn printed(&self, rule: &str) -> Vec<String> {
        let target = self.audit(&self.faulty, &self.args);
        let mut findings = target["findings"].as_array().unwrap().iter();
        findings.find(|finding| text(&finding["rule"]) == rule).map(commands).unwrap_or_default()
    }

    /// Whether a command connects to the server with the fault.
    pub(super) fn at_fault(&self, command: &str) -> bool {
        command.contains(&self.faulty)
    }

    /// A command, changed for the other server.
    pub(super) fn at_health(&self, command: &str) -> String {
        command.replace(&self.faulty, &self.healthy)
    }
}

/// The directives for a certificate.
pub(super) fn pair(files: &Files) -> String {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    format!("ssl_certificate {certificate}; ssl_certificate_key {key};")
}

/// A server of nginx with this certificate and these directives.
pub(super) fn block(files: &Files, more: &str) -> String {
    let pair = pair(files);
    format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m; {pair} {more} }}"
    )
}
