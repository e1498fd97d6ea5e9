//! The document over captures, of schema `shakedown/capture/v1`: plain data, which every form shows. Field names and values are a
//! contract: they are only ever added to.

use schemars::JsonSchema;
use serde::Serialize;

use crate::capture::exchange::{ClientCertificate, Doubt, ExchangeTransport, Party};
use crate::log::table::{Likelihood, Weight};
use crate::report::tool::Tool;

/// What this document calls itself.
pub const SCHEMA: &str = "shakedown/capture/v1";

/// A whole run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CaptureReport {
    /// Always `shakedown/capture/v1`.
    pub schema: &'static str,
    /// Who made it.
    pub tool: Tool,
    /// What was read, in the order in which it was named.
    pub files: Vec<CaptureFile>,
    /// When the first frame was captured, in UTC.
    pub first_seen: Option<String>,
    /// When the last frame was captured, in UTC.
    pub last_seen: Option<String>,
    /// How many handshakes there are, by how they ended.
    pub summary: CaptureSummary,
    /// What the capture holds beside handshakes, and what of it could not be read.
    pub traffic: CaptureTraffic,
    /// Failures of one kind at one server, the most frequent first.
    pub failures: Vec<FailureKind>,
    /// Handshakes by the client that made them: one JA4 is one kind; those with the most failures first.
    pub client_kinds: Vec<ClientKindView>,
    /// Servers that completed handshakes, and what they were seen to accept.
    pub servers: Vec<SeenServer>,
    /// Each handshake, by the time of its first packet; with `--only-failing` without those that succeeded.
    pub handshakes: Vec<CapturedHandshake>,
    /// Clients of DTLS, by client and server, at most 256; what follows their hellos is not read.
    pub dtls: Vec<DtlsView>,
    /// What to know about these figures.
    pub notes: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CaptureFile {
    /// As it was named.
    pub path: String,
    /// Frames that were read.
    pub frames: u64,
    /// What kept it from being read to its end.
    pub error: Option<String>,
}

/// Handshakes by how they ended.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct CaptureSummary {
    /// All of them.
    pub handshakes: u64,
    /// Those that succeeded.
    pub established: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those of which the capture does not tell.
    pub unclear: u64,
    /// Those that are counted here and not listed, because there are too many.
    pub left_out: u64,
    /// Those that are not counted here, because the filters let them out.
    pub filtered_out: u64,
    /// Those of which encrypted records were opened with the secrets of a key log.
    pub decrypted: u64,
}

/// What a capture holds beside handshakes.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct CaptureTraffic {
    /// All frames.
    pub frames: u64,
    /// Frames that were not captured whole.
    pub frames_cut: u64,
    /// Frames whose headers could not be read.
    pub frames_unreadable: u64,
    /// Frames of a kind of link that is not read.
    pub frames_of_unknown_link: u64,
    /// Fragmented packets of which a part is missing.
    pub packets_incomplete: u64,
    /// Connections of TCP.
    pub connections: u64,
    /// Connections on which nothing was sent.
    pub connections_silent: u64,
    /// Connections that had begun before the capture.
    pub connections_under_way: u64,
    /// Connections that carry something else than TLS.
    pub connections_of_other_protocols: u64,
    /// Connections that were given up because too many were open.
    pub connections_given_up: u64,
    /// Hellos of DTLS.
    pub dtls_hellos: u64,
    /// First packets of QUIC, which are not read.
    pub quic_initials: u64,
}

/// A client's hello of DTLS.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DtlsView {
    /// The client's address.
    pub client: String,
    /// The server's address.
    pub server: String,
    /// When the first hello was captured, in UTC.
    pub time: String,
    /// Hellos between these two.
    pub hellos: u64,
    /// Versions, as named; the only one without `supported_versions` stands for itself and all older ones. None where the hello
    /// comes in fragments.
    pub versions: Vec<String>,
    /// The name that the client asks for.
    pub server_name: Option<String>,
}

