//! A long capture: shakedown against `tshark -T fields` with the same fields on the same file, in turn, in one run.
//!
//! `cargo bench --bench capture` prints wall time, memory and their ratios; the medians are the figures to quote.
//! `CAPTURE_MB` changes the size, `CAPTURE_ROUNDS` how often both are run. The file is made in a temporary folder.

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

use shakedown::tls::profile;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Bytes of data in one packet.
const SEGMENT: usize = 1400;

/// Connections that are open at one time.
const OPEN: usize = 500;

/// What both tell of each handshake.
const FIELDS: [&str; 16] = [
    "frame.time_epoch",
    "ip.src",
    "ip.dst",
    "tcp.srcport",
    "tcp.dstport",
    "tls.handshake.type",
    "tls.handshake.version",
    "tls.handshake.ciphersuite",
    "tls.handshake.extensions_server_name",
    "tls.handshake.extensions_alpn_str",
    "tls.handshake.extensions_supported_group",
    "tls.handshake.sig_hash_alg",
    "tls.handshake.extensions.supported_version",
    "tls.handshake.extension.type",
    "tls.handshake.ja3",
    "tls.alert_message.desc",
];

fn main() -> Outcome<()> {
    let number = |name, usual| {
        std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(usual)
    };
    let (size, rounds) = (number("CAPTURE_MB", 1024), number("CAPTURE_ROUNDS", 3));
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("capture.pcap");
    let connections = write(&path, size * 1_000_000)?;
    let bytes = path.metadata()?.len() as f64 / 1e6;
    println!("{bytes:.0} MB, {connections} connections, {OPEN} of them open at one time");
    let file = path.to_str().ok_or("the folder's name is no text")?;
    let program = program::shakedown();
    let own = [&*program, "capture", file];
    let mut tshark = vec!["tshark", "-n", "-r", file, "-T", "fields"];
    tshark.extend(FIELDS.iter().flat_map(|field| ["-e", field]));
    let mut found = Vec::new();
    for _ in 0..rounds.max(1) {
        let (own, tshark) = (run(&own)?, run(&tshark)?);
        found.push((tshark / own, tshark, own));
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, tshark_time, own_time) = found[found.len() / 2];
    println!(
        "  tshark {tshark_time:.2} s, shakedown {own_time:.2} s ({:.0} MB/s): {ratio:.1} times as fast",
        bytes / own_time
    );
    figures::keep("capture", &[("times as fast as tshark".to_owned(), ratio)])?;
    println!("  memory of shakedown at most: {}", memory(&own));
    println!("  memory of tshark at most: {}", memory(&tshark));
    Ok(())
}

/// Seconds that a command takes. Its output is read to the end; that it finds failures is no failure of its own.
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
fn memory(command: &[&str]) -> String {
    let output = Command::new("/usr/bin/time")
        .args(["-q", "-f", "%M KB"])
        .args(command)
        .stdout(Stdio::null())
        .output();
    match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            text.lines().last().unwrap_or_default().to_owned()
        }
        Err(_) => "/usr/bin/time is not installed".to_owned(),
    }
}

/// Pseudorandom numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % bound.max(1)
    }
}

/// A connection, of which the packets are written one by one.
struct Traffic {
    client: [u8; 4],
    port: u16,
    next: [u32; 2],
    /// Who sends, with which flags, and what.
    packets: std::vec::IntoIter<(usize, u8, Vec<u8>)>,
}

/// Writes a capture of about that many bytes; how many connections are in it.
fn write(path: &Path, size: u64) -> Outcome<u64> {
    let hellos = hellos()?;
    let mut file = BufWriter::new(File::create(path)?);
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 101] {
        file.write_all(&word.to_le_bytes())?;
    }
    let (mut dice, mut written, mut time, mut count) = (Dice(0x2545_f491_4f6c_dd1d), 24, 0, 0);
    let mut open: Vec<Traffic> = Vec::new();
    loop {
        while open.len() < OPEN && written < size {
            count += 1;
            open.push(Traffic::new(count, &hellos, &mut dice));
        }
        if open.is_empty() {
            break;
        }
        let chosen = dice.below(open.len());
        let Some(packet) = open[chosen].next_packet() else {
            open.swap_remove(chosen);
            continue;
        };
        time += 10;
        let length = u32::try_from(packet.len())?;
        let seconds = u32::try_from(1_800_000_000 + time / 1_000_000)?;
        for word in [seconds, u32::try_from(time % 1_000_000)?, length, length] {
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(&packet)?;
        written += 16 + u64::from(length);
    }
    file.flush()?;
    Ok(count)
}

