//! Revocation lists as OpenSSL checks them (`check_revocation`), with the flags that nginx sets once a file of lists is
//! configured: every certificate of the path needs a list of its issuer; until OpenSSL 3.5 the root itself does too.

use time::OffsetDateTime;

use super::issuer::is_self_signed;
use crate::certificate::crl::{ListDate, RevocationList, RevocationLists};
use crate::certificate::distribution_point::{ALL_REASONS, IssuingPoint, PointName, ReasonSet};
use crate::certificate::name_constraints::GeneralName;
use crate::certificate::openssl_view::{CRL_SIGN, OpensslView};
use crate::certificate::parse::Certificate;
use crate::certificate::signature::{SignatureCheck, Verifier};
use crate::openssl::release::OpensslRelease;
use crate::openssl::verify_error::VerifyError;

/// What keeps the lists from accepting a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFault {
    /// The subject of the certificate.
    pub certificate: String,
    /// Its issuer, whose list counts.
    pub issuer: String,
    /// OpenSSL's error.
    pub error: VerifyError,
    /// When the list ends, if one was found.
    pub ends: Option<OffsetDateTime>,
}

/// A path, and the lists to check it with.
#[derive(Clone, Copy)]
pub(super) struct RevocationCheck<'c> {
    pub(super) path: &'c [&'c Certificate],
    pub(super) lists: &'c RevocationLists,
    pub(super) now: OffsetDateTime,
    pub(super) library: OpensslRelease,
    pub(super) verifier: &'c Verifier,
    /// Whether a delta list may stand for a complete one: releases with the same number differ in it.
    deltas: bool,
    /// Whether self-signed certificates are checked too, which OpenSSL 3.6 no longer does.
    self_signed: bool,
}

/// What the lists say.
#[derive(Default)]
pub(super) struct ListOutcome {
    /// In the order in which OpenSSL meets them.
    pub(super) faults: Vec<ListFault>,
    /// What could not be checked.
    pub(super) unknown: Option<String>,
    /// Another list, or none, may be the one that counts.
    is_doubtful: bool,
}

/// A list that fits a certificate, and how well (`get_crl_score`).
#[derive(Clone, Copy)]
struct Fit<'c> {
    list: &'c RevocationList,
    issuer: &'c Certificate,
    score: Score,
    reasons: ReasonSet,
}

/// OpenSSL's order of what counts most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of OpenSSL's score")]
struct Score {
    no_critical: bool,
    in_scope: bool,
    is_current: bool,
    /// Signed by the certificate's own issuer, not by one higher up.
    by_issuer: bool,
}

