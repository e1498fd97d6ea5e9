//! Clients whose hellos are kept, to be sent again: one for all hellos that differ in nothing but names and what is fresh.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::exchange::{Conclusion, Exchange};
use super::seen_hello::SeenHello;
use crate::certificate::parse::Fingerprint;
use crate::log::sketch::{Distinct, hash};
use crate::tls::captured::CapturedHello;

/// Clients that are told apart.
const MAX_CLIENTS: usize = 4096;

/// Names that are listed of one client.
const MAX_NAMES: usize = 5;

/// A client.
#[derive(Clone, Debug)]
pub struct KeptClient {
    /// Its first hello, to be sent again.
    pub hello: CapturedHello,
    /// What that hello offers.
    pub seen: Arc<SeenHello>,
    /// All its handshakes.
    pub handshakes: u64,
    /// Those that failed.
    pub failed: u64,
    /// Different addresses.
    pub addresses: Distinct,
    /// Names that it asked for, at most five.
    pub server_names: BTreeSet<String>,
    /// When the first and the last handshake began, in nanoseconds since 1970.
    pub span: (i64, i64),
}

/// The clients so far.
#[derive(Clone, Debug, Default)]
pub struct KeptClients {
    clients: BTreeMap<[u8; 32], KeptClient>,
    /// Handshakes with a hello that cannot be sent again.
    pub unusual: u64,
    /// Handshakes of further clients, which are not told apart.
    pub others: u64,
}

impl KeptClients {
    /// Takes a handshake.
    pub fn add(&mut self, exchange: &Exchange) {
        let (Some(seen), Some(body)) = (&exchange.hello, &exchange.first_hello) else {
            // A hello in the form of SSLv2 is no message.
            self.unusual += u64::from(exchange.hello.is_some());
            return;
        };
        let Ok(hello) = CapturedHello::of_message(seen.record_version, body) else {
            self.unusual += 1;
            return;
        };
        let digest = Fingerprint::of(&hello.nameless_record()).0;
        if !self.clients.contains_key(&digest) && self.clients.len() >= MAX_CLIENTS {
            self.others += 1;
            return;
        }
        let client = self.clients.entry(digest).or_insert_with(|| KeptClient {
            hello,
            seen: Arc::clone(seen),
            handshakes: 0,
            failed: 0,
            addresses: Distinct::default(),
            server_names: BTreeSet::new(),
            span: (exchange.opened, exchange.opened),
        });
        client.handshakes += 1;
        client.failed += u64::from(matches!(exchange.conclusion, Conclusion::Failed(_)));
        client.addresses.add(hash(exchange.true_client().ip().to_string().as_bytes()));
        if client.server_names.len() < MAX_NAMES {
            client.server_names.extend(exchange.server_name());
        }
        let (first, last) = client.span;
        client.span = (first.min(exchange.opened), last.max(exchange.opened));
    }

    /// The clients with at least so many failures, by the digest of their hellos: those with the most first.
    pub fn ranked(&self, failures: u64) -> Vec<(&[u8; 32], &KeptClient)> {
        let mut clients: Vec<_> =
            self.clients.iter().filter(|(_, client)| client.failed >= failures).collect();
        clients.sort_by_key(|(_, client)| Reverse((client.failed, client.handshakes)));
        clients
    }
}
