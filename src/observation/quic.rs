//! What was seen at a QUIC socket besides its handshakes.

use serde::{Deserialize, Serialize};

use super::{Handshake, Observed};

/// The rest of what was seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct QuicFacts {
    /// Whether the server made a client prove its address first, with a Retry packet.
    pub retried: bool,
    /// The same handshake over TCP, at the same address and port, with the target's own name if it has one.
    pub over_tcp: Option<Handshake>,
    /// The Alt-Svc header of the answer to `GET /` over TCP.
    pub advertised: Observed<String>,
}

impl QuicFacts {
    /// The handshake over TCP, if it works.
    pub fn works_over_tcp(&self) -> Option<&Handshake> {
        self.over_tcp.as_ref().filter(|handshake| handshake.established())
    }
}
