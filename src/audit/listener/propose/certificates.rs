//! Candidates for certificates: other pairs, and other contents of a file.

use std::sync::Arc;

use crate::audit::listener::candidate::Candidate;
use crate::audit::listener::chain_file::{ChainChange, ChainFile};
use crate::audit::listener::settings::set;
use crate::audit::listener::site::Site;
use crate::certificate::Certificate;
use crate::certificate::Chain;
use crate::certificate::file::FileChain;
use crate::certificate::key::KeyType;
use crate::certificate::name::{Coverage, Name, coverage};
use crate::certificate::shape::{ChainShape, Position};
use crate::certificate::signature::{SignatureCheck, Verifier};
use crate::certificate::trust::TrustStore;
use crate::nginx::listener::{CertificatePair, Material, ServerName};
use crate::tls::suite::Authentication;

/// The most issuers that are added to one chain.
const MAX_ADDED: usize = 3;

/// The files of the certificates that the server sends, as far as they were read.
pub(super) fn served(site: Site<'_>) -> impl Iterator<Item = &FileChain> {
    let names = site.holder().ssl.certificates.iter().filter_map(file_name);
    names.filter_map(move |name| site.files.iter().find(|file| file.path == name))
}

fn file_name(pair: &CertificatePair) -> Option<&str> {
    match &pair.certificate.value {
        Material::File(name) => Some(name),
        _ => None,
    }
}

/// A pair elsewhere in the configuration, of a type that this server lacks and with its name.
pub(super) fn of_another_kind(site: Site<'_>, kinds: &[Authentication]) -> Option<Candidate> {
    let holder = site.holder();
    let fits = |file: &&FileChain| {
        let Some(leaf) = file.chain.leaf() else { return false };
        let kind = match leaf.public_key.key_type {
            KeyType::Rsa => Authentication::Rsa,
            KeyType::Ec(_) => Authentication::Ecdsa,
            _ => return false,
        };
        file.key.is_some() && !kinds.contains(&kind) && covers_all(site, leaf)
    };
    let other = site.files.iter().find(fits)?;
    let key = other.key.as_ref()?;
    let word = |material: &Material| match material {
        Material::File(name) | Material::Data(name) | Material::Engine(name) => name.clone(),
        Material::Variable(file) => file.written.clone(),
    };
    let pairs = &holder.ssl.certificates;
    let certificates = pairs.iter().map(|pair| word(&pair.certificate.value));
    let keys = pairs.iter().filter_map(|pair| pair.key.as_ref()).map(|key| word(&key.value));
    let certificates = certificates.chain([other.path.clone()]);
    let keys = keys.chain([key.path.clone()]);
    let certificates = certificates.map(|path| set(holder, "ssl_certificate", &[&path]));
    let keys = keys.map(|path| set(holder, "ssl_certificate_key", &[&path]));
    Some(Candidate::of(certificates.chain(keys).collect()))
}

fn covers_all(site: Site<'_>, leaf: &Certificate) -> bool {
    let mut names = site.server.names.iter().filter_map(|set| match &set.value {
        ServerName::Exact(name) => Some(name),
        _ => None,
    });
    names.all(|name| coverage(leaf, Name::Dns(name)) == Coverage::Covered)
}

/// The chains that this function changes, of all files that are sent.
pub(super) fn rewritten(
    site: Site<'_>,
    change: ChainChange,
    order: impl Fn(&Chain) -> Vec<Vec<u8>>,
) -> Vec<Candidate> {
    let files = served(site).filter(|file| file.leaf_at == 0);
    let changed = files.filter_map(|file| {
        let sent = file.chain.certificates.iter().map(|one| one.der.to_vec());
        let certificates = order(&file.chain);
        let changes = !sent.eq(certificates.iter().cloned());
        changes
            .then(|| Candidate::file(ChainFile { path: file.path.clone(), certificates, change }))
    });
    changed.collect()
}

/// The path from the leaf, then all other certificates.
pub(super) fn in_order(chain: &Chain) -> Vec<Vec<u8>> {
    let path = shape(chain).path;
    let others = (0..chain.certificates.len()).filter(|index| !path.contains(index));
    let order: Vec<usize> = path.iter().copied().chain(others).collect();
    ders(chain, &order)
}

/// Without roots, duplicates and certificates that signed nothing here.
pub(super) fn plain(chain: &Chain) -> Vec<Vec<u8>> {
    let shape = shape(chain);
    let needless = |index: &usize| {
        let position = shape.positions.get(*index);
        let kinds = [Position::Root, Position::Duplicate, Position::Unrelated];
        position.is_some_and(|position| kinds.contains(position))
    };
    let kept: Vec<usize> = (0..chain.certificates.len()).filter(|at| !needless(at)).collect();
    ders(chain, &kept)
}

/// With the missing issuers, from other files of the configuration.
pub(super) fn whole(site: Site<'_>, chain: &Chain) -> Vec<Vec<u8>> {
    let others = site.files.iter().flat_map(|file| file.chain.certificates.iter().skip(1));
    let known: Vec<&Arc<Certificate>> = others.collect();
    let path = shape(chain).path;
    let last = path.last().and_then(|at| chain.certificates.get(*at));
    let mut all: Vec<Vec<u8>> =
        chain.certificates.iter().map(|certificate| certificate.der.to_vec()).collect();
    let Some(mut top) = last else { return all };
    let before = all.len();
    let verifier = Verifier::default();
    while all.len() < before + MAX_ADDED
        && let Some(issuer) = known.iter().find(|issuer| {
            issuer.subject.der == top.issuer.der
                && !issuer.is_self_issued()
                && verifier.check(top, &issuer.public_key.spki) == SignatureCheck::Valid
        })
    {
        all.push(issuer.der.to_vec());
        top = issuer;
    }
    all
}

/// The shape of the chain, regardless of trust.
fn shape(chain: &Chain) -> ChainShape {
    let (nobody, _) = TrustStore::from_certificates(String::new(), Vec::new(), false);
    ChainShape::of(chain, &nobody, &Verifier::default())
}

fn ders(chain: &Chain, order: &[usize]) -> Vec<Vec<u8>> {
    let at = |index: &usize| chain.certificates.get(*index).map(|one| one.der.to_vec());
    order.iter().filter_map(at).collect()
}
