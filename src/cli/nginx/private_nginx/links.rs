//! Links from the copy to the files next to the original's main file, for relative names.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::nginx::glob;
use crate::nginx::rehearsal::{Relocation, place};
use crate::nginx::tree::Tree;

/// The most entries of one folder that are linked.
const MAX_ENTRIES: usize = 20_000;

/// Links everything next to the main file, except what the copy contains.
pub(super) fn beside(tree: &Tree, relocation: &Relocation, main: &str) -> io::Result<()> {
    let patterns = tree.includes.iter().map(|include| tree.full_name(include.first()));
    let patterns = patterns.filter(|name| glob::is_pattern(name));
    let patterns = patterns.map(|name| place(&relocation.folder, &name)).collect();
    let linker = Linker { patterns };
    match (Path::new(&tree.main).parent(), Path::new(main).parent()) {
        (Some(original), Some(copied)) => linker.folder(original, copied),
        _ => Ok(()),
    }
}

struct Linker {
    /// The patterns of `include`: a link must not add a file to them.
    patterns: Vec<String>,
}

impl Linker {
    fn folder(&self, original: &Path, copied: &Path) -> io::Result<()> {
        // A dump may come from another machine.
        let Ok(entries) = fs::read_dir(original) else { return Ok(()) };
        for entry in entries.take(MAX_ENTRIES) {
            let entry = entry?;
            let target = copied.join(entry.file_name());
            if target.symlink_metadata().is_ok_and(|known| known.is_dir()) {
                self.folder(&entry.path(), &target)?;
            } else if target.symlink_metadata().is_err() && !self.may_be_included(&target) {
                symlink(entry.path(), target)?;
            }
        }
        Ok(())
    }

    fn may_be_included(&self, target: &Path) -> bool {
        let Some(target) = target.to_str() else { return false };
        let folder = format!("{target}/");
        let takes =
            |pattern: &String| glob::matches(pattern, target) || pattern.starts_with(&folder);
        self.patterns.iter().any(takes)
    }
}
