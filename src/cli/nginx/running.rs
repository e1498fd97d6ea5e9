//! Holds the running nginx against the files that it was started from.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::cli::installed::Master;
use crate::cli::settings;
use crate::log::line;
use crate::nginx::facts::{Fact, FactKind, Unloaded};
use crate::nginx::problem::Span;
use crate::nginx::tree::{Directive, Tree};

/// How far the times of processes and files may be apart without meaning anything: the kernel tells when it was booted
/// in whole seconds.
const SLACK: Duration = Duration::seconds(2);

/// How much of the end of an error log is read, in bytes.
const LOG_TAIL: u64 = 1024 * 1024;

/// What the running master has not loaded. `files` are those that the directives name, with their directives; `path`
/// says where a file is on this machine.
pub(super) fn facts(
    master: &Master,
    tree: &Tree,
    files: &[(Span, String)],
    path: impl Fn(&str) -> PathBuf,
) -> Vec<Fact> {
    let main = Span { file: tree.main.as_str().into(), line: 1, column: 1 };
    let mut all = Vec::new();
    let mut say = |span: &Span, what: Unloaded| {
        all.push(Fact { span: span.clone(), kind: FactKind::NotRunning(what) });
    };
    if let Some(what) = replaced_library(master) {
        say(&main, what);
    }
    if let Some(what) = replaced_program(master) {
        say(&main, what);
    }
    let Some((pid, loaded)) = master.loaded else { return all };
    let who = if pid == master.pid { "process" } else { "worker process" };
    let written = tree.files.keys().map(|name| {
        let span = Span { file: name.clone(), line: 1, column: 1 };
        (span, name.to_string())
    });
    for (span, name) in written.chain(files.iter().cloned()) {
        let Some(changed) = changed(&path(&name)).filter(|changed| *changed > loaded + SLACK)
        else {
            continue;
        };
        let seen = format!("changed at {}; {who} {pid} is from {}", text(changed), text(loaded));
        say(&span, Unloaded::File { path: name, seen });
    }
    if let Some(what) = failed_reload(master, tree, loaded, path) {
        say(&main, what);
    }
    all
}

fn replaced_library(master: &Master) -> Option<Unloaded> {
    let library = master.library.as_ref().filter(|library| library.is_replaced)?;
    Some(Unloaded::Replaced {
        path: library.path.clone(),
        running: library.text.clone(),
        now: library.replaced_by.clone(),
        seen: format!("master process {} has the old file in memory", master.pid),
    })
}

fn replaced_program(master: &Master) -> Option<Unloaded> {
    master.is_replaced.then(|| Unloaded::Replaced {
        path: master.binary.display().to_string(),
        running: master.build.as_ref().map(ToString::to_string),
        now: master.replaced_by.as_ref().map(ToString::to_string),
        seen: format!("master process {} runs the old file", master.pid),
    })
}

/// When a file was written, or the link to it made.
fn changed(path: &Path) -> Option<OffsetDateTime> {
    let written = fs::metadata(path).ok()?.modified().ok()?;
    let linked = path.symlink_metadata().ok()?.modified().ok()?;
    Some(written.max(linked).into())
}

fn text(moment: OffsetDateTime) -> String {
    let whole = moment.replace_nanosecond(0).unwrap_or(moment);
    whole.format(&Rfc3339).unwrap_or_default()
}

/// The last message about a reload that failed since the workers were started. Only the master's own counts: `nginx -t`
/// and `nginx -s` write theirs with another process id.
fn failed_reload(
    master: &Master,
    tree: &Tree,
    loaded: OffsetDateTime,
    path: impl Fn(&str) -> PathBuf,
) -> Option<Unloaded> {
    let offset = Duration::seconds(settings::local_offset(loaded));
    let named = tree.directives.iter().filter(|one| one.name == "error_log");
    let mut logs: Vec<&str> = named.map(Directive::first).collect();
    if logs.is_empty() {
        logs.push(built_in_log(master));
    }
    for log in logs.into_iter().map(|log| master.full_name(log)) {
        let Some(tail) = tail(&path(&log)) else { continue };
        let failed = tail.split(|byte| *byte == b'\n').rev().find_map(|bytes| {
            let line = line::parse(bytes);
            let is_its = line.level == Some("emerg") && line.pid == Some(master.pid.into());
            let at = OffsetDateTime::from_unix_timestamp(line.time?).ok()? - offset;
            (is_its && at + SLACK >= loaded)
                .then(|| (String::from_utf8_lossy(&line.message).into_owned(), at))
        });
        if let Some((words, at)) = failed {
            let seen = format!("logged at {} by master process {} in {log}", text(at), master.pid);
            return Some(Unloaded::Reload { words, seen });
        }
    }
    None
}

/// The log of a configuration without `error_log`.
fn built_in_log(master: &Master) -> &str {
    let built = master.build.as_ref().and_then(|build| build.argument("--error-log-path"));
    built.unwrap_or("logs/error.log")
}

/// The end of a file.
#[expect(clippy::disallowed_methods, reason = "the error log is named by the configuration")]
fn tail(path: &Path) -> Option<Vec<u8>> {
    let is_file = fs::metadata(path).ok()?.is_file();
    let mut file = fs::File::open(path).ok().filter(|_| is_file)?;
    let length = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
