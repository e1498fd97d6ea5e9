//! The shape of a chain: the position of each certificate, the right order, and missing certificates.
//!
//! Signatures prove who issued what. Names alone mislead if a CA was cross-signed or its name is used by another.

use std::sync::Arc;

use super::chain::Chain;
use super::parse::{Certificate, DistinguishedName};
use super::signature::{SignatureCheck, Verifier};
use super::trust::store::TrustStore;

/// The most signature checks for one chain: a hostile chain with equal names must not cause thousands.
const MAX_CHECKS: usize = 64;

/// The role of one certificate in the chain that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Position {
    /// The first certificate.
    Leaf,
    /// On the path from the leaf, in the right place.
    InOrder,
    /// On the path from the leaf, but in the wrong place.
    OutOfOrder,
    /// A self-signed certificate at the end of a path: not needed, clients have their own copy.
    Root,
    /// A copy of an earlier certificate.
    Duplicate,
    /// Another certificate for a subject and key on the path, or the issuer of one: a cross-sign.
    Alternative,
    /// Signs nothing in this chain.
    Unrelated,
}

/// Where the path from the leaf ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathEnd {
    /// The last certificate, or its issuer, is a trust anchor.
    Anchored,
    /// The leaf itself is self-signed, and is not a trust anchor.
    SelfSignedLeaf,
    /// The path ends in a self-signed certificate that is not a trust anchor.
    UntrustedRoot,
    /// The issuer of the last certificate was neither sent nor is a trust anchor.
    MissingIssuer,
}

/// The structure of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainShape {
    /// One entry for each certificate, as sent.
    pub positions: Vec<Position>,
    /// Indices from the leaf to the last issuer found in what was sent: the right order of the file, without a root.
    pub path: Vec<usize>,
    /// How the path ends.
    pub end: PathEnd,
}

impl ChainShape {
    /// The shape of `chain`, with the anchors of `store` as its possible ends.
    pub fn of(chain: &Chain, store: &TrustStore, verifier: &Verifier) -> Self {
        ShapeWalk { certificates: &chain.certificates, verifier, checks: 0 }.shape(store)
    }

    /// Whether every certificate on the path is in the right place.
    pub fn is_in_order(&self) -> bool {
        !self.positions.contains(&Position::OutOfOrder)
    }

    /// The positions (from 0) of the certificates of one kind.
    pub fn at(&self, position: Position) -> impl Iterator<Item = usize> + '_ {
        self.positions
            .iter()
            .enumerate()
            .filter(move |(_, at)| **at == position)
            .map(|(index, _)| index)
    }

    /// The last certificate of the path, whose issuer decides the verdict.
    pub fn top<'c>(&self, chain: &'c Chain) -> Option<&'c Certificate> {
        self.path.last().and_then(|index| chain.certificates.get(*index)).map(AsRef::as_ref)
    }

    /// The missing issuer, if one is missing.
    pub fn missing_issuer<'c>(&self, chain: &'c Chain) -> Option<&'c DistinguishedName> {
        (self.end == PathEnd::MissingIssuer)
            .then(|| self.top(chain).map(|top| &top.issuer))
            .flatten()
    }
}

struct ShapeWalk<'c> {
    certificates: &'c [Arc<Certificate>],
    verifier: &'c Verifier,
    checks: usize,
}

