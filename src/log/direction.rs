//! Whose connection a line is about.

use std::fmt;

use memchr::memmem;
use serde::Serialize;

use super::line::LogLine;
use crate::openssl::code::Code;

/// Whose connection a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// A client connected to nginx.
    Client,
    /// nginx connected to an upstream.
    Upstream,
    /// No connection: the configuration could not be used.
    Config,
    /// The line does not show it.
    Unknown,
}

impl Direction {
    /// The direction with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "client" => Some(Self::Client),
            "upstream" => Some(Self::Upstream),
            "config" => Some(Self::Config),
            "unknown" => Some(Self::Unknown),
            _ => None,
        }
    }

    /// Its name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Config => "config",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The direction that the line itself shows; its level is not evidence.
pub fn of_line(line: &LogLine<'_>) -> Direction {
    let has = |text: &[u8], words: &str| memmem::find(text, words.as_bytes()).is_some();
    let action = line.action.unwrap_or_default();
    if has(action, "to client") {
        return Direction::Client;
    }
    if line.message.starts_with(b"lua ssl") || line.message.starts_with(b"lua tcp socket") {
        return Direction::Upstream;
    }
    if has(action, "upstream") || has(action, "fetch target") || line.upstream.is_some() {
        return Direction::Upstream;
    }
    if OF_CLIENTS.iter().any(|words| has(action, words)) {
        return Direction::Client;
    }
    if line.message.starts_with(b"upstream ") || has(&line.message, "live upstreams") {
        return Direction::Upstream;
    }
    if line.message.starts_with(b"client ") || line.client.is_some() {
        return Direction::Client;
    }
    let at_start = line.connection.is_none();
    let loads = LOADS.iter().any(|words| has(&line.message, words));
    if at_start && (line.level == Some("emerg") || loads) {
        return Direction::Config;
    }
    Direction::Unknown
}

/// nginx's actions on clients' connections.
const OF_CLIENTS: &[&str] =
    &["handshaking", "reading client", "starttls", "waiting for request", "keepalive"];

/// Functions that nginx calls while it reads its configuration.
const LOADS: &[&str] = &[
    "SSL_CTX_",
    "cannot load certificate",
    "PEM_read_bio",
    "BIO_new_file",
    "SSL_load_client_CA_file",
    "X509_LOOKUP_load_file",
    "\"ssl_stapling\" ignored",
];

/// The direction by the function that OpenSSL before 3.0 names: servers read a ClientHello, clients a ServerHello.
pub fn of_function(codes: &[Code<'_>]) -> Direction {
    for code in codes {
        let function = code.function.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| function.contains(word));
        if has(AS_CLIENT) {
            return Direction::Upstream;
        }
        if has(AS_SERVER) {
            return Direction::Client;
        }
        if has(&["ssl_ctx_"]) {
            return Direction::Config;
        }
    }
    Direction::Unknown
}

/// Parts of names of functions that only a TLS client runs.
const AS_CLIENT: &[&str] = &[
    "get_server_hello",
    "process_server_hello",
    "get_key_exchange",
    "process_key_exchange",
    "get_server_certificate",
    "process_server_certificate",
    "process_ske",
    "get_server_done",
    "ssl3_connect",
    "ssl23_connect",
    "connect_cr_",
    "st_connect",
    "ossl_statem_client",
    "construct_client_hello",
];

/// Parts of names of functions that only a TLS server runs.
const AS_SERVER: &[&str] = &[
    "client_hello",
    "clienthello",
    "get_client",
    "process_cke",
    "bytes_to_cipher_list",
    "ssl3_accept",
    "ssl23_accept",
    "accept_sr_",
    "st_accept",
    "ossl_statem_server",
    "parse_ctos",
    "choose_sigalg",
];
