//! The signature schemes that a server signs with: visible in the clear up to TLS 1.2, and in complete handshakes of
//! TLS 1.3.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::exhaust::{Manner, Reply, go_on};
use super::{Opening, Scanner};
use crate::observation::scan::Listing;
use crate::probe::offer::Offer;
use crate::tls::extension::Extension;
use crate::tls::flight::Flight;
use crate::tls::group::NamedGroup;
use crate::tls::hello::ClientHello;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::{Authentication, CipherSuite, KeyExchange};
use crate::tls::version::ProtocolVersion;

/// The schemes that answers of TLS 1.2 to hellos for suites show on the way.
///
/// Each hello offers every scheme, those that were seen last: a server that follows the client then chooses another, and one
/// that does not, as before.
#[derive(Debug, Default)]
pub(super) struct SchemesOnTheWay {
    /// The schemes seen, each with the type of certificate.
    found: Vec<(Option<Authentication>, SignatureScheme)>,
}

impl SchemesOnTheWay {
    /// The hello with the schemes that were seen at the end.
    pub(super) fn ask_in(&self, hello: ClientHello) -> ClientHello {
        let mut schemes = hello.signature_schemes().to_vec();
        schemes.sort_by_key(|scheme| self.found.iter().any(|(_, known)| known == scheme));
        hello.with(Extension::SignatureAlgorithms(schemes))
    }

    /// Notes the scheme of an answer that chose this suite.
    pub(super) fn read(&mut self, suite: CipherSuite, flight: &Flight) {
        let scheme = flight.key_exchange.as_ref().and_then(|exchange| exchange.scheme);
        let seen = scheme.filter(|_| is_signed(suite)).map(|it| (suite.authentication(), it));
        self.found.extend(seen.filter(|seen| !self.found.contains(seen)));
    }
}

/// A lock is only poisoned by a panic, and what it guards is whole between two calls.
pub(super) fn lock(schemes: &Mutex<SchemesOnTheWay>) -> MutexGuard<'_, SchemesOnTheWay> {
    schemes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the server signs its key exchange with a suite that is fit for use.
fn is_signed(suite: CipherSuite) -> bool {
    matches!(suite.key_exchange(), Some(KeyExchange::Ecdhe | KeyExchange::Dhe))
        && suite.weakness().is_none()
}

impl Scanner<'_> {
    /// TLS 1.2 names the scheme in the server's key exchange. Each type of certificate needs a hello with its own
    /// suites. `found` is what hellos for suites showed.
    pub(super) async fn schemes_tls12(
        &self,
        openings: &[Opening],
        found: &SchemesOnTheWay,
    ) -> Listing<SignatureScheme> {
        let signed = || {
            openings.iter().map(|opening| opening.choice.cipher_suite).filter(|it| is_signed(*it))
        };
        let mut kinds: Vec<Option<Authentication>> = Vec::new();
        for kind in signed().map(CipherSuite::authentication) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let mut whole = Listing::default();
        for kind in kinds {
            let suites = signed().filter(|suite| suite.authentication() == kind).collect();
            let known = found.found.iter().filter(|(by, _)| *by == kind).map(|(_, scheme)| *scheme);
            let part = self.schemes_with(suites, known.collect()).await;
            whole.accepted.extend(part.accepted);
            whole.refusal = whole.refusal.or(part.refusal);
            whole.cut_short = whole.cut_short.or(part.cut_short);
        }
        whole
    }

    async fn schemes_with(
        &self,
        suites: Vec<CipherSuite>,
        known: Vec<SignatureScheme>,
    ) -> Listing<SignatureScheme> {
        let hello = ClientHello { cipher_suites: suites, ..self.hello(ProtocolVersion::TLS1_2) };
        let offers: Vec<SignatureScheme> = SignatureScheme::all().collect();
        let found = go_on(
            known,
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

    /// TLS 1.3 encrypts the signature, so only complete handshakes show the scheme. If the server accepts no group that
    /// the library supports, nothing is listed. `seen` is the scheme of a handshake that was made before.
    pub(super) async fn schemes_tls13(
        &self,
        groups: &Listing<NamedGroup>,
        seen: Option<SignatureScheme>,
    ) -> Listing<SignatureScheme> {
        let groups = Some(groups.accepted.clone());
        let offer = Offer { groups, ..Offer::default() };
        if !offer.is_possible() {
            return Listing::default();
        }
        let offers = SignatureScheme::tls13_families().concat();
        let known = seen.into_iter().filter(|scheme| offers.contains(scheme)).collect();
        let mut found = go_on(
            known,
            offers.clone(),
            Manner::at_once(),
            |scheme| *scheme,
            |schemes| async {
                let offer = Offer { schemes: Some(schemes), ..offer.clone() };
                self.complete(ProtocolVersion::TLS1_3, &offer).await
            },
        )
        .await;
        // The earlier handshake offered them in another order. An order of the server's own is not shown.
        found.accepted.sort_by_key(|scheme| offers.iter().position(|offer| offer == scheme));
        found
    }

    /// The scheme that the server signs with in a complete handshake of that shape.
    async fn complete(&self, version: ProtocolVersion, offer: &Offer) -> Reply<SignatureScheme> {
        match self.caller.confirm(self.sni, version, offer).await {
            Ok(confirmed) => confirmed.scheme.map_or(Reply::Passed, Reply::Chose),
            Err(failure) if failure.is_refusal() => Reply::Refused(failure.cause),
            Err(failure) => Reply::Unclear(failure),
        }
    }
}

/// The hello with these schemes for the handshake, and all schemes for the certificates (RFC 8446 section 4.2.3).
fn offering(hello: &ClientHello, schemes: Vec<SignatureScheme>) -> ClientHello {
    hello
        .clone()
        .with(Extension::SignatureAlgorithms(schemes))
        .with(Extension::SignatureAlgorithmsCert(SignatureScheme::all().collect()))
}
