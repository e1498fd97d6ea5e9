//! Holds the running nginx against the files that it was started from.

use std::fs;
use std::path::{Path, PathBuf};

use time::{Duration, OffsetDateTime};

use super::failed_reload::{self, text};
use crate::cli::installed::Master;
use crate::nginx::facts::{Fact, FactKind, Unloaded};
use crate::nginx::problem::Span;
use crate::nginx::tree::Tree;

/// How far the times of processes and files may be apart without meaning anything: a file may have the time of another
/// machine.
const SLACK: Duration = Duration::seconds(2);

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
        let is_later = |changed: &OffsetDateTime| *changed > loaded.latest + SLACK;
        let Some(changed) = changed(&path(&name)).filter(is_later) else {
            continue;
        };
        let seen =
            format!("changed at {}; {who} {pid} is from {}", text(changed), text(loaded.earliest));
        say(&span, Unloaded::File { path: name, seen });
    }
    let failed = failed_reload::fact(master, tree, (pid, loaded), path);
    all.extend(failed.map(|kind| Fact { span: main, kind }));
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
