//! Where a target stands in the configuration, and which server's settings a client meets there.

use crate::certificate::file::FileChain;
use crate::nginx::defaults::{NginxRelease, PROTOCOLS_BY_NAME};
use crate::nginx::listener::{Listener, Server};
use crate::nginx::tree::Tree;
use crate::openssl::release::OpensslRelease;
use crate::targets::Target;

/// A target's place in a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The configuration.
    pub tree: &'a Tree,
    /// The socket.
    pub listener: &'a Listener,
    /// The server that the target's name leads to; without a name, the default server.
    pub server: &'a Server,
    /// nginx's release.
    pub release: NginxRelease,
    /// Its OpenSSL.
    pub library: OpensslRelease,
    /// The certificate files of the configuration, as far as they can be read.
    pub files: &'a [FileChain],
    /// Certificates of authorities that were fetched for it, in DER.
    pub issuers: &'a [Vec<u8>],
}

/// The socket and the server of a target that was made from one of these listeners.
pub fn place<'l>(listeners: &'l [Listener], target: &Target) -> Option<(&'l Listener, &'l Server)> {
    let origin = target.origin.as_ref()?;
    let (_, port) = target.endpoint()?;
    let is_here = |server: &&Server| {
        let at = &server.listen;
        (&*at.file, at.line, at.column) == (&*origin.file, origin.line, origin.column)
    };
    let found = |listener: &'l Listener| Some((listener, listener.servers.iter().find(is_here)?));
    let mut all: Vec<_> = listeners.iter().filter(|one| !one.quic).filter_map(found).collect();
    // A range of ports, or a private copy on another port.
    all.sort_by_key(|(listener, _)| listener.address.port() != Some(port));
    all.into_iter().next()
}

impl<'a> Site<'a> {
    /// The same socket as a client meets it that sends no name.
    #[must_use]
    pub(super) fn without_name(self) -> Self {
        Self { server: self.listener.default_server(), ..self }
    }

    /// The server whose certificate and suites apply: nginx keeps the default server's where the one that was asked for has no
    /// certificate.
    pub(super) fn holder(&self) -> &'a Server {
        if self.server.has_certificate() { self.server } else { self.listener.default_server() }
    }

    /// The server whose versions, and suites of TLS 1.3, apply.
    pub(super) fn chooser(&self) -> &'a Server {
        let by_name = self.release >= PROTOCOLS_BY_NAME;
        if by_name { self.holder() } else { self.listener.default_server() }
    }
}
