//! The program that is measured.

/// The path of the program that `SHAKEDOWN` names, or of the one that `cargo bench` has built.
///
/// The latter is not quite what users run: tests turn on features of some dependencies, which make it larger and its start
/// slower. `cargo build --release` leaves them out.
pub(crate) fn shakedown() -> String {
    std::env::var("SHAKEDOWN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_shakedown").to_owned())
}