impl<'c> RevocationCheck<'c> {
    pub(super) fn new(
        path: &'c [&'c Certificate],
        lists: &'c RevocationLists,
        (now, library): (OffsetDateTime, OpensslRelease),
        verifier: &'c Verifier,
    ) -> Self {
        Self { path, lists, now, library, verifier, deltas: false, self_signed: true }
    }

    /// Where builds of one release differ, the verdict is given only if it is the same for all.
    pub(super) fn run(self) -> ListOutcome {
        let mut outcome = self.each();
        if outcome.is_doubtful {
            outcome.faults.clear();
            return outcome;
        }
        let ends = |outcome: &ListOutcome| {
            let (first, last) = (outcome.faults.first(), outcome.faults.last());
            [first, last].map(|fault| fault.map(|fault| fault.error))
        };
        let differs = |other: Self| ends(&other.each()) != ends(&outcome);
        let has_delta = self.lists.0.iter().any(|list| list.is_delta);
        let why = if has_delta && differs(Self { deltas: true, ..self }) {
            "what a delta list counts for differs between builds of OpenSSL"
        } else if self.library >= OpensslRelease::V3_5
            && differs(Self { self_signed: false, ..self })
        {
            "whether a list has to say something of the root itself differs between OpenSSL 3.5 and 3.6"
        } else {
            return outcome;
        };
        outcome.faults.clear();
        outcome.unknown = Some(why.to_owned());
        outcome
    }

    fn each(self) -> ListOutcome {
        let mut outcome = ListOutcome::default();
        for (index, certificate) in self.path.iter().enumerate() {
            if self.self_signed || !is_self_signed(certificate, self.library) {
                self.certificate(index, &mut outcome);
            }
        }
        outcome
    }

    /// `check_cert`: lists are looked up until every reason for a revocation is covered.
    fn certificate(self, index: usize, outcome: &mut ListOutcome) {
        let certificate = self.path[index];
        let Ok(view) = &certificate.openssl else { return };
        if view.proxy {
            return;
        }
        let mut covered = 0;
        while covered != ALL_REASONS {
            let Some(fit) = self.best(index, view, covered, outcome) else {
                outcome.object(certificate, None, VerifyError::UNABLE_TO_GET_CRL);
                return;
            };
            self.list(certificate, fit, outcome);
            if fit.list.revokes(&view.serial) {
                outcome.object(certificate, Some(fit.list), VerifyError::CERT_REVOKED);
            }
            let before = covered;
            covered = fit.reasons;
            if covered == before {
                outcome.object(certificate, None, VerifyError::UNABLE_TO_GET_CRL);
                return;
            }
        }
    }

    /// `get_crl_sk`: the list that fits best, and of several the newest.
    fn best(
        self,
        index: usize,
        view: &OpensslView,
        covered: ReasonSet,
        outcome: &mut ListOutcome,
    ) -> Option<Fit<'c>> {
        let mut best: Option<Fit<'c>> = None;
        let mut is_tied = false;
        for list in &self.lists.0 {
            let Some(fit) = self.fit(list, index, view, covered, outcome) else { continue };
            let Some(known) = best else {
                best = Some(fit);
                continue;
            };
            let issued = |fit: Fit<'_>| fit.list.issued.moment();
            if fit.score > known.score
                || (fit.score == known.score
                    && issued(fit) > issued(known)
                    && issued(known).is_some())
            {
                (best, is_tied) = (Some(fit), false);
            } else if fit.score == known.score {
                let undated = issued(fit).is_none() || issued(known).is_none();
                is_tied |= undated || issued(fit) == issued(known) && fit.list != known.list;
            }
        }
        if is_tied {
            outcome.doubt("which of two revocation lists of the same time counts is not known");
        }
        best
    }

    /// `get_crl_score`; `None` for a list that has nothing to do with the certificate.
    fn fit(
        self,
        list: &'c RevocationList,
        index: usize,
        view: &OpensslView,
        covered: ReasonSet,
        outcome: &mut ListOutcome,
    ) -> Option<Fit<'c>> {
        let unusable = |point: &IssuingPoint| {
            point.contradicts_itself() || point.indirect || point.some_reasons
        };
        if list.name != view.issuer
            || list.point.as_ref().is_some_and(unusable)
            || (list.is_delta && !self.deltas)
        {
            return None;
        }
        let (issuer, by_issuer) = self.issuer(list, index)?;
        let mut reasons = covered;
        let found = match scope(list, view) {
            ListScope::Covers(found) => Some(found),
            ListScope::Outside => None,
            ListScope::NotFollowed => {
                outcome
                    .doubt("the names of a revocation list's distribution point are not followed");
                Some(ALL_REASONS)
            }
        };
        if let Some(found) = found {
            if found & !covered == 0 {
                return None;
            }
            reasons |= found;
        }
        let score = Score {
            no_critical: !list.unhandled_critical,
            in_scope: found.is_some(),
            is_current: list.is_current(self.now),
            by_issuer,
        };
        Some(Fit { list, issuer, score, reasons })
    }

    /// `crl_akid_check`: the certificate of the path that may have signed the list, and whether it is the issuer.
    fn issuer(self, list: &RevocationList, index: usize) -> Option<(&'c Certificate, bool)> {
        let start = (index + 1).min(self.path.len() - 1);
        let fits = |certificate: &Certificate| {
            certificate.openssl.as_ref().is_ok_and(|view| {
                view.subject == list.name
                    && list.authority_key_id.as_ref().is_none_or(|id| id.fits(view))
            })
        };
        let found = (start..self.path.len()).find(|at| fits(self.path[*at]))?;
        Some((self.path[found], found == start))
    }

    /// `check_crl` and the first part of `cert_crl`.
    fn list(self, certificate: &Certificate, fit: Fit<'_>, outcome: &mut ListOutcome) {
        let Fit { list, issuer, score, .. } = fit;
        let mut object = |error: VerifyError| outcome.object(certificate, Some(list), error);
        let usage = issuer.openssl.as_ref().ok().and_then(|view| view.key_usage);
        if usage.is_some_and(|usage| usage & CRL_SIGN == 0) {
            object(VerifyError::KEYUSAGE_NO_CRL_SIGN);
        }
        if !score.in_scope {
            object(VerifyError::DIFFERENT_CRL_SCOPE);
        }
        match list.issued {
            ListDate::At(issued) if issued > self.now => object(VerifyError::CRL_NOT_YET_VALID),
            ListDate::At(_) => {}
            _ => object(VerifyError::ERROR_IN_CRL_LAST_UPDATE_FIELD),
        }
        match list.ends {
            ListDate::Malformed => object(VerifyError::ERROR_IN_CRL_NEXT_UPDATE_FIELD),
            ListDate::At(ends) if self.now >= ends => object(VerifyError::CRL_HAS_EXPIRED),
            _ => {}
        }
        if issuer.public_key.is_known_to(self.library) {
            match self.signature(list, issuer) {
                SignatureCheck::Valid => {}
                SignatureCheck::Invalid => object(VerifyError::CRL_SIGNATURE_FAILURE),
                SignatureCheck::CannotCheck => {
                    outcome.cannot("the signature of a revocation list cannot be checked here");
                }
            }
        } else {
            object(VerifyError::UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY);
        }
        if list.unhandled_critical {
            outcome.object(certificate, Some(list), VerifyError::UNHANDLED_CRITICAL_CRL_EXTENSION);
        }
        if let Some(what) = list.not_followed {
            outcome.doubt(&format!("a revocation list {what}, which is not followed"));
        }
    }

    fn signature(self, list: &RevocationList, issuer: &Certificate) -> SignatureCheck {
        let Some(signed) = list.signed() else { return SignatureCheck::CannotCheck };
        let spki = &issuer.public_key.spki;
        self.verifier.check_message(signed.algorithm, spki, signed.message, signed.signature)
    }
}