impl ShapeWalk<'_> {
    fn shape(&mut self, store: &TrustStore) -> ChainShape {
        let count = self.certificates.len();
        if count == 0 {
            return ChainShape {
                positions: Vec::new(),
                path: Vec::new(),
                end: PathEnd::MissingIssuer,
            };
        }
        let mut path = vec![0];
        let mut root = None;
        if !self.signed(0, 0) {
            while let Some(issuer) = self.issuer(&path, store) {
                if self.signed(issuer, issuer) {
                    root = Some(issuer);
                    break;
                }
                path.push(issuer);
            }
        }
        let end = self.end(&path, root, store);
        let positions = (0..count).map(|index| self.position(index, &path, root)).collect();
        ChainShape { positions, path, end }
    }

    /// The certificate sent that signed the last one of the path. Where a cross-sign offers a choice, one directly below an
    /// anchor is taken, else the next in line, else any other.
    fn issuer(&mut self, path: &[usize], store: &TrustStore) -> Option<usize> {
        let last = *path.last()?;
        let next = last + 1;
        let others = (0..self.certificates.len()).filter(|index| *index != next);
        let signers: Vec<usize> = std::iter::once(next)
            .filter(|index| *index < self.certificates.len())
            .chain(others)
            .filter(|index| !self.repeats(*index, path))
            .collect::<Vec<_>>()
            .into_iter()
            .filter(|index| self.signed(last, *index))
            .collect();
        let anchored = |index: &usize| {
            let certificate = &self.certificates[*index];
            store.contains(certificate) || store.has_issuer_of(certificate, self.verifier)
        };
        let choice = signers.len() > 1;
        signers.iter().copied().find(|index| choice && anchored(index)).or(signers.first().copied())
    }

    /// Whether a certificate, or the same bytes, is on the path already.
    fn repeats(&self, index: usize, path: &[usize]) -> bool {
        path.iter().any(|on| self.certificates[*on].sha256 == self.certificates[index].sha256)
    }

    /// Whether `issuer` signed `subject`. If the algorithm cannot be checked, matching names and key identifiers are
    /// enough.
    fn signed(&mut self, subject: usize, issuer: usize) -> bool {
        let (subject, issuer) = (&self.certificates[subject], &self.certificates[issuer]);
        if subject.issuer.der != issuer.subject.der || self.checks >= MAX_CHECKS {
            return false;
        }
        self.checks += 1;
        match self.verifier.check(subject, &issuer.public_key.spki) {
            SignatureCheck::Valid => true,
            SignatureCheck::Invalid => false,
            SignatureCheck::CannotCheck => key_ids_agree(subject, issuer),
        }
    }

    fn end(&mut self, path: &[usize], root: Option<usize>, store: &TrustStore) -> PathEnd {
        let last = root.or(path.last().copied()).unwrap_or(0);
        let anchored =
            path.iter().chain(&root).any(|index| store.contains(&self.certificates[*index]))
                || store.has_issuer_of(&self.certificates[last], self.verifier);
        match root {
            _ if anchored => PathEnd::Anchored,
            Some(_) => PathEnd::UntrustedRoot,
            None if path == [0] && self.signed(0, 0) => PathEnd::SelfSignedLeaf,
            None => PathEnd::MissingIssuer,
        }
    }

    fn position(&mut self, index: usize, path: &[usize], root: Option<usize>) -> Position {
        if index == 0 {
            return Position::Leaf;
        }
        if (0..index)
            .any(|earlier| self.certificates[earlier].sha256 == self.certificates[index].sha256)
        {
            return Position::Duplicate;
        }
        if root == Some(index) {
            return if in_place(index, path) { Position::Root } else { Position::OutOfOrder };
        }
        if let Some(place) = path.iter().position(|on| *on == index) {
            return if in_place(index, &path[..place]) {
                Position::InOrder
            } else {
                Position::OutOfOrder
            };
        }
        self.beside_path(index, path, root)
    }

    fn beside_path(&mut self, index: usize, path: &[usize], root: Option<usize>) -> Position {
        let twins: Vec<usize> = (0..self.certificates.len())
            .filter(|other| self.has_twin(*other, path, root) && !path.contains(other))
            .collect();
        if twins.contains(&index) || twins.iter().any(|twin| self.signed(*twin, index)) {
            let own = self.signed(index, index);
            return if own { Position::Root } else { Position::Alternative };
        }
        let candidate = &self.certificates[index];
        let above_path = |on: &usize| self.certificates[*on].issuer.der == candidate.subject.der;
        if candidate.is_self_issued() && path.iter().any(above_path) {
            Position::Root
        } else {
            Position::Unrelated
        }
    }

    /// Whether a certificate of the same subject and key is on the path.
    fn has_twin(&self, index: usize, path: &[usize], root: Option<usize>) -> bool {
        let candidate = &self.certificates[index];
        path.iter().chain(&root).any(|on| {
            let certificate = &self.certificates[*on];
            certificate.subject.der == candidate.subject.der
                && certificate.public_key.spki == candidate.public_key.spki
        })
    }
}

