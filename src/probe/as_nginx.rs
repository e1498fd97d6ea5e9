//! The handshake as nginx makes it: its own hello first, then a complete one where the answer hides what matters.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Prober;
use super::plan::{Cell, Resume};
use super::raw::Answer;
use crate::nginx::upstream::Module;
use crate::observation::Failure;
use crate::observation::nginx::{NginxAnswer, NginxAttempt, Refusal};
use crate::targets::Target;
use crate::targets::nginx_client::{Change, NginxClient};
use crate::tls::extension::ExtensionType;
use crate::tls::group::NamedGroup;
use crate::tls::version::ProtocolVersion;

impl Prober {
    /// One handshake of nginx with an address of the target, with these changes to its settings.
    pub async fn as_nginx(
        &self,
        target: &Target,
        address: SocketAddr,
        configured: &NginxClient,
        changes: Vec<Change>,
    ) -> NginxAttempt {
        let client = changes.iter().fold(configured.clone(), |client, change| client.with(change));
        let client = Arc::new(client);
        let target = in_place_of_nginx(target, &client);
        let mut caller = self.handshaker.caller(&self.connector, &target, address);
        caller.asks_http &= client.module == Module::Proxy;
        let (answer, request) = match client.hello() {
            Err(error) => (Err(Refusal::NotSent(error)), None),
            Ok(hello) => match caller.exchange(&hello).await {
                Err(failure) => (Err(Refusal::Failed(failure)), None),
                Ok(answer) => {
                    let chain = caller.chain_of(&answer.flight);
                    let answer = read(answer, chain).map_err(Refusal::Failed);
                    let request = answer.as_ref().ok().and_then(follow_up);
                    (answer, request)
                }
            },
        };
        let complete = match request {
            None => None,
            Some(version) => {
                let sni = client.sni().map(ToOwned::to_owned);
                Some(caller.cell(Cell { sni, version, resume: Resume::No }).await)
            }
        };
        NginxAttempt { client, changes, answer, complete }
    }
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
    answer: Answer,
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

/// The version of the complete handshake that shows the rest, where there is a rest and the complete engine speaks it.
fn follow_up(answer: &NginxAnswer) -> Option<ProtocolVersion> {
    let version = answer.choice.version;
    let hidden = version == ProtocolVersion::TLS1_3;
    let asks = version == ProtocolVersion::TLS1_2 && answer.certificate_requested;
    (hidden || asks).then_some(version)
}
