//! The signature schemes that a server signs in: named in the clear up to TLS 1.2, found one by one in TLS 1.3.

use futures::future::join_all;

use super::exhaust::{Manner, Reply, exhaust};
use super::{Opening, Scanner};
use crate::observation::scan::Listing;
use crate::tls::extension::{Extension, KeyShare};
use crate::tls::group::NamedGroup;
use crate::tls::hello::ClientHello;
use crate::tls::key_share::sample_key;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::{CipherSuite, KeyExchange};
use crate::tls::version::ProtocolVersion;

impl Scanner<'_> {
    /// TLS 1.2 names the scheme in the server's key exchange.
    pub(super) async fn schemes_tls12(&self, openings: &[Opening]) -> Listing<SignatureScheme> {
        let signed = openings.iter().map(|opening| opening.choice.cipher_suite).filter(|suite| {
            matches!(suite.key_exchange(), Some(KeyExchange::Ecdhe | KeyExchange::Dhe))
                && suite.weakness().is_none()
        });
        let suites: Vec<CipherSuite> = signed.collect();
        if suites.is_empty() {
            return Listing::default();
        }
        let hello = ClientHello { cipher_suites: suites, ..self.hello(ProtocolVersion::TLS1_2) };
        let offers: Vec<SignatureScheme> = SignatureScheme::all().collect();
        let found = exhaust(
            offers,
            Manner::at_once(),
            |scheme| *scheme,
            |schemes| {
                self.ask(offering(&hello, schemes), |answer| {
                    answer.flight.key_exchange.as_ref()?.scheme
                })
            },
        );
        found.await
    }

    /// TLS 1.3 encrypts its signature, so schemes are asked for one by one. A key is offered, since the choice of a scheme comes after that of a group.
    pub(super) async fn schemes_tls13(
        &self,
        groups: &Listing<NamedGroup>,
    ) -> Listing<SignatureScheme> {
        let share = |group: &NamedGroup| Some(KeyShare { group: *group, key: sample_key(*group)? });
        let Some(share) = groups.accepted.iter().find_map(share) else {
            return Listing::default();
        };
        let hello = self
            .hello(ProtocolVersion::TLS1_3)
            .with(Extension::SupportedGroups(vec![share.group]))
            .with(Extension::KeyShare(vec![share]));
        let mut listing = Listing::default();
        self.narrow(&hello, SignatureScheme::tls13_families(), &mut listing).await;
        listing
    }

    /// Each family is asked for before its members, and all that follow before each of them: a server signs in the
    /// schemes of its one or two keys, and refusals cost it little.
    async fn narrow(
        &self,
        hello: &ClientHello,
        families: [&'static [SignatureScheme]; 3],
        listing: &mut Listing<SignatureScheme>,
    ) {
        for (index, family) in families.iter().enumerate() {
            let following = families[index..].concat();
            if index > 0 && !self.takes_any(hello, following, listing).await {
                return;
            }
            if self.takes_any(hello, family.to_vec(), listing).await {
                let asked = family.iter().map(|scheme| {
                    let hello = offering(hello, vec![*scheme]);
                    self.ask(hello, |_| Some(()))
                });
                let replies = join_all(asked).await;
                for (scheme, reply) in family.iter().zip(replies) {
                    if note(reply, listing) {
                        listing.accepted.push(*scheme);
                    }
                }
            }
        }
    }

    async fn takes_any(
        &self,
        hello: &ClientHello,
        schemes: Vec<SignatureScheme>,
        listing: &mut Listing<SignatureScheme>,
    ) -> bool {
        let reply = self.ask(offering(hello, schemes), |_| Some(())).await;
        note(reply, listing)
    }
}

/// Whether an offer was taken; what else it tells goes into the listing.
fn note(reply: Reply<()>, listing: &mut Listing<SignatureScheme>) -> bool {
    match reply {
        Reply::Chose(()) => return true,
        Reply::Refused(cause) => listing.refusal = Some(cause),
        Reply::Passed => {}
        Reply::Unclear(failure) => listing.cut_short = Some(failure),
    }
    false
}

/// The hello with these schemes for the handshake, and any for the certificates (RFC 8446 section 4.2.3).
fn offering(hello: &ClientHello, schemes: Vec<SignatureScheme>) -> ClientHello {
    hello
        .clone()
        .with(Extension::SignatureAlgorithms(schemes))
        .with(Extension::SignatureAlgorithmsCert(SignatureScheme::all().collect()))
}
