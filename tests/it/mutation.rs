//! Ten thousand chains with bytes changed, moved, cut and duplicated: each is judged in limited time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use shakedown::certificate::Chain;
use shakedown::certificate::issue::Authority;
use shakedown::certificate::name::{Name, coverage};
use shakedown::certificate::trust::{Assessor, TrustStore};
use time::OffsetDateTime;

use crate::support::dice::Dice;

/// The number of chains.
const CHAINS: usize = 10_000;

/// The time limit for each; a normal chain needs a thousandth of it.
const BOUND: Duration = Duration::from_secs(2);

fn mutate(dice: &mut Dice, chain: &[CertificateDer<'static>]) -> Vec<Vec<u8>> {
    let mut chain: Vec<Vec<u8>> = chain.iter().map(|der| der.to_vec()).collect();
    for _ in 0..=dice.below(4) {
        let which = dice.below(chain.len());
        let at = dice.below(chain[which].len());
        match dice.below(6) {
            0 => chain[which][at] ^= 1 << dice.below(8),
            1 => chain[which][at] = u8::try_from(dice.below(256)).unwrap(),
            2 => chain[which].truncate(at),
            3 => chain[which].insert(at, 0xff),
            4 => chain.push(chain[which].clone()),
            _ => chain.swap(0, which),
        }
        if chain[which].is_empty() {
            chain[which].push(0x30);
        }
    }
    chain
}

#[test]
fn no_mutation_panics_or_takes_long() {
    let now = OffsetDateTime::now_utc();
    let root = Authority::root("mutation root", now).unwrap();
    let lower = root.intermediate("upper").unwrap().intermediate("lower").unwrap();
    let sound = lower.issue(&["a.test", "*.b.test", "127.0.0.1"]).unwrap().chain();
    let (store, _) =
        TrustStore::from_certificates("root".to_owned(), vec![root.certificate], false);
    let assessor = Assessor::new(Arc::new(store), now);
    let mut dice = Dice(0x5eed_5eed);
    for round in 0..CHAINS {
        let sent = mutate(&mut dice, &sound);
        let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
        let started = Instant::now();
        let chain = Chain::from_der(&sent);
        let assessment = assessor.assess(&chain);
        assert_eq!(assessment.shape.positions.len(), chain.certificates.len());
        if let Some(leaf) = chain.leaf() {
            coverage(leaf, Name::Dns("a.test"));
        }
        assert!(started.elapsed() < BOUND, "round {round} took {:?}", started.elapsed());
    }
}

#[test]
fn namesakes_do_not_buy_endless_signature_checks() {
    let now = OffsetDateTime::now_utc();
    let root = Authority::root("namesake", now).unwrap();
    let leaf = root.issue(&["a.test"]).unwrap();
    let mut sent = leaf.chain();
    sent.extend((0..100).map(|_| Authority::root("namesake", now).unwrap().certificate));
    let sent: Vec<&[u8]> = sent.iter().map(AsRef::as_ref).collect();
    let (store, _) =
        TrustStore::from_certificates("root".to_owned(), vec![root.certificate], false);
    let started = Instant::now();
    let chain = Chain::from_der(&sent);
    let assessment = Assessor::new(Arc::new(store), now).assess(&chain);
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    assert!(chain.ignored > 0 && !assessment.shape.positions.is_empty());
}
