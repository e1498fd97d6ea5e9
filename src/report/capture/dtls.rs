//! What is said of DTLS.

use std::collections::BTreeSet;

use super::document::DtlsView;
use super::utc;
use crate::capture::dtls::DtlsHello;
use crate::capture::intake::CaptureIntake;
use crate::capture::placeholders::Placeholders;
use crate::capture::seen_hello::{SeenHello, version_name};
use crate::report::words::counted;
use crate::tls::version::ProtocolVersion;

/// Names that a note lists.
const MAX_NAMES: usize = 4;

/// Each client's hello.
pub(super) fn views(intake: &CaptureIntake, placeholders: &Placeholders) -> Vec<DtlsView> {
    let view = |pair: &DtlsHello| {
        let versions = pair.hello.iter().flat_map(SeenHello::named_versions);
        let name = pair.hello.as_ref().and_then(|hello| hello.server_name.as_deref());
        DtlsView {
            client: placeholders.socket(pair.client).to_string(),
            server: placeholders.socket(pair.server).to_string(),
            time: utc(pair.first),
            hellos: pair.count,
            versions: versions.map(version).collect(),
            server_name: name
                .map(|name| placeholders.text(String::from_utf8_lossy(name).into_owned())),
        }
    };
    intake.dtls.pairs.iter().map(view).collect()
}

/// The note on it.
pub(super) fn note(intake: &CaptureIntake) -> Option<String> {
    let dtls = &intake.dtls;
    if dtls.count == 0 {
        return None;
    }
    let hellos = dtls.pairs.iter().filter_map(|pair| pair.hello.as_ref());
    let newest: BTreeSet<String> = hellos
        .clone()
        .filter_map(|hello| hello.named_versions().first().copied())
        .map(version)
        .collect();
    let names: BTreeSet<String> = hellos
        .filter_map(|hello| hello.server_name.as_deref())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .take(MAX_NAMES)
        .collect();
    let join = |items: BTreeSet<String>| items.into_iter().collect::<Vec<_>>().join(", ");
    let versions = if newest.is_empty() { "DTLS".to_owned() } else { join(newest) };
    let named = if names.is_empty() { String::new() } else { format!(" for {}", join(names)) };
    Some(format!(
        "{} of {versions}{named}: what follows them is not read.",
        counted(dtls.count, "hello")
    ))
}

fn version(version: ProtocolVersion) -> String {
    match version.0 {
        0xfeff => "DTLSv1".to_owned(),
        0xfefd => "DTLSv1.2".to_owned(),
        0xfefc => "DTLSv1.3".to_owned(),
        _ => version_name(version),
    }
}
