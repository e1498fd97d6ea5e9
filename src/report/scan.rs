//! The results of a scan and of replayed clients: as text and as JSON.

use std::io::{self, Write};

use anstyle::Style;
use schemars::JsonSchema;
use serde::Serialize;
use textwrap::core::display_width;

use super::Look;
use super::escape::escape;
use super::text::{paragraph, styled};
use super::words::counted;
use crate::audit::missing::Missing;
use crate::observation::scan::{Listing, Order, Replay, Scan, SuiteChoice, VersionScan};
use crate::observation::{Endpoint, Observed};
use crate::targets::Target;
use crate::tls::group::NamedGroup;
use crate::tls::suite::{KeyExchange, SuiteWeakness};
use crate::tls::version::ProtocolVersion;

/// The width of the labels in a scan, in columns.
const LABEL: usize = 9;

/// Writes the scans of one address.
pub(super) fn write(endpoint: &Endpoint, look: Look, out: &mut dyn Write) -> io::Result<()> {
    for scan in &endpoint.scans {
        let name = scan
            .sni
            .as_ref()
            .map_or_else(|| "without a name".to_owned(), |name| format!("with the name {name}"));
        let head = format!("{} {name} accepts", endpoint.address);
        out.write_all(paragraph(&head, "  ", "    ", look).as_bytes())?;
        for version in scan.versions.iter().rev() {
            write_version(version, look, out)?;
        }
        for (label, text) in summary(scan, endpoint) {
            write_labelled(label, &text, look, out)?;
        }
        writeln!(out)?;
    }
    write_replays(endpoint, look, out)
}

fn write_version(scan: &VersionScan, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let version = scan.version.to_string();
    let bold = Style::new().bold();
    if scan.suites.accepted.is_empty() {
        return write_labelled(&version, &silence(&scan.suites), look, out);
    }
    let count = scan.suites.accepted.len();
    let order = scan.suites.order.map_or("", |order| match order {
        Order::Server => ", in the server's order",
        Order::Client => ", the client decides",
        Order::Mixed => ", in no clear order",
    });
    let version = styled(&format!("{version:LABEL$}"), bold, look);
    writeln!(out, "    {version}  {}{order}", counted(count, "suite"))?;
    for choice in &scan.suites.accepted {
        writeln!(out, "      {}", suite_line(choice))?;
    }
    let mut lines = Vec::new();
    if !scan.groups.accepted.is_empty() {
        lines.push(("groups", listed(&scan.groups)));
    }
    if !scan.schemes.accepted.is_empty() {
        lines.push(("signs", listed(&scan.schemes)));
    }
    if let Some(failure) = scan.refused_late() {
        let text = format!("hellos are answered, complete handshakes refused: {}", failure.cause);
        lines.push(("refused", text));
    }
    let answered = scan.suites.accepted.iter().filter(|choice| !scan.is_confirmed(choice)).count();
    if answered > 0 {
        let text = format!(
            "{answered} of {count}: the server answers hellos with them; complete handshakes were not tried"
        );
        lines.push(("untested", text));
    }
    if let Some(failure) = [&scan.suites.cut_short, &scan.groups.cut_short, &scan.schemes.cut_short]
        .into_iter()
        .flatten()
        .next()
    {
        lines.push(("gap", format!("the list may be incomplete: {}", failure.cause)));
    }
    lines.into_iter().try_for_each(|(label, text)| write_labelled(label, &text, look, out))
}

/// Why a version has no suites.
fn silence(suites: &Listing<SuiteChoice>) -> String {
    match (&suites.cut_short, &suites.refusal) {
        (Some(failure), _) => format!("could not be tested: {}", failure.cause),
        (None, Some(cause)) => format!("no ({cause})"),
        (None, None) => "no".to_owned(),
    }
}

