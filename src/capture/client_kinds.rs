//! Handshakes by the client that made them: hellos with one JA4 count as one kind of client.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::exchange::{Conclusion, Exchange};
use super::seen_hello::SeenHello;
use crate::log::sketch::{Distinct, hash};

/// Kinds that are told apart.
const MAX_KINDS: usize = 4096;

/// One kind of client.
#[derive(Clone, Debug)]
pub struct ClientKind {
    /// The first hello of it.
    pub hello: Arc<SeenHello>,
    /// Handshakes that succeeded.
    pub established: u64,
    /// Handshakes that failed.
    pub failed: u64,
    /// Handshakes of which the capture does not tell.
    pub unclear: u64,
    /// Different addresses.
    pub addresses: Distinct,
}

/// The kinds of clients so far.
#[derive(Clone, Debug, Default)]
pub struct ClientKinds {
    kinds: BTreeMap<String, ClientKind>,
    /// Handshakes of further kinds, which are not told apart.
    pub others: u64,
}

impl ClientKinds {
    /// Takes a handshake.
    pub fn add(&mut self, exchange: &Exchange) {
        let Some(hello) = &exchange.hello else { return };
        let ja4 = hello.ja4();
        if !self.kinds.contains_key(&ja4) && self.kinds.len() >= MAX_KINDS {
            self.others += 1;
            return;
        }
        let kind = self.kinds.entry(ja4).or_insert_with(|| ClientKind {
            hello: Arc::clone(hello),
            established: 0,
            failed: 0,
            unclear: 0,
            addresses: Distinct::default(),
        });
        *match exchange.conclusion {
            Conclusion::Established => &mut kind.established,
            Conclusion::Failed(_) => &mut kind.failed,
            Conclusion::Unclear(_) => &mut kind.unclear,
        } += 1;
        kind.addresses.add(hash(exchange.true_client().ip().to_string().as_bytes()));
    }

    /// All of them by their JA4: those with the most failures first.
    pub fn ranked(&self) -> Vec<(&str, &ClientKind)> {
        let mut kinds: Vec<(&str, &ClientKind)> =
            self.kinds.iter().map(|(ja4, kind)| (ja4.as_str(), kind)).collect();
        kinds.sort_by_key(|(_, kind)| {
            std::cmp::Reverse((kind.failed, kind.established + kind.unclear))
        });
        kinds
    }
}
