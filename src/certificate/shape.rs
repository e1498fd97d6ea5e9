//! The shape of a chain: which certificate stands where, in which order they belong, and what is missing.
//!
//! Edges are proved by signature. A name alone misleads where a CA was cross-signed or its name taken.

use std::sync::Arc;

use super::chain::Chain;
use super::parse::{Certificate, DistinguishedName};
use super::signature::{SignatureCheck, Verifier};
use super::trust::TrustStore;

/// Signature checks that one chain may cost; equal names must not buy a server thousands of them.
const MAX_CHECKS: usize = 64;

/// What one certificate is within the chain that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Position {
    /// The first certificate.
    Leaf,
    /// On the path from the leaf, in the place where it belongs.
    InOrder,
    /// On the path from the leaf, but not in the place where it belongs.
    OutOfOrder,
    /// A self-signed certificate that ends the path: needless, clients have their own copy.
    Root,
    /// The same bytes stood earlier.
    Duplicate,
    /// Another certificate for a subject and key on the path: a cross-sign.
    Alternative,
    /// Signs nothing in this chain.
    Unrelated,
}

/// Where the path that starts at the leaf stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathEnd {
    /// The last certificate, or its issuer, is a trust anchor.
    Anchored,
    /// The leaf itself is self-signed, and is no trust anchor.
    SelfSignedLeaf,
    /// The path ends in a self-signed certificate that is no trust anchor.
    UntrustedRoot,
    /// The issuer of the last certificate was neither sent nor is a trust anchor.
    MissingIssuer,
}

/// How a chain hangs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// One entry for each certificate, as sent.
    pub positions: Vec<Position>,
    /// Indices from the leaf to the last issuer found in what was sent: the right order of the file, without a root.
    pub path: Vec<usize>,
    /// How the path ends.
    pub end: PathEnd,
}

impl Shape {
    /// The shape of `chain`, with the anchors of `store` as its possible ends.
    pub fn of(chain: &Chain, store: &TrustStore, verifier: &Verifier) -> Self {
        Walk { certificates: &chain.certificates, verifier, checks: 0 }.shape(store)
    }

    /// Whether every certificate on the path stands where it belongs.
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

    /// The issuer that is missing, where one is.
    pub fn missing_issuer<'c>(&self, chain: &'c Chain) -> Option<&'c DistinguishedName> {
        (self.end == PathEnd::MissingIssuer)
            .then(|| self.top(chain).map(|top| &top.issuer))
            .flatten()
    }
}

struct Walk<'c> {
    certificates: &'c [Arc<Certificate>],
    verifier: &'c Verifier,
    checks: usize,
}

impl Walk<'_> {
    fn shape(&mut self, store: &TrustStore) -> Shape {
        let count = self.certificates.len();
        if count == 0 {
            return Shape { positions: Vec::new(), path: Vec::new(), end: PathEnd::MissingIssuer };
        }
        let mut path = vec![0];
        let mut root = None;
        if !self.signed(0, 0) {
            while let Some(issuer) = self.issuer(&path) {
                if self.signed(issuer, issuer) {
                    root = Some(issuer);
                    break;
                }
                path.push(issuer);
            }
        }
        let end = self.end(&path, root, store);
        let positions = (0..count).map(|index| self.position(index, &path, root)).collect();
        Shape { positions, path, end }
    }

    /// The certificate sent that signed the last one of the path: the next in line if it did, else any other.
    fn issuer(&mut self, path: &[usize]) -> Option<usize> {
        let last = *path.last()?;
        let next = last + 1;
        let others = (0..self.certificates.len()).filter(|index| *index != next);
        let mut candidates = std::iter::once(next)
            .filter(|index| *index < self.certificates.len())
            .chain(others)
            .filter(|index| !self.repeats(*index, path))
            .collect::<Vec<_>>()
            .into_iter();
        candidates.find(|index| self.signed(last, *index))
    }

    /// Whether a certificate, or the same bytes, is on the path already.
    fn repeats(&self, index: usize, path: &[usize]) -> bool {
        path.iter().any(|on| self.certificates[*on].sha256 == self.certificates[index].sha256)
    }

    /// Whether `issuer` signed `subject`. Where the algorithm cannot be checked, matching names and key identifiers
    /// stand in for the signature.
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

    fn beside_path(&self, index: usize, path: &[usize], root: Option<usize>) -> Position {
        let candidate = &self.certificates[index];
        let same_key = |on: &usize| {
            let certificate = &self.certificates[*on];
            certificate.subject.der == candidate.subject.der
                && certificate.public_key.spki == candidate.public_key.spki
        };
        let above_path = |on: &usize| self.certificates[*on].issuer.der == candidate.subject.der;
        if path.iter().chain(&root).any(same_key) {
            Position::Alternative
        } else if candidate.is_self_issued() && path.iter().any(above_path) {
            Position::Root
        } else {
            Position::Unrelated
        }
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
