//! Long error logs: shakedown against `grep -c 'SSL_do_handshake() failed'` on the same file, in turn, in one run.
//!
//! `cargo bench --bench log` prints wall time, memory and their ratios; the medians are the figures to quote.
//! `LOG_LINES` changes the size.

#![expect(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark measures the world and prints what it cost"
)]

#[path = "support/figures.rs"]
mod figures;
#[path = "support/program.rs"]
mod program;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 7;

/// Level and message of failures of TLS, as nginx writes them.
const FAILURES: &[(&str, &str)] = &[
    (
        "error",
        "SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: CLIENT, server: a.test, request: \"GET /path/NUMBER HTTP/1.1\", upstream: \"https://192.0.2.1:443/path/NUMBER\", host: \"a.test\"",
    ),
    (
        "error",
        "SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::sslv3 alert handshake failure:SSL alert number 40) while SSL handshaking to upstream, client: CLIENT, server: b.test, request: \"POST /x/NUMBER HTTP/2.0\", upstream: \"https://192.0.2.2:8443/x/NUMBER\", host: \"b.test\"",
    ),
    (
        "info",
        "SSL_do_handshake() failed (SSL: error:0A000102:SSL routines::unsupported protocol) while SSL handshaking, client: CLIENT, server: 0.0.0.0:443",
    ),
    (
        "crit",
        "SSL_do_handshake() failed (SSL: error:0A00006C:SSL routines::bad key share) while SSL handshaking, client: CLIENT, server: 0.0.0.0:443",
    ),
];

/// The same, not about TLS.
const OTHERS: &[(&str, &str)] = &[
    (
        "error",
        "open() \"/srv/www/NUMBER.html\" failed (2: No such file or directory), client: CLIENT, server: a.test, request: \"GET /NUMBER.html HTTP/1.1\", host: \"a.test\"",
    ),
    (
        "error",
        "upstream timed out (110: Connection timed out) while reading response header from upstream, client: CLIENT, server: a.test, request: \"GET /api/NUMBER HTTP/1.1\", upstream: \"http://192.0.2.3:8080/api/NUMBER\", host: \"a.test\"",
    ),
];

fn main() -> Outcome<()> {
    let lines = std::env::var("LOG_LINES").ok().and_then(|text| text.parse().ok());
    let lines: u64 = lines.unwrap_or(1_500_000);
    let folder = tempfile::tempdir()?;
    let mut kept = Vec::new();
    for (name, share) in [("nothing but failures of TLS", 100), ("one line in twenty", 5)] {
        let path = folder.path().join("error.log");
        write(&path, lines, share)?;
        let size = path.metadata()?.len() as f64 / 1e6;
        println!("{lines} lines, {size:.0} MB: {name}");
        kept.push((format!("{name}, against grep"), compare(&path)?));
    }
    figures::keep("log", &kept)?;
    Ok(())
}

/// Runs both in turn; caches are warm for either. Returns the ratio.
fn compare(path: &Path) -> Outcome<f64> {
    let log = path.to_str().ok_or("the folder's name is no text")?;
    let grep = ["grep", "-c", "SSL_do_handshake() failed", log];
    let program = program::shakedown();
    let own = [&*program, "log", log];
    run(&grep)?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let (grep, own) = (run(&grep)?, run(&own)?);
        rounds.push((own / grep, grep, own));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, grep, time) = rounds[ROUNDS / 2];
    println!("  grep {grep:.3} s, shakedown {time:.3} s: {ratio:.2} times as long");
    println!("  memory of shakedown at most: {}", memory(&own)?);
    Ok(ratio)
}

/// Seconds that a command takes. Its output is read: grep stops at the first match where nobody wants the count.
fn run(command: &[&str]) -> Outcome<f64> {
    let started = Instant::now();
    let output = Command::new(command[0]).args(&command[1..]).stderr(Stdio::null()).output()?;
    let taken = started.elapsed().as_secs_f64();
    if output.stdout.is_empty() {
        return Err(format!("{} says nothing", command[0]).into());
    }
    Ok(taken)
}

/// The peak of resident memory, as `/usr/bin/time` tells it.
fn memory(command: &[&str]) -> Outcome<String> {
    let output = Command::new("/usr/bin/time").args(["-f", "%M KB"]).args(command).output();
    Ok(match output {
        Ok(output) => String::from_utf8(output.stderr)?.trim().to_owned(),
        Err(_) => "/usr/bin/time is not installed".to_owned(),
    })
}

fn write(path: &Path, lines: u64, share: u64) -> Outcome<()> {
    let mut log = BufWriter::new(File::create(path)?);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for number in 0..lines {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let kinds = if random % 100 < share { FAILURES } else { OTHERS };
        let (level, message) = kinds[usize::try_from(random >> 32)? % kinds.len()];
        let client = [random >> 8, random >> 16, random >> 24].map(|part| part % 256);
        let client = format!("10.{}.{}.{}", client[0], client[1], client[2]);
        let message = message.replace("NUMBER", &number.to_string()).replace("CLIENT", &client);
        let second = number * 86_400 / lines;
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let time = format!("2026/01/31 {hour:02}:{minute:02}:{:02}", second % 60);
        writeln!(log, "{time} [{level}] 10#10: *{number} {message}")?;
    }
    log.flush()?;
    Ok(())
}
