//! Opens the records of one direction with the secrets of its session.

use std::fmt;
use std::sync::Arc;

use super::record_keys::{RecordKeys, SuiteParts};
use super::{ClientRandom, SessionSecrets};
use crate::capture::record_layer::SeenRecord;
use crate::capture::shown::CaptureMoment;
use crate::tls::record::ContentType;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// Records of one direction that are opened, or tried.
const MAX_OPENED: u16 = 256;

/// Bytes that records may take which wait until it is known what was agreed on.
const MAX_WAITING: usize = 32 * 1024;

/// What client and server agreed on, from which keys follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The version, a draft of TLS 1.3 as such.
    pub version: ProtocolVersion,
    /// The suite.
    pub suite: CipherSuite,
    /// The random of the server's hello.
    pub random: [u8; 32],
}

/// A record that was captured before what was agreed on.
pub struct WaitingRecord {
    /// Its content's kind, and the version in its header.
    head: (ContentType, u16),
    body: Vec<u8>,
    /// When it came.
    pub at: CaptureMoment,
}

impl WaitingRecord {
    /// As it was.
    pub fn record(&self) -> SeenRecord<'_> {
        SeenRecord {
            content: self.head.0,
            version: self.head.1,
            length: u16::try_from(self.body.len()).unwrap_or(u16::MAX),
            body: Some(&self.body),
        }
    }
}

/// Which keys are in use.
enum Keys {
    /// What was agreed on is not known yet.
    Awaited,
    /// Those of the handshake, or all of TLS 1.2.
    First(RecordKeys),
    /// Those of what follows, and the secret that the next ones follow from.
    Traffic(RecordKeys, Box<[u8]>),
    /// There are none, or not the right ones.
    None,
}

/// What opens the records of one direction.
pub struct Opener {
    secrets: Arc<SessionSecrets>,
    client_random: ClientRandom,
    /// The client (0) or the server (1).
    side: usize,
    agreement: Option<Agreement>,
    keys: Keys,
    waiting: Vec<WaitingRecord>,
    waiting_bytes: usize,
    tried: u16,
    has_opened: bool,
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("side", &self.side).finish_non_exhaustive()
    }
}

impl Opener {
    /// For the records of the client (0) or the server (1).
    pub fn new(secrets: Arc<SessionSecrets>, client_random: ClientRandom, side: usize) -> Self {
        Self {
            secrets,
            client_random,
            side,
            agreement: None,
            keys: Keys::Awaited,
            waiting: Vec::new(),
            waiting_bytes: 0,
            tried: 0,
            has_opened: false,
        }
    }

    /// What was agreed on, if it is known.
    pub fn agreement(&self) -> Option<Agreement> {
        self.agreement
    }

    /// Bytes that waiting records take.
    pub fn held(&self) -> usize {
        self.waiting_bytes
    }

    /// Whether bodies of further records are of use.
    pub fn wants_more(&self) -> bool {
        !matches!(self.keys, Keys::None) && self.tried < MAX_OPENED
    }

    /// Takes what was agreed on; the records that waited for it are handed back.
    pub fn agree(&mut self, agreement: Agreement) -> Vec<WaitingRecord> {
        if self.agreement.is_some() {
            return Vec::new();
        }
        self.agreement = Some(agreement);
        self.keys = self.first_keys(agreement).map_or(Keys::None, Keys::First);
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    fn first_keys(&self, agreement: Agreement) -> Option<RecordKeys> {
        let parts = SuiteParts::of(agreement.suite)?;
        match agreement.version {
            ProtocolVersion::TLS1_3 => {
                let secret = self.secrets.handshake.get(self.side)?.as_deref()?;
                RecordKeys::of_secret(parts, secret)
            }
            ProtocolVersion::TLS1_2 => {
                let randoms = [&self.client_random, &agreement.random];
                RecordKeys::of_master(parts, self.secrets.master.as_deref()?, randoms, self.side)
            }
            _ => None,
        }
    }

    /// The sender finished its handshake in TLS 1.3: other keys follow.
    pub fn finish(&mut self) {
        if matches!(self.keys, Keys::First(_)) {
            self.keys = self.traffic_keys(None).unwrap_or(Keys::None);
        }
    }

    /// The sender updated its keys.
    pub fn update(&mut self) {
        if let Keys::Traffic(_, secret) = &self.keys {
            self.keys = self.traffic_keys(Some(secret)).unwrap_or(Keys::None);
        }
    }

    fn traffic_keys(&self, last: Option<&[u8]>) -> Option<Keys> {
        let parts = SuiteParts::of(self.agreement?.suite)?;
        let secret = match last {
            None => self.secrets.traffic.get(self.side)?.clone()?,
            Some(last) => parts.updated(last)?,
        };
        Some(Keys::Traffic(RecordKeys::of_secret(parts, &secret)?, secret))
    }

    /// What a record holds, if it can be opened. One that comes too early waits.
    pub fn open(
        &mut self,
        record: SeenRecord<'_>,
        at: CaptureMoment,
    ) -> Option<(ContentType, Vec<u8>)> {
        let Some(body) = record.body else {
            self.keys = Keys::None;
            return None;
        };
        if !self.wants_more() {
            return None;
        }
        let keys = match &mut self.keys {
            Keys::Awaited => {
                self.waiting_bytes += size_of::<WaitingRecord>() + body.len();
                if self.waiting_bytes > MAX_WAITING {
                    (self.keys, self.waiting, self.waiting_bytes) = (Keys::None, Vec::new(), 0);
                } else {
                    let head = (record.content, record.version);
                    self.waiting.push(WaitingRecord { head, body: body.to_vec(), at });
                }
                return None;
            }
            Keys::First(keys) | Keys::Traffic(keys, _) => keys,
            Keys::None => return None,
        };
        self.tried = self.tried.saturating_add(1);
        let opened = keys.open(record);
        // A client's early data has other keys, and comes before everything else.
        let is_early = self.side == 0 && !self.has_opened;
        if opened.is_none() && !is_early {
            self.keys = Keys::None;
        }
        self.has_opened |= opened.is_some();
        opened
    }
}
