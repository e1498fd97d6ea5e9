//! A bounded cache of results for chains: a known chain costs only one hash.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::chain::{self, Chain};
use super::parse::Fingerprint;

/// The most values in each generation.
const GENERATION: usize = 512;

/// Bytes of DER beyond which a chain is not kept; real chains have two to eight thousand.
const MAX_CHAIN: usize = 32 * 1024;

/// A map with two generations: when the young one is full it becomes the old one, and values that were not used since
/// are dropped. It never has more than two generations, whatever servers send.
#[derive(Debug)]
pub(super) struct Memory<T> {
    generations: Mutex<[HashMap<Fingerprint, Arc<T>>; 2]>,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self { generations: Mutex::default() }
    }
}

impl<T> Memory<T> {
    /// The value for `key`, computed by `make` if it is not known. `make` runs without the lock.
    pub(super) fn get_or_insert(&self, key: Fingerprint, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(known) = self.recall(key) {
            return known;
        }
        let made = Arc::new(make());
        self.keep(key, Arc::clone(&made));
        made
    }

    fn recall(&self, key: Fingerprint) -> Option<Arc<T>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let [young, old] = &mut *generations;
        if let Some(known) = young.get(&key) {
            return Some(Arc::clone(known));
        }
        let known = old.remove(&key)?;
        insert(&mut generations, key, Arc::clone(&known));
        Some(known)
    }

    fn keep(&self, key: Fingerprint, value: Arc<T>) {
        insert(&mut self.generations.lock().unwrap_or_else(PoisonError::into_inner), key, value);
    }
}

fn insert<T>(generations: &mut [HashMap<Fingerprint, Arc<T>>; 2], key: Fingerprint, value: Arc<T>) {
    let [young, old] = generations;
    if young.len() >= GENERATION {
        *old = std::mem::take(young);
    }
    young.insert(key, value);
}

/// Chains that were parsed already.
#[derive(Debug, Default)]
pub struct ChainCache {
    chains: Memory<Chain>,
}

impl ChainCache {
    /// The chain of these certificates in DER, parsed only if it is not in the cache.
    pub fn intern(&self, certificates: &[&[u8]]) -> Arc<Chain> {
        let size: usize = certificates.iter().map(|der| der.len()).sum();
        if size > MAX_CHAIN {
            return Arc::new(Chain::from_der(certificates));
        }
        self.chains.get_or_insert(chain::digest(certificates), || Chain::from_der(certificates))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_met_again_is_the_same_value() {
        let cache = ChainCache::default();
        assert!(Arc::ptr_eq(&cache.intern(&[b"x"]), &cache.intern(&[b"x"])));
        assert!(!Arc::ptr_eq(&cache.intern(&[b"x"]), &cache.intern(&[b"xy"])));
    }

    #[test]
    fn a_chain_of_absurd_size_is_not_kept() {
        let cache = ChainCache::default();
        let huge = vec![0; MAX_CHAIN + 1];
        assert!(!Arc::ptr_eq(&cache.intern(&[&huge]), &cache.intern(&[&huge])));
    }

    #[test]
    fn memory_stays_within_two_generations() {
        let memory = Memory::default();
        for number in 0..5 * GENERATION {
            memory.get_or_insert(Fingerprint::of(&number.to_be_bytes()), || number);
        }
        let kept: usize = memory.generations.lock().unwrap().iter().map(HashMap::len).sum();
        assert!(kept <= 2 * GENERATION);
    }
}
