//! The fuzz targets of shakedown, for cargo-fuzz and for `scripts/fuzz`.

#[path = "../bodies/mod.rs"]
mod bodies;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::time::ClockId;

use self::bodies::{FuzzTarget, TARGETS};

/// Inputs that take longer are kept.
const SLOW: Duration = Duration::from_millis(100);

/// Kilobytes by which one input may raise the peak of the process; an input that raises it further is kept.
const LARGE: i64 = 64 * 1024;

/// The most that any input took so far.
struct Worst {
    took: Duration,
    /// The peak of the memory, in kilobytes.
    peak: i64,
}

static WORST: Mutex<Worst> = Mutex::new(Worst { took: Duration::ZERO, peak: 0 });

/// Runs a target with this input. Slow and large inputs are written to the folder that `FUZZ_KEEP` names, and the slowest
/// to the file `slowest-input` in it, its time to `slowest`.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.expect("each target's name is in the list");
    warm(target);
    let started = processor_time();
    (target.body)(input);
    let (took, peak) = (processor_time().saturating_sub(started), peak());
    let mut worst = WORST.lock().unwrap_or_else(PoisonError::into_inner);
    let is_large = peak - worst.peak > LARGE;
    let is_slowest = took > worst.took;
    *worst = Worst { took: took.max(worst.took), peak };
    if !(is_slowest || is_large || took > SLOW) {
        return;
    }
    let Some(folder) = std::env::var_os("FUZZ_KEEP").map(PathBuf::from) else { return };
    let time = took.as_millis();
    let keep = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes);
    let kept = fs::create_dir_all(&folder)
        .and_then(|()| keep("slowest", format!("{} ms\n", worst.took.as_millis()).as_bytes()))
        .and_then(|()| if is_slowest { keep("slowest-input", input) } else { Ok(()) })
        .and_then(|()| if took > SLOW { keep(&format!("slow-{time}-ms"), input) } else { Ok(()) })
        .and_then(
            |()| if is_large { keep(&format!("large-{}", input.len()), input) } else { Ok(()) },
        );
    kept.expect("the folder can be written");
}

/// Runs the seeds first: tables are built once, and belong to no input. Writes the seeds of all targets to the folder that
/// `FUZZ_SEEDS` names: a program of its own would not be linked with what the instrumentation calls.
fn warm(target: &FuzzTarget) {
    static WARM: Once = Once::new();
    WARM.call_once(|| {
        if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
            write_seeds(Path::new(&folder)).expect("the folder can be written");
        }
        for seed in (target.seeds)() {
            (target.body)(&seed);
        }
        WORST.lock().unwrap_or_else(PoisonError::into_inner).peak = peak();
    });
}

/// The processor time of this process: what an input costs, whatever else the machine does.
fn processor_time() -> Duration {
    ClockId::CLOCK_PROCESS_CPUTIME_ID.now().map(Duration::from).unwrap_or_default()
}

/// The peak of this process's memory, in kilobytes.
fn peak() -> i64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss())
}

/// Writes the seeds of every target to `NAME/` in this folder, and its words to `NAME.words`, as libFuzzer reads them.
fn write_seeds(folder: &Path) -> io::Result<()> {
    for target in TARGETS {
        let own = folder.join(target.name);
        fs::create_dir_all(&own)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(own.join(format!("seed-{number:03}")), seed)?;
        }
        let mut words = String::new();
        for word in target.words {
            let bytes: Vec<String> = word.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
            words += &format!("\"{}\"\n", bytes.concat());
        }
        fs::write(folder.join(format!("{}.words", target.name)), words)?;
    }
    Ok(())
}
