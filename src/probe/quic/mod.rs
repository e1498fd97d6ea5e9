//! A QUIC socket: complete handshakes with the target's name and without one, and what TCP answers at the same address and port.

mod beside;
mod handshake;
mod http3;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;

use super::Prober;
use super::complete::{Caller, client_auth, settle, untried};
use super::follow_up;
use super::offer::Offer;
use super::plan::{Cell, Resume};
use crate::observation::quic::QuicFacts;
use crate::observation::{Cause, ClientAuth, Endpoint, Failure, Handshake, Session, Stage};
use crate::targets::Target;
use crate::tls::version::ProtocolVersion;

/// The handshakes with a QUIC socket: without a name, and with the target's own.
fn cells(target: &Target) -> Vec<Cell> {
    let names = std::iter::once(None).chain(target.server_name.clone().map(Some));
    let version = ProtocolVersion::TLS1_3;
    names.map(|sni| Cell { sni, version, resume: Resume::No }).collect()
}

impl Prober {
    /// Probes a QUIC socket, and TCP at the same address and port.
    pub(super) async fn quic_endpoint(&self, target: &Target, address: SocketAddr) -> Endpoint {
        let caller = self.handshaker.caller(&self.connector, target, address);
        let cells = cells(target);
        let answers = join_all(cells.iter().map(|cell| caller.quic_cell(cell))).await;
        let retried = answers.iter().any(|(_, retried)| *retried);
        let handshakes = answers.into_iter().map(|(handshake, _)| handshake).collect();
        let over_tcp = Target { quic: false, ..target.clone() };
        let twin = self.handshaker.caller(&self.connector, &over_tcp, address);
        let (tcp, advertised) = match cells.into_iter().next_back() {
            Some(cell) => {
                let (tcp, advertised) = beside::ask(&twin, &cell).await;
                (Some(tcp), advertised)
            }
            None => Default::default(),
        };
        let facts = QuicFacts { retried, over_tcp: tcp, advertised };
        let mut endpoint = Endpoint::new(address, handshakes);
        endpoint.connections = caller.opened() + twin.opened();
        endpoint.quic = Some(Box::new(facts));
        endpoint
    }
}

impl Caller<'_> {
    /// One handshake over QUIC, and whether the server sent a Retry packet.
    async fn quic_cell(&self, cell: &Cell) -> (Handshake, bool) {
        let mut seen = untried(cell);
        let (outcome, retried) = self.quic_attempt(cell, &mut seen).await;
        seen.outcome = outcome;
        (seen, retried)
    }

    async fn quic_attempt(
        &self,
        cell: &Cell,
        seen: &mut Handshake,
    ) -> (Result<Session, Failure>, bool) {
        let kit = match self.kit(cell, &Offer::default()) {
            Ok(kit) => kit,
            Err(failure) => return (Err(failure), false),
        };
        let connection = match self.open_datagrams().await {
            Ok(connection) => connection,
            Err(failure) => return (Err(failure), false),
        };
        let name = cell.sni.clone().unwrap_or_else(|| self.address().ip().to_string());
        let started = Instant::now();
        let config = (name.as_str(), Arc::clone(&kit.config));
        let deadline = self.handshake_deadline();
        // Whether a client is served without the certificate that it was asked for, only a request shows.
        let host = || kit.recorder.saw_request().then(|| name.clone());
        let made = handshake::shake_hands(&connection.socket, config, deadline, host).await;
        let aftermath = made.page.as_deref().and_then(follow_up::of_answer).unwrap_or_default();
        drop(connection);
        seen.handshake_time = Some(started.elapsed());
        let facts = kit.recorder.take();
        seen.chain = facts.chain;
        seen.bad_signature = facts.bad_signature;
        seen.unchecked_signature = facts.unchecked_signature;
        seen.signature_scheme = facts.scheme;
        let unread = || Cause::ProtocolError("the server's hello could not be read".to_owned());
        let outcome = match (made.failure, made.answer) {
            (Some(cause), _) if !made.finished => {
                let refused = cause == Cause::ConnectionRefused;
                let stage = if refused { Stage::Connect } else { Stage::Handshake };
                Err(Failure { stage, cause })
            }
            (_, None) => Err(Failure { stage: Stage::Handshake, cause: unread() }),
            (late, Some(answer)) => {
                let session = Session {
                    cipher_suite: answer.cipher_suite,
                    group: answer.group,
                    alpn: made.alpn.map(|name| String::from_utf8_lossy(&name).into_owned()),
                    ocsp_staple: facts.ocsp_staple,
                };
                settle(Ok(session), late)
            }
        };
        seen.client_auth = match facts.request {
            Some(request) => client_auth(Some(request), &outcome, aftermath),
            None => ClientAuth::NotRequested,
        };
        (outcome, made.retried)
    }
}
