//! What `capture` says of captures: one document, which every form shows.

mod clients;
pub mod clients_file;
pub mod document;
mod dtls;
mod handshake;
pub mod html;
mod kinds;
pub mod prometheus;
pub mod table;

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;

use time::OffsetDateTime;
use time::macros::format_description;

use self::document::{
    CaptureFile, CaptureReport, CaptureSummary, CaptureTraffic, SCHEMA, SeenServer, WaitingClient,
};
use self::handshake::view;
use self::kinds::Kinds;
use super::inert_json;
use super::tool::Tool;
use super::words::counted;
use crate::capture::blame::{Blame, ChainJudge, KnownServer, blame};
use crate::capture::configured::Configured;
use crate::capture::exchange::{Conclusion, Exchange};
use crate::capture::intake::CaptureIntake;
use crate::capture::legs::AskingClient;
use crate::capture::placeholders::Placeholders;
use crate::capture::seen_hello::SeenHello;
use crate::certificate::trust::TrustStore;
use crate::log::table::Weight;

/// Waiting clients of one failure that are listed.
const MAX_WAITING: usize = 10;

/// What is known beside the capture.
#[derive(Clone, Copy)]
pub struct CapturedSite<'a> {
    /// The configuration of the servers.
    pub configured: Option<&'a Configured>,
    /// The roots that clients are taken to have.
    pub roots: &'a Arc<TrustStore>,
}

impl CaptureReport {
    /// The document over what was read, from servers with that configuration, and with what stands for addresses.
    pub fn new(
        intake: &CaptureIntake,
        files: Vec<CaptureFile>,
        site: CapturedSite<'_>,
        placeholders: &Placeholders,
    ) -> Self {
        let configured = site.configured;
        let began = intake.span.map_or(0, |(first, _)| first);
        let began = OffsetDateTime::from_unix_timestamp_nanos(began.into());
        let began = began.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let judge = ChainJudge::new(intake.certificates(), site.roots, began);
        let mut order: Vec<&Exchange> = intake.kept.iter().collect();
        order.sort_by_key(|exchange| (exchange.opened, exchange.client, exchange.server));
        let (mut kinds, mut elsewhere) = (Kinds::default(), 0);
        let mut handshakes = Vec::with_capacity(order.len());
        for exchange in order {
            let block = configured.and_then(|configured| {
                let name = exchange.server_name();
                configured.serving(exchange.server, exchange.transport, name.as_deref())
            });
            let upstream = configured.and_then(|configured| configured.passing(exchange));
            let known = KnownServer {
                accepted: intake.learnt.of(exchange.server),
                block,
                judge: upstream.is_none().then_some(&judge),
                upstream,
            };
            let why = why(exchange, known);
            let waiting =
                waiting(intake, exchange, configured.filter(|_| upstream.is_some()), placeholders);
            let exchange = renamed(exchange, placeholders);
            if let Some(why) = &why {
                kinds.add(&exchange, why, &waiting, placeholders);
                let is_known = block.is_some() || upstream.is_some();
                elsewhere += u64::from(configured.is_some() && !is_known);
            }
            handshakes.push(view(&exchange, block.as_ref(), why.as_ref(), &waiting, placeholders));
        }
        let counts = intake.counts;
        let mut notes = notes(intake, &files);
        if placeholders.are_wanted() {
            let text = "Addresses are placeholders: each stands for one address, wherever it is.";
            notes.push(text.to_owned());
        }
        if elsewhere > 0 {
            notes.push(format!(
                "The configuration has no server for {}, or does not tell which it is.",
                counted(elsewhere, "failed handshake")
            ));
        }
        Self {
            schema: SCHEMA,
            tool: Tool::default(),
            first_seen: intake.span.map(|(first, _)| utc(first)),
            last_seen: intake.span.map(|(_, last)| utc(last)),
            summary: CaptureSummary {
                handshakes: counts.handshakes(),
                established: counts.established,
                failed: counts.failed,
                unclear: counts.unclear,
                left_out: counts.not_kept,
                filtered_out: counts.filtered,
                decrypted: counts.opened,
            },
            traffic: traffic(intake),
            failures: kinds.ranked(),
            client_kinds: clients::kinds(&intake.clients, &handshakes),
            servers: servers(intake, placeholders),
            dtls: dtls::views(intake, placeholders),
            handshakes,
            notes,
            files,
        }
    }

    /// Writes the document as JSON.
    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        inert_json::write_pretty(self, out)?;
        writeln!(out)
    }

    /// Writes each handshake as one line of JSON.
    pub fn ndjson(&self, out: &mut dyn Write) -> io::Result<()> {
        self.handshakes.iter().try_for_each(|handshake| {
            inert_json::write(handshake, out)?;
            writeln!(out)
        })
    }

    /// Whether a failure is more than what scanners cause and clients that leave.
    pub fn has_findings(&self) -> bool {
        self.failures.iter().any(|kind| matches!(kind.weight, Weight::Fault | Weight::Mixed))
    }

    /// Whether something is unclear: there is no handshake, one is unclear, or a file cannot be read to its end.
    pub fn has_gaps(&self) -> bool {
        let broken = self.files.iter().any(|file| file.error.is_some());
        self.summary.handshakes == 0 || self.summary.unclear > 0 || broken
    }
}

/// The JSON Schema of the document.
///
/// # Panics
///
/// Never: a schema is plain data.
pub fn schema() -> String {
    let schema = schemars::schema_for!(CaptureReport);
    serde_json::to_string_pretty(&schema).expect("a schema is plain data") + "\n"
}