/// Whether a certificate of the path comes after all that belong before it.
fn in_place(index: usize, before: &[usize]) -> bool {
    before.iter().all(|earlier| *earlier < index)
}

fn key_ids_agree(subject: &Certificate, issuer: &Certificate) -> bool {
    match (&subject.authority_key_id, &issuer.subject_key_id) {
        (Some(wanted), Some(offered)) => wanted == offered,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls_pki_types::CertificateDer;
    use time::macros::datetime;
    use time::{Duration, OffsetDateTime};

    use super::*;
    use crate::certificate::issue::{Authority, self_signed};

    const NOW: OffsetDateTime = datetime!(2026-06-15 12:00 UTC);

    /// root -> upper -> lower -> leaf.
    struct TestPki {
        root: CertificateDer<'static>,
        upper: CertificateDer<'static>,
        lower: CertificateDer<'static>,
        leaf: CertificateDer<'static>,
        store: TrustStore,
    }

    impl TestPki {
        fn new() -> Self {
            let root = Authority::root("root", NOW).unwrap();
            let upper = root.intermediate("upper").unwrap();
            let lower = upper.intermediate("lower").unwrap();
            let leaf = lower.issue(&["a.test"]).unwrap().certificate;
            let (root, upper, lower) = (root.certificate, upper.certificate, lower.certificate);
            let store = trusting(&[&root]);
            Self { root, upper, lower, leaf, store }
        }

        fn shape(&self, sent: &[&CertificateDer<'static>]) -> ChainShape {
            shape(sent, &self.store)
        }

        #[track_caller]
        fn check(&self, sent: &[&CertificateDer<'static>], positions: &[Position], end: PathEnd) {
            let shape = self.shape(sent);
            assert_eq!((shape.positions.as_slice(), shape.end), (positions, end));
        }
    }

    fn trusting(anchors: &[&CertificateDer<'static>]) -> TrustStore {
        let given = anchors.iter().map(|der| (*der).clone()).collect();
        TrustStore::from_certificates("test".to_owned(), given, false).0
    }

    fn shape(sent: &[&CertificateDer<'static>], store: &TrustStore) -> ChainShape {
        let sent: Vec<&[u8]> = sent.iter().map(AsRef::as_ref).collect();
        ChainShape::of(&Chain::from_der(&sent), store, &Verifier::default())
    }

    /// An authority's certificate for a given key: another one for the same key is a cross-sign.
    fn authority(
        name: &str,
        key: &KeyPair,
        issuer: Option<(&str, &KeyPair)>,
    ) -> CertificateDer<'static> {
        let params = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params.not_before = NOW - Duration::days(1);
            params.not_after = NOW + Duration::days(1);
            params
        };
        match issuer {
            None => params(name).self_signed(key),
            Some((above, signer)) => {
                params(name).signed_by(key, &Issuer::new(params(above), signer))
            }
        }
        .unwrap()
        .der()
        .clone()
    }

    use PathEnd::{Anchored, MissingIssuer, SelfSignedLeaf, UntrustedRoot};
    use Position::{Alternative, Duplicate, InOrder, Leaf, OutOfOrder, Root, Unrelated};

    #[test]
    fn a_whole_chain_is_in_order_with_and_without_its_root() {
        let pki = TestPki::new();
        let TestPki { root, upper, lower, leaf, .. } = &pki;
        pki.check(&[leaf, lower, upper], &[Leaf, InOrder, InOrder], Anchored);
        pki.check(&[leaf, lower, upper, root], &[Leaf, InOrder, InOrder, Root], Anchored);
        assert_eq!(pki.shape(&[leaf, lower, upper, root]).path, [0, 1, 2]);
    }

    #[test]
    fn swapped_intermediates_are_out_of_order_and_the_right_order_is_known() {
        let pki = TestPki::new();
        let shape = pki.shape(&[&pki.leaf, &pki.upper, &pki.lower]);
        assert_eq!((shape.path.as_slice(), shape.end), ([0, 2, 1].as_slice(), Anchored));
        assert!(!shape.is_in_order());
    }

    #[test]
    fn the_issuer_of_the_last_certificate_is_what_is_missing() {
        let pki = TestPki::new();
        pki.check(&[&pki.leaf], &[Leaf], MissingIssuer);
        pki.check(&[&pki.leaf, &pki.upper], &[Leaf, Unrelated], MissingIssuer);
        let sent = [pki.leaf.as_ref(), pki.lower.as_ref()];
        let chain = Chain::from_der(&sent);
        let shape = ChainShape::of(&chain, &pki.store, &Verifier::default());
        assert_eq!(shape.missing_issuer(&chain).unwrap().text, "CN=upper");
    }

    #[test]
    fn strangers_and_duplicates_do_not_put_others_out_of_order() {
        let pki = TestPki::new();
        let other = Authority::root("other", NOW).unwrap().certificate;
        let TestPki { upper, lower, leaf, .. } = &pki;
        pki.check(
            &[leaf, &other, lower, leaf, lower, upper],
            &[Leaf, Unrelated, InOrder, Duplicate, Duplicate, InOrder],
            Anchored,
        );
    }

    #[test]
    fn a_leaf_that_signed_itself_is_anchored_only_where_it_is_trusted() {
        let own = self_signed(&["a.test"], NOW).unwrap().certificate;
        assert_eq!(shape(&[&own], &trusting(&[])).end, SelfSignedLeaf);
        assert_eq!(shape(&[&own], &trusting(&[&own])).end, Anchored);
    }

    #[test]
    fn a_root_that_is_sent_is_not_trusted_for_that() {
        let pki = TestPki::new();
        let sent = [&pki.leaf, &pki.lower, &pki.upper, &pki.root];
        assert_eq!(shape(&sent, &trusting(&[])).end, UntrustedRoot);
    }

    #[test]
    fn a_namesake_signs_nothing() {
        let pki = TestPki::new();
        let namesake = Authority::root("root", NOW).unwrap().certificate;
        let sent = [&pki.leaf, &pki.lower, &pki.upper, &namesake];
        let shape = shape(&sent, &trusting(&[&namesake]));
        assert_eq!((shape.path.as_slice(), shape.end), ([0, 1, 2].as_slice(), MissingIssuer));
    }

    #[test]
    fn a_cross_sign_belongs_to_the_chain_and_so_does_what_is_above_it() {
        let [new, old, end] = [(); 3].map(|()| KeyPair::generate().unwrap());
        let new_root = authority("new", &new, None);
        let cross = authority("new", &new, Some(("old", &old)));
        let old_root = authority("old", &old, None);
        let leaf = authority("leaf", &end, Some(("new", &new)));
        let check = |sent: &[&CertificateDer<'static>], positions: &[Position]| {
            let shape = shape(sent, &trusting(&[&new_root]));
            assert_eq!((shape.positions.as_slice(), shape.end), (positions, Anchored));
        };
        check(&[&leaf, &cross], &[Leaf, InOrder]);
        check(&[&leaf, &cross, &old_root], &[Leaf, InOrder, Root]);
        check(&[&leaf, &cross, &new_root], &[Leaf, InOrder, Root]);
        check(&[&leaf, &new_root, &cross], &[Leaf, Root, Alternative]);
        check(&[&leaf, &new_root, &cross, &old_root], &[Leaf, Root, Alternative, Root]);
    }

    #[test]
    fn no_certificate_is_no_path() {
        let shape = shape(&[], &trusting(&[]));
        assert_eq!((shape.path.as_slice(), shape.end), ([].as_slice(), MissingIssuer));
    }

    #[test]
    fn mozillas_anchors_serve_without_being_certificates() {
        let store = TrustStore::mozilla();
        assert!(store.certificates.is_empty() && store.anchors.len() > 50);
        assert_eq!(shape(&[&TestPki::new().leaf], &store).end, MissingIssuer);
    }

    #[test]
    fn an_anchor_of_name_and_key_alone_anchors() {
        let pki = TestPki::new();
        let mut store = trusting(&[&pki.root]);
        store.certificates.clear();
        assert_eq!(shape(&[&pki.leaf, &pki.lower, &pki.upper], &store).end, Anchored);
    }

    #[test]
    fn a_misplaced_root_is_out_of_order() {
        let pki = TestPki::new();
        let shape = pki.shape(&[&pki.leaf, &pki.root, &pki.lower, &pki.upper]);
        assert_eq!(shape.positions, [Leaf, OutOfOrder, InOrder, InOrder]);
    }
}
