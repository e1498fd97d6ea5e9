//! Edits of directives in the text of the files, shown as a unified diff. Only the bytes of changed directives are
//! touched.

mod place;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use similar::TextDiff;

use self::place::Home;
use self::text::{Splice, insertion, removal, replacement};
use super::directives;
use super::file_names::{is_relative, names_file};
use super::problem::{ConfigurationProblem, Fault, Span};
use super::source::MemoryFiles;
use super::tree::{Directive, Tree};

/// One directive to change, add or remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Its name.
    pub name: String,
    /// Its arguments; if empty, the directive is removed.
    pub arguments: Vec<String>,
    /// Where: a block, or a directive next to it, such as `proxy_pass` or `listen`. In `if` and `limit_except`, where
    /// nginx does not allow TLS directives, the surrounding block is used.
    pub at: Span,
}

/// Why an edit cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// No directive starts there.
    #[error("no directive begins at {0}:{column}", column = .0.column)]
    NoPlace(Span),
    /// Two edits set a directive that may appear only once to different values.
    #[error("two changes for {0} contradict each other")]
    Conflict(Span),
}

/// The files that change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// Each of them, by its name.
    pub files: Vec<PatchedFile>,
}

/// A file before and after the patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchedFile {
    /// Its name in nginx.
    pub path: Arc<str>,
    /// Its current text.
    pub before: Arc<[u8]>,
    /// Its new text.
    pub after: Vec<u8>,
}