/// Failures of one kind at one server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FailureKind {
    /// The server's address.
    pub server: String,
    /// The class that `log` counts such failures under.
    pub class: &'static str,
    /// Who failed, and how.
    pub meaning: &'static str,
    /// How much such failures matter by themselves.
    pub weight: Weight,
    /// Whether it is inferred from sizes and order of encrypted records.
    pub inferred: bool,
    /// All of them, as far as they are listed.
    pub count: u64,
    /// Different addresses of clients.
    pub clients: u64,
    /// The first of these addresses, at most ten.
    pub client_addresses: Vec<String>,
    /// The names that were asked for, at most ten.
    pub server_names: Vec<String>,
    /// When the first one began, in UTC.
    pub first_seen: String,
    /// When the last one began, in UTC.
    pub last_seen: String,
    /// What it rests on.
    pub evidence: Vec<String>,
    /// Where nginx made the connection (`--nginx`): the clients, at most ten, of which a request waited and was answered after the
    /// failure. It is inferred from times.
    pub on_behalf_of: Vec<WaitingClient>,
    /// Likeliest first.
    pub causes: Vec<CauseView>,
    /// The directives of the configuration (`--nginx`) that decide.
    pub directives: Vec<DecidingDirective>,
}

/// A client of which a request waited for a connection that nginx made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WaitingClient {
    /// The client's address.
    pub client: String,
    /// The address that it connected to.
    pub server: String,
    /// The name that it asked for.
    pub server_name: Option<String>,
}

/// A directive of nginx's configuration.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DecidingDirective {
    /// Its name.
    pub name: &'static str,
    /// What it is set to; null where nginx's default applies.
    pub value: Option<String>,
    /// The file that sets it, or that has the server block.
    pub file: String,
    /// The line there; 0 for the file as a whole.
    pub line: u32,
    /// The first name of the server whose setting applies.
    pub server_name: Option<String>,
    /// Whether the socket's default server decides, and not the one that the name selects.
    pub of_default_server: bool,
}

/// The server block that serves a handshake.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServedBy {
    /// The socket, as `listen` has it.
    pub listen: String,
    /// The block's file.
    pub file: String,
    /// The block's line.
    pub line: u32,
    /// The block's first name.
    pub server_name: Option<String>,
    /// Whether it is the default server of its socket.
    pub is_default: bool,
}

/// A cause, in the words of `explain` and `log`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CauseView {
    /// Its name in every output.
    pub id: &'static str,
    /// How likely it is.
    pub likelihood: Likelihood,
    /// What is wrong.
    pub why: &'static str,
    /// How to tell it from the other causes.
    pub how_to_tell: &'static str,
    /// What to change.
    pub fix: &'static str,
}

/// Handshakes of one kind of client.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ClientKindView {
    /// JA4 of its hellos.
    pub ja4: String,
    /// JA3 of the first one.
    pub ja3: Option<String>,
    /// The known clients that send nearly the same.
    pub like: Option<LikenessView>,
    /// All its handshakes.
    pub handshakes: u64,
    /// Those that succeeded.
    pub established: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those of which the capture does not tell.
    pub unclear: u64,
    /// Different addresses; beyond 256 an estimate.
    pub addresses: u64,
    /// How its failures are counted, the most frequent class first.
    pub classes: Vec<ClassCount>,
}

/// Failures of one class.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ClassCount {
    /// The class.
    pub class: &'static str,
    /// Failures, as far as they are listed.
    pub count: u64,
}

/// The known clients that send nearly the same hello.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LikenessView {
    /// Their names, as `scan --clients` takes them; several where they send the same.
    pub clients: Vec<&'static str>,
    /// The first of them for people.
    pub title: &'static str,
    /// What the hello has more (`+`) and less (`-`) than that client's.
    pub differences: Vec<String>,
}

/// What a server was seen to accept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SeenServer {
    /// Its address.
    pub address: String,
    /// Handshakes that succeeded.
    pub established: u64,
    /// Versions.
    pub versions: Vec<String>,
    /// Suites.
    pub cipher_suites: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
}

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HandshakeResult {
    /// Both sides finished it.
    Established,
    /// It failed.
    Failed,
    /// The capture does not tell.
    Unclear,
}

