//! Replays the hellos of known clients: the answer, and whether a complete handshake of that shape succeeds.

use super::{Scanner, is_worth_another_try};
use crate::certificate::Chain;
use crate::certificate::key::KeyType;
use crate::observation::scan::{Replay, ReplayFailure};
use crate::observation::{Failure, RawChoice};
use crate::probe::browser::without_http;
use crate::probe::offer::Offer;
use crate::probe::raw::RawAnswer;
use crate::tls::hello::ClientHello;
use crate::tls::profile::Profile;
use crate::tls::version::ProtocolVersion;

impl Scanner<'_> {
    /// Sends a known client's hello; with `http`, HTTP in ALPN as the client sends it, otherwise without. One out of a
    /// capture is sent as it was.
    pub(super) async fn replay(&self, profile: &'static Profile, http: bool) -> Replay {
        let hello = profile.hello(self.sni);
        let hello = if http || profile.captured.is_some() { hello } else { without_http(hello) };
        let size = hello.encode().map_or(0, |bytes| bytes.len());
        let outcome = self.answered(profile, &hello).await;
        let (outcome, confirmed) = match outcome {
            Err(failure) => (Err(failure), false),
            Ok(choice) => match self.completed(profile, choice).await {
                None => (Ok(choice), false),
                Some(Ok(())) => (Ok(choice), true),
                Some(Err(failure)) => (Err(ReplayFailure::Late(failure)), true),
            },
        };
        let fails_on_alpn = match &outcome {
            Err(ReplayFailure::Server(failure)) if failure.is_refusal() => {
                self.fails_on_alpn(&hello).await
            }
            _ => false,
        };
        Replay { profile, outcome, size, confirmed, fails_on_alpn }
    }

    /// Whether a refused hello is answered without its application protocols, and refused again with them: a single
    /// failure may be chance or a limit.
    async fn fails_on_alpn(&self, hello: &ClientHello) -> bool {
        let without = without_http(hello.clone());
        if without == *hello {
            return false;
        }
        let answer = self.caller.exchange(&without).await;
        if !answer.is_ok_and(|answer| answer.outcome.is_ok()) {
            return false;
        }
        match self.caller.exchange(hello).await {
            Ok(RawAnswer { outcome: Err(failure), .. }) => failure.is_refusal(),
            _ => false,
        }
    }

    async fn answered(
        &self,
        profile: &Profile,
        hello: &ClientHello,
    ) -> Result<RawChoice, ReplayFailure> {
        let mut answer = self.caller.exchange(hello).await;
        if is_worth_another_try(&answer) {
            answer = self.caller.exchange(hello).await;
        }
        let RawAnswer { outcome, flight } = answer.map_err(ReplayFailure::Server)?;
        let choice = outcome.map_err(ReplayFailure::Server)?;
        let rsa_bits = self.caller.chain_of(&flight).as_deref().and_then(rsa_bits);
        match profile.objection(&flight, rsa_bits) {
            Some(objection) => Err(objection.into()),
            None => Ok(choice),
        }
    }

    /// Whether a complete handshake succeeds with the server's choice and the client's schemes; `None` if that could
    /// not be tried.
    async fn completed(&self, profile: &Profile, choice: RawChoice) -> Option<Result<(), Failure>> {
        let offer = Offer {
            cipher_suites: Some(vec![choice.cipher_suite]),
            groups: choice.group.map(|group| vec![group]),
            schemes: Some(profile.signature_schemes.clone()),
        };
        if choice.version < ProtocolVersion::TLS1_2 || !offer.is_possible() {
            return None;
        }
        // The client's other groups stay: up to TLS 1.2 a server shows an ECDSA certificate only to clients that list its
        // curve (RFC 8422 section 5.1).
        let others = profile.groups.iter().filter(|group| choice.group != Some(**group));
        let groups =
            choice.group.map(|group| std::iter::once(group).chain(others.copied()).collect());
        let offer = Offer { groups, ..offer };
        let sni = self.sni.filter(|_| profile.server_name);
        match self.caller.confirm(sni, choice.version, &offer).await {
            Ok(_) => Some(Ok(())),
            Err(failure) if failure.is_refusal() => Some(Err(failure)),
            Err(_) => None,
        }
    }
}

fn rsa_bits(chain: &Chain) -> Option<u32> {
    let key = &chain.leaf()?.public_key;
    (key.key_type == KeyType::Rsa).then_some(key.bits)
}
