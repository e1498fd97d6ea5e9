//! Certificates that were replaced between two runs.

use std::collections::BTreeSet;

use super::SavedTarget;
use super::change::What;
use crate::targets::behaviour::ReportedCertificate;

/// Other certificates for the target's own name.
pub(super) fn compare(old: &SavedTarget, new: &SavedTarget, add: &mut impl FnMut(bool, What)) {
    let (before, after) = (leaves(old), leaves(new));
    let (Some(was), Some(is)) = (first_end(&before), first_end(&after)) else { return };
    let ids = |all: &[&ReportedCertificate]| -> BTreeSet<String> {
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
    let keys = |all: &[&ReportedCertificate]| -> BTreeSet<Option<String>> {
        all.iter().map(|one| one.public_key_sha256.clone()).collect()
    };
    if keys(&before) != keys(&after) {
        let (old, new) = (key_types(&before), key_types(&after));
        let differ = old != new;
        add(false, What::Key { old: old.filter(|_| differ), new: new.filter(|_| differ) });
    }
}

/// The leaf certificates that are sent for the target's own name.
fn leaves(target: &SavedTarget) -> Vec<&ReportedCertificate> {
    let shown: BTreeSet<&String> =
        target.established().filter_map(|cell| cell.chain.first()).collect();
    target.behaviour.certificates.iter().filter(|one| shown.contains(&one.sha256)).collect()
}

/// The types and sizes of their keys, if the report has them.
fn key_types(certificates: &[&ReportedCertificate]) -> Option<String> {
    let of_one = |one: &&ReportedCertificate| {
        let (kind, bits) = (one.key_type.as_ref()?, one.key_bits?);
        Some(format!("{kind} {bits}"))
    };
    let distinct: Option<BTreeSet<String>> = certificates.iter().map(of_one).collect();
    Some(distinct?.into_iter().collect::<Vec<_>>().join(" and "))
}

fn first_end(certificates: &[&ReportedCertificate]) -> Option<String> {
    certificates.iter().map(|one| one.not_after.clone()).min()
}

fn issuers(certificates: &[&ReportedCertificate]) -> String {
    let distinct: BTreeSet<&str> = certificates.iter().map(|one| one.issuer.as_str()).collect();
    distinct.into_iter().collect::<Vec<_>>().join("; ")
}
