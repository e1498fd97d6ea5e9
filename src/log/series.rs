//! Counts over time, in a limited number of equal buckets, however long the log is.

/// The most buckets of a series; if more are needed, the width doubles.
pub const BUCKETS: usize = 120;

/// The initial width, in seconds.
const MINUTE: i64 = 60;

/// The buckets that all series of one log share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The start of the first bucket, in seconds since 1970.
    pub start: i64,
    /// The length of each bucket, in seconds.
    pub width: i64,
    /// The number of buckets in use.
    pub length: usize,
}

/// A change of the buckets that makes room for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridChange {
    /// The number of buckets that are merged into one.
    pub merge: usize,
    /// The position of the first old bucket in the first new one.
    pub offset: usize,
    /// The number of new buckets before that.
    pub before: usize,
}

impl Grid {
    /// One bucket, around this time.
    pub fn around(time: i64) -> Self {
        Self { start: time - time.rem_euclid(MINUTE), width: MINUTE, length: 1 }
    }

    /// The bucket of this time, if there is one.
    pub fn slot(&self, time: i64) -> Option<usize> {
        let slot = usize::try_from((time - self.start).div_euclid(self.width)).ok()?;
        (slot < self.length).then_some(slot)
    }

    /// Makes room for this time; returns the change that series must apply.
    pub fn extend(&mut self, time: i64) -> GridChange {
        let old = *self;
        let end = old.start + old.width * count(old.length);
        let (first, last) = (old.start.min(time), (end - 1).max(time));
        let mut width = old.width;
        let spans = |width: i64| last.div_euclid(width) - first.div_euclid(width) + 1;
        while spans(width) > count(BUCKETS) {
            width *= 2;
        }
        self.width = width;
        self.start = first.div_euclid(width) * width;
        self.length = usize::try_from(spans(width)).unwrap_or(BUCKETS);
        let before = old.start.div_euclid(width) - first.div_euclid(width);
        GridChange {
            merge: usize::try_from(width / old.width).unwrap_or(1),
            offset: usize::try_from(old.start.rem_euclid(width) / old.width).unwrap_or(0),
            before: usize::try_from(before).unwrap_or(0),
        }
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Counts by bucket of a [`Grid`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    counts: Vec<u64>,
}

impl Series {
    /// Adds one to this bucket.
    pub fn add(&mut self, slot: usize) {
        if slot >= self.counts.len() {
            self.counts.resize(slot + 1, 0);
        }
        self.counts[slot] += 1;
    }

    /// Applies a change of the grid.
    pub fn follow(&mut self, change: GridChange) {
        if self.counts.is_empty() || change == (GridChange { merge: 1, offset: 0, before: 0 }) {
            return;
        }
        let place = |old: usize| change.before + (old + change.offset) / change.merge;
        let mut counts = vec![0; place(self.counts.len() - 1) + 1];
        for (old, count) in self.counts.iter().enumerate() {
            counts[place(old)] += count;
        }
        self.counts = counts;
    }

    /// A count for each bucket of the grid.
    pub fn counts(&self, grid: &Grid) -> Vec<u64> {
        let mut counts = self.counts.clone();
        counts.resize(grid.length, 0);
        counts
    }
}

/// The trend of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// Too few, or all within one bucket.
    Unclear,
    /// As many as before.
    Steady,
    /// At least twice as many in the second half.
    Rising,
    /// At most half as many in the second half.
    Falling,
    /// From this bucket on, at least five times the previous rate.
    Jump(usize),
}

/// Fewer show no trend.
const ENOUGH: u64 = 10;

/// An increase of the rate by this factor is a jump.
const JUMP: u64 = 5;

impl Trend {
    /// The trend of these counts.
    pub fn of(counts: &[u64]) -> Self {
        let total: u64 = counts.iter().sum();
        if total < ENOUGH || counts.len() < 4 {
            return Self::Unclear;
        }
        if let Some(at) = jump(counts, total) {
            return Self::Jump(at);
        }
        let (early, late) = counts.split_at(counts.len() / 2);
        let rate = |part: &[u64]| part.iter().sum::<u64>() * 1000 / part.len() as u64;
        match (rate(early), rate(late)) {
            (early, late) if late >= 2 * early => Self::Rising,
            (early, late) if 2 * late <= early => Self::Falling,
            _ => Self::Steady,
        }
    }
}

/// The bucket where the rate increases many times, if both sides are long enough for a rate.
fn jump(counts: &[u64], total: u64) -> Option<usize> {
    let margin = (counts.len() / 10).max(2);
    let mut before = 0;
    let mut best = None;
    for at in 0..=counts.len().saturating_sub(margin) {
        if at >= margin {
            let after = total - before;
            let (short, long) = (at as u64, (counts.len() - at) as u64);
            // Rates as fractions with the same denominator; one is added in case there were none before.
            let (was, is) = ((before + 1) * long, after * short);
            let factor = is / was;
            // Gradual growth differs little from one bucket to the next.
            let last: u64 = counts[at - margin..at].iter().sum();
            let next: u64 = counts[at..at + margin].iter().sum();
            let at_once = 2 * next * long >= after * margin as u64 && next >= JUMP * last;
            if factor >= JUMP
                && after >= ENOUGH
                && at_once
                && best.is_none_or(|(_, known)| factor > known)
            {
                best = Some((at, factor));
            }
        }
        before += counts.get(at).copied().unwrap_or(0);
    }
    best.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;

    proptest! {
        #[test]
        fn nothing_is_lost_and_everything_stays_in_its_bucket(
            times in prop::collection::vec(-100_000_000_000_i64..300_000_000_000, 1..200)
        ) {
            let mut grid = Grid::around(times[0]);
            let mut series = Series::default();
            for (count, time) in times.iter().enumerate() {
                if grid.slot(*time).is_none() {
                    series.follow(grid.extend(*time));
                }
                series.add(grid.slot(*time).unwrap());
                let counts = series.counts(&grid);
                assert_eq!(counts.iter().sum::<u64>(), count as u64 + 1);
                assert!(counts.len() <= BUCKETS);
            }
            let counts = series.counts(&grid);
            for (slot, count) in counts.iter().enumerate() {
                let inside = times.iter().filter(|time| grid.slot(**time) == Some(slot)).count();
                assert_eq!(*count, inside as u64);
            }
        }
    }

    #[test]
    fn trends_are_distinguished() {
        assert_eq!(Trend::of(&[1, 0, 2]), Trend::Unclear);
        assert_eq!(Trend::of(&[5; 20]), Trend::Steady);
        let rising: Vec<u64> = (0..20).map(|at| 10 + at).collect();
        assert_eq!(Trend::of(&rising), Trend::Steady);
        assert_eq!(Trend::of(&(1..20).map(|at| at * at).collect::<Vec<_>>()), Trend::Rising);
        assert_eq!(Trend::of(&(1..20).rev().map(|at| at * at).collect::<Vec<_>>()), Trend::Falling);
        let mut jump = vec![1; 20];
        jump[12..].fill(50);
        assert_eq!(Trend::of(&jump), Trend::Jump(12));
    }
}
