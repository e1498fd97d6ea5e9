//! A handshake of nginx as a client, and the server's answer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Cause, Failure, Handshake, RawChoice};
use crate::certificate::Chain;
use crate::targets::nginx_client::{HelloError, NginxClient, SettingChange};

/// One handshake of nginx with one set of settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NginxAttempt {
    /// nginx, with the changes.
    pub client: Arc<NginxClient>,
    /// The changes to its configuration; empty for nginx as configured.
    pub changes: Vec<SettingChange>,
    /// What the server answered to nginx's own hello.
    pub answer: Result<NginxAnswer, NoAnswer>,
    /// A complete handshake of the same shape, because an answer alone does not show that the handshake succeeds.
    /// `None` if the complete engine does not support the server's selection.
    pub complete: Option<Handshake>,
    /// What came of nginx's request behind it. Of several paths, that of the first that was refused for TLS, which the
    /// client then holds first.
    #[serde(default)]
    pub served: Served,
    /// Handshakes for further paths.
    #[serde(default)]
    pub more_handshakes: u32,
}

impl NginxAttempt {
    /// nginx, with these changes already made, and the answer to its hello; nothing was done behind it.
    pub fn answered(
        client: NginxClient,
        changes: Vec<SettingChange>,
        answer: Result<NginxAnswer, NoAnswer>,
    ) -> Self {
        Self {
            client: Arc::new(client),
            changes,
            answer,
            complete: None,
            served: Served::NotAsked,
            more_handshakes: 0,
        }
    }
}

/// The result of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Served {
    /// It was not sent.
    #[default]
    NotAsked,
    /// An HTTP answer.
    Answer {
        /// Its status.
        status: u16,
        /// What it says that a refusal is about.
        #[serde(rename = "complaint")]
        subject: RefusalSubject,
    },
    /// The connection ended instead.
    Ended(Cause),
    /// The server asks for another handshake (TLS 1.2 and older).
    Renegotiates,
    /// Nothing conclusive arrived in time.
    Silent,
    /// A reply in the upstream's own protocol, without a status.
    Spoken,
}

impl Served {
    /// Whether this is about TLS.
    pub fn concerns_tls(&self) -> bool {
        match self {
            Self::Answer { subject, .. } => *subject != RefusalSubject::None,
            Self::Ended(Cause::Alert(_)) | Self::Renegotiates => true,
            Self::Ended(_) | Self::NotAsked | Self::Silent | Self::Spoken => false,
        }
    }
}

/// What a refusal in HTTP says that it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalSubject {
    /// Nothing about TLS.
    #[default]
    None,
    /// A wrong or missing client certificate.
    Certificate,
    /// The server would only now ask for a client certificate, which TLS 1.3 allows only after an extension that nginx
    /// does not send.
    PostHandshakeAuthentication,
    /// The name in the hello differs from the name in the request.
    Name,
    /// The server expects TLS.
    PlainText,
}

impl NginxAttempt {
    /// The number of connections used.
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
    /// nginx sends none, because it does not use TLS. A hello is tried if the port does not serve nginx's request.
    Plain(Option<Result<RawChoice, Failure>>),
}

/// The server's flight in answer to nginx's hello.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NginxAnswer {
    /// The server's selection.
    pub choice: RawChoice,
    /// The size of a finite-field Diffie-Hellman key, in bits.
    pub dh_bits: Option<usize>,
    /// Whether it supports secure renegotiation (RFC 5746), which TLS 1.3 servers need not say.
    pub secure_renegotiation: bool,
    /// Whether it asks for a client certificate; only up to TLS 1.2, as it is encrypted later.
    pub certificate_requested: bool,
    /// Its certificates; only up to TLS 1.2.
    pub chain: Option<Arc<Chain>>,
}

impl NginxAttempt {
    /// The server's certificates, as far as they were seen.
    pub fn chain(&self) -> Option<&Arc<Chain>> {
        let clear = self.answer.as_ref().ok().and_then(|answer| answer.chain.as_ref());
        clear.or_else(|| self.complete.as_ref()?.chain.as_ref())
    }

    /// Whether only names in the hello were changed.
    pub fn changes_names_only(&self) -> bool {
        let is_name = |change: &SettingChange| {
            matches!(change, SettingChange::ServerName | SettingChange::Name(_))
        };
        !self.changes.is_empty() && self.changes.iter().all(is_name)
    }

    /// Whether the request has a Host or a path that is only assumed.
    pub fn assumes_request(&self) -> bool {
        self.client.request.as_ref().is_some_and(|request| request.assumed)
    }

    /// What came of the request, as far as it does not depend on a Host or path that is only assumed.
    pub fn certainly_served(&self) -> &Served {
        match &self.served {
            Served::Ended(Cause::Alert(_)) => &self.served,
            _ if self.assumes_request() => &Served::NotAsked,
            served => served,
        }
    }

    /// How well the request was answered; higher is better. The result of the handshake takes precedence.
    pub fn answer_rank(&self) -> u8 {
        match self.certainly_served() {
            Served::NotAsked | Served::Silent | Served::Spoken => 3,
            Served::Answer { status, .. } => match status {
                0..=399 | 401 | 405 | 407 => 3,
                404 | 426 | 429 => 2,
                _ => 1,
            },
            Served::Ended(_) | Served::Renegotiates => 1,
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> Option<u16> {
        match self.certainly_served() {
            Served::Answer { status, .. } => Some(*status),
            _ => None,
        }
    }
}
