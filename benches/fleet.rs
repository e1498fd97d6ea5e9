//! A fleet of healthy endpoints: shakedown against a bare tokio-rustls client that makes the same four verified
//! handshakes and nothing else. Both run in turn, as whole processes, against one nginx on loopback.
//!
//! `cargo bench --bench fleet` prints client CPU, wall time and their ratios; the medians of the pairs are the figures to
//! quote. `FLEET_ENDPOINTS` and `FLEET_ROUNDS` change the size; with `BENCH_KEY=rsa` all keys are RSA. nginx must be
//! installed.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::format_collect,
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

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use nix::sys::resource::{UsageWho, getrusage};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;

use self::cost::cost;
use self::support::{NAME, Nginx, Outcome, setting};

const PORT: u16 = 28443;
const AT_ONCE: usize = 512;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().collect();
    if let [_, mode, ca, list] = args.as_slice()
        && mode == "bare"
    {
        return bare(Path::new(ca), Path::new(list));
    }
    compare()
}

fn compare() -> Outcome<()> {
    let endpoints = setting("FLEET_ENDPOINTS", 1000);
    let rounds = setting("FLEET_ROUNDS", 5);
    let fleet = Fleet::start(endpoints)?;
    let shakedown = || {
        let mut command = Command::new(program::shakedown());
        command.args(["probe", "--format", "ndjson", "--output", "/dev/null", "--ca-file"]);
        command.arg(&fleet.ca).arg("-").stdin(fs::File::open(&fleet.targets)?);
        cost(&mut command)
    };
    let bare = || {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").arg(&fleet.ca).arg(&fleet.addresses);
        cost(&mut command)
    };
    shakedown()?;
    let memory = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
    bare()?;
    println!("{endpoints} endpoints, four verified handshakes each, {rounds} rounds in turn");
    println!(
        "{:>6} {:>14} {:>14} {:>10} {:>14} {:>14} {:>10}",
        "round", "shakedown cpu", "bare cpu", "ratio", "shakedown wall", "bare wall", "ratio"
    );
    let mut ratios = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let (ours, floor) = (shakedown()?, bare()?);
        ratios.0.push(ours.cpu / floor.cpu);
        ratios.1.push(ours.wall / floor.wall);
        println!(
            "{round:>6} {:>13.2}s {:>13.2}s {:>10.2} {:>13.2}s {:>13.2}s {:>10.2}",
            ours.cpu,
            floor.cpu,
            ours.cpu / floor.cpu,
            ours.wall,
            floor.wall,
            ours.wall / floor.wall
        );
    }
    let (cpu, wall) = (median(&mut ratios.0), median(&mut ratios.1));
    let memory = memory as f64 / 1024.0;
    println!("median ratio: cpu {cpu:.2}, wall {wall:.2}");
    println!("peak memory of shakedown: {memory:.1} MB");
    let kept = [("cpu against the bare client", cpu), ("wall against it", wall), ("MB", memory)];
    figures::keep("fleet", &kept.map(|(name, value)| (name.to_owned(), value)))?;
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// nginx on many loopback addresses, and the files that both clients read.
struct Fleet {
    _nginx: Nginx,
    ca: PathBuf,
    targets: PathBuf,
    addresses: PathBuf,
    _prefix: tempfile::TempDir,
}

impl Fleet {
    fn start(endpoints: usize) -> Outcome<Self> {
        let prefix = tempfile::tempdir()?;
        let at = |name: &str| prefix.path().join(name);
        support::write_certificates(prefix.path())?;
        let addresses: Vec<SocketAddr> = (0..endpoints).map(address).collect();
        let line = |address: &SocketAddr| format!("{NAME}:{PORT}:{}:{PORT}\n", address.ip());
        fs::write(at("targets"), addresses.iter().map(line).collect::<String>())?;
        fs::write(at("addresses"), addresses.iter().map(|a| format!("{a}\n")).collect::<String>())?;
        let nginx = Nginx::start(prefix.path(), &addresses)?;
        Ok(Self {
            _nginx: nginx,
            ca: at("ca.pem"),
            targets: at("targets"),
            addresses: at("addresses"),
            _prefix: prefix,
        })
    }
}

fn address(index: usize) -> SocketAddr {
    let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + index as u32);
    (ip, PORT).into()
}

/// The floor: the four handshakes, verified by rustls itself, and nothing else.
#[tokio::main]
async fn bare(ca: &Path, list: &Path) -> Outcome<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca)?)?;
    let roots = Arc::new(roots);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut connectors = Vec::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for sni in [false, true] {
            let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(&[version])?
                .with_root_certificates(Arc::clone(&roots))
                .with_no_client_auth();
            config.enable_sni = sni;
            config.resumption = rustls::client::Resumption::disabled();
            connectors.push(TlsConnector::from(Arc::new(config)));
        }
    }
    let connectors = Arc::new(connectors);
    let text = fs::read_to_string(list)?;
    let addresses: Vec<SocketAddr> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
    let mut done = stream::iter(addresses)
        .map(|address| tokio::spawn(four(address, Arc::clone(&connectors))))
        .buffer_unordered(AT_ONCE / 4);
    while let Some(result) = done.next().await {
        result??;
    }
    Ok(())
}

async fn four(
    address: SocketAddr,
    connectors: Arc<Vec<TlsConnector>>,
) -> Result<(), std::io::Error> {
    let handshakes = connectors.iter().map(|connector| async move {
        let stream = tokio::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(NAME).expect("the name is valid");
        let mut stream = connector.connect(name, stream).await?;
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await
    });
    futures::future::try_join_all(handshakes).await.map(|_| ())
}