/// One handshake.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CapturedHandshake {
    /// What carries it: TLS records over TCP, or QUIC.
    pub transport: ExchangeTransport,
    /// When the connection's first packet was captured, in UTC.
    pub time: String,
    /// The address that opened the connection.
    pub client: String,
    /// The client that a PROXY header names.
    pub proxied_client: Option<String>,
    /// The address that was connected to.
    pub server: String,
    /// The block of the configuration (`--nginx`) that serves it.
    pub served_by: Option<ServedBy>,
    /// What came before TLS: `smtp`, `imap`, `postgres`, `proxy-protocol` and so on.
    pub preface: Option<&'static str>,
    /// What the client offers first.
    pub hello: Option<HelloView>,
    /// Whether the server asked for another hello.
    pub retried: bool,
    /// The version that was agreed on.
    pub version: Option<String>,
    /// The suite.
    pub cipher_suite: Option<String>,
    /// The group of the key exchange.
    pub group: Option<String>,
    /// The application protocol; TLS 1.3 encrypts it, so that it takes a key log.
    pub alpn: Option<String>,
    /// SHA-256 of the server's certificates in the order sent; TLS 1.3 encrypts them, so that it takes a key log.
    pub chain: Vec<String>,
    /// SHA-256 of the client's certificates in the order sent.
    pub client_chain: Vec<String>,
    /// Whether a session was resumed.
    pub resumed: Option<bool>,
    /// What became of the server's wish for a client certificate; in TLS 1.3 without a key log as the sizes of records tell.
    pub client_certificate: Option<ClientCertificate>,
    /// Alerts in the clear, those that were decrypted, and one that is inferred where that decides.
    pub alerts: Vec<CapturedAlert>,
    /// Whether encrypted records of it were opened with the secrets of a key log.
    pub decrypted: bool,
    /// Who ended the connection first.
    pub end: Option<EndView>,
    /// Milliseconds from the first packet to the hello.
    pub hello_ms: Option<f64>,
    /// Milliseconds from the hello to the server's first record.
    pub answer_ms: Option<f64>,
    /// Whether all that was sent was captured, as far as can be seen.
    pub complete: bool,
    /// How it ended.
    pub result: HandshakeResult,
    /// Why it failed.
    pub failure: Option<FailureView>,
    /// Why it is unclear how it ended.
    pub doubt: Option<Doubt>,
}

/// Why one handshake failed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FailureView {
    /// The class that `log` counts such failures under.
    pub class: &'static str,
    /// Who ended the handshake.
    pub by: Party,
    /// Whether it is inferred from sizes and order of encrypted records.
    pub inferred: bool,
    /// The causes by their names, likeliest first.
    pub causes: Vec<&'static str>,
    /// The directives of the configuration (`--nginx`) that decide.
    pub directives: Vec<DecidingDirective>,
    /// Where nginx made the connection (`--nginx`): the clients of which a request waited and was answered after the failure; several
    /// where times do not tell which. It is inferred.
    pub on_behalf_of: Vec<WaitingClient>,
    /// What it rests on.
    pub evidence: Vec<String>,
}

/// What a client offers; values of GREASE are left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the document")]
pub struct HelloView {
    /// JA3 of the hello; one in the form of SSLv2 has none.
    pub ja3: Option<String>,
    /// JA4 of the hello.
    pub ja4: String,
    /// The name that the client asks for.
    pub server_name: Option<String>,
    /// Versions, as named; the only one without `supported_versions` stands for itself and all older ones.
    pub versions: Vec<String>,
    /// Suites.
    pub cipher_suites: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Groups for which it brings a key.
    pub key_shares: Vec<String>,
    /// Signature schemes.
    pub signature_schemes: Vec<String>,
    /// Application protocols.
    pub alpn: Vec<String>,
    /// Extensions by number.
    pub extensions: Vec<u16>,
    /// Bytes of the message.
    pub size: usize,
    /// Whether it has the form of SSLv2.
    pub sslv2_form: bool,
    /// Whether it has an extension for an encrypted name (ECH), true or for show.
    pub ech: bool,
    /// Whether it brings a ticket to resume with.
    pub ticket: bool,
    /// Whether it announces early data.
    pub early_data: bool,
}

/// An alert.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CapturedAlert {
    /// Who sent it.
    pub by: Party,
    /// Whether it ends the connection.
    pub fatal: bool,
    /// Its number; null where it is encrypted.
    pub number: Option<u8>,
    /// Its IANA name.
    pub name: Option<&'static str>,
    /// Whether only the size and the place of a record tell that it is one.
    pub inferred: bool,
    /// Whether it was encrypted, and opened with the secrets of a key log.
    pub decrypted: bool,
    /// When it was captured, in UTC.
    pub time: String,
}

/// Who ended a connection first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EndView {
    /// Who did.
    pub by: Party,
    /// Whether it was broken off (RST).
    pub reset: bool,
    /// When, in UTC.
    pub time: String,
}
