//! Other programs than nginx that write lines about TLS, and their side of the connection.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use serde::Serialize;

use crate::openssl::rows;

/// A program's side of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgramRole {
    /// It connects to a server.
    Client,
    /// Clients connect to it.
    Server,
    /// It connects to its own upstreams.
    Proxy,
}

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Its side.
    pub role: ProgramRole,
}

/// Programs by the texts that only they write.
struct Programs {
    words: Vec<(&'static str, Program)>,
    finder: Option<AhoCorasick>,
}

static PROGRAMS: LazyLock<Programs> = LazyLock::new(|| {
    let words: Vec<_> = rows(include_str!("tables/programs.tsv")).filter_map(read).collect();
    let finder = AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .build(words.iter().map(|(words, _)| *words))
        .ok();
    Programs { words, finder }
});

fn read(row: &'static str) -> Option<(&'static str, Program)> {
    let mut cells = row.split('\t');
    let words = cells.next()?;
    let name = cells.next()?;
    let role = match cells.next()? {
        "client" => ProgramRole::Client,
        "server" => ProgramRole::Server,
        "proxy" => ProgramRole::Proxy,
        _ => return None,
    };
    Some((words, Program { name, role }))
}

/// The program that wrote this text, if known: the first matching row of the table.
pub fn of_text(text: &[u8]) -> Option<Program> {
    let programs = &*PROGRAMS;
    let found = programs.finder.as_ref()?.find_overlapping_iter(text);
    let first = found.map(|found| found.pattern().as_usize()).min()?;
    programs.words.get(first).map(|(_, program)| *program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_can_be_reached() {
        let table: Vec<&str> = rows(include_str!("tables/programs.tsv")).collect();
        for row in table {
            let (words, program) = read(row).unwrap();
            assert!(of_text(words.as_bytes()).is_some(), "{row}");
            assert!(!program.name.is_empty());
        }
    }

    #[test]
    fn the_first_row_that_fits_counts() {
        let server = of_text(
            b"http: TLS handshake error from 192.0.2.1:9: remote error: tls: bad certificate",
        );
        assert_eq!(
            server.map(|program| (program.name, program.role)),
            Some(("Go", ProgramRole::Server))
        );
        let client = of_text(b"Get \"https://a.test\": remote error: tls: handshake failure");
        assert_eq!(client.map(|program| program.role), Some(ProgramRole::Client));
    }
}
