//! Counting of many different things in little memory.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::fast::FixedState;

/// Up to here things are counted one by one.
const EXACT: usize = 256;

/// Bits of a hash that choose a register: 4096 of them, for a standard error of 1.6 %.
const REGISTER_BITS: u32 = 12;

/// The hash of these bytes, the same in every run.
pub fn hash(bytes: &[u8]) -> u64 {
    FixedState::default().hash_one(bytes)
}

/// How many different things were seen: exactly while they are few, then by HyperLogLog (Flajolet et al. 2007).
#[derive(Clone, Debug, Default)]
pub struct Distinct {
    exact: HashSet<u64, FixedState>,
    registers: Vec<u8>,
}

impl Distinct {
    /// Counts the thing with this hash.
    pub fn add(&mut self, hash: u64) {
        if self.registers.is_empty() {
            self.exact.insert(hash);
            if self.exact.len() <= EXACT {
                return;
            }
            self.registers = vec![0; 1 << REGISTER_BITS];
            let mut known: Vec<u64> = std::mem::take(&mut self.exact).into_iter().collect();
            known.sort_unstable();
            for hash in known {
                self.register(hash);
            }
            return;
        }
        self.register(hash);
    }

    fn register(&mut self, hash: u64) {
        // The library's hash is made for tables, not for its leading zeros.
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let register = usize::try_from(mixed >> (64 - REGISTER_BITS)).unwrap_or(0);
        let rank = ((mixed << REGISTER_BITS) | 1).leading_zeros() + 1;
        let rank = u8::try_from(rank).unwrap_or(u8::MAX);
        self.registers[register] = self.registers[register].max(rank);
    }

    /// The number, and whether it is exact.
    pub fn count(&self) -> (u64, bool) {
        if self.registers.is_empty() {
            return (self.exact.len() as u64, true);
        }
        #[expect(clippy::cast_precision_loss, reason = "4096 registers")]
        let registers = self.registers.len() as f64;
        let sum: f64 = self.registers.iter().map(|rank| 0.5_f64.powi(i32::from(*rank))).sum();
        let estimate = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum;
        #[expect(clippy::cast_precision_loss, reason = "4096 registers at most")]
        let empty = self.registers.iter().copied().filter(|rank| *rank < 1).count() as f64;
        let estimate = if estimate <= 2.5 * registers && empty > 0.0 {
            registers * (registers / empty).ln()
        } else {
            estimate
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate is positive and far below 2^64"
        )]
        (estimate.round() as u64, false)
    }
}

/// Different names that are counted; the rest is counted together.
const NAMES: usize = 512;

/// Bytes of a name that are kept.
const NAME: usize = 256;

/// Counts by name, for names that the configuration gives: servers, upstreams, versions.
#[derive(Clone, Debug, Default)]
pub struct Names {
    counts: HashMap<Box<[u8]>, u64, FixedState>,
    others: u64,
}

impl Names {
    /// Counts one more of this name.
    pub fn add(&mut self, name: &[u8]) {
        let name = &name[..name.len().min(NAME)];
        if let Some(count) = self.counts.get_mut(name) {
            *count += 1;
        } else if self.counts.len() < NAMES {
            self.counts.insert(name.into(), 1);
        } else {
            self.others += 1;
        }
    }

    /// Names with their counts, the most frequent first.
    pub fn ranked(&self) -> Vec<(&[u8], u64)> {
        let mut ranked: Vec<(&[u8], u64)> =
            self.counts.iter().map(|(name, count)| (&**name, *count)).collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        ranked
    }

    /// Of names beyond those that are counted apart.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.others + self.counts.values().sum::<u64>()
    }

    /// The count of one name.
    pub fn count(&self, name: &[u8]) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

/// Counters of [`Heavy`].
const HEAVY: usize = 8;

/// The things that make up most of a stream (Misra and Gries 1982): counts are at least these.
#[derive(Clone, Debug, Default)]
pub struct Heavy {
    counters: Vec<(Box<[u8]>, u64)>,
}

impl Heavy {
    /// Counts one more.
    pub fn add(&mut self, name: &[u8]) {
        let name = &name[..name.len().min(NAME)];
        if let Some((_, count)) = self.counters.iter_mut().find(|(known, _)| **known == *name) {
            *count += 1;
        } else if self.counters.len() < HEAVY {
            self.counters.push((name.into(), 1));
        } else {
            self.counters.iter_mut().for_each(|(_, count)| *count -= 1);
            self.counters.retain(|(_, count)| *count > 0);
        }
    }

    /// The most frequent thing, with the count that it has at least.
    pub fn most(&self) -> Option<(&[u8], u64)> {
        let most = self.counters.iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)))?;
        Some((&most.0, most.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_counted_exactly_and_many_nearly() {
        let mut distinct = Distinct::default();
        for round in 0..3 {
            (0..200_u32).for_each(|client| distinct.add(hash(&client.to_be_bytes())));
            assert_eq!(distinct.count(), (200, true), "round {round}");
        }
        for total in [1_000_u32, 20_000, 300_000] {
            let mut distinct = Distinct::default();
            (0..total).for_each(|client| distinct.add(hash(format!("10.0.{client}").as_bytes())));
            let (count, exact) = distinct.count();
            let error = count.abs_diff(u64::from(total)) * 100 / u64::from(total);
            assert!(!exact && error <= 6, "{count} of {total}");
        }
    }

    #[test]
    fn what_makes_up_half_of_a_stream_is_found() {
        let mut heavy = Heavy::default();
        for client in 0..10_000_u32 {
            heavy.add(format!("10.{client}").as_bytes());
            heavy.add(b"192.0.2.1");
        }
        let (name, count) = heavy.most().unwrap();
        assert_eq!(name, b"192.0.2.1");
        assert!(count > 5_000, "{count}");
    }

    #[test]
    fn endless_names_take_no_endless_memory() {
        let mut names = Names::default();
        (0..10_000_u32).for_each(|name| names.add(format!("{name}").as_bytes()));
        assert_eq!(names.ranked().len(), NAMES);
        assert_eq!(names.total(), 10_000);
        assert_eq!(names.others(), 10_000 - NAMES as u64);
    }
}
