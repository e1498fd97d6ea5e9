//! A handshake as nginx makes it, and what the server did.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Cause, Failure, Handshake, RawChoice};
use crate::certificate::Chain;
use crate::targets::nginx_client::{HelloError, NginxClient, SettingChange};

/// One handshake of nginx with one set of settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NginxAttempt {
    /// nginx, with the changes made.
    pub client: Arc<NginxClient>,
    /// What was changed in its configuration; empty for nginx as it is.
    pub changes: Vec<SettingChange>,
    /// What the server answered to nginx's own hello.
    pub answer: Result<NginxAnswer, NoAnswer>,
    /// A complete handshake of the same shape: the hello's answer alone does not show that it ends well. `None` where
    /// the complete engine does not speak what the server chose.
    pub complete: Option<Handshake>,
    /// What came of nginx's request behind it. Of several paths, that of the first that was refused for TLS, which the
    /// client then holds first.
    #[serde(default)]
    pub served: Served,
    /// Handshakes for further paths.
    #[serde(default)]
    pub more_handshakes: u32,
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Served {
    /// None was made.
    #[default]
    NotAsked,
    /// An HTTP answer.
    Answer {
        /// Its status.
        status: u16,
        /// What it says that the refusal is about.
        complaint: RefusalSubject,
    },
    /// The connection ended instead.
    Ended(Cause),
    /// The server asks for another handshake (TLS 1.2 and older).
    Renegotiates,
    /// Nothing that decides came in time.
    Silent,
    /// An answer in the upstream's own protocol, which has no status here.
    Spoken,
}

impl Served {
    /// Whether this is about TLS.
    pub fn concerns_tls(&self) -> bool {
        match self {
            Self::Answer { complaint, .. } => *complaint != RefusalSubject::None,
            Self::Ended(Cause::Alert(_)) | Self::Renegotiates => true,
            Self::Ended(_) | Self::NotAsked | Self::Silent | Self::Spoken => false,
        }
    }
}

/// What a refusal in HTTP says that it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalSubject {
    /// Nothing that concerns TLS.
    #[default]
    None,
    /// The client certificate, or the lack of one.
    Certificate,
    /// A client certificate would be asked for only now, for which TLS 1.3 needs what nginx does not offer.
    PostHandshakeAuthentication,
    /// The name in the hello against the name in the request.
    Name,
    /// TLS is expected, and this was plain text.
    PlainText,
}

impl NginxAttempt {
    /// Connections that it took.
    pub fn connections(&self) -> u32 {
        let hello = match &self.answer {
            Err(NoAnswer::NotSent(_) | NoAnswer::Plain(None)) => 0,
            _ => 1,
        };
        let plain =
            matches!(&self.answer, Err(NoAnswer::Plain(_))) && self.served != Served::NotAsked;
        hello + u32::from(plain) + u32::from(self.complete.is_some()) + self.more_handshakes
    }
}

/// Why there is no answer to nginx's hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoAnswer {
    /// No hello could be made.
    NotSent(HelloError),
    /// It failed.
    Failed(Failure),
    /// nginx sends none, as it speaks plain text. How the port answers one is asked where what nginx sends is not served.
    Plain(Option<Result<RawChoice, Failure>>),
}

/// The server's flight in answer to nginx's hello.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NginxAnswer {
    /// What it chose.
    pub choice: RawChoice,
    /// The size of a finite-field key, in bits.
    pub dh_bits: Option<usize>,
    /// Whether it knows secure renegotiation (RFC 5746), which a server of TLS 1.3 need not say.
    pub secure_renegotiation: bool,
    /// Whether it asks for a client certificate; up to TLS 1.2, later it is encrypted.
    pub certificate_requested: bool,
    /// Its certificates, likewise.
    pub chain: Option<Arc<Chain>>,
}

impl NginxAttempt {
    /// The certificates that were presented, as far as they were seen.
    pub fn chain(&self) -> Option<&Arc<Chain>> {
        let clear = self.answer.as_ref().ok().and_then(|answer| answer.chain.as_ref());
        clear.or_else(|| self.complete.as_ref()?.chain.as_ref())
    }

    /// Whether nothing but names was changed, in the hello alone.
    pub fn changes_names_only(&self) -> bool {
        let is_name = |change: &SettingChange| {
            matches!(change, SettingChange::ServerName | SettingChange::Name(_))
        };
        !self.changes.is_empty() && self.changes.iter().all(is_name)
    }

    /// How well the request was answered, higher is better; the verdict over the handshake stands above it.
    pub fn answer_rank(&self) -> u8 {
        match &self.served {
            Served::NotAsked | Served::Silent | Served::Spoken => 3,
            Served::Answer { status, .. } => match status {
                0..=399 | 401 | 405 | 407 => 3,
                404 | 426 | 429 => 2,
                _ => 1,
            },
            Served::Ended(_) | Served::Renegotiates => 1,
        }
    }

    /// The status that the request was answered with.
    pub fn status(&self) -> Option<u16> {
        match self.served {
            Served::Answer { status, .. } => Some(status),
            _ => None,
        }
    }
}
