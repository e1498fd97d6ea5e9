//! The plan: which handshakes to make for one address. Pure, so it can be tested and printed.

use crate::observation::Handshake;
use crate::target::Target;
use crate::tls::version::ProtocolVersion;

/// One planned connection: a name or none, and one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The name to send.
    pub sni: Option<String>,
    /// The one version to offer.
    pub version: ProtocolVersion,
    /// Whether to ask for resumption of the session afterwards.
    pub resume: bool,
}

impl Cell {
    /// The cell that a handshake was made for.
    pub fn of(handshake: &Handshake) -> Self {
        Self { sni: handshake.sni.clone(), version: handshake.version, resume: false }
    }
}

/// The matrix {no SNI, SNI} x {TLS 1.2, TLS 1.3}; a target without a name has the first row only.
///
/// Resumption is asked for once per version, with the name where there is one.
pub fn matrix(target: &Target) -> Vec<Cell> {
    let named = target.server_name.is_some();
    let names = std::iter::once(None).chain(target.server_name.clone().map(Some));
    names
        .flat_map(|sni| {
            [ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3].map(|version| Cell {
                resume: sni.is_some() == named,
                sni: sni.clone(),
                version,
            })
        })
        .collect()
}

/// Hellos of older versions, for a peer that refused every cell of the matrix.
pub fn legacy(failed: &[Cell]) -> Vec<Cell> {
    let sni = failed.iter().find_map(|cell| cell.sni.clone());
    [ProtocolVersion::TLS1_1, ProtocolVersion::TLS1, ProtocolVersion::SSL3]
        .map(|version| Cell { sni: sni.clone(), version, resume: false })
        .to_vec()
}
