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
        let manner = Manner { batch: offers.len(), companion: None };
        let found = exhaust(
            offers,
            manner,
            |scheme| *scheme,
            |schemes| {
                self.ask(offering(&hello, schemes), |answer| {
                    answer.flight.key_exchange.as_ref()?.scheme
                })
            },
        );
        found.await
    }

    /// TLS 1.3 encrypts its signature, so each scheme is asked for alone: families first, members of those that are known
    /// then. A key is offered, since the choice of a scheme comes after that of a group.
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
        let families = SignatureScheme::tls13_families();
        let asked = families.iter().map(|family| self.takes_any(&hello, family));
        let known = join_all(asked).await;
        let mut listing = Listing::default();
        for (family, reply) in families.iter().zip(known) {
            match reply {
                Reply::Chose(()) => self.members(&hello, family, &mut listing).await,
                Reply::Refused(cause) => listing.refusal = Some(cause),
                Reply::Passed => {}
                Reply::Unclear(failure) => listing.cut_short = Some(failure),
            }
        }
        listing
    }

    async fn members(
        &self,
        hello: &ClientHello,
        family: &[SignatureScheme],
        listing: &mut Listing<SignatureScheme>,
    ) {
        if let [only] = family {
            return listing.accepted.push(*only);
        }
        let asked = family.iter().map(|scheme| self.takes_any(hello, std::slice::from_ref(scheme)));
        for (scheme, reply) in family.iter().zip(join_all(asked).await) {
            match reply {
                Reply::Chose(()) => listing.accepted.push(*scheme),
                Reply::Refused(cause) => listing.refusal = Some(cause),
                Reply::Passed => {}
                Reply::Unclear(failure) => listing.cut_short = Some(failure),
            }
        }
    }

    async fn takes_any(&self, hello: &ClientHello, schemes: &[SignatureScheme]) -> Reply<()> {
        self.ask(offering(hello, schemes.to_vec()), |_| Some(())).await
    }
}

/// The hello with these schemes for the handshake, and any for the certificates (RFC 8446 section 4.2.3).
fn offering(hello: &ClientHello, schemes: Vec<SignatureScheme>) -> ClientHello {
    hello
        .clone()
        .with(Extension::SignatureAlgorithms(schemes))
        .with(Extension::SignatureAlgorithmsCert(SignatureScheme::all().collect()))
}
