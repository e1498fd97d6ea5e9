//! A rehearsal: one server, and 200 servers with every known client, beside what `nginx -t` takes for the same files.
//!
//! `cargo bench --bench rehearse` prints the times. `REHEARSE_SERVERS` changes the number. nginx and openssl must be
//! installed.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark measures the world and prints what it cost"
)]

#[path = "support/program.rs"]
mod program;

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

type Outcome<T> = Result<T, Box<dyn Error>>;

const NGINX: &str = "/usr/sbin/nginx";

fn main() -> Outcome<()> {
    let many =
        std::env::var("REHEARSE_SERVERS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    for (servers, more) in
        [(1, &[][..]), (1, &["--clients", "all"]), (many, &[]), (many, &["--clients", "all"])]
    {
        let folder = configuration(servers)?;
        let main = folder.path().join("nginx.conf");
        let tested = time(Command::new(NGINX).arg("-t").arg("-c").arg(&main))?;
        let rehearsed = time(
            Command::new(program::shakedown())
                .arg("nginx")
                .arg(&main)
                .args(["--rehearse", "--nginx-binary", NGINX, "--fail-on", "never", "--ca-file"])
                .arg(folder.path().join("a.pem"))
                .args(more),
        )?;
        println!(
            "{servers:>4} servers {:<14} rehearsal {:>7.2} s, nginx -t {:>5.2} s",
            more.join(" "),
            rehearsed.as_secs_f64(),
            tested.as_secs_f64()
        );
    }
    Ok(())
}

/// How long a command takes.
fn time(command: &mut Command) -> Outcome<Duration> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    if !matches!(output.status.code(), Some(0 | 3)) {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(begun.elapsed())
}

/// A folder with a configuration of that many servers, each on a socket and with a certificate of its own.
fn configuration(servers: usize) -> Outcome<TempDir> {
    let folder = tempfile::tempdir()?;
    let here = folder.path();
    certificate(here)?;
    let mut text = format!(
        "pid {0}/pid; error_log stderr; events {{ worker_connections 4096; }}\nhttp {{ access_log off;\n",
        here.display()
    );
    for number in 0..servers {
        writeln!(
            text,
            "server {{ listen 127.0.0.1:{} ssl; server_name n{number}.a.test; ssl_certificate {1}/a.pem; \
             ssl_certificate_key {1}/a.key; }}",
            20000 + number,
            here.display()
        )?;
    }
    fs::write(here.join("nginx.conf"), text + "}\n")?;
    Ok(folder)
}

fn certificate(folder: &Path) -> Outcome<()> {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-days", "30", "-subj", "/CN=a.test", "-addext", "subjectAltName=DNS:*.a.test"])
        .args(["-addext", "basicConstraints=CA:FALSE", "-out"])
        .arg(folder.join("a.pem"))
        .arg("-keyout")
        .arg(folder.join("a.key"))
        .output()?;
    if made.status.success() { Ok(()) } else { Err("openssl made no certificate".into()) }
}