fn suite_line(choice: &SuiteChoice) -> String {
    let suite = choice.cipher_suite;
    let name = suite.openssl_name().map_or_else(|| suite.to_string(), ToOwned::to_owned);
    let key = match (choice.group, choice.key_bits) {
        (Some(group), _) => group.to_string(),
        (None, Some(bits)) => format!("{bits} bits"),
        (None, None) => String::new(),
    };
    let remark = match suite.weakness() {
        Some(SuiteWeakness::NoEncryption) => "weak: no encryption",
        Some(SuiteWeakness::Anonymous) => "weak: no authentication",
        Some(SuiteWeakness::Export) => "weak: export keys",
        Some(SuiteWeakness::Des) => "weak: DES",
        Some(SuiteWeakness::Rc4) => "weak: RC4",
        Some(SuiteWeakness::SmallBlock) => "weak: 64-bit blocks",
        None if suite.key_exchange() == Some(KeyExchange::Rsa) => "no forward secrecy",
        None => "",
    };
    format!("{name:30} {key:14} {remark}").trim_end().to_owned()
}

fn listed<T: ToString>(listing: &Listing<T>) -> String {
    let names: Vec<String> = listing.accepted.iter().map(ToString::to_string).collect();
    let order = match listing.order {
        Some(Order::Server) => " (the server's order)",
        _ => "",
    };
    names.join(", ") + order
}

/// Results that apply to all versions, as lines with a label.
fn summary(scan: &Scan, endpoint: &Endpoint) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if scan.accepted().next().is_none() {
        return lines;
    }
    if !scan.alpn.accepted.is_empty() {
        lines.push(("ALPN", listed(&scan.alpn)));
    }
    let features = &scan.features;
    let (resumed, early) = tls13_session(endpoint, scan);
    let said = |entries: &[(&str, &Observed<()>)]| {
        let words =
            entries.iter().filter_map(|(name, seen)| Some(format!("{name} {}", word(seen)?)));
        words.collect::<Vec<_>>().join(", ")
    };
    let sessions = said(&[
        ("ids", &features.session_id),
        ("tickets", &features.session_ticket),
        ("TLS 1.3 tickets", &resumed),
        ("early data", &early),
    ]);
    let others = said(&[
        ("secure renegotiation", &features.secure_renegotiation),
        ("extended master secret", &features.extended_master_secret),
        ("fallback noticed", &features.fallback_scsv),
        ("compression", &features.compression),
    ]);
    for (label, text) in [("sessions", sessions), ("also", others)] {
        if !text.is_empty() {
            lines.push((label, text));
        }
    }
    lines
}

/// Whether TLS 1.3 sessions are resumed, and allow early data, according to the complete handshakes.
fn tls13_session(endpoint: &Endpoint, scan: &Scan) -> (Observed<()>, Observed<()>) {
    endpoint
        .cell(scan.sni.is_some(), ProtocolVersion::TLS1_3)
        .map_or_else(Default::default, |cell| (cell.resumption.clone(), cell.early_data.clone()))
}

fn word(seen: &Observed<()>) -> Option<&'static str> {
    match seen {
        Observed::Seen(()) => Some("yes"),
        Observed::Absent => Some("no"),
        Observed::Failed(_) => Some("untested"),
        Observed::NotTried => None,
    }
}

fn write_labelled(label: &str, text: &str, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let indent = " ".repeat(4 + LABEL + 2);
    let first = format!("    {label:LABEL$}  ");
    out.write_all(paragraph(text, &first, &indent, look).as_bytes())
}

fn write_replays(endpoint: &Endpoint, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let Some(width) = endpoint.replays.iter().map(|it| display_width(&it.profile.title)).max()
    else {
        return Ok(());
    };
    let head = format!("clients at {}", endpoint.address);
    out.write_all(paragraph(&head, "  ", "    ", look).as_bytes())?;
    let indent = " ".repeat(4 + width + 2);
    for replay in &endpoint.replays {
        let title = &replay.profile.title;
        let text = match &replay.outcome {
            Ok(choice) => {
                let suite = choice.cipher_suite;
                let name =
                    suite.openssl_name().map_or_else(|| suite.to_string(), ToOwned::to_owned);
                let group = choice.group.map_or_else(String::new, |group| format!(" {group}"));
                format!("{} {name}{group}", choice.version)
            }
            Err(failure) => match Missing::of(replay, endpoint) {
                Some(missing) => format!("FAILS: {missing} ({failure})"),
                None => format!("untested: {failure}"),
            },
        };
        let first = format!("    {}{}  ", escape(title), " ".repeat(width - display_width(title)));
        out.write_all(paragraph(&text, &first, &indent, look).as_bytes())?;
    }
    writeln!(out)
}

