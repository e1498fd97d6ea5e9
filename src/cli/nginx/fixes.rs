//! The fixes that were tried and work, as edits of the configuration.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{self, Path};

use anyhow::{anyhow, bail};

use crate::audit::finding::Fix;
use crate::audit::listener::{Candidate, ChainFile};
use crate::cli::errors::{UsageError, warn};
use crate::cli::whole_file::Output;
use crate::nginx::edit::{self, Edit, Patch, PatchedFile};
use crate::nginx::problem::Span;
use crate::nginx::tree::Tree;
use crate::report::escape::escape;
use crate::report::words;

/// The edits, each at every place that leads to the upstream. If two fixes set a directive to different values, the
/// first is used and the other is reported on stderr.
pub(super) fn patch(
    tree: &Tree,
    places: &[Vec<Span>],
    fixes: &[(usize, Fix)],
    changes: &[Candidate],
) -> anyhow::Result<Patch> {
    let mut edits: Vec<Edit> = Vec::new();
    let wanted = fixes.iter().flat_map(|(index, fix)| of_fix(&places[*index], fix));
    for edit in wanted.chain(changes.iter().flat_map(|one| one.edits.iter().cloned())) {
        add(tree, &mut edits, &edit);
    }
    let patch = edit::patch(tree, &edits)
        .map_err(|error| anyhow!("cannot write the fixes as a patch: {error}"))?;
    match patch.fault(tree) {
        Some(problem) => bail!("with these fixes nginx would refuse the configuration: {problem}"),
        None => Ok(patch),
    }
}

/// A fix at every place that leads to the upstream.
fn of_fix<'a>(places: &'a [Span], fix: &'a Fix) -> impl Iterator<Item = Edit> + 'a {
    let pairs = places.iter().flat_map(|place| fix.directives.iter().map(move |one| (place, one)));
    pairs.map(|(place, directive)| Edit {
        name: directive.name.clone(),
        arguments: arguments(&directive.name, &directive.value),
        at: place.clone(),
    })
}

/// The certificate files that the changes rewrite. If two changes rewrite one file differently, the first is used and
/// the other is reported on stderr.
pub(super) fn chain_files(changes: &[Candidate]) -> Vec<PatchedFile> {
    let mut used: Vec<&ChainFile> = Vec::new();
    for file in changes.iter().flat_map(|one| &one.files) {
        match used.iter().find(|known| known.path == file.path) {
            None => used.push(file),
            Some(known) if *known == file => {}
            Some(_) => warn(&format!("two fixes change {}; leaving out: {file}", file.path)),
        }
    }
    used.into_iter().filter_map(chain_file).collect()
}

/// The new version of a certificate file.
fn chain_file(file: &ChainFile) -> Option<PatchedFile> {
    #[expect(clippy::disallowed_methods, reason = "the configuration names the file")]
    let before = fs::read(&file.path).ok()?;
    let after = file.text(&before)?;
    Some(PatchedFile { path: file.path.as_str().into(), before: before.into(), after })
}

/// Adds an edit, unless it already exists or contradicts another.
fn add(tree: &Tree, edits: &mut Vec<Edit>, edit: &Edit) {
    if edits.contains(edit) {
        return;
    }
    // Headers and commands are distinguished by their first word.
    let pair = edit::is_pair(&edit.name);
    let taken = edits.iter().any(|known| {
        let same = known.at == edit.at && known.name == edit.name;
        same && (!pair || known.arguments.first() == edit.arguments.first())
    });
    edits.push(edit.clone());
    if taken || edit::patch(tree, edits).is_err() {
        edits.pop();
        warn(&format!(
            "at {}: two fixes set different values of {}; leaving out {}",
            edit.at,
            edit.name,
            edit.arguments.join(" ")
        ));
    }
}

/// Several words if the directive accepts a list, otherwise one.
fn arguments(name: &str, value: &str) -> Vec<String> {
    if edit::is_pair(name) {
        value.splitn(2, ' ').map(ToOwned::to_owned).collect()
    } else if name.ends_with("_protocols") {
        value.split(' ').map(ToOwned::to_owned).collect()
    } else {
        vec![value.to_owned()]
    }
}

