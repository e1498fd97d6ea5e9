//! What nginx sends to an upstream besides its hello: the request, or plain text instead of TLS.

use serde::{Deserialize, Serialize};

/// A `*_pass` directive without TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainPass {
    /// Its URL, as written.
    pub url: String,
    /// The same with the TLS scheme, if it leads to the same port.
    pub over_tls: Option<String>,
    /// Whether the same configuration also has targets with TLS, which are what the audit is about.
    #[serde(default)]
    pub beside_tls: bool,
}

/// A request as nginx sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NginxRequest {
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// The `Host` header.
    pub host: String,
    /// The path.
    pub path: String,
    /// Whether it is HTTP/1.1 rather than 1.0.
    pub http11: bool,
    /// The paths of other places with the same settings.
    #[serde(default)]
    pub more_paths: Vec<String>,
    /// How many of these are left out.
    #[serde(default)]
    pub paths_left_out: usize,
    /// Whether the Host or the path is only assumed, because nginx's configuration is not known in full. Then nothing is
    /// concluded from an answer that depends on them.
    #[serde(default)]
    pub assumed: bool,
}

fn get() -> String {
    "GET".to_owned()
}

/// Further paths that are requested; each costs a connection.
const MAX_MORE_PATHS: usize = 4;

impl NginxRequest {
    /// A `GET` of this path, with HTTP/1.0 as nginx sends it by default.
    pub fn get(host: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            method: get(),
            host: host.into(),
            path: path.into(),
            http11: false,
            more_paths: Vec::new(),
            paths_left_out: 0,
            assumed: false,
        }
    }

    /// Takes in the path of another place.
    pub fn join(&mut self, other: &Self) {
        if self.path == other.path || self.more_paths.contains(&other.path) {
            return;
        }
        if self.more_paths.len() < MAX_MORE_PATHS {
            self.more_paths.push(other.path.clone());
        } else {
            self.paths_left_out += 1;
        }
    }

    /// The request for each path.
    pub fn each(&self) -> impl Iterator<Item = Self> {
        let paths = std::iter::once(&self.path).chain(&self.more_paths);
        paths.map(|path| Self { path: path.clone(), ..self.clone() })
    }

    /// The request as it is sent.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { method, host, path, http11, .. } = self;
        let minor = u8::from(*http11);
        format!(
            "{method} {path} HTTP/1.{minor}\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: shakedown\r\nAccept: */*\r\n\r\n"
        )
        .into_bytes()
    }
}