fn why(exchange: &Exchange, known: KnownServer<'_>) -> Option<Blame> {
    match exchange.conclusion {
        Conclusion::Failed(breakdown) => Some(blame(exchange, breakdown, known)),
        Conclusion::Established | Conclusion::Unclear(_) => None,
    }
}

/// The clients of which a request waited for a connection that nginx made and that failed.
fn waiting(
    intake: &CaptureIntake,
    exchange: &Exchange,
    configured: Option<&Configured>,
    placeholders: &Placeholders,
) -> Vec<WaitingClient> {
    let failed = matches!(exchange.conclusion, Conclusion::Failed(_));
    let Some(configured) = configured.filter(|_| failed) else { return Vec::new() };
    let clients = configured.waiting(exchange, &intake.asking);
    let view = |client: &&AskingClient| WaitingClient {
        client: placeholders.socket(client.client).to_string(),
        server: placeholders.socket(client.server).to_string(),
        server_name: client.server_name.clone().map(|name| placeholders.text(name)),
    };
    clients.iter().take(MAX_WAITING).map(view).collect()
}

fn traffic(intake: &CaptureIntake) -> CaptureTraffic {
    let (frames, counts, connections) = (intake.frames(), intake.counts, intake.connections());
    CaptureTraffic {
        frames: frames.frames,
        frames_cut: frames.cut,
        frames_unreadable: frames.unreadable,
        frames_of_unknown_link: frames.unknown_link,
        packets_incomplete: intake.fragments_given_up(),
        connections: connections.connections,
        connections_silent: counts.silent,
        connections_under_way: counts.under_way,
        connections_of_other_protocols: counts.other,
        connections_given_up: connections.given_up,
        dtls_hellos: intake.dtls.count,
        quic_initials: counts.quic_initials,
    }
}

/// The handshake with what stands for its addresses.
fn renamed<'e>(exchange: &'e Exchange, placeholders: &Placeholders) -> Cow<'e, Exchange> {
    if !placeholders.are_wanted() {
        return Cow::Borrowed(exchange);
    }
    let mut renamed = exchange.clone();
    renamed.client = placeholders.socket(exchange.client);
    renamed.server = placeholders.socket(exchange.server);
    renamed.proxied = exchange.proxied.map(|client| placeholders.socket(client));
    // Some clients ask for an address as if it were a name.
    if let (Some(name), Some(hello)) = (exchange.server_name(), &exchange.hello) {
        let name = placeholders.text(name).into_bytes();
        renamed.hello = Some(Arc::new(SeenHello { server_name: Some(name), ..(**hello).clone() }));
    }
    Cow::Owned(renamed)
}

fn servers(intake: &CaptureIntake, placeholders: &Placeholders) -> Vec<SeenServer> {
    let servers = intake.learnt.servers().map(|(address, accepted)| SeenServer {
        address: placeholders.socket(*address).to_string(),
        established: accepted.handshakes,
        versions: accepted.versions.iter().map(ToString::to_string).collect(),
        cipher_suites: accepted.suites.iter().map(ToString::to_string).collect(),
        groups: accepted.groups.iter().map(ToString::to_string).collect(),
    });
    servers.collect()
}

fn notes(intake: &CaptureIntake, files: &[CaptureFile]) -> Vec<String> {
    let (frames, counts) = (intake.frames(), intake.counts);
    let mut notes = Vec::new();
    if frames.frames == 0 && files.iter().any(|file| file.error.is_none()) {
        notes.push("There is no frame in it: nothing can be said.".to_owned());
    } else if frames.frames > 0 && frames.unknown_link == frames.frames {
        notes.push("Frames of this kind of link are not read here.".to_owned());
    } else if counts.handshakes() == 0 && counts.filtered > 0 {
        notes.push("No handshake in it is one of those that were asked for.".to_owned());
    } else if frames.frames > 0 && counts.handshakes() == 0 {
        notes.push("There is no TLS handshake in it: nothing can be said.".to_owned());
    }
    if frames.cut > 0 {
        notes.push(format!(
            "{} of {} frames were cut when they were captured: tcpdump -s 0 keeps them whole.",
            frames.cut, frames.frames
        ));
    }
    let sessions = intake.keys().sessions();
    if sessions > 0 {
        notes.push(format!(
            "{} of {} decrypted with the secrets of {}.",
            counts.opened,
            counted(counts.handshakes(), "handshake"),
            counted(sessions as u64, "session")
        ));
    }
    if counts.quic_initials > 0 {
        notes.push(format!(
            "{} first packets of QUIC cannot be read: another version than 1 and 2, or damaged.",
            counts.quic_initials
        ));
    }
    notes.extend(dtls::note(intake));
    if counts.not_kept > 0 {
        notes.push(format!("{} handshakes are counted and not listed.", counts.not_kept));
    }
    if intake.clients.others > 0 {
        notes.push(format!(
            "{} handshakes are of further kinds of clients, which are not told apart.",
            intake.clients.others
        ));
    }
    if files.len() > 1 {
        notes
            .push("Connections are followed within one file, not from one to the next.".to_owned());
    }
    notes
}

/// A moment in UTC.
fn utc(time: i64) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    let moment = OffsetDateTime::from_unix_timestamp_nanos(time.into());
    moment.ok().and_then(|moment| moment.format(format).ok()).unwrap_or_default()
}
