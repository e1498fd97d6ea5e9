//! Tests a configuration with `nginx -t`, on a copy in a temporary folder.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::source::Configuration;
use crate::audit::rule::RuleGroup;
use crate::audit::rules::configuration::rule;
use crate::cli::errors::warn;
use crate::nginx::defaults::NginxRelease;
use crate::nginx::facts::{Fact, FactKind};
use crate::nginx::problem::Span;
use crate::nginx::rehearsal::Message;
use crate::nginx::relocate;
use crate::nginx::tree::Tree;

/// Timeout of nginx, which looks up the hosts in the configuration.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most bytes of its messages that are read.
const MAX_SAID: usize = 1024 * 1024;

/// The first release with the option `-e`.
const ERROR_LOG_OPTION: NginxRelease = NginxRelease::new(1, 19, 5);

impl Configuration {
    /// Tests the configuration with nginx. If nginx accepts it, no refusal remains and nothing is undecided; if not,
    /// its own message is reported. A configuration for another root cannot be tested.
    pub(super) fn ask(&mut self, binary: &Path, version: NginxRelease, has_root: bool) {
        let Some(tree) = self.tree.as_ref().filter(|tree| tree.main.starts_with('/')) else {
            return;
        };
        if has_root {
            return;
        }
        match ask(binary, version, tree) {
            Ok(None) => self.hear(Heard::Accepted),
            Ok(Some(message)) => self.hear(Heard::Refused(message)),
            Err(error) => warn(&format!("could not run nginx -t on the configuration: {error:#}")),
        }
    }

    /// Applies nginx's answer: if it accepts the configuration, no refusal remains and nothing is undecided.
    pub(super) fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Accepted => self.facts.retain(|fact| !is_refusal(fact)),
            Heard::Untested(Message { words, span }) => {
                let reason = format!("could not test: {words}");
                self.facts.push(Fact { span, kind: FactKind::Untested { reason } });
            }
            Heard::Refused(Message { words, span }) => {
                let theirs = Fact { span, kind: FactKind::TestFailed { words } };
                let is_same = |own: &Fact| is_refusal(own) && says_the_same(own, &theirs);
                if !self.facts.iter().any(is_same) {
                    let at = (&theirs.span.file, theirs.span.line);
                    self.facts
                        .retain(|own| !is_refusal(own) || (&own.span.file, own.span.line) != at);
                    self.facts.push(theirs);
                }
            }
        }
    }
}

/// nginx's answer for a configuration.
#[derive(Debug)]
pub(super) enum Heard {
    /// It accepts it.
    Accepted,
    /// It refuses it, with this message.
    Refused(Message),
    /// It cannot be tested, for a reason outside the configuration.
    Untested(Message),
}

fn is_refusal(fact: &Fact) -> bool {
    rule(&fact.kind).group() == Some(RuleGroup::Refused)
}

/// Whether two facts have the same message, except for what OpenSSL adds in parentheses.
fn says_the_same(own: &Fact, theirs: &Fact) -> bool {
    let head = |fact: &Fact| {
        let words = fact.kind.to_string();
        words.split(" (").next().unwrap_or_default().to_owned()
    };
    head(own) == head(theirs)
}

/// Runs nginx; returns its refusal, or `None` if it accepts the configuration.
fn ask(binary: &Path, version: NginxRelease, tree: &Tree) -> anyhow::Result<Option<Message>> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().canonicalize()?;
    let root = root.to_str().context("the temporary folder is not valid UTF-8")?;
    copy(tree, root).context("cannot copy the configuration")?;
    let said = run(binary, version, tree, root)?;
    // Later errors concern this machine, not the configuration: sockets, logs, the pid file.
    if said.contains("syntax is ok") {
        return Ok(None);
    }
    let error = said.lines().find_map(|line| line.split_once("[emerg] ")).map(|(_, error)| error);
    let Some(error) = error else { bail!("{} -t: {}", binary.display(), said.trim()) };
    let error = relocate::original(root, error);
    let has_number = error.starts_with(|c: char| c.is_ascii_digit());
    let words = error.split_once(": ").filter(|_| has_number).map_or(&*error, |(_, words)| words);
    let (words, span) = place(words, tree);
    Ok(Some(Message { words, span }))
}

/// Splits `words in FILE:LINE`; without a place, the message concerns the main file.
fn place(words: &str, tree: &Tree) -> (String, Span) {
    let whole = Span { file: tree.main.as_str().into(), line: 1, column: 1 };
    let split = words.rsplit_once(" in ").and_then(|(words, place)| {
        let (file, line) = place.rsplit_once(':')?;
        let (file, _) = tree.files.get_key_value(file)?;
        Some((words, Span { file: file.clone(), line: line.parse().ok()?, column: 1 }))
    });
    match split {
        Some((words, span)) => (words.to_owned(), span),
        None => (words.to_owned(), whole),
    }
}

fn copy(tree: &Tree, root: &str) -> io::Result<()> {
    fs::create_dir(format!("{root}/run"))?;
    for (name, text) in relocate::copy(tree, root) {
        let path = relocate::place(root, name);
        if let Some(folder) = Path::new(&path).parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
    }
    // Relative names are looked up in the folder of the main file.
    let main = Path::new(&tree.main);
    let copied = relocate::place(root, &tree.main);
    match (main.parent(), Path::new(&copied).parent()) {
        (Some(original), Some(copied)) => neighbours(original, copied),
        _ => Ok(()),
    }
}

/// Links the files next to the copied ones.
fn neighbours(original: &Path, copied: &Path) -> io::Result<()> {
    // A dump may come from another machine.
    let Ok(entries) = fs::read_dir(original) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let target = copied.join(entry.file_name());
        if target.is_dir() {
            neighbours(&entry.path(), &target)?;
        } else if target.symlink_metadata().is_err() {
            symlink(entry.path(), target)?;
        }
    }
    Ok(())
}

fn run(binary: &Path, version: NginxRelease, tree: &Tree, root: &str) -> anyhow::Result<String> {
    let said = format!("{root}/run/said");
    let mut command = Command::new(binary);
    command.arg("-t").arg("-c").arg(relocate::place(root, &tree.main));
    if version >= ERROR_LOG_OPTION {
        command.args(["-e", "stderr"]);
    }
    if !tree.directives.iter().any(|one| one.name == "pid") {
        command.arg("-g").arg(format!("pid {root}/run/nginx.pid;"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&said)?);
    let mut nginx = command.spawn().with_context(|| format!("cannot run {}", binary.display()))?;
    let begun = Instant::now();
    while nginx.try_wait()?.is_none() {
        if begun.elapsed() > PATIENCE {
            nginx.kill()?;
            nginx.wait()?;
            bail!("{} -t took more than {} seconds", binary.display(), PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    #[expect(clippy::disallowed_methods, reason = "the messages were just written")]
    let mut bytes = fs::read(said)?;
    bytes.truncate(MAX_SAID);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
