//! The place of a finding in a file, for formats that are made for source code. An endpoint has no place itself.

use super::Report;
use crate::audit::finding::Finding;
use crate::targets::Target;

/// The file name of a list on standard input.
const STDIN: &str = "<stdin>";

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Relative to the report's root if it is below it.
    pub(super) path: String,
    /// From 1.
    pub(super) line: u32,
    /// From 1.
    pub(super) column: u32,
}

/// Whether a target was named in a file, so that its findings have a place.
pub fn has_place(target: &Target) -> bool {
    target.origin.as_ref().is_some_and(|origin| origin.file != STDIN)
}

/// The place of a finding: the directive to change, else where its target was named, else the report's anchor.
pub(super) fn place(report: &Report, target: &Target, finding: Option<&Finding>) -> Option<Place> {
    let at = |file: &str, line, column| at(report, file, line, column);
    let directives = finding.and_then(|finding| finding.fix.as_ref()).map(|fix| &fix.directives);
    let directive = directives
        .into_iter()
        .flatten()
        .find_map(|directive| Some(at(directive.file.as_deref()?, directive.line?, 1)));
    let own = finding.and_then(|finding| finding.place.as_ref());
    let origin = own.or_else(|| target.origin.as_ref().filter(|_| has_place(target)));
    directive
        .or_else(|| origin.map(|origin| at(&origin.file, origin.line, origin.column)))
        .or_else(|| report.options.anchor.as_deref().map(|file| at(file, 1, 1)))
}

/// The other places that name the target with the same settings.
pub(super) fn more_places(report: &Report, target: &Target) -> Vec<Place> {
    let more = target.more_origins.iter();
    more.map(|origin| at(report, &origin.file, origin.line, origin.column)).collect()
}

fn at(report: &Report, file: &str, line: u32, column: u32) -> Place {
    let root = report.options.root.as_deref();
    Place {
        path: below(root, &on_this_machine(report.options.configuration_root.as_deref(), file)),
        line: line.max(1),
        column: column.max(1),
    }
}

/// The name of a configuration's file on this machine.
fn on_this_machine(root: Option<&str>, file: &str) -> String {
    match root {
        Some(root) if file.starts_with('/') => format!("{}{file}", root.trim_end_matches('/')),
        _ => file.to_owned(),
    }
}

/// A path relative to a folder if it is below it, otherwise unchanged.
fn below(root: Option<&str>, file: &str) -> String {
    let relative = root
        .and_then(|root| file.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/'))
        .unwrap_or(file);
    relative.trim_start_matches("./").to_owned()
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn paths_below_the_root_are_relative_to_it() {
        for (root, file, expected) in [
            (Some("/repo"), "/repo/conf/nginx.conf", "conf/nginx.conf"),
            (Some("/repo/"), "/repo/targets.toml", "targets.toml"),
            (Some("/repo"), "/repository/targets.toml", "/repository/targets.toml"),
            (None, "./targets.toml", "targets.toml"),
            (Some("/"), "/etc/nginx/nginx.conf", "etc/nginx/nginx.conf"),
        ] {
            assert_eq!(below(root, file), expected);
        }
    }
}
