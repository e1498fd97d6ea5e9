//! The check of a configuration of 2 000 servers and 2 000 upstreams: `shakedown nginx --static` beside `nginx -t`, in
//! turn, in one run; with one certificate for all servers, and with one for each.
//!
//! `cargo bench --bench check` prints the round with the median ratio of wall times, and the least and the most ratio.
//! nginx must be installed.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark measures the world and prints what it cost"
)]

#[path = "support/figures.rs"]
mod figures;
#[path = "support/program.rs"]
mod program;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

const SERVERS: usize = 2000;

const ROUNDS: usize = 5;

const NGINX: &str = "/usr/sbin/nginx";

fn main() -> Outcome<()> {
    let mut kept = Vec::new();
    for (name, certificates) in [("one certificate", 1), ("a certificate each", SERVERS)] {
        let folder = tempfile::tempdir()?;
        write(folder.path(), certificates)?;
        let main = folder.path().join("nginx.conf");
        let nginx = || seconds(Command::new(NGINX).arg("-t").arg("-c").arg(&main));
        let own = || {
            let program = program::shakedown();
            seconds(Command::new(program).args(["nginx", "--static"]).arg(&main))
        };
        own()?;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let (nginx, own) = (nginx()?, own()?);
            rounds.push((own / nginx, nginx, own));
        }
        rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (ratio, nginx, own) = rounds[ROUNDS / 2];
        println!(
            "{SERVERS} servers, {name}: nginx -t {nginx:.2} s, shakedown {own:.3} s: {ratio:.3} of its time ({:.3} to {:.3})",
            rounds[0].0,
            rounds[ROUNDS - 1].0
        );
        kept.push((format!("{name}, against nginx -t"), ratio));
    }
    figures::keep("check", &kept)?;
    Ok(())
}

/// Seconds that a command takes, which finds nothing wrong.
fn seconds(command: &mut Command) -> Outcome<f64> {
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let taken = started.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(taken)
}

/// Writes a configuration with a file for each server, which share this number of certificates.
fn write(folder: &Path, certificates: usize) -> Outcome<()> {
    fs::create_dir(folder.join("sites"))?;
    let here = folder.display();
    for number in 0..certificates {
        let made = rcgen::generate_simple_self_signed([format!("s{number}.test")])?;
        fs::write(folder.join(format!("s{number}.pem")), made.cert.pem())?;
        fs::write(folder.join(format!("s{number}.key")), made.signing_key.serialize_pem())?;
    }
    for number in 0..SERVERS {
        let own = number % certificates;
        let site = format!(
            "upstream backend{number} {{\n  server 10.0.{high}.{low}:8443 weight=2;\n  server 10.1.{high}.{low}:8443 backup;\n}}\n\
             server {{\n  listen 127.0.0.1:44300 ssl;\n  server_name s{number}.test www.s{number}.test;\n\
             \x20 ssl_certificate {here}/s{own}.pem;\n  ssl_certificate_key {here}/s{own}.key;\n\
             \x20 location / {{\n    proxy_pass https://backend{number};\n    proxy_set_header Host \"$host\";\n\
             \x20   proxy_ssl_name s{number}.internal;\n    proxy_ssl_verify on;\n    proxy_ssl_trusted_certificate {here}/s0.pem;\n  }}\n}}\n",
            high = number / 250,
            low = number % 250 + 1,
        );
        fs::write(folder.join(format!("sites/{number:04}.conf")), site)?;
    }
    let main = format!(
        "pid {here}/pid; error_log stderr; events {{}}\n\
         http {{\n  access_log off; server_names_hash_max_size 16384;\n\
         \x20 ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_server_name on;\n  include sites/*.conf;\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), main)?;
    Ok(())
}
