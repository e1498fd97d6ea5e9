//! The place of a target in the configuration, and the server whose settings apply to its clients.

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
    /// The server with the target's name; without a name, the default server.
    pub server: &'a Server,
    /// nginx's release.
    pub release: NginxRelease,
    /// Its OpenSSL.
    pub library: OpensslRelease,
    /// What the configuration of that OpenSSL sets for every connection, each `NAME VALUE`.
    pub system: &'a [String],
    /// The certificate files of the configuration, as far as they can be read.
    pub files: &'a [FileChain],
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
    let mut all: Vec<_> =
        listeners.iter().filter(|one| one.quic == target.quic).filter_map(found).collect();
    // The listener may be a range of ports, or a private copy on another port.
    all.sort_by_key(|(listener, _)| listener.address.port() != Some(port));
    all.into_iter().next()
}

impl<'a> Site<'a> {
    /// The same socket for a client without SNI.
    #[must_use]
    pub(super) fn without_name(self) -> Self {
        Self { server: self.default_server(), ..self }
    }

    /// The server whose certificate and suites apply: the default server, if the selected one has no certificate.
    pub(super) fn holder(&self) -> &'a Server {
        if self.server.has_certificate() { self.server } else { self.default_server() }
    }

    /// The server whose versions and TLS 1.3 suites apply.
    pub(super) fn chooser(&self) -> &'a Server {
        let by_name = self.release >= PROTOCOLS_BY_NAME;
        if by_name { self.holder() } else { self.default_server() }
    }

    /// The default server. Its groups, `MinProtocol` and `MaxProtocol` apply to every name: OpenSSL copies them when the
    /// connection begins (`SSL_new`), and a change of the context leaves them as they are (`SSL_set_SSL_CTX`).
    pub(super) fn default_server(&self) -> &'a Server {
        self.listener.default_server()
    }
}