/// Writes the unified diff to stdout: unchanged if a program reads it, escaped on a terminal. Instructions for applying
/// it go to stderr.
pub(super) fn show(patch: &Patch, root: Option<&Path>) -> anyhow::Result<()> {
    let mut stdout = Output::open(None)?;
    if patch.files.is_empty() {
        stdout.write_all(
            b"No error or warning has a fix that changes directives; fixes of notes are left out.\n",
        )?;
        return stdout.finish();
    }
    let patch = patch.renamed(|path| behind_links(path, root));
    if io::stdout().is_terminal() {
        for line in patch.diff().lines() {
            let parts: Vec<_> = line.split('\t').map(escape).collect();
            writeln!(stdout, "{}", parts.join("\t"))?;
        }
    } else {
        stdout.write_all(&patch.diff_bytes())?;
    }
    stdout.finish()?;
    let folder = root.map_or_else(|| "/".to_owned(), |root| root.display().to_string());
    let folder = shlex::try_quote(&folder).unwrap_or_default();
    // If stderr is closed, the message is lost.
    let _ = writeln!(
        anstream::stderr(),
        "shakedown: to apply these changes, save this output as FILE, then: patch -p1 -d {} < FILE && nginx -t && nginx -s \
         reload",
        escape(&folder)
    );
    Ok(())
}

/// The file that a link points to, as in Debian's `sites-enabled`: `patch` and `git apply` do not follow links.
fn behind_links(path: &str, root: Option<&Path>) -> String {
    let real = root.map_or_else(|| path.into(), |root| root.join(path.trim_start_matches('/')));
    let folder = root.map_or_else(|| Ok("/".into()), Path::canonicalize);
    let (Ok(real), Ok(folder)) = (real.canonicalize(), folder) else { return path.to_owned() };
    let inside = real.strip_prefix(&folder).ok().and_then(Path::to_str);
    inside.map_or_else(|| path.to_owned(), |inside| format!("/{inside}"))
}

/// Refuses a path that is not a folder, or a folder that is not empty.
pub(super) fn check_empty(folder: &Path) -> anyhow::Result<()> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(UsageError::new(format!("{} is not empty", folder.display()), "give a new folder"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(anyhow!("cannot write to {}: {error}", folder.display())),
    }
}

/// Writes every file of the patched configuration, and the certificate files that change, to a new or empty folder.
pub(super) fn write(
    patch: &Patch,
    chains: &[PatchedFile],
    tree: &Tree,
    folder: &Path,
) -> anyhow::Result<()> {
    check_empty(folder)?;
    let folder = &path::absolute(folder)?;
    let copied: Vec<&str> = chains.iter().map(|file| &*file.path).collect();
    let copy = edit::relocated(&patch.apply(tree), &folder.display().to_string(), &copied);
    let chains = chains.iter().map(|file| (&file.path, &file.after));
    for (path, after) in copy.iter().chain(chains) {
        let to = folder.join(relative(path)?);
        let write = || {
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&to, after)
        };
        write().map_err(|error| anyhow!("cannot write {}: {error}", to.display()))?;
    }
    let (all, changed) = (copy.len() + copied.len(), patch.files.len() + copied.len());
    let folder = folder.display().to_string();
    // If stderr is closed, the message is lost.
    let _ = writeln!(
        anstream::stderr(),
        "shakedown: wrote {} below {} ({changed} with fixes); to test the copy: nginx -t -c {}",
        words::counted(all, "file"),
        escape(&folder),
        escape(&format!("{folder}/{}", tree.main.trim_start_matches('/')))
    );
    Ok(())
}

/// The path below the folder. The names in a dump come from outside and must not lead out of it.
fn relative(path: &str) -> anyhow::Result<&Path> {
    let path = Path::new(path.trim_start_matches('/'));
    let plain = |part| matches!(part, path::Component::Normal(_));
    if path.components().all(plain) && path.components().next().is_some() {
        Ok(path)
    } else {
        bail!("cannot write a copy of {}: its path leads out of the folder", path.display())
    }
}
