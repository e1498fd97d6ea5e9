//! The handshakes to make for one address. Pure, so it can be tested and printed.

use crate::observation::Handshake;
use crate::targets::{StartTls, Target};
use crate::tls::version::ProtocolVersion;

/// One planned connection: a name or none, and one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The name to send; `None` for no SNI.
    pub sni: Option<String>,
    /// The only version to offer.
    pub version: ProtocolVersion,
    /// How to test session resumption afterwards.
    pub resume: Resume,
}

/// How to test session resumption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Not at all.
    No,
    /// With a ticket or an id, as the server prefers.
    Yes,
    /// By its id, without a ticket (up to TLS 1.2).
    ById,
}

impl Cell {
    /// The cell that a handshake was made for.
    pub fn of(handshake: &Handshake) -> Self {
        Self { sni: handshake.sni.clone(), version: handshake.version, resume: Resume::No }
    }
}

/// The matrix {no SNI, SNI} x {TLS 1.2, TLS 1.3}; without a name only the first row.
///
/// Resumption is tested once per version, with the name if there is one. MySQL and MariaDB count failures against the
/// client's host, and their clients send only one kind of hello: only the target's own is sent.
pub fn matrix(target: &Target) -> Vec<Cell> {
    let named = target.server_name.is_some();
    let nameless = if named && counts_errors(target) { None } else { Some(None) };
    let names = nameless.into_iter().chain(target.server_name.clone().map(Some));
    names
        .flat_map(|sni| {
            [ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3].map(|version| Cell {
                resume: if sni.is_some() == named { Resume::Yes } else { Resume::No },
                sni: sni.clone(),
                version,
            })
        })
        .collect()
}

/// Whether the server locks this machine out after too many incomplete connections.
pub fn counts_errors(target: &Target) -> bool {
    target.starttls == Some(StartTls::Mysql)
}

/// Hellos for versions older than those of the matrix.
pub fn legacy(target: &Target) -> Vec<Cell> {
    [ProtocolVersion::TLS1_1, ProtocolVersion::TLS1, ProtocolVersion::SSL3]
        .map(|version| Cell { sni: target.server_name.clone(), version, resume: Resume::No })
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::options::Options;

    fn cells(address: &str) -> Vec<(bool, String, bool)> {
        let target = Options::default().target(address.parse().unwrap(), None, None);
        let cells = matrix(&target).into_iter();
        cells
            .map(|cell| (cell.sni.is_some(), cell.version.to_string(), cell.resume == Resume::Yes))
            .collect()
    }

    #[test]
    fn a_name_is_tried_with_and_without_sni_and_resumed_with_it() {
        let cell = |sni, version: &str, resume| (sni, version.to_owned(), resume);
        assert_eq!(
            cells("a.test"),
            [
                cell(false, "TLSv1.2", false),
                cell(false, "TLSv1.3", false),
                cell(true, "TLSv1.2", true),
                cell(true, "TLSv1.3", true)
            ]
        );
        assert_eq!(
            cells("192.0.2.1"),
            [cell(false, "TLSv1.2", true), cell(false, "TLSv1.3", true)]
        );
    }
}
