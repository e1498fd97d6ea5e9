//! The table of nginx's directives.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use super::value::ValueKind;
use crate::nginx::defaults::NginxRelease;

/// Every directive of nginx, one line for each kind of use, extracted from nginx's source by
/// `scripts/nginx-directives`: name, contexts, arguments, values, first release, first release without it. Contexts are
/// letters, see [`super::BlockContext`]. Arguments are the accepted counts, or `+` and `++` for at least one or two and `*`
/// for any, after `{` for a block.
pub(super) const TABLE: &str = include_str!("directives.txt");

/// A directive that nginx has.
#[derive(Debug)]
pub(super) struct KnownDirective {
    pub(super) name: &'static str,
    /// Its position among the names in alphabetical order.
    pub(super) number: usize,
    pub(super) rows: Vec<DirectiveRow>,
}

/// One kind of use of a directive.
#[derive(Debug)]
pub(super) struct DirectiveRow {
    pub(super) contexts: &'static str,
    pub(super) block: bool,
    counts: &'static str,
    pub(super) value: ValueKind,
    /// The first release that has it; `None` if every release in use has it.
    pub(super) since: Option<NginxRelease>,
    /// The first release without it.
    pub(super) until: Option<NginxRelease>,
}

static DIRECTIVES: LazyLock<HashMap<&'static str, KnownDirective, RandomState>> =
    LazyLock::new(|| {
        let mut directives: HashMap<&str, KnownDirective, RandomState> = HashMap::default();
        for line in TABLE.lines() {
            let mut columns = line.split(' ');
            let mut column = || columns.next().unwrap_or_default();
            let (name, contexts, arguments, value) = (column(), column(), column(), column());
            let row = DirectiveRow {
                contexts,
                block: arguments.starts_with('{'),
                counts: arguments.trim_start_matches('{'),
                value: ValueKind::read(value),
                since: column().parse().ok(),
                until: column().parse().ok(),
            };
            let number = directives.len();
            let new = || KnownDirective { name, number, rows: Vec::new() };
            directives.entry(name).or_insert_with(new).rows.push(row);
        }
        directives
    });

/// The directive of this name, if nginx has it.
pub(super) fn find(name: &str) -> Option<&'static KnownDirective> {
    DIRECTIVES.get(name)
}

/// The names of all directives.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    DIRECTIVES.values().map(|one| one.name)
}

impl DirectiveRow {
    pub(super) fn takes(&self, count: usize) -> bool {
        match self.counts {
            "*" => true,
            "+" => count >= 1,
            "++" => count >= 2,
            counts => counts.bytes().any(|digit| usize::from(digit - b'0') == count),
        }
    }
}