/// The hellos of all known clients, to several servers.
fn hellos() -> Outcome<Vec<Vec<u8>>> {
    let mut hellos = Vec::new();
    for client in profile::all() {
        for name in ["a.test", "www.example.test", "api.example.test"] {
            hellos.push(client.hello(Some(name)).encode()?);
        }
    }
    Ok(hellos)
}

impl Traffic {
    fn new(number: u64, hellos: &[Vec<u8>], dice: &mut Dice) -> Self {
        const SYN: u8 = 2;
        const FIN: u8 = 1;
        const ACK: u8 = 16;
        let mut packets =
            vec![(0, SYN, Vec::new()), (1, SYN | ACK, Vec::new()), (0, ACK, Vec::new())];
        let mut say = |side: usize, bytes: &[u8]| {
            packets.extend(bytes.chunks(SEGMENT).map(|part| (side, ACK, part.to_vec())));
            packets.push((1 - side, ACK, Vec::new()));
        };
        let hello = &hellos[dice.below(hellos.len())];
        say(0, hello);
        let kind = dice.below(10);
        if kind < 2 {
            say(1, &[21, 3, 3, 0, 2, 2, 40]);
        } else {
            say(1, &answer(hello, kind < 8));
            say(0, &record(23, &[0; 53]));
            for _ in 0..dice.below(16) {
                say(0, &record(23, &[1; 300]));
                say(1, &record(23, &[2; 16_000]));
            }
        }
        packets.extend([(1, FIN | ACK, Vec::new()), (0, FIN | ACK, Vec::new())]);
        let [.., a, b, c] = number.to_be_bytes();
        Self {
            client: [10, a, b, c],
            port: 1024 + u16::try_from(dice.below(60_000)).unwrap_or(0),
            next: [1000, 5000],
            packets: packets.into_iter(),
        }
    }

    /// The next packet of IP.
    fn next_packet(&mut self) -> Option<Vec<u8>> {
        const SERVER: [u8; 4] = [192, 0, 2, 1];
        let (side, flags, payload) = self.packets.next()?;
        let ends = [(self.client, self.port), (SERVER, 443)];
        let ((from, from_port), (to, to_port)) = (ends[side], ends[1 - side]);
        let length = u16::try_from(40 + payload.len()).ok()?;
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        packet.extend([from, to].concat());
        packet.extend([from_port.to_be_bytes(), to_port.to_be_bytes()].concat());
        packet.extend(self.next[side].to_be_bytes());
        packet.extend(if flags & 16 == 0 { 0 } else { self.next[1 - side] }.to_be_bytes());
        packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend(&payload);
        let counts = u32::from(length) - 40 + u32::from(flags & 3 != 0);
        self.next[side] = self.next[side].wrapping_add(counts);
        Some(packet)
    }
}

fn record(content: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
    [&[content, 3, 3], length.as_slice(), body].concat()
}

/// A server's first flight in TLS 1.3, or in 1.2 with a session that is resumed.
fn answer(hello: &[u8], modern: bool) -> Vec<u8> {
    // The session's id stands behind record header, message header, version and random.
    let id = hello.get(44..76).filter(|_| hello.get(43) == Some(&32));
    let id = id.unwrap_or(&[7; 32]);
    let extensions: Vec<u8> = if modern {
        let share = [[0, 51, 0, 36, 0, 29, 0, 32].as_slice(), &[9; 32]].concat();
        [[0, 43, 0, 2, 3, 4].as_slice(), &share].concat()
    } else {
        vec![0xff, 1, 0, 1, 0]
    };
    let suite: [u8; 2] = if modern { [0x13, 1] } else { [0xc0, 0x2f] };
    let count = u16::try_from(extensions.len()).unwrap_or(0).to_be_bytes();
    let parts: [&[u8]; 8] = [&[3, 3], &[5; 32], &[32], id, &suite, &[0], &count, &extensions];
    let body = parts.concat();
    let length = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
    let message = [&[2, 0], length.as_slice(), &body].concat();
    let mut flight = [record(22, &message), record(20, &[1])].concat();
    for size in if modern { [32, 2400, 281, 53] } else { [0, 0, 0, 40] } {
        if size > 0 {
            flight.extend(record(if modern { 23 } else { 22 }, &vec![3; size]));
        }
    }
    flight
}
