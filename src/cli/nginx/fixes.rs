//! The fixes that were tried and work, as changes to the configuration.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::{anyhow, bail};

use crate::audit::finding::Fix;
use crate::cli::errors::{UsageError, warn};
use crate::nginx::edit::{self, Edit, Patch};
use crate::nginx::problem::Span;
use crate::nginx::tree::Tree;
use crate::report::escape::escape;

/// The changes, each at every place that leads to the upstream. Where two want different things of one directive, the first
/// is served; of the other, stderr tells.
pub(super) fn patch(
    tree: &Tree,
    places: &[Vec<Span>],
    fixes: &[(usize, Fix)],
) -> anyhow::Result<Patch> {
    let mut edits: Vec<Edit> = Vec::new();
    for (index, fix) in fixes {
        for (place, directive) in places[*index]
            .iter()
            .flat_map(|place| fix.directives.iter().map(move |one| (place, one)))
        {
            let edit = Edit {
                name: directive.name.clone(),
                arguments: arguments(&directive.name, &directive.value),
                at: place.clone(),
            };
            if edits.contains(&edit) {
                continue;
            }
            let taken = edits.iter().any(|known| known.at == edit.at && known.name == edit.name);
            edits.push(edit);
            if taken || edit::patch(tree, &edits).is_err() {
                edits.pop();
                warn(&format!(
                    "at {place} something else is wanted of {}; {} is left out",
                    directive.name, directive.value
                ));
            }
        }
    }
    let patch = edit::patch(tree, &edits)
        .map_err(|error| anyhow!("the fixes cannot be written down: {error}"))?;
    match patch.fault(tree) {
        Some(problem) => bail!("with the fixes nginx would say: {problem}"),
        None => Ok(patch),
    }
}

/// A list of words where the directive takes one, and one word elsewhere.
fn arguments(name: &str, value: &str) -> Vec<String> {
    if name.ends_with("_protocols") {
        value.split(' ').map(ToOwned::to_owned).collect()
    } else {
        vec![value.to_owned()]
    }
}

/// Writes the unified diff to stdout: as it is where a program reads it, without what could steer a terminal on one.
pub(super) fn show(patch: &Patch) -> anyhow::Result<()> {
    let mut stdout = io::stdout();
    if patch.files.is_empty() {
        stdout.write_all(b"No directive was found that mends anything.\n")?;
    } else if stdout.is_terminal() {
        for line in patch.diff().lines() {
            let parts: Vec<_> = line.split('\t').map(escape).collect();
            writeln!(stdout, "{}", parts.join("\t"))?;
        }
    } else {
        stdout.write_all(&patch.diff_bytes())?;
    }
    Ok(())
}

/// Refuses a folder that holds something, and what is no folder.
pub(super) fn check_empty(folder: &Path) -> anyhow::Result<()> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(UsageError::new(format!("{} is not empty", folder.display()), "name a new folder"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(anyhow!("cannot write to {}: {error}", folder.display())),
    }
}

/// Writes every file of the configuration, patched, into a folder of its own.
pub(super) fn write(patch: &Patch, tree: &Tree, folder: &Path) -> anyhow::Result<()> {
    check_empty(folder)?;
    for (path, before) in &tree.files {
        let after = patch.files.iter().find(|file| file.path == *path);
        let after = after.map_or(&before[..], |file| &file.after);
        let to = folder.join(relative(path)?);
        let write = || {
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&to, after)
        };
        write().map_err(|error| anyhow!("cannot write {}: {error}", to.display()))?;
    }
    let (all, changed) = (tree.files.len(), patch.files.len());
    let folder = folder.display().to_string();
    // Someone who closed stderr does not want to know.
    let _ = writeln!(
        anstream::stderr(),
        "shakedown: {all} files were written below {}, {changed} of them changed; absolute includes still lead to the \
         originals",
        escape(&folder)
    );
    Ok(())
}

/// The path below the folder; a dump is written by someone else, and must not lead out of it.
fn relative(path: &str) -> anyhow::Result<&Path> {
    let path = Path::new(path.trim_start_matches('/'));
    let plain = |part| matches!(part, std::path::Component::Normal(_));
    if path.components().all(plain) && path.components().next().is_some() {
        Ok(path)
    } else {
        bail!("the configuration has a file called {}, which is not written", path.display())
    }
}
