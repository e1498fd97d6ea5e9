//! Writes the seeds and words of every target to `corpus/`.

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    shakedown_fuzz::write_seeds(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"))
}
