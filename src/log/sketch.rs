//! Counts many distinct values in little memory.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::fast::FixedState;

/// Up to this number, values are counted exactly.
const EXACT: usize = 256;

/// The bits of a hash that select a register: 4096 registers give a standard error of 1.6 %.
const REGISTER_BITS: u32 = 12;

/// The hash of these bytes, the same in every run.
pub fn hash(bytes: &[u8]) -> u64 {
    FixedState::default().hash_one(bytes)
}

/// A text with its hash.
#[derive(Clone, Copy, Debug)]
pub struct HashedText<'a> {
    /// The text.
    pub text: &'a [u8],
    /// Its [`hash`].
    pub hash: u64,
}

impl<'a> HashedText<'a> {
    /// This text.
    pub fn of(text: &'a [u8]) -> Self {
        Self { text, hash: hash(text) }
    }
}

/// The number of distinct values: exact at first, then estimated by HyperLogLog (Flajolet et al. 2007).
#[derive(Clone, Debug, Default)]
pub struct Distinct {
    exact: HashSet<u64, FixedState>,
    registers: Vec<u8>,
}

impl Distinct {
    /// Counts the value with this hash.
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
        // This hash is made for tables; HyperLogLog needs its leading zeros to be random.
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

/// The most distinct names; the rest is counted together.
const NAMES: usize = 512;

/// The most bytes of a name.
const NAME: usize = 256;

/// Up to this number, names are searched linearly; above it, by their hash.
const FEW: usize = 16;

/// Counts by name, for names from the configuration: servers, upstreams, versions.
#[derive(Clone, Debug, Default)]
pub struct NameCounts {
    counts: Vec<(Box<[u8]>, u64)>,
    places: HashMap<Box<[u8]>, usize, FixedState>,
    /// The place of the last name: it often comes again.
    last: usize,
    others: u64,
}

impl NameCounts {
    /// Adds one to this name; returns whether it is new.
    pub fn add(&mut self, name: &[u8]) -> bool {
        let name = &name[..name.len().min(NAME)];
        if let Some((known, count)) = self.counts.get_mut(self.last)
            && **known == *name
        {
            *count += 1;
            return false;
        }
        let few = self.counts.iter().take(FEW).position(|(known, _)| **known == *name);
        match few.or_else(|| self.places.get(name).copied()) {
            Some(place) => {
                self.last = place;
                self.counts[place].1 += 1;
                false
            }
            None if self.counts.len() < NAMES => {
                if self.counts.len() >= FEW {
                    self.places.insert(name.into(), self.counts.len());
                }
                self.counts.push((name.into(), 1));
                true
            }
            None => {
                self.others += 1;
                false
            }
        }
    }

    /// Names with their counts, the most frequent first.
    pub fn ranked(&self) -> Vec<(&[u8], u64)> {
        let mut ranked: Vec<(&[u8], u64)> =
            self.counts.iter().map(|(name, count)| (&**name, *count)).collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        ranked
    }

    /// The total count.
    pub fn total(&self) -> u64 {
        self.others + self.counts.iter().map(|(_, count)| count).sum::<u64>()
    }

    /// The count of one name.
    pub fn count(&self, name: &[u8]) -> u64 {
        let known = self.counts.iter().find(|(known, _)| **known == *name);
        known.map_or(0, |(_, count)| *count)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

/// The most bytes of a value in [`Majority`], enough for an address.
const KEPT: usize = 48;

/// The majority value of a stream, if there is one (Boyer and Moore 1981).
#[derive(Clone, Debug)]
pub struct Majority {
    name: [u8; KEPT],
    length: usize,
    lead: u64,
    seen: u64,
}

impl Default for Majority {
    fn default() -> Self {
        Self { name: [0; KEPT], length: 0, lead: 0, seen: 0 }
    }
}

impl Majority {
    /// Counts a value.
    pub fn add(&mut self, name: &[u8]) {
        let name = &name[..name.len().min(KEPT)];
        if self.name[..self.length] == *name {
            self.lead += 1;
            self.seen += 1;
        } else if self.lead == 0 {
            self.name[..name.len()].copy_from_slice(name);
            (self.length, self.lead, self.seen) = (name.len(), 1, 1);
        } else {
            self.lead -= 1;
        }
    }

    /// The value, with a lower bound of its count.
    pub fn most(&self) -> Option<(&[u8], u64)> {
        (self.seen > 0).then(|| (&self.name[..self.length], self.seen))
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
        let mut majority = Majority::default();
        assert_eq!(majority.most(), None);
        for client in 0..10_000_u32 {
            majority.add(format!("10.{client}").as_bytes());
            majority.add(b"192.0.2.1");
            majority.add(b"192.0.2.1");
        }
        let (name, count) = majority.most().unwrap();
        assert_eq!(name, b"192.0.2.1");
        assert!(count > 19_000, "{count}");
    }

    #[test]
    fn endless_names_take_no_endless_memory() {
        let mut names = NameCounts::default();
        (0..10_000_u32).for_each(|name| {
            names.add(format!("{name}").as_bytes());
        });
        assert_eq!(names.ranked().len(), NAMES);
        assert_eq!(names.total(), 10_000);
    }
}
