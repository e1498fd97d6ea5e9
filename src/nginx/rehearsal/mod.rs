//! A copy of a configuration that a private nginx can run without disturbing anything else on the machine. Its sockets,
//! its state and the addresses that it connects to are moved. Every file and line keeps its number, so that nginx's
//! messages can be mapped to the original.

mod message;
mod path;
mod rewrite;
mod sockets;
mod statement;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use message::{Message, original};
pub use path::place;
pub use rewrite::{copy, switched_off, test_copy};
pub use sockets::{OpenedSocket, sockets, tcp_sockets};
pub use statement::opened_files;

use super::listener::ListenAddress;
use super::problem::Span;

/// Where the copy is placed, and the nginx that runs it.
#[derive(Clone, Debug)]
pub struct Relocation {
    /// The folder of the copy, without characters that are special in a pattern of `include`.
    pub folder: String,
    /// Where each socket is moved to.
    pub stand_ins: BTreeMap<ListenAddress, ListenAddress>,
    /// The configure arguments that `nginx -V` prints.
    pub arguments: Vec<String>,
    /// Files that are replaced by others.
    pub replaced: BTreeMap<String, String>,
    /// Directives that are removed.
    pub removed: BTreeSet<Span>,
    /// Whether scripts (Lua, njs, Perl) are run.
    pub scripts: bool,
}

/// A copy that nginx can run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relocated {
    /// Each file: its path in the copy, and its text.
    pub files: Vec<(String, Vec<u8>)>,
    /// The path of the main file.
    pub main: String,
    /// Directives to pass with `-g`, because the configuration does not set them.
    pub globals: String,
    /// What is not rehearsed, without duplicates.
    pub left_out: Vec<Omission>,
}

/// What a rehearsal leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Omission {
    /// OCSP responses are not fetched for stapling.
    Stapling,
    /// Client certificates are not checked by OCSP.
    ClientOcsp,
    /// Upstreams, authentication servers and resolvers are not contacted.
    Upstreams,
    /// Addresses that stream servers refuse.
    AddressLists,
    /// Health checks.
    HealthChecks,
    /// Scripts (Lua, njs, Perl).
    Scripts,
    /// Blocks of modules that are not part of nginx.
    ForeignBlocks,
}

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stapling => "OCSP stapling",
            Self::ClientOcsp => "OCSP of client certificates",
            Self::Upstreams => "upstreams and other servers that nginx connects to",
            Self::AddressLists => "addresses that stream servers refuse (deny)",
            Self::HealthChecks => "health checks",
            Self::Scripts => "scripts (Lua, njs, Perl)",
            Self::ForeignBlocks => "blocks of modules that are not part of nginx",
        })
    }
}

/// Why a configuration cannot be rehearsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// A file has no name by which nginx could find it.
    #[error("its main file has no full name")]
    NoName,
    /// A `listen` names more ports than this program handles.
    #[error("{0}: too many ports")]
    TooManyPorts(Span),
    /// A directive makes network traffic and cannot be switched off.
    #[error("{0}: {1} makes traffic that cannot be switched off")]
    Traffic(Span, String),
}

#[cfg(test)]
mod tests;
