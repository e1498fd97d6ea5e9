//! QUIC sockets: what fails there and works over TCP, and what keeps clients from them.

pub mod http3_not_advertised;
pub mod http3_refused;
pub mod quic_certificate_differs;
pub mod quic_unreachable;

use super::outcome;
use crate::audit::rule::Context;
use crate::observation::Endpoint;
use crate::observation::quic::QuicFacts;

/// What was seen besides the handshakes, if the target is a QUIC socket.
fn facts<'e>(endpoint: &'e Endpoint, cx: &Context<'_>) -> Option<&'e QuicFacts> {
    endpoint.quic.as_deref().filter(|_| cx.target.quic)
}

/// What TCP answered, as evidence.
fn over_tcp(endpoint: &Endpoint, facts: &QuicFacts) -> Option<String> {
    let twin = facts.over_tcp.as_ref()?;
    Some(format!("{}, over TCP: {}", endpoint.address, outcome(twin)))
}
