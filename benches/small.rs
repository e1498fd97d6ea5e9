//! What one input of each reader costs: the seeds of every fuzz target, read in turn.
//!
//! `cargo bench --bench small` prints executions per second of one core.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "../fuzz/bodies/mod.rs"]
#[allow(dead_code, reason = "only a fuzzer needs the words")]
mod bodies;
#[path = "support/figures.rs"]
mod figures;

use std::time::{Duration, Instant};

use self::bodies::{FuzzTarget, TARGETS};

/// How long each target is measured.
const TIME: Duration = Duration::from_millis(1500);

fn main() -> std::io::Result<()> {
    println!("{:16} {:>10} {:>12}", "target", "per second", "slowest seed");
    let rates = TARGETS.iter().map(|it| (format!("{} a second", it.name), measure(it)));
    figures::keep("small", &rates.collect::<Vec<_>>())
}

fn measure(FuzzTarget { name, body, seeds, words: _ }: &FuzzTarget) -> f64 {
    let seeds = seeds();
    // Tables are built once.
    for seed in &seeds {
        body(seed);
    }
    let (started, mut count, mut slowest) = (Instant::now(), 0_u32, Duration::ZERO);
    for seed in seeds.iter().cycle() {
        let before = Instant::now();
        body(seed);
        slowest = slowest.max(before.elapsed());
        count += 1;
        if started.elapsed() > TIME {
            break;
        }
    }
    let rate = f64::from(count) / started.elapsed().as_secs_f64();
    println!("{name:16} {rate:>10.0} {:>9.2} ms", slowest.as_secs_f64() * 1000.0);
    rate
}
