//! What is known of a server beside the handshake at hand.

use super::chains::ChainJudge;
use crate::capture::configured::ServingBlock;
use crate::capture::learnt::Accepted;
use crate::nginx::upstream::Upstream;
use crate::tls::version::ProtocolVersion;

/// What is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct KnownServer<'a> {
    /// What it was seen to accept from others.
    pub accepted: Option<&'a Accepted>,
    /// The block of nginx's configuration that serves this handshake.
    pub block: Option<ServingBlock<'a>>,
    /// What judges its chain, and that of a client.
    pub judge: Option<&'a ChainJudge<'a>>,
    /// The directive by which nginx makes this connection, as a client.
    pub upstream: Option<&'a Upstream>,
}

impl KnownServer<'_> {
    /// Whether it speaks a version, where anything tells.
    pub(super) fn speaks(self, version: ProtocolVersion) -> Option<bool> {
        let configured = self.block.and_then(|block| block.versions());
        let configured = configured.map(|versions| versions.contains(&version));
        configured.or_else(|| self.accepted.map(|it| it.versions.contains(&version)))
    }
}
