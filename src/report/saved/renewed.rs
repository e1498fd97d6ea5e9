//! Certificates that were replaced between two runs.

use std::collections::BTreeSet;

use super::change::What;
use super::{SavedCertificate, SavedTarget};

/// Other certificates for the target's own name.
pub(super) fn compare(old: &SavedTarget, new: &SavedTarget, add: &mut impl FnMut(bool, What)) {
    let (before, after) = (leaves(old), leaves(new));
    let (Some(was), Some(is)) = (first_end(&before), first_end(&after)) else { return };
    let ids = |all: &[&SavedCertificate]| -> BTreeSet<String> {
        all.iter().map(|one| one.sha256.clone()).collect()
    };
    if ids(&before) == ids(&after) {
        return;
    }
    if is < was {
        add(true, What::ExpiryEarlier { old: was, new: is });
    } else {
        add(false, What::Certificate { old: was, new: is });
    }
    let (was, is) = (issuers(&before), issuers(&after));
    if was != is {
        add(false, What::Issuer { old: was, new: is });
    }
    let keys = |all: &[&SavedCertificate]| -> BTreeSet<Option<String>> {
        all.iter().map(|one| one.public_key_sha256.clone()).collect()
    };
    if keys(&before) != keys(&after) {
        add(false, What::Key);
    }
}

/// The leaf certificates that are sent for the target's own name.
fn leaves(target: &SavedTarget) -> Vec<&SavedCertificate> {
    let shown: BTreeSet<&String> =
        target.established().filter_map(|cell| cell.chain.first()).collect();
    target.certificates.iter().filter(|one| shown.contains(&one.sha256)).collect()
}

fn first_end(certificates: &[&SavedCertificate]) -> Option<String> {
    certificates.iter().map(|one| one.not_after.clone()).min()
}

fn issuers(certificates: &[&SavedCertificate]) -> String {
    let distinct: BTreeSet<&str> = certificates.iter().map(|one| one.issuer.as_str()).collect();
    distinct.into_iter().collect::<Vec<_>>().join("; ")
}
