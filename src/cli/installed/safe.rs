//! What is believed of other processes: any user can start one that looks like nginx.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The permission to write, for the group and for others.
const WRITABLE: u32 = 0o022;

/// In such a folder, nobody can rename or remove the files of others.
const STICKY: u32 = 0o1000;

/// Whether a process may be the nginx of this main file: one of root, of this user, or of the file's owner.
pub(super) fn may_run(pid: u32, main: &Metadata) -> bool {
    let user =
        |process: &str| fs::metadata(format!("/proc/{process}")).map(|found| found.uid()).ok();
    let known = [Some(0), Some(main.uid()), user("self")];
    user(&pid.to_string()).is_some_and(|user| known.contains(&Some(user)))
}

/// Whether nobody but this user and root can change this file, or put another one in its place.
pub(super) fn is_safe(path: &Path) -> bool {
    let Ok(real) = fs::canonicalize(path) else { return false };
    let Ok(own) = fs::metadata("/proc/self") else { return false };
    real.ancestors().all(|part| {
        fs::metadata(part).is_ok_and(|found| {
            let is_kept =
                found.mode() & WRITABLE == 0 || found.is_dir() && found.mode() & STICKY != 0;
            is_kept && [0, own.uid()].contains(&found.uid())
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_process_of_this_user_may_run_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let main = file.as_file().metadata().unwrap();
        assert!(may_run(std::process::id(), &main));
        assert!(!may_run(u32::MAX, &main));
    }

    #[test]
    fn a_program_that_others_can_replace_is_not_safe() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("nginx");
        fs::write(&program, "").unwrap();
        let is_safe_with = |of_folder, of_program| {
            fs::set_permissions(folder.path(), Permissions::from_mode(of_folder)).unwrap();
            fs::set_permissions(&program, Permissions::from_mode(of_program)).unwrap();
            is_safe(&program)
        };
        assert!(is_safe_with(0o755, 0o755));
        assert!(is_safe_with(0o1777, 0o755));
        assert!(!is_safe_with(0o777, 0o755));
        assert!(!is_safe_with(0o755, 0o775));
        assert!(!is_safe(&folder.path().join("none")));
    }
}