impl ListOutcome {
    fn object(
        &mut self,
        certificate: &Certificate,
        list: Option<&RevocationList>,
        error: VerifyError,
    ) {
        self.faults.push(ListFault {
            certificate: certificate.subject.text.clone(),
            issuer: certificate.issuer.text.clone(),
            error,
            ends: list.and_then(|list| list.ends.moment()),
        });
    }

    fn cannot(&mut self, why: &str) {
        self.unknown.get_or_insert_with(|| why.to_owned());
    }

    fn doubt(&mut self, why: &str) {
        self.is_doubtful = true;
        self.cannot(why);
    }
}

/// Whether a list is about a certificate.
enum ListScope {
    /// For these reasons.
    Covers(ReasonSet),
    Outside,
    /// A kind of name that is not compared here.
    NotFollowed,
}

/// `crl_crldp_check`, for a list of the certificate's issuer.
fn scope(list: &RevocationList, view: &OpensslView) -> ListScope {
    let is_authority = view.basic_constraints.is_some_and(|(ca, _)| ca);
    let point = list.point.as_ref();
    let excludes = |point: &IssuingPoint| {
        point.only_attributes
            || (is_authority && point.only_users)
            || (!is_authority && point.only_authorities)
    };
    if point.is_some_and(excludes) {
        return ListScope::Outside;
    }
    for place in &view.distribution_points {
        let is_issuer = |name: &GeneralName| matches!(name, GeneralName::Directory(directory) if *directory == list.name);
        if !place.issuers.is_empty() && !place.issuers.iter().any(is_issuer) {
            continue;
        }
        let names = point.and_then(|point| point.name.as_ref());
        match share_name(place.name.as_ref(), names) {
            Some(true) => return ListScope::Covers(place.reasons),
            Some(false) => {}
            None => return ListScope::NotFollowed,
        }
    }
    if point.is_none_or(|point| point.name.is_none()) {
        ListScope::Covers(ALL_REASONS)
    } else {
        ListScope::Outside
    }
}

/// `idp_check_dp`: whether two lists of names have one in common; `None` if that cannot be told here.
fn share_name(one: Option<&PointName>, other: Option<&PointName>) -> Option<bool> {
    let (Some(one), Some(other)) = (one, other) else { return Some(true) };
    let (PointName::Full(one), PointName::Full(other)) = (one, other) else { return None };
    let is_plain =
        |name: &GeneralName| !matches!(name, GeneralName::Other(_) | GeneralName::Unsupported(_));
    if one.iter().any(|name| is_plain(name) && other.contains(name)) {
        return Some(true);
    }
    let odd = |names: &[GeneralName]| names.iter().any(|name| !is_plain(name));
    if odd(one) && odd(other) { None } else { Some(false) }
}
