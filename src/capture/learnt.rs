//! What servers accept, learnt from the handshakes that succeeded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::exchange::{Conclusion, Exchange};
use super::seen_hello::final_version;
use crate::tls::group::NamedGroup;
use crate::tls::suite::{Authentication, CipherSuite};
use crate::tls::version::ProtocolVersion;

/// Servers of which this is kept.
const MAX_SERVERS: usize = 4096;

/// What a server was seen to accept; it may well accept more.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    /// Handshakes that succeeded.
    pub handshakes: u64,
    /// Versions.
    pub versions: BTreeSet<ProtocolVersion>,
    /// Suites.
    pub suites: BTreeSet<CipherSuite>,
    /// Groups.
    pub groups: BTreeSet<NamedGroup>,
    /// Whether an RSA key proved who the server is, up to TLS 1.2.
    pub by_rsa: bool,
    /// The same of an EC key.
    pub by_ecdsa: bool,
}

/// What was learnt of each server.
#[derive(Clone, Debug, Default)]
pub struct Learnt {
    servers: BTreeMap<SocketAddr, Accepted>,
}

impl Learnt {
    /// Takes a handshake.
    pub fn add(&mut self, exchange: &Exchange) {
        if exchange.conclusion != Conclusion::Established {
            return;
        }
        let known = self.servers.contains_key(&exchange.server);
        if !known && self.servers.len() >= MAX_SERVERS {
            return;
        }
        let accepted = self.servers.entry(exchange.server).or_default();
        accepted.handshakes += 1;
        let version = exchange.version.map(|version| ProtocolVersion(final_version(version.0)));
        accepted.versions.extend(version);
        accepted.groups.extend(exchange.group);
        if let Some(answer) = &exchange.answer {
            accepted.suites.insert(answer.cipher_suite);
            match answer.cipher_suite.authentication() {
                Some(Authentication::Rsa) => accepted.by_rsa = true,
                Some(Authentication::Ecdsa) => accepted.by_ecdsa = true,
                _ => {}
            }
        }
    }

    /// What a server was seen to accept.
    pub fn of(&self, server: SocketAddr) -> Option<&Accepted> {
        self.servers.get(&server)
    }

    /// Every server of which something is known.
    pub fn servers(&self) -> impl Iterator<Item = (&SocketAddr, &Accepted)> {
        self.servers.iter()
    }
}
