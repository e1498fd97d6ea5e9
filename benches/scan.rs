//! A full scan of many endpoints: shakedown against nmap's `ssl-enum-ciphers` and against sslscan, in turn, as whole
//! processes, against one nginx on loopback.
//!
//! `cargo bench --bench scan` prints endpoints a second and the ratios. `SCAN_ENDPOINTS` changes the size. nginx and
//! openssl must be installed; nmap and sslscan are measured where they are.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::format_collect,
    clippy::print_stdout,
    reason = "a benchmark measures the world and prints what it cost"
)]

#[path = "support/figures.rs"]
mod figures;
#[path = "support/program.rs"]
mod program;

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

type Outcome<T> = Result<T, Box<dyn Error>>;

const PORT: u16 = 28444;

/// sslscan takes so long that a part of the endpoints must do.
const SSLSCAN_ENDPOINTS: usize = 20;

fn main() -> Outcome<()> {
    let endpoints =
        std::env::var("SCAN_ENDPOINTS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let mut kept = Vec::new();
    for key in ["ec", "rsa"] {
        let fleet = Fleet::start(endpoints, key)?;
        println!("{endpoints} endpoints, {key} key, TLSv1.2 and TLSv1.3, nginx's default suites");
        fleet.shakedown(1)?;
        let one = fleet.shakedown(1)?;
        println!("{:>12} {:>9.1} ms for one endpoint, start to exit", "shakedown", 1000.0 * one);
        let ours = endpoints as f64 / fleet.shakedown(endpoints)?;
        println!("{:>12} {ours:>9.1} endpoints/s", "shakedown");
        kept.push((format!("{key}: endpoints a second"), ours));
        for (name, rate) in [
            ("nmap", fleet.nmap(endpoints).map(|wall| endpoints as f64 / wall)),
            ("sslscan", sslscan().map(|wall| SSLSCAN_ENDPOINTS as f64 / wall)),
        ] {
            match rate {
                Ok(rate) => {
                    println!("{name:>12} {rate:>9.1} endpoints/s, ratio {:.1}", ours / rate);
                    kept.push((format!("{key}: against {name}"), ours / rate));
                }
                Err(error) => println!("{name:>12} not measured: {error}"),
            }
        }
    }
    figures::keep("scan", &kept)?;
    Ok(())
}

struct Fleet {
    nginx: Child,
    prefix: TempDir,
}

impl Fleet {
    fn start(endpoints: usize, key: &str) -> Outcome<Self> {
        let prefix = tempfile::tempdir()?;
        let at = |name: &str| prefix.path().join(name);
        certificate(prefix.path(), key)?;
        let listens: String = (0..endpoints)
            .map(|index| format!("listen {}:{PORT} ssl;\n", address(index)))
            .collect();
        fs::write(
            at("nginx.conf"),
            format!(
                "daemon off; worker_processes 2; pid nginx.pid; error_log /dev/null;
                 events {{ worker_connections 4096; }}
                 http {{ access_log off; server {{ {listens}
                 ssl_certificate leaf.pem; ssl_certificate_key leaf.key; ssl_protocols TLSv1.2 TLSv1.3; }} }}"
            ),
        )?;
        let lines = |count: usize| -> String {
            (0..count).map(|index| format!("{}\n", address(index))).collect()
        };
        fs::write(at("all"), lines(endpoints))?;
        fs::write(at("one"), lines(1))?;
        let nginx = Command::new("/usr/sbin/nginx")
            .args(["-c", "nginx.conf", "-e", "stderr", "-p"])
            .arg(prefix.path())
            .stdin(Stdio::null())
            .spawn()?;
        let fleet = Self { nginx, prefix };
        for _ in 0..500 {
            if TcpStream::connect((address(endpoints - 1), PORT)).is_ok() {
                return Ok(fleet);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("nginx did not start".into())
    }

    fn shakedown(&self, endpoints: usize) -> Outcome<f64> {
        let name = if endpoints == 1 { "one" } else { "all" };
        let list = fs::read_to_string(self.prefix.path().join(name))?;
        let targets: Vec<String> = list.lines().map(|line| format!("{line}:{PORT}")).collect();
        let mut command = Command::new(program::shakedown());
        command.args(["scan", "--fail-on", "never", "--format", "ndjson", "--output", "/dev/null"]);
        wall(command.args(["--ca-file"]).arg(self.prefix.path().join("leaf.pem")).args(targets))
    }

    fn nmap(&self, endpoints: usize) -> Outcome<f64> {
        let name = if endpoints == 1 { "one" } else { "all" };
        let mut command = Command::new("nmap");
        command.args(["-Pn", "-n", "-sT", "-p", &PORT.to_string(), "--script", "ssl-enum-ciphers"]);
        wall(command.arg("-iL").arg(self.prefix.path().join(name)).stdout(Stdio::null()))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // The master ends its workers on SIGTERM; a kill would leave them.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.nginx.id() as i32),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.nginx.wait();
    }
}

fn sslscan() -> Outcome<f64> {
    let mut total = 0.0;
    for index in 0..SSLSCAN_ENDPOINTS {
        let mut command = Command::new("sslscan");
        command.args(["--no-colour", &format!("{}:{PORT}", address(index))]);
        total += wall(command.stdout(Stdio::null()))?;
    }
    Ok(total)
}

fn wall(command: &mut Command) -> Outcome<f64> {
    let started = Instant::now();
    let status = command.status()?;
    if matches!(status.code(), Some(0 | 3)) {
        Ok(started.elapsed().as_secs_f64())
    } else {
        Err(format!("{command:?} ended with {status}").into())
    }
}

fn address(index: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 3, 0, 1)) + index as u32)
}

fn certificate(folder: &Path, key: &str) -> Outcome<()> {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=scan.test", "-newkey"]);
    match key {
        "ec" => command.args(["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        _ => command.arg("rsa:2048"),
    };
    command.arg("-keyout").arg(folder.join("leaf.key")).arg("-out").arg(folder.join("leaf.pem"));
    let status = command.stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("openssl ended with {status}").into()) }
}
