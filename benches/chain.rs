//! What one chain of three certificates costs: parsed, put in order, and judged by both verdicts; and the same chain again.
//!
//! `cargo bench --bench chain` prints microseconds of one core, the median of many rounds.

#![expect(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark measures the world and prints what it cost"
)]

#[path = "support/figures.rs"]
mod figures;

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use shakedown::certificate::cache::ChainCache;
use shakedown::certificate::issue::Authority;
use shakedown::certificate::trust::{Assessor, TrustStore};

const ROUNDS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let now = time::OffsetDateTime::now_utc();
    let mut kept = Vec::new();
    for (name, algorithm) in
        [("ECDSA P-256", &PKCS_ECDSA_P256_SHA256), ("RSA 2048", &PKCS_RSA_SHA256)]
    {
        let root = Authority::root_with("bench root", now, algorithm)?;
        let lower = root.intermediate("upper")?.intermediate("lower")?;
        let chain = lower.issue(&["a.test"])?.chain();
        let sent: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
        let store = || {
            let (store, _) = TrustStore::from_certificates(
                "root".to_owned(),
                vec![root.certificate.clone()],
                false,
            );
            Arc::new(store)
        };
        let cold = median(|| {
            let (cache, assessor) = (ChainCache::default(), Assessor::new(store(), now));
            timed(|| {
                black_box(assessor.assess(&cache.intern(&sent)));
            })
        });
        let (cache, assessor) = (ChainCache::default(), Assessor::new(store(), now));
        let warm = median(|| {
            timed(|| {
                black_box(assessor.assess(&cache.intern(&sent)));
            })
        });
        println!("{name}: {cold:.1} us for a new chain, {warm:.1} us for one met before");
        kept.extend([(format!("{name}, new: us"), cold), (format!("{name}, known: us"), warm)]);
    }
    figures::keep("chain", &kept)?;
    Ok(())
}

fn timed(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_nanos() as f64 / 1000.0
}

fn median(mut round: impl FnMut() -> f64) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
