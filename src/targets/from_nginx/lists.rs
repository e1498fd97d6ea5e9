//! What the files of revocation lists say of themselves: lists that have ended or end soon, and authorities without one.

use time::{Duration, OffsetDateTime};

use crate::certificate::Certificate;
use crate::certificate::crl::{RevocationList, RevocationLists};
use crate::nginx::facts::FactKind;

/// The most authorities that one fact names.
const NAMED: usize = 3;

/// The facts about a file of lists, for the authorities in the trusted files. How long before its end a list is reported
/// may be given.
pub fn facts(
    (file, lists): (&str, &RevocationLists),
    trusted: &[Certificate],
    notice: Option<Duration>,
    now: OffsetDateTime,
) -> Vec<FactKind> {
    let newest = |list: &&RevocationList| {
        let later = |other: &RevocationList| other.replaces(list) && other.ends_after(list);
        !lists.0.iter().any(later)
    };
    let own = lists.0.iter().filter(newest).filter_map(|list| {
        let ends = list.ends.moment()?;
        let (file, issuer) = (file.to_owned(), list.issuer.text.clone());
        if now >= ends {
            Some(FactKind::ListExpired { file, issuer, ends: ends.date() })
        } else if list.is_current(now)
            && now >= ends.saturating_sub(notice.unwrap_or_else(|| list.usual_notice()))
        {
            Some(FactKind::ListExpiring { file, issuer, ends: ends.date() })
        } else {
            None
        }
    });
    own.chain(missing(file, lists, trusted)).collect()
}

/// Authorities of whom there is no list at all. A list may be signed by another one than it is about; then none is named.
fn missing(file: &str, lists: &RevocationLists, trusted: &[Certificate]) -> Option<FactKind> {
    if lists.0.iter().any(|list| list.not_followed.is_some() || list.is_indirect()) {
        return None;
    }
    let mut without: Vec<String> = Vec::new();
    let mut listed = 0_usize;
    for authority in trusted.iter().filter(|one| one.is_ca()) {
        if lists.0.iter().any(|list| list.is_by(authority)) {
            listed += 1;
        } else if !without.contains(&authority.subject.text) {
            without.push(authority.subject.text.clone());
        }
    }
    let more = without.len().saturating_sub(NAMED);
    without.truncate(NAMED);
    (!without.is_empty()).then(|| FactKind::ListMissing {
        file: file.to_owned(),
        authorities: without,
        more,
        listed,
    })
}
