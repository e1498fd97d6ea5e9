//! A certificate and a key that replace those that cannot be loaded, so that nginx serves the rest.

use crate::audit::listener::chain_file::pem;
use crate::certificate::issue::Authority;
use crate::cli::settings;
use crate::targets::from_nginx::unreadable::UnreadablePair;

/// The names of the files to replace, each with its new text.
pub(super) fn files(pairs: &[UnreadablePair]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let issued = Authority::root("rehearsal", settings::now())?.issue(&["rehearsal.invalid"])?;
    // One file may hold both.
    let text = pem(&issued.certificate) + &issued.key.serialize_pem();
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for name in pairs.iter().flat_map(|pair| [&pair.certificate, &pair.key]) {
        if !all.iter().any(|(known, _)| known == name) {
            all.push((name.clone(), text.clone().into_bytes()));
        }
    }
    Ok(all)
}
