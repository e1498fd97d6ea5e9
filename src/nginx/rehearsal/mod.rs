//! A copy of a configuration that a private nginx can run beside whatever else runs: its sockets, its state and what it
//! would connect to lie elsewhere, and every line keeps its number and its file, so that nginx's messages name the original.

mod message;
mod path;
mod rewrite;
mod sockets;
mod statement;

use std::collections::BTreeMap;
use std::fmt;

pub use message::{Message, original};
pub use path::place;
pub use rewrite::copy;
pub use sockets::{OpenedSocket, sockets};

use super::listener::ListenAddress;
use super::problem::Span;

/// Where the copy is to lie, and what the nginx is like that runs it.
#[derive(Clone, Debug)]
pub struct Relocation {
    /// The folder of the copy; without characters that a pattern of `include` would take for more than themselves.
    pub folder: String,
    /// Where each socket is moved to.
    pub stand_ins: BTreeMap<ListenAddress, ListenAddress>,
    /// What `nginx -V` says that nginx was configured with.
    pub arguments: Vec<String>,
    /// Whether scripts (Lua, njs, Perl) are run.
    pub scripts: bool,
}

/// A copy that nginx can run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relocated {
    /// Each file by its place and with its text.
    pub files: Vec<(String, Vec<u8>)>,
    /// The place of the main file.
    pub main: String,
    /// Directives for `-g`, which the configuration does not have itself.
    pub globals: String,
    /// What is not rehearsed, each kind once.
    pub left_out: Vec<Omission>,
}

/// What a rehearsal leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Omission {
    /// OCSP responses are not fetched for stapling.
    Stapling,
    /// Client certificates are not checked by OCSP.
    ClientOcsp,
    /// Upstreams, authentication servers and resolvers are not asked.
    Upstreams,
    /// Health checks.
    HealthChecks,
    /// Scripts.
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
            Self::HealthChecks => "health checks",
            Self::Scripts => "scripts (Lua, njs, Perl)",
            Self::ForeignBlocks => "blocks of modules that are not part of nginx",
        })
    }
}

/// Why a configuration cannot be rehearsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// It has no name that nginx could find it by.
    #[error("its main file has no full name")]
    NoName,
    /// A `listen` names more ports than are followed.
    #[error("{0}: too many ports")]
    TooManyPorts(Span),
    /// A directive makes traffic that nothing switches off.
    #[error("{0}: {1} makes traffic that cannot be switched off")]
    Traffic(Span, String),
}

#[cfg(test)]
mod tests;
