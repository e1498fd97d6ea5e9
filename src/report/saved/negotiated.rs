//! What is negotiated in two runs, where something is negotiated in both.

use std::collections::BTreeSet;

use super::SavedTarget;
use super::change::What;
use crate::targets::behaviour::ReportedHandshake;

/// The clients that connect in both runs, but in another way.
pub(super) fn clients(old: &SavedTarget, new: &SavedTarget, add: &mut impl FnMut(bool, What)) {
    let titles: BTreeSet<&str> =
        new.behaviour.clients.iter().map(|one| one.title.as_str()).collect();
    for title in titles {
        let (Some(before), Some(after)) = (ways(old, title), ways(new, title)) else { continue };
        if before != after {
            let client = title.to_owned();
            add(false, What::ClientNegotiates { client, old: before, new: after });
        }
    }
}

/// How a client connects, at whichever address; `None` where it does not, or the report does not say.
fn ways(target: &SavedTarget, title: &str) -> Option<String> {
    let own = target.behaviour.clients.iter().filter(|one| one.title == title);
    let ways: BTreeSet<String> = own
        .filter_map(|one| {
            let parts =
                [Some(one.version.as_ref()?), one.cipher_suite.as_ref(), one.group.as_ref()];
            let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
            Some(parts.join(" "))
        })
        .collect();
    let all = ways.into_iter().collect::<Vec<_>>().join(" or ");
    (!all.is_empty()).then_some(all)
}

/// What sessions of versions that work before and after have.
pub(super) fn sessions(old: &SavedTarget, new: &SavedTarget, add: &mut impl FnMut(bool, What)) {
    let versions: BTreeSet<&str> = new.established().map(|cell| cell.version.as_str()).collect();
    for name in versions {
        let (before, after) = (of_version(old, name), of_version(new, name));
        let version = name.to_owned();
        if let Some((old, new)) = alpn(&before, &after) {
            add(false, What::Alpn { version: version.clone(), old, new });
        }
        if let Some(resumed) = resumption(&before, &after) {
            add(false, What::Resumption { version, resumed });
        }
    }
}

fn of_version<'t>(target: &'t SavedTarget, version: &str) -> Vec<&'t ReportedHandshake> {
    target.established().filter(|cell| cell.version == version).collect()
}

/// The application protocols before and after, if they differ and there were handshakes in both.
fn alpn(before: &[&ReportedHandshake], after: &[&ReportedHandshake]) -> Option<(String, String)> {
    let selected = |cells: &[&ReportedHandshake]| -> Option<String> {
        let all = cells.iter().map(|cell| cell.alpn.as_deref().unwrap_or("none"));
        let all: BTreeSet<&str> = all.collect();
        let all: Vec<&str> = all.into_iter().collect();
        (!all.is_empty()).then(|| all.join(" or "))
    };
    let (old, new) = (selected(before)?, selected(after)?);
    (old != new).then_some((old, new))
}

/// Whether sessions are resumed now, if that was tried in both runs and has changed.
fn resumption(before: &[&ReportedHandshake], after: &[&ReportedHandshake]) -> Option<bool> {
    let everywhere = |cells: &[&ReportedHandshake]| -> Option<bool> {
        let tried: Option<Vec<bool>> = cells.iter().map(|cell| cell.resumed).collect();
        tried.filter(|all| !all.is_empty()).map(|all| all.into_iter().all(|resumed| resumed))
    };
    let (old, new) = (everywhere(before)?, everywhere(after)?);
    (old != new).then_some(new)
}
