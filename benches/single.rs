//! One healthy endpoint, start to exit: `shakedown probe` against a single `openssl s_client`, in turn, against one nginx on
//! loopback.
//!
//! shakedown makes the handshakes of the whole matrix and both verdicts, s_client one handshake. `cargo bench --bench single`
//! prints wall time and CPU, with their ratios: medians of `SINGLE_ROUNDS` pairs, and the least and the most. nginx and openssl
//! must be installed.

#![expect(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark measures the world and prints what it cost"
)]

#[path = "support/cost.rs"]
mod cost;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/program.rs"]
mod program;
mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use self::cost::cost;
use self::support::{NAME, Nginx, Outcome, setting};

const PORT: u16 = 28446;

fn main() -> Outcome<()> {
    let rounds = setting("SINGLE_ROUNDS", 41);
    let prefix = tempfile::tempdir()?;
    support::write_certificates(prefix.path())?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let _nginx = Nginx::start(prefix.path(), &[address])?;
    let ca_file = prefix.path().join("ca.pem");
    let probe = || {
        let mut command = Command::new(program::shakedown());
        command.args(["probe", "--ca-file"]).arg(&ca_file).arg(format!("{NAME}:{PORT}:{address}"));
        silent_cost(&mut command)
    };
    let s_client = || {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-servername", NAME, "-connect", &address.to_string()]);
        command.arg("-CAfile").arg(&ca_file);
        silent_cost(&mut command)
    };
    probe()?;
    s_client()?;
    let pairs = (0..rounds).map(|_| Ok((probe()?, s_client()?))).collect::<Outcome<Vec<_>>>()?;
    println!("{rounds} pairs; milliseconds: median (least to most)");
    let mut kept = Vec::new();
    for (what, place) in [("wall", 0), ("cpu", 1)] {
        let ours = Spread::of(pairs.iter().map(|(ours, _)| ours[place]));
        let other = Spread::of(pairs.iter().map(|(_, other)| other[place]));
        let ratio = Spread::of(pairs.iter().map(|(ours, other)| ours[place] / other[place]));
        println!("{what:>5}: probe {ours}, one s_client {other}, ratio {:.2}", ratio.median);
        kept.push((format!("{what} of a probe in ms"), ours.median));
        kept.push((format!("{what} against one s_client"), ratio.median));
    }
    figures::keep("single", &kept)?;
    Ok(())
}

/// Milliseconds of wall time and of CPU that a command takes, without its words.
fn silent_cost(command: &mut Command) -> Outcome<[f64; 2]> {
    let spent = cost(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))?;
    Ok([spent.wall * 1000.0, spent.cpu * 1000.0])
}

/// The median of some values, the least and the most.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        Self { median: at(values.len() / 2), least: at(0), most: at(values.len().max(1) - 1) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} ({:.1} to {:.1})", self.median, self.least, self.most)
    }
}
