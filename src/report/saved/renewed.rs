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
    if let (Some(was), Some(is)) = (names(&before), names(&after)) {
        let lost: Vec<String> = was.difference(&is).cloned().collect();
        let gained: Vec<String> = is.difference(&was).cloned().collect();
        if !(lost.is_empty() && gained.is_empty()) {
            add(false, What::CertificateNames { lost, gained });
        }
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

/// The names and addresses that each of them has, whichever a client gets; `None` if the report does not tell.
fn names(certificates: &[&ReportedCertificate]) -> Option<BTreeSet<String>> {
    let of_one = |one: &&ReportedCertificate| {
        let mut names: BTreeSet<String> =
            one.dns_names.as_ref()?.iter().map(|name| name.to_ascii_lowercase()).collect();
        names.extend(one.ip_addresses.iter().flatten().cloned());
        Some(names)
    };
    let mut all = certificates.iter().map(of_one);
    let first = all.next()??;
    all.try_fold(first, |common, own| Some(common.intersection(&own?).cloned().collect()))
}

fn first_end(certificates: &[&ReportedCertificate]) -> Option<String> {
    certificates.iter().map(|one| one.not_after.clone()).min()
}

fn issuers(certificates: &[&ReportedCertificate]) -> String {
    let distinct: BTreeSet<&str> = certificates.iter().map(|one| one.issuer.as_str()).collect();
    distinct.into_iter().collect::<Vec<_>>().join("; ")
}
