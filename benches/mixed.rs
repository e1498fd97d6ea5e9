//! Ten thousand endpoints, one in five of which is dead, silent or broken: what the whole run costs, and whether memory
//! stays flat and the bad ones cost no more than their deadlines.
//!
//! `cargo bench --bench mixed` prints the figures; `MIXED_ENDPOINTS` changes the size. nginx must be installed.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::format_collect,
    clippy::print_stdout,
    reason = "a benchmark measures the world and prints what it cost"
)]

#[path = "support/program.rs"]
mod program;
mod support;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use self::support::{NAME, Nginx, Outcome, children_cpu, setting, write_certificates};

/// The deadline for connection and handshake each.
const DEADLINE: Duration = Duration::from_secs(2);

/// Targets that are tested at once by default: 512 connections, four to an address.
const AT_ONCE: usize = 128;

/// What an endpoint is like, on how many of a hundred, and whether it keeps its clients waiting.
const KINDS: [(&str, usize, bool); 7] = [
    ("healthy", 80, false),
    ("refuses", 5, false),
    ("hangs up", 3, false),
    ("speaks no TLS", 3, false),
    ("never answers", 4, true),
    ("drops SYNs", 3, true),
    ("dribbles", 2, true),
];

#[tokio::main]
async fn main() -> Outcome<()> {
    let endpoints = setting("MIXED_ENDPOINTS", 10_000);
    rlimit::increase_nofile_limit(u64::MAX)?;
    let prefix = tempfile::tempdir()?;
    write_certificates(prefix.path())?;
    let ports = ports().await?;
    let _nginx = Nginx::start(prefix.path(), &[(Ipv4Addr::UNSPECIFIED, ports[0]).into()])?;
    println!("{endpoints} endpoints of their own address each, deadlines of {DEADLINE:?}:");
    for (name, share, _) in KINDS {
        println!("{:>8} {name}", endpoints * share / 100);
    }
    println!(
        "{:>14} {:>8} {:>8} {:>8} {:>30}",
        "", "targets", "wall", "cpu", "resident MB over the run, peak"
    );
    let all: Vec<usize> = (0..endpoints).collect();
    let kinds = |wanted: fn(&(&str, usize, bool)) -> bool| -> Vec<usize> {
        all.iter().copied().filter(|index| wanted(&KINDS[kind(*index)])).collect()
    };
    let parts = [
        ("a tenth", all[..endpoints / 10].to_vec()),
        ("quick ones", kinds(|(_, _, slow)| !slow)),
        ("slow ones", kinds(|(_, _, slow)| *slow)),
        ("all", all.clone()),
    ];
    let mut walls = Vec::new();
    for (name, indices) in parts {
        let list: String = indices
            .iter()
            .map(|index| {
                let port = ports[kind(*index)];
                format!("{NAME}:443:{}:{port}\n", address(*index))
            })
            .collect();
        let cost = measure(prefix.path(), &list).await?;
        let curve: Vec<String> = cost.resident.iter().map(|mb| format!("{mb:.0}")).collect();
        println!(
            "{name:>14} {:>8} {:>7.1}s {:>7.1}s {:>30}",
            indices.len(),
            cost.wall,
            cost.cpu,
            format!("{}, {:.0}", curve.join(" "), cost.peak)
        );
        walls.push((indices.len(), cost.wall));
    }
    let rounds = walls[2].0.div_ceil(AT_ONCE) as f64;
    println!(
        "slow ones: {rounds} rounds of {AT_ONCE}, {:.1} deadlines each; all took {:.0} % of quick and slow ones one after the other",
        walls[2].1 / rounds / DEADLINE.as_secs_f64(),
        100.0 * walls[3].1 / (walls[1].1 + walls[2].1)
    );
    Ok(())
}

/// Which kind the endpoint with this number is, spread evenly over the list.
fn kind(index: usize) -> usize {
    let (mut place, mut kind) = (index * 37 % 100, 0);
    while place >= KINDS[kind].1 {
        place -= KINDS[kind].1;
        kind += 1;
    }
    kind
}

fn address(index: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 2, 0, 1)) + index as u32)
}

struct Cost {
    wall: f64,
    cpu: f64,
    /// At a quarter, half and three quarters of the run, and at its end.
    resident: Vec<f64>,
    peak: f64,
}

async fn measure(folder: &Path, list: &str) -> Outcome<Cost> {
    let targets = folder.join("list");
    fs::write(&targets, list)?;
    let (before, started) = (children_cpu()?, Instant::now());
    let mut child = Command::new(program::shakedown())
        .args(["probe", "-", "--format", "ndjson", "--output", "/dev/null", "--timeout"])
        .arg(format!("{}ms", DEADLINE.as_millis()))
        .arg("--ca-file")
        .arg(folder.join("ca.pem"))
        .stdin(fs::File::open(&targets)?)
        .stdout(Stdio::null())
        .spawn()?;
    let (mut samples, mut peak) = (Vec::new(), 0.0);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Some((now, most)) = memory(child.id()) {
            samples.push(now);
            peak = most;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    if !matches!(status.code(), Some(0 | 1 | 3)) {
        return Err(format!("the run ended with {status}").into());
    }
    let wall = started.elapsed().as_secs_f64();
    let at = |quarter: usize| samples.get((samples.len() * quarter / 4).saturating_sub(1)).copied();
    Ok(Cost {
        wall,
        cpu: children_cpu()? - before,
        resident: (1..=4).filter_map(at).collect(),
        peak,
    })
}

/// Resident memory of a process in megabytes: now, and at the most.
fn memory(process: u32) -> Option<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let field = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
    };
    Some((field("VmRSS")?, field("VmHWM")?))
}

/// Starts what is not nginx; the port of each kind.
async fn ports() -> Outcome<[u16; KINDS.len()]> {
    let silent = listen(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let dribbling = listen(|mut stream| async move {
        // A record of 16 KiB, a byte at a time.
        let _ = stream.write_all(&[0x16, 3, 3, 0x40, 0]).await;
        while stream.write_all(&[2]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let plain = listen(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let closing = listen(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
    });
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port();
    Ok([free, 1, closing?, plain?, silent?, full().await?, dribbling?])
}

/// Answers every connection on a free port of every loopback address.
fn listen<F: Future<Output = ()> + Send + 'static>(
    answer: impl Fn(TcpStream) -> F + Send + 'static,
) -> Outcome<u16> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::UNSPECIFIED, 0).into())?;
    let listener = socket.listen(4096)?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    Ok(port)
}

/// A port whose queue is full, so that Linux drops what comes next.
async fn full() -> Outcome<u16> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::UNSPECIFIED, 0).into())?;
    let listener = socket.listen(1)?;
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, listener.local_addr()?.port()).into();
    let mut held = Vec::new();
    for _ in 0..8 {
        let attempt = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address));
        held.push(attempt.await);
    }
    // Both live as long as the benchmark.
    std::mem::forget((listener, held));
    Ok(address.port())
}
