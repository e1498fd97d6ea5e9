//! Clients that cannot connect, as a capture shows them. The packets are made here, so no right to capture is needed: the hellos
//! are those of the real clients, and the server answers as one does that speaks TLS 1.3 alone.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use time::OffsetDateTime;

use crate::capture::failing::FailingConnection;
use crate::capture::intake::CaptureIntake;
use crate::capture::kept::KeptPacket;
use crate::capture::pcapng;
use crate::capture::placeholders::Placeholders;
use crate::certificate::trust::TrustStore;
use crate::report::Look;
use crate::report::capture::document::{CaptureFile, CaptureReport};
use crate::report::capture::{CapturedSite, table};
use crate::tls::profile::select;

/// The clients, and how many of each connect.
const CLIENTS: [(&str, u8); 2] = [("android-4.4", 3), ("java-7", 2)];

/// What all of them get: a fatal alert of the version.
const PROTOCOL_VERSION: [u8; 7] = [21, 3, 1, 0, 2, 2, 70];

/// The cause that must be found.
const EXPECTED: &str = "client-unsupported-protocol";

/// The name that they ask for.
const NAME: &str = "app.demo.test";

const SERVER: ([u8; 4], u16) = ([192, 0, 2, 10], 443);

/// Nanoseconds of a millisecond.
const MILLISECOND: i64 = 1_000_000;

/// The capture as a file.
pub(super) fn file(now: OffsetDateTime) -> anyhow::Result<Vec<u8>> {
    let now = i64::try_from(now.unix_timestamp_nanos())?;
    let mut connections = Vec::new();
    for (name, count) in CLIENTS {
        let client = select(name)?.into_iter().next().ok_or_else(|| anyhow!("no client {name}"))?;
        let hello = client.hello(Some(NAME)).encode()?;
        for _ in 0..count {
            let number = u8::try_from(connections.len())?;
            let begin = now + i64::from(number) * 700 * MILLISECOND;
            connections.push(FailingConnection {
                client: SocketAddr::from(([192, 0, 2, 100 + number], 40_000 + u16::from(number))),
                server: SocketAddr::from(SERVER),
                is_proxied: false,
                why: format!("a client of the demo: {name}"),
                packets: packets(&hello, begin),
            });
        }
    }
    Ok(pcapng::file(&connections, |address| address))
}

/// What `capture` says of it.
pub(super) fn report(file: &[u8], look: Look) -> anyhow::Result<String> {
    let mut intake = CaptureIntake::default();
    let (frames, error) = intake.read(file);
    intake.finish();
    let files = vec![CaptureFile {
        path: "demo.pcapng".to_owned(),
        frames,
        error: error.map(|error| error.to_string()),
    }];
    let roots = Arc::new(TrustStore::mozilla());
    let site = CapturedSite { configured: None, roots: &roots };
    let report = CaptureReport::new(&intake, files, site, &Placeholders::default());
    let found: Vec<&str> =
        report.failures.iter().filter_map(|kind| Some(kind.causes.first()?.id)).collect();
    if found != [EXPECTED] {
        bail!("the demo's capture shows {found:?} instead of {EXPECTED}");
    }
    Ok(table::render(&report, look))
}

/// A connection: opened, a hello, an alert, closed.
fn packets(hello: &[u8], begin: i64) -> Vec<KeptPacket> {
    const CLIENT: u32 = 1000;
    const SERVER: u32 = 5000;
    let sent = CLIENT + 1 + u32::try_from(hello.len()).unwrap_or(0);
    let answered = SERVER + 1 + u32::try_from(PROTOCOL_VERSION.len()).unwrap_or(0);
    let plain =
        |step: i64, side: usize, sequence: u32, acknowledged: u32, payload: &[u8]| KeptPacket {
            time: begin + step * MILLISECOND,
            side,
            sequence,
            acknowledged: Some(acknowledged),
            syn: false,
            fin: false,
            rst: false,
            payload: payload.into(),
            cut: 0,
        };
    vec![
        KeptPacket { syn: true, acknowledged: None, ..plain(0, 0, CLIENT, 0, &[]) },
        KeptPacket { syn: true, ..plain(20, 1, SERVER, CLIENT + 1, &[]) },
        plain(40, 0, CLIENT + 1, SERVER + 1, &[]),
        plain(41, 0, CLIENT + 1, SERVER + 1, hello),
        plain(62, 1, SERVER + 1, sent, &PROTOCOL_VERSION),
        KeptPacket { fin: true, ..plain(62, 1, answered, sent, &[]) },
        KeptPacket { fin: true, ..plain(82, 0, sent, answered + 1, &[]) },
        plain(102, 1, answered + 1, sent + 1, &[]),
    ]
}
