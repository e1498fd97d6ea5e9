//! What comes from the network: a server's flight, and captured packets.

use std::sync::Arc;

use shakedown::capture::intake::{CaptureIntake, IntakeSettings};
use shakedown::capture::kept::Keeping;
use shakedown::capture::keylog::KeyLog;
use shakedown::capture::placeholders::Placeholders;
use shakedown::certificate::trust::TrustStore;
use shakedown::report::Look;
use shakedown::report::capture::document::CaptureReport;
use shakedown::report::capture::{CapturedSite, table};
use shakedown::tls::captured::CapturedHello;
use shakedown::tls::flight::{FlightReader, FlightStep};

/// A flight that arrives in pieces of the size that the first byte gives, and a hello in the same bytes.
pub(super) fn flight(input: &[u8]) {
    let Some((size, bytes)) = input.split_first() else { return };
    let mut reader = FlightReader::new();
    for piece in bytes.chunks(usize::from(*size).max(1)) {
        if reader.feed(piece) == FlightStep::Done {
            break;
        }
    }
    drop(reader.finish());
    if let Ok(hello) = CapturedHello::of_record(bytes) {
        drop((hello.versions(), hello.key_shares(), hello.alpn(), hello.nameless_record()));
    }
}

/// A capture, to the report about its handshakes.
pub(super) fn capture(input: &[u8]) {
    let mut intake = CaptureIntake::new(IntakeSettings {
        keeping: Keeping { hellos: true, packets: true, turns: true, randoms: true },
        ..IntakeSettings::default()
    });
    let _ = intake.read(input);
    intake.finish();
    let roots = Arc::new(TrustStore::mozilla());
    let site = CapturedSite { configured: None, roots: &roots };
    let report = CaptureReport::new(&intake, Vec::new(), site, &Placeholders::new(true));
    let look = Look { width: 80, colour: false, show_chain: false };
    drop(table::render(&report, look));
}

/// Secrets of sessions.
pub(super) fn key_log(input: &[u8]) {
    let mut keys = KeyLog::default();
    keys.add(input);
    let _ = keys.secrets(&[0x0a; 32]);
}