/// Everything that one address accepts, with one name or none.
#[derive(Serialize, JsonSchema)]
pub(super) struct ScanView<'a> {
    /// Address and port.
    address: String,
    /// The name that was sent; null without SNI.
    sni: Option<&'a str>,
    /// Every version that was tested, oldest first.
    versions: Vec<VersionView>,
    /// The application protocols that the server chose from those offered.
    alpn: Vec<&'a str>,
    /// Features: true, false, or null if not tested.
    features: FeaturesView,
    /// Whether the server accepts a post-quantum key exchange; null if it does not accept TLS 1.3.
    post_quantum: Option<bool>,
    /// Why the lists may be incomplete; empty if they are complete.
    gaps: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct VersionView {
    version: String,
    /// `accepted`, `refused` or `untested`.
    outcome: &'static str,
    /// Whether a complete handshake succeeded in this version: false if hellos were answered, but every complete
    /// handshake was refused; null if none could be made.
    complete: Option<bool>,
    /// In the order of `preference`.
    cipher_suites: Vec<SuiteView>,
    /// Whose order of suites applies: `server`, `client` or `mixed`; null if there is no choice.
    preference: Option<&'static str>,
    groups: Vec<String>,
    signature_schemes: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct SuiteView {
    /// The number, as `0xc02f`.
    id: String,
    name: String,
    openssl_name: Option<&'static str>,
    group: Option<String>,
    /// Size of the server's finite-field or export RSA key, in bits.
    key_bits: Option<usize>,
    forward_secrecy: bool,
    /// Whether complete handshakes of this kind succeed; if not, a hello was answered with it, and that is all.
    confirmed: bool,
    /// `no-encryption`, `anonymous`, `export`, `des`, `rc4`, `small-block`; null for none.
    weakness: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
struct FeaturesView {
    secure_renegotiation: Option<bool>,
    extended_master_secret: Option<bool>,
    session_id: Option<bool>,
    session_ticket: Option<bool>,
    tls13_resumption: Option<bool>,
    early_data: Option<bool>,
    compression: Option<bool>,
    fallback_scsv: Option<bool>,
}

/// The result of one known client at one address.
#[derive(Serialize, JsonSchema)]
pub(super) struct ClientView<'a> {
    /// Address and port.
    address: String,
    name: &'a str,
    title: &'a str,
    /// `established`, `failed`, or `untested` if there was no answer.
    outcome: &'static str,
    version: Option<String>,
    cipher_suite: Option<String>,
    group: Option<String>,
    /// How it fails; null if it does not fail.
    reason: Option<String>,
    /// Why it fails: what client and server do not have in common. Null if it does not fail.
    missing: Option<String>,
    /// Whether a complete handshake of the same shape succeeded; false if only its hello was answered.
    confirmed: bool,
    /// Size of its hello, in bytes.
    hello_bytes: usize,
    /// Whether it connected before the change that `--against` compares with; null if it was not tried then.
    connected_before: Option<bool>,
}

pub(super) fn scans(endpoint: &Endpoint) -> impl Iterator<Item = ScanView<'_>> {
    endpoint.scans.iter().map(|scan| ScanView::of(scan, endpoint))
}

pub(super) fn clients<'a>(
    endpoint: &'a Endpoint,
    target: &'a Target,
) -> impl Iterator<Item = ClientView<'a>> {
    let former = target.former.as_ref().filter(|known| known.unknown.is_none());
    endpoint.replays.iter().map(move |replay| ClientView {
        connected_before: former
            .filter(|known| known.tried.contains(&replay.profile))
            .map(|known| known.clients.contains(&replay.profile)),
        ..ClientView::of(replay, endpoint)
    })
}

