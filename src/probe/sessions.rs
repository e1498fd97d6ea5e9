//! The session store of one cell: rustls' own, which also records what the server's tickets allow.

use std::sync::atomic::{AtomicBool, Ordering};

use rustls::NamedGroup;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls_pki_types::ServerName;

use crate::observation::Observed;

/// The most sessions that are kept; a cell makes no more.
const CAPACITY: usize = 2;

/// Keeps sessions for the second connection of a cell.
#[derive(Debug)]
pub(super) struct Sessions {
    cache: ClientSessionMemoryCache,
    ticket: AtomicBool,
    early_data: AtomicBool,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self {
            cache: ClientSessionMemoryCache::new(CAPACITY),
            ticket: AtomicBool::new(false),
            early_data: AtomicBool::new(false),
        }
    }

    /// Whether a TLS 1.3 ticket allowed early data; nothing is known without a ticket.
    pub(super) fn early_data(&self) -> Observed<()> {
        if self.early_data.load(Ordering::Relaxed) {
            Observed::Seen(())
        } else if self.ticket.load(Ordering::Relaxed) {
            Observed::Absent
        } else {
            Observed::NotTried
        }
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    /// No hint: with one, rustls sends key shares in another order than its groups, which RFC 8446 section 4.2.8
    /// forbids and Botan refuses (alert 47).
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.cache.set_tls12_session(server_name, value);
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.cache.tls12_session(server_name)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.cache.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(
        &self,
        server_name: ServerName<'static>,
        value: Tls13ClientSessionValue,
    ) {
        self.ticket.store(true, Ordering::Relaxed);
        self.early_data.fetch_or(value.max_early_data_size() > 0, Ordering::Relaxed);
        self.cache.insert_tls13_ticket(server_name, value);
    }

    fn take_tls13_ticket(
        &self,
        server_name: &ServerName<'static>,
    ) -> Option<Tls13ClientSessionValue> {
        self.cache.take_tls13_ticket(server_name)
    }
}
