//! How widely versions are accepted and clients connect, in two runs.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::SavedTarget;
use super::change::What;
use crate::targets::behaviour::{ReportedClient, ReportedHandshake};

/// At how many addresses something works.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Nowhere,
    Somewhere,
    Everywhere,
}

impl Reach {
    /// From what was tried at each address; `None` where nothing was.
    fn of(tried: impl Iterator<Item = bool>) -> Option<Self> {
        let tried: Vec<bool> = tried.collect();
        match tried.iter().filter(|works| **works).count() {
            _ if tried.is_empty() => None,
            0 => Some(Self::Nowhere),
            works if works == tried.len() => Some(Self::Everywhere),
            _ => Some(Self::Somewhere),
        }
    }
}

/// The versions that are accepted more or less widely.
pub(super) fn versions(old: &SavedTarget, new: &SavedTarget, add: &mut impl FnMut(bool, What)) {
    let versions: BTreeSet<&str> =
        old.own().chain(new.own()).map(|cell| cell.version.as_str()).collect();
    let reach = |target: &SavedTarget, version: &str| {
        let cells = target.own().filter(|cell| cell.version == version);
        Reach::of(cells.map(ReportedHandshake::is_established)).unwrap_or(Reach::Nowhere)
    };
    for version in versions {
        let (before, after) = (reach(old, version), reach(new, version));
        let version = version.to_owned();
        match after.cmp(&before) {
            Ordering::Less => add(true, What::ProtocolLost { version }),
            Ordering::Greater => add(false, What::ProtocolGained { version }),
            Ordering::Equal => {}
        }
    }
}

/// The clients that both runs replayed, and that connect more or less widely.
pub(super) fn clients(old: &SavedTarget, new: &SavedTarget, add: &mut impl FnMut(bool, What)) {
    let titles: BTreeSet<&str> =
        new.behaviour.clients.iter().map(|one| one.title.as_str()).collect();
    let reach = |target: &SavedTarget, title: &str| {
        let own = target.behaviour.clients.iter().filter(|one| one.title == title);
        let replays: Vec<&ReportedClient> = own.collect();
        // Where one of them got no answer, nothing is known.
        let is_known = replays.iter().all(|one| one.is_tested());
        Reach::of(replays.into_iter().map(ReportedClient::connects)).filter(|_| is_known)
    };
    for title in titles {
        let (Some(before), Some(after)) = (reach(old, title), reach(new, title)) else {
            continue;
        };
        let client = title.to_owned();
        match after.cmp(&before) {
            Ordering::Less => {
                let mut failed = new.behaviour.clients.iter().filter(|one| one.title == title);
                let reason = failed.find_map(|one| one.missing.clone());
                add(true, What::ClientLost { client, reason });
            }
            Ordering::Greater => add(false, What::ClientGained { client }),
            Ordering::Equal => {}
        }
    }
}
