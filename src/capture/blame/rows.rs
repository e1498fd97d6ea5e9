//! The rows of the table that `explain` and `log` share, as a capture chooses them.

use crate::capture::placed::PlacedDirective;
use crate::log::classify::meanings;
use crate::log::direction::Direction;
use crate::log::table::{self, Likelihood, LogCause, Mechanism, Sign, Weight, When};

/// Reasons of OpenSSL 1.1's numbering that a server like nginx would log.
pub(super) mod reason {
    pub(in crate::capture::blame) const NO_SHARED_CIPHER: u32 = 193;
    pub(in crate::capture::blame) const NO_KEY_SHARE: u32 = 101;
    pub(in crate::capture::blame) const NO_SIGNATURE: u32 = 118;
    pub(in crate::capture::blame) const UNSUPPORTED_PROTOCOL: u32 = 258;
    pub(in crate::capture::blame) const VERSION_TOO_LOW: u32 = 396;
    pub(in crate::capture::blame) const FALLBACK: u32 = 373;
    pub(in crate::capture::blame) const NO_APPLICATION_PROTOCOL: u32 = 235;
    pub(in crate::capture::blame) const MISSING_EXTENSION: u32 = 112;
    pub(in crate::capture::blame) const BAD_EXTENSION: u32 = 110;
    pub(in crate::capture::blame) const CERTIFICATE_CALLBACK: u32 = 377;
    pub(in crate::capture::blame) const NO_CLIENT_CERTIFICATE: u32 = 199;
    pub(in crate::capture::blame) const CLIENT_CERTIFICATE: u32 = 134;
    pub(in crate::capture::blame) const BAD_RECORD: u32 = 281;
}

/// Why a handshake failed.
#[derive(Clone, Debug)]
pub struct Blame {
    /// The class that `log` counts such failures under.
    pub class: &'static str,
    /// Who failed, and how.
    pub meaning: &'static str,
    /// How much such failures matter by themselves.
    pub weight: Weight,
    /// Likeliest first.
    pub causes: Vec<(&'static LogCause, Likelihood)>,
    /// What it rests on.
    pub evidence: Vec<String>,
    /// The directive that decides, where it is another than the one of the first cause.
    pub(super) decides: Option<&'static str>,
    /// The directives of nginx's configuration that decide.
    pub directives: Vec<PlacedDirective>,
}

/// The row for a connection of a client.
pub(super) fn of(sign: Sign) -> Blame {
    of_side(sign, Direction::Client)
}

/// The row for a connection of that direction.
pub(super) fn of_side(sign: Sign, side: Direction) -> Blame {
    let row = meanings(sign).into_iter().find(|row| row.side == side);
    row.map_or_else(unexplained, |row| of_row(row, None))
}

/// The row for what an upstream sends only after its answer, if there is one.
pub(super) fn of_late(sign: Sign) -> Option<Blame> {
    let is_late = |row: &&Mechanism| {
        let is_upstream = row.side == Direction::Upstream;
        row.sign == sign && is_upstream && matches!(row.when[..], [When::AfterHandshake])
    };
    table::mechanisms().iter().find(is_late).map(|row| of_row(row, None))
}

/// The row for what only the client's own program says: the server, which is at fault, knows nothing of it.
pub(super) fn as_client_says(words: &'static str) -> Blame {
    let says = |row: &&Mechanism| row.sign == Sign::Says(words) && row.side == Direction::Client;
    table::mechanisms().iter().find(says).map_or_else(unexplained, |row| of_row(row, None))
}

fn of_row(row: &'static Mechanism, first: Option<&str>) -> Blame {
    let mut causes = row.causes.clone();
    if let Some(first) = first.and_then(table::cause) {
        causes = vec![(first, Likelihood::Likely)];
    }
    let (class, meaning, weight) = (row.class, row.meaning, row.weight);
    Blame { class, meaning, weight, causes, ..unexplained() }
}

pub(super) fn unexplained() -> Blame {
    Blame {
        class: "handshake-unexplained",
        meaning: "the handshake failed, and nothing tells why",
        weight: Weight::Mixed,
        causes: Vec::new(),
        evidence: Vec::new(),
        decides: None,
        directives: Vec::new(),
    }
}

pub(super) fn reason(number: u32) -> Blame {
    of(Sign::Reason(Some(number)))
}

/// The same as `reason`, where the cause is certain.
pub(super) fn certain(number: u32, cause: &str) -> Blame {
    let row =
        meanings(Sign::Reason(Some(number))).into_iter().find(|row| row.side == Direction::Client);
    row.map_or_else(unexplained, |row| of_row(row, Some(cause)))
}