/// Makes the edits. Edits of one name in one block belong together: they replace the block's own directives of that
/// name one by one, or are inserted if there are none. Equal edits are made once; edits that change nothing give an
/// empty patch.
pub fn patch(tree: &Tree, edits: &[Edit]) -> Result<Patch, EditError> {
    let mut jobs: Vec<(Home<'_>, Vec<&Edit>)> = Vec::new();
    for edit in edits {
        let home = Home::find(tree, &edit.at, &edit.name)
            .ok_or_else(|| EditError::NoPlace(edit.at.clone()))?;
        let belongs = |(other, together): &(Home<'_>, Vec<&Edit>)| {
            other.is_same(&home) && together.iter().all(|one| one.name == edit.name)
        };
        match jobs.iter().position(belongs) {
            Some(at) if jobs[at].1.iter().any(|one| one.arguments == edit.arguments) => {}
            Some(_) if directives::stands_once(&edit.name) => {
                return Err(EditError::Conflict(edit.at.clone()));
            }
            Some(at) => jobs[at].1.push(edit),
            None => jobs.push((home, vec![edit])),
        }
    }
    let mut splices: BTreeMap<Arc<str>, BTreeSet<Splice>> = BTreeMap::new();
    for (home, together) in &jobs {
        for (file, mut splice) in change(tree, home, together) {
            let all = splices.entry(file).or_default();
            splice.order = all.len();
            all.insert(splice);
        }
    }
    let files = splices.into_iter().filter_map(|(path, splices)| {
        let before = Arc::clone(tree.files.get(&path)?);
        let after = text::apply(&before, &splices);
        Some(after.map(|after| PatchedFile { path, before, after }))
    });
    // Directives do not overlap, and each belongs to one edit.
    let files = files.flatten().filter(|file| *file.after != *file.before).collect();
    Ok(Patch { files })
}

impl Patch {
    /// The unified diff of all files, with `a/` and `b/` before their names, byte for byte: `patch -p1 -d /` applies
    /// it.
    pub fn diff_bytes(&self) -> Vec<u8> {
        self.files.iter().flat_map(PatchedFile::diff).collect()
    }

    /// The same as text; bytes that are not UTF-8 are replaced.
    pub fn diff(&self) -> String {
        String::from_utf8_lossy(&self.diff_bytes()).into_owned()
    }

    /// The same with other file names.
    #[must_use]
    pub fn renamed(&self, name: impl Fn(&str) -> String) -> Self {
        let renamed =
            |file: &PatchedFile| PatchedFile { path: name(&file.path).into(), ..file.clone() };
        Self { files: self.files.iter().map(renamed).collect() }
    }

    /// The error that nginx would report only with the patch: if a file is included in several blocks, one of them may
    /// already contain the directive.
    pub fn fault(&self, tree: &Tree) -> Option<ConfigurationProblem> {
        let mut known: Vec<&Fault> = tree.problems.iter().map(|problem| &problem.fault).collect();
        self.apply(tree).problems.into_iter().find(|problem| {
            match known.iter().position(|fault| **fault == problem.fault) {
                Some(at) => {
                    known.swap_remove(at);
                    false
                }
                None => true,
            }
        })
    }

    /// The patched configuration.
    pub fn apply(&self, tree: &Tree) -> Tree {
        let mut files = MemoryFiles::of(tree.files.iter().map(|(path, text)| (&**path, &**text)));
        for file in &self.files {
            files.put(&file.path, &file.after);
        }
        Tree::read(&files, &tree.main)
    }
}

impl PatchedFile {
    fn diff(&self) -> Vec<u8> {
        let diff = TextDiff::from_lines(&*self.before, &self.after[..]);
        let path = self.path.trim_start_matches('/');
        let mut text = Vec::new();
        // Writing to memory cannot fail.
        let _ = diff
            .unified_diff()
            .header(&format!("a/{path}"), &format!("b/{path}"))
            .to_writer(&mut text);
        text
    }
}

/// The files of a configuration for a copy below this folder, which nginx accepts as it does the original: absolute
/// includes lead to the copy, and so do the names of `copied` files. Relative names of all other files, such as
/// certificates, lead to the original.
pub fn relocated(tree: &Tree, folder: &str, copied: &[&str]) -> BTreeMap<Arc<str>, Vec<u8>> {
    let there = |name: &str| format!("{}{name}", folder.trim_end_matches('/'));
    let mut splices: BTreeMap<Arc<str>, BTreeSet<Splice>> = BTreeMap::new();
    let mut lead_to = |one: &Directive, name: String| {
        let mut arguments = one.arguments.clone();
        arguments.splice(..1, [name]);
        if let Some((file, splice)) = replace(tree, one, &arguments) {
            splices.entry(file).or_default().insert(splice);
        }
    };
    for include in tree.includes.iter().filter(|include| include.first().starts_with('/')) {
        lead_to(include, there(include.first()));
    }
    let mut blocks = vec![&tree.directives[..]];
    while let Some(block) = blocks.pop() {
        for one in block {
            blocks.push(one.children());
            let name = tree.full_name(one.first());
            if names_file(&one.name) && copied.contains(&name.as_str()) {
                lead_to(one, there(&name));
            } else if names_file(&one.name) && is_relative(one.first()) {
                lead_to(one, name);
            }
        }
    }
    let files = tree.files.iter().map(|(path, text)| {
        let changed = splices.get(path).and_then(|splices| text::apply(text, splices));
        (Arc::clone(path), changed.unwrap_or_else(|| text.to_vec()))
    });
    files.collect()
}

/// The changes to the text by the edits of one name at one place, each with its file.
fn change(tree: &Tree, home: &Home<'_>, edits: &[&Edit]) -> Vec<(Arc<str>, Splice)> {
    let name = edits.first().map(|edit| edit.name.as_str()).unwrap_or_default();
    let mut existing: Vec<&Directive> = home.own(name);
    let mut new: Vec<Vec<String>> = Vec::new();
    let mut splices = Vec::new();
    if is_pair(name) && existing.is_empty() {
        // Directives in this block replace all outer ones of that name, so the outer ones are repeated.
        let changed = |one: &&&Directive| !edits.iter().any(|edit| key(edit) == Some(one.first()));
        let outer = home.scope.effective(name).iter().filter(changed);
        new.extend(outer.map(|one| one.arguments.clone()));
    }
    for edit in edits.iter().filter(|edit| !edit.arguments.is_empty()) {
        let meant = |one: &&Directive| !is_pair(name) || key(edit) == Some(one.first());
        match existing.iter().position(meant) {
            Some(at) => splices.extend(replace(tree, existing.remove(at), &edit.arguments)),
            None => new.push(edit.arguments.clone()),
        }
    }
    let drops_rest = !is_pair(name) || edits.iter().any(|edit| edit.arguments.is_empty());
    for one in existing.into_iter().filter(|_| drops_rest) {
        splices.extend(with_text(tree, one, |text| removal(text, one)));
    }
    for arguments in new {
        let words = text::directive(name, &arguments);
        splices.extend(with_text(tree, home.anchor, |text| insertion(text, home.anchor, &words)));
    }
    splices
}

fn replace(tree: &Tree, one: &Directive, arguments: &[String]) -> Option<(Arc<str>, Splice)> {
    if one.arguments == arguments {
        return None;
    }
    with_text(tree, one, |text| replacement(text, one, arguments))
}

fn with_text(
    tree: &Tree,
    directive: &Directive,
    make: impl FnOnce(&[u8]) -> Splice,
) -> Option<(Arc<str>, Splice)> {
    let file = &directive.span.file;
    tree.files.get(file).map(|text| (Arc::clone(file), make(text)))
}

/// Whether directives of this name are distinguished by their first argument.
pub fn is_pair(name: &str) -> bool {
    name.ends_with("_conf_command") || name.ends_with("_set_header")
}

fn key(edit: &Edit) -> Option<&str> {
    edit.arguments.first().map(String::as_str)
}

#[cfg(test)]
mod tests;