impl<'a> ScanView<'a> {
    fn of(scan: &'a Scan, endpoint: &Endpoint) -> Self {
        let features = &scan.features;
        let (resumed, early) = tls13_session(endpoint, scan);
        let tls13 = scan.version(ProtocolVersion::TLS1_3);
        let groups = tls13.map(|scan| &scan.groups).filter(|groups| !groups.accepted.is_empty());
        Self {
            address: endpoint.address.to_string(),
            sni: scan.sni.as_deref(),
            versions: scan.versions.iter().map(VersionView::of).collect(),
            alpn: scan.alpn.accepted.iter().map(String::as_str).collect(),
            features: FeaturesView {
                secure_renegotiation: flag(&features.secure_renegotiation),
                extended_master_secret: flag(&features.extended_master_secret),
                session_id: flag(&features.session_id),
                session_ticket: flag(&features.session_ticket),
                tls13_resumption: flag(&resumed),
                early_data: flag(&early),
                compression: flag(&features.compression),
                fallback_scsv: flag(&features.fallback_scsv),
            },
            post_quantum: groups
                .map(|groups| groups.accepted.iter().copied().any(NamedGroup::is_post_quantum)),
            gaps: scan.gaps().into_iter().map(|failure| failure.cause.to_string()).collect(),
        }
    }
}

impl VersionView {
    fn of(scan: &VersionScan) -> Self {
        let suites = &scan.suites;
        Self {
            version: scan.version.to_string(),
            outcome: match () {
                () if scan.is_supported() => "accepted",
                () if scan.refused_late().is_some() => "refused",
                () if suites.is_refused() => "refused",
                () => "untested",
            },
            complete: flag(&scan.complete).or(scan.refused_late().map(|_| false)),
            cipher_suites: suites
                .accepted
                .iter()
                .map(|choice| SuiteView::of(choice, scan))
                .collect(),
            preference: suites.order.map(|order| match order {
                Order::Server => "server",
                Order::Client => "client",
                Order::Mixed => "mixed",
            }),
            groups: scan.groups.accepted.iter().map(ToString::to_string).collect(),
            signature_schemes: scan.schemes.accepted.iter().map(ToString::to_string).collect(),
        }
    }
}

impl SuiteView {
    fn of(choice: &SuiteChoice, scan: &VersionScan) -> Self {
        let suite = choice.cipher_suite;
        Self {
            id: format!("0x{:04x}", suite.0),
            name: suite.to_string(),
            openssl_name: suite.openssl_name(),
            group: choice.group.map(|group| group.to_string()),
            key_bits: choice.key_bits,
            forward_secrecy: suite.forward_secret(),
            confirmed: scan.is_confirmed(choice),
            weakness: suite.weakness().map(|weakness| match weakness {
                SuiteWeakness::NoEncryption => "no-encryption",
                SuiteWeakness::Anonymous => "anonymous",
                SuiteWeakness::Export => "export",
                SuiteWeakness::Des => "des",
                SuiteWeakness::Rc4 => "rc4",
                SuiteWeakness::SmallBlock => "small-block",
            }),
        }
    }
}

impl<'a> ClientView<'a> {
    fn of(replay: &'a Replay, endpoint: &Endpoint) -> Self {
        let choice = replay.outcome.as_ref().ok();
        let failure = replay.outcome.as_ref().err();
        Self {
            address: endpoint.address.to_string(),
            name: &replay.profile.name,
            title: &replay.profile.title,
            outcome: match failure {
                None => "established",
                Some(failure) if failure.is_refusal() => "failed",
                Some(_) => "untested",
            },
            version: choice.map(|choice| choice.version.to_string()),
            cipher_suite: choice.map(|choice| choice.cipher_suite.to_string()),
            group: choice.and_then(|choice| choice.group).map(|group| group.to_string()),
            reason: failure.map(ToString::to_string),
            missing: Missing::of(replay, endpoint).map(|missing| missing.to_string()),
            confirmed: replay.confirmed,
            hello_bytes: replay.size,
            connected_before: None,
        }
    }
}

fn flag(seen: &Observed<()>) -> Option<bool> {
    match seen {
        Observed::Seen(()) => Some(true),
        Observed::Absent => Some(false),
        Observed::Failed(_) | Observed::NotTried => None,
    }
}
