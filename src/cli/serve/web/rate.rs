//! How many requests are answered: a bucket of tokens that fills at a steady pace.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The limit of all requests together.
pub(super) struct RateLimit {
    /// The time in which a token comes.
    interval: Duration,
    burst: f64,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl RateLimit {
    /// A full bucket; an interval of zero means no limit.
    pub(super) fn new(interval: Duration, burst: u32, now: Instant) -> Option<Self> {
        let burst = f64::from(burst);
        let bucket = Mutex::new(Bucket { tokens: burst, filled: now });
        (!interval.is_zero()).then_some(Self { interval, burst, bucket })
    }

    /// Takes a token, if there is one.
    pub(super) fn allows(&self, now: Instant) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(bucket.filled);
        let came = elapsed.as_secs_f64() / self.interval.as_secs_f64();
        bucket.tokens = (bucket.tokens + came).min(self.burst);
        bucket.filled = now;
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_an_interval() {
        let start = Instant::now();
        let limit = RateLimit::new(Duration::from_secs(2), 3, start).unwrap();
        let at = |seconds| limit.allows(start + Duration::from_secs(seconds));
        assert_eq!([at(0), at(0), at(0), at(0)], [true, true, true, false]);
        assert_eq!([at(1), at(2), at(2)], [false, true, false]);
        assert_eq!([at(100), at(100), at(100), at(100)], [true, true, true, false]);
    }

    #[test]
    fn without_an_interval_there_is_no_limit() {
        assert!(RateLimit::new(Duration::ZERO, 1, Instant::now()).is_none());
        let none = RateLimit::new(Duration::from_secs(1), 0, Instant::now()).unwrap();
        assert!(!none.allows(Instant::now() + Duration::from_secs(9)));
    }
}
