//! A handshake as nginx makes it: nginx's hello first, then a complete handshake of the same shape with nginx's
//! request.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Prober;
use super::complete::Caller;
use super::in_plain;
use super::offer::Offer;
use super::plan::{Cell, Resume};
use super::raw::RawAnswer;
use crate::nginx::upstream::ProxyModule;
use crate::observation::nginx::{NginxAnswer, NginxAttempt, NoAnswer, Served};
use crate::observation::{ClientAuth, Failure, Handshake};
use crate::targets::Target;
use crate::targets::nginx_client::{NginxClient, NginxRequest, SettingChange};
use crate::tls::extension::ExtensionType;
use crate::tls::group::NamedGroup;
use crate::tls::hello::ClientHello;
use crate::tls::version::ProtocolVersion;

impl Prober {
    /// One handshake of nginx with an address of the target, with these changes to its settings.
    pub async fn as_nginx(
        &self,
        target: &Target,
        address: SocketAddr,
        configured: &NginxClient,
        changes: Vec<SettingChange>,
    ) -> NginxAttempt {
        let mut client = configured.with_all(&changes);
        let target = in_place_of_nginx(target, &client);
        let mut caller = self.handshaker.caller(&self.connector, &target, address);
        caller.asks_http &= client.module == ProxyModule::Proxy;
        if client.plain.is_some() {
            let (no_answer, served) = in_plain::attempt(&caller, &client).await;
            return NginxAttempt {
                served,
                ..NginxAttempt::answered(client, changes, Err(no_answer))
            };
        }
        let (answer, shape) = match client.hello() {
            Err(error) => (Err(NoAnswer::NotSent(error)), None),
            Ok(hello) => match caller.exchange(&hello).await {
                Err(failure) => (Err(NoAnswer::Failed(failure)), None),
                Ok(answer) => {
                    let chain = caller.chain_of(&answer.flight);
                    let answer = read(answer, chain).map_err(NoAnswer::Failed);
                    let shape = answer.as_ref().ok().and_then(|answer| shape(answer, &hello));
                    (answer, shape)
                }
            },
        };
        let mut more_handshakes = 0;
        let (complete, served) = match shape {
            None => (None, Served::NotAsked),
            Some((version, offer)) => {
                let sni = client.sni().map(ToOwned::to_owned);
                let cell = Cell { sni, version, resume: Resume::No };
                let (handshake, served) =
                    act(&caller, &cell, &offer, &mut client, &mut more_handshakes).await;
                (Some(handshake), served)
            }
        };
        let attempt = NginxAttempt::answered(client, changes, answer);
        NginxAttempt { complete, served, more_handshakes, ..attempt }
    }
}

/// The complete handshake with nginx's request, for each path until one is refused for TLS; the client then holds that one
/// first. Where none is refused, the first path's counts.
async fn act(
    caller: &Caller<'_>,
    cell: &Cell,
    offer: &Offer,
    client: &mut NginxClient,
    more_handshakes: &mut u32,
) -> (Handshake, Served) {
    let request = client.request.clone().filter(|_| asks(client));
    let first = caller.act(cell, offer, request.as_ref()).await;
    if let Some(other) = of_name(request.as_ref(), cell)
        && matches!(first.0.client_auth, ClientAuth::Requested(_))
    {
        *more_handshakes += 1;
        let next = caller.act(cell, offer, Some(&other)).await;
        if matches!(next.0.client_auth, ClientAuth::Required(..)) {
            return next;
        }
    }
    let ends = |(handshake, served): &(Handshake, Served)| {
        !handshake.established() || served.concerns_tls()
    };
    let Some(request) = request.filter(|_| !ends(&first)) else { return first };
    for other in request.each().skip(1) {
        *more_handshakes += 1;
        let next = caller.act(cell, offer, Some(&other)).await;
        if ends(&next) {
            client.request = Some(other);
            return next;
        }
    }
    first
}

/// The request for the name in the hello, in the place of one whose Host is only assumed to be another. A server that
/// wants a client certificate for that name says so only there; elsewhere it may answer with 421.
fn of_name(request: Option<&NginxRequest>, cell: &Cell) -> Option<NginxRequest> {
    let (request, name) = (request.filter(|request| request.assumed)?, cell.sni.as_ref()?);
    (request.host != *name).then(|| NginxRequest { host: name.clone(), ..request.clone() })
}

/// The target with nginx's name, certificate and application protocols in the place of its own.
fn in_place_of_nginx(target: &Target, client: &NginxClient) -> Target {
    let mut target = target.clone();
    target.server_name = client.sni().map(ToOwned::to_owned);
    target.client_identity.clone_from(&client.identity);
    target.expect.alpn.clone_from(&client.alpn);
    target
}

fn read(
    answer: RawAnswer,
    chain: Option<Arc<crate::certificate::Chain>>,
) -> Result<NginxAnswer, Failure> {
    let choice = answer.outcome?;
    let hello = answer.flight.server_hello.as_ref();
    let finite = choice.group.is_none_or(NamedGroup::is_finite_field);
    Ok(NginxAnswer {
        choice,
        dh_bits: answer.flight.key_bits().filter(|_| finite),
        secure_renegotiation: hello.is_some_and(|hello| {
            hello.version == ProtocolVersion::TLS1_3 || hello.has(ExtensionType::RENEGOTIATION_INFO)
        }),
        certificate_requested: answer.flight.certificate_request.is_some(),
        chain,
    })
}

/// Whether nginx uses HTTP/1 with this upstream.
fn asks(client: &NginxClient) -> bool {
    client.module == ProxyModule::Proxy && client.alpn.is_empty()
}

/// The complete handshake that confirms an answer: its version, and an offer like nginx's. `None` if the complete
/// engine does not support the server's selection.
fn shape(answer: &NginxAnswer, hello: &ClientHello) -> Option<(ProtocolVersion, Offer)> {
    let choice = answer.choice;
    let version = choice.version;
    if version < ProtocolVersion::TLS1_2 {
        return None;
    }
    let chosen = Offer {
        cipher_suites: Some(vec![choice.cipher_suite]),
        groups: choice.group.map(|group| vec![group]),
        ..Offer::default()
    };
    let offer = Offer {
        cipher_suites: Some(hello.cipher_suites.clone()),
        groups: Some(hello.groups().to_vec()),
        schemes: Some(hello.signature_schemes().to_vec()),
    };
    chosen.is_possible().then_some((version, offer))
}
