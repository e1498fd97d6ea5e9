//! Links from the copy to what lies beside the original's files, for names that are relative to the main file's folder.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::nginx::glob;
use crate::nginx::rehearsal::{Relocation, place};
use crate::nginx::tree::Tree;

/// Entries that are linked of one folder.
const MAX_ENTRIES: usize = 20_000;

/// Links what lies beside the main file, but for what the copy has itself.
pub(super) fn beside(tree: &Tree, stage: &Relocation, main: &str) -> io::Result<()> {
    let patterns = tree.includes.iter().map(|include| tree.full_name(include.first()));
    let patterns = patterns.filter(|name| glob::is_pattern(name));
    let patterns = patterns.map(|name| place(&stage.folder, &name)).collect();
    let linker = Linker { patterns };
    match (Path::new(&tree.main).parent(), Path::new(main).parent()) {
        (Some(original), Some(copied)) => linker.folder(original, copied),
        _ => Ok(()),
    }
}

struct Linker {
    /// What `include` takes in: a file that it did not is not to come in by a link.
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
