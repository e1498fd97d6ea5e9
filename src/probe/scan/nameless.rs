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
    // The matrix offers all suites of TLS 1.3 except those with CCM, which hardly any server prefers.
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
    other_chain || nameless.iter().any(|answer| answer.differs_from(scan))
}

/// The answer to the first hello of a version.
pub(super) struct FirstAnswer {
    asked: ProtocolVersion,
    chosen: Option<FirstChoice>,
}

struct FirstChoice {
    version: ProtocolVersion,
    suite: CipherSuite,
    /// The certificates, up to TLS 1.2.
    chain: Option<Arc<Chain>>,
}

impl FirstAnswer {
    fn differs_from(&self, scan: &Scan) -> bool {
        let first = |version| Some(scan.version(version)?.suites.accepted.first()?.cipher_suite);
        let expected = first(self.asked);
        let Some(choice) = &self.chosen else { return expected.is_some() };
        let other_suite = if choice.version == self.asked {
            expected != Some(choice.suite)
        } else {
            // That is how this version is refused; the older one was asked about in a hello of its own.
            expected.is_some() || first(choice.version).is_none()
        };
        let is_known = |chain: &Arc<Chain>| scan.chains.iter().any(|it| it.digest == chain.digest);
        other_suite || choice.chain.as_ref().is_some_and(|chain| !is_known(chain))
    }
}

impl Scanner<'_> {
    /// The answers to the first hello of some versions, for comparison with the same hellos without a name.
    pub(super) async fn first_answers(&self, versions: Vec<ProtocolVersion>) -> Vec<FirstAnswer> {
        let answers = versions.into_iter().map(|version| async move {
            let answer = self.caller.exchange(&self.hello(version)).await.ok();
            let chosen = answer.and_then(|answer| {
                let choice = answer.outcome.ok()?;
                Some(FirstChoice {
                    version: choice.version,
                    suite: choice.cipher_suite,
                    chain: self.caller.chain_of(&answer.flight),
                })
            });
            FirstAnswer { asked: version, chosen }
        });
        join_all(answers).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Observed;
    use crate::observation::scan::{Features, Listing, SuiteChoice, VersionScan};

    const SUITE: CipherSuite = CipherSuite(0xc02f);
    const OTHER: CipherSuite = CipherSuite(0x009c);

    /// A scan of a server that accepts one suite in these versions.
    fn scan(accepted: &[ProtocolVersion]) -> Scan {
        let choice = SuiteChoice { cipher_suite: SUITE, group: None, key_bits: None };
        let versions = ProtocolVersion::ALL.map(|version| {
            let suites = if accepted.contains(&version) { vec![choice] } else { Vec::new() };
            VersionScan {
                version,
                suites: Listing { accepted: suites, ..Listing::default() },
                groups: Listing::default(),
                schemes: Listing::default(),
                complete: Observed::NotTried,
            }
        });
        Scan {
            sni: None,
            versions: versions.to_vec(),
            alpn: Listing::default(),
            features: Features::default(),
            chains: Vec::new(),
        }
    }

    #[track_caller]
    fn check(
        accepted: &[ProtocolVersion],
        asked: ProtocolVersion,
        chosen: Option<(ProtocolVersion, CipherSuite)>,
        differs: bool,
    ) {
        let chosen = chosen.map(|(version, suite)| FirstChoice { version, suite, chain: None });
        assert_eq!(FirstAnswer { asked, chosen }.differs_from(&scan(accepted)), differs);
    }

    #[test]
    fn another_suite_or_another_version_makes_the_difference() {
        use ProtocolVersion as V;
        let both = [V::TLS1, V::TLS1_2];
        check(&both, V::TLS1_2, Some((V::TLS1_2, SUITE)), false);
        check(&both, V::TLS1_2, Some((V::TLS1_2, OTHER)), true);
        check(&both, V::TLS1_2, Some((V::TLS1, SUITE)), true);
        check(&both, V::TLS1_2, None, true);
        check(&both, V::TLS1_1, None, false);
    }

    #[test]
    fn an_older_version_that_is_accepted_anyway_makes_none() {
        use ProtocolVersion as V;
        check(&[V::TLS1], V::TLS1_1, Some((V::TLS1, OTHER)), false);
        check(&[V::TLS1_2], V::TLS1_1, Some((V::TLS1, SUITE)), true);
    }
}
