//! Whether hellos without a name get other answers than hellos with the target's name, so that they need a scan of their own.

use std::sync::Arc;

use futures::future::join_all;

use super::Scanner;
use crate::certificate::Chain;
use crate::observation::Endpoint;
use crate::observation::scan::Scan;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// The versions in which to ask whether hellos without a name get other answers than those of `scan`, with the name.
pub(super) fn versions_to_ask(endpoint: &Endpoint, scan: &Scan) -> Vec<ProtocolVersion> {
    let is_older = |version: ProtocolVersion| version < ProtocolVersion::TLS1_2;
    // A server answers with the newest version that it accepts, so one hello is enough if it refuses all older ones.
    let refuses_older =
        scan.versions.iter().all(|it| !is_older(it.version) || it.suites.is_refused());
    let choice = |named, version| {
        let cell = endpoint.cell(named, version)?;
        Some((cell.session()?.cipher_suite, cell.chain.as_ref()?.digest))
    };
    // TLS 1.3 has no other suites that a server could prefer: the matrix showed its choice.
    let tls13 = choice(true, ProtocolVersion::TLS1_3);
    let is_seen = tls13.is_some() && tls13 == choice(false, ProtocolVersion::TLS1_3);
    let mut versions = ProtocolVersion::ALL.to_vec();
    versions.retain(|version| match *version {
        ProtocolVersion::TLS1_1 | ProtocolVersion::TLS1_2 => true,
        ProtocolVersion::TLS1_3 => !is_seen,
        _ => !refuses_older,
    });
    versions
}

/// Whether hellos without a name get other answers than hellos with the target's name.
pub(super) fn differs(endpoint: &Endpoint, nameless: &[FirstAnswer]) -> bool {
    let Some(scan) = endpoint.scans.first() else { return false };
    let cells = |named| endpoint.cells(named).filter_map(|cell| Some(cell.chain.as_ref()?.digest));
    let other_chain = cells(true).next() != cells(false).next();
    other_chain
        || nameless.iter().any(|FirstAnswer { version, chosen }| {
            let named = scan.version(*version).and_then(|it| it.suites.accepted.first());
            let chain = chosen.as_ref().and_then(|(_, chain)| chain.as_ref());
            named.map(|choice| choice.cipher_suite) != chosen.as_ref().map(|(suite, _)| *suite)
                || chain.is_some_and(|chain| {
                    !scan.chains.iter().any(|known| known.digest == chain.digest)
                })
        })
}

/// The answer to the first hello of a version.
pub(super) struct FirstAnswer {
    version: ProtocolVersion,
    /// The suite and, up to TLS 1.2, the chain.
    chosen: Option<(CipherSuite, Option<Arc<Chain>>)>,
}

impl Scanner<'_> {
    /// The answers to the first hello of some versions, for comparison with the same hellos without a name.
    pub(super) async fn first_answers(&self, versions: Vec<ProtocolVersion>) -> Vec<FirstAnswer> {
        let answers = versions.into_iter().map(|version| async move {
            let answer = self.caller.exchange(&self.hello(version)).await.ok();
            let chosen = answer.and_then(|answer| {
                let choice = answer.outcome.ok()?;
                Some((choice.cipher_suite, self.caller.chain_of(&answer.flight)))
            });
            FirstAnswer { version, chosen }
        });
        join_all(answers).await
    }
}
