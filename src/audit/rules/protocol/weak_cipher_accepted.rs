//! `weak-cipher-accepted`: suites that protect little or nothing.

use std::collections::BTreeSet;

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::protocol::{ANSWERED_ONLY, over_scans, place};
use crate::observation::Endpoint;
use crate::tls::suite::{CipherSuite, KeyExchange, SuiteWeakness};
use crate::tls::version::ProtocolVersion;

/// The subject of the note about suites with static RSA.
pub(crate) const STATIC_RSA: &str = "static-rsa";

pub(crate) const RULE: Rule = Rule {
    id: "weak-cipher-accepted",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "the server accepts weak cipher suites",
    why: "Suites without encryption or authentication, with export keys, DES, RC4 or 64-bit blocks (3DES) can be \
          broken, some of them by anyone on the path. An attacker may force a client that offers one to use it. \
          Static RSA is only a note: it works, but anyone who gets the key later can decrypt recorded traffic.",
    fix: "Remove the suites named here from ssl_ciphers (nginx's default, HIGH:!aNULL:!MD5, excludes most of them), \
          and reload. !kRSA removes static RSA.",
    references: &[
        "RFC 9325 section 4.2",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ciphers",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, _: &Context<'_>) -> Verdict {
    over_scans(endpoint, |scan| {
        let mut kinds = BTreeSet::new();
        let (mut weak, mut recorded) = (Vec::new(), Vec::new());
        for version in scan.accepted() {
            let suites = || version.suites.accepted.iter().map(|choice| choice.cipher_suite);
            // If no suite is better, `no-forward-secrecy` reports it.
            let better = suites().any(CipherSuite::forward_secret);
            kinds.extend(suites().filter_map(CipherSuite::weakness));
            weak.extend(evidence(version.version, suites().filter(|it| it.weakness().is_some())));
            recorded.extend(evidence(
                version.version,
                suites().filter(|it| better && is_static_rsa(*it)),
            ));
        }
        let place = place(endpoint, scan);
        let at = |facts: Vec<String>| facts.into_iter().map(move |fact| format!("{place}: {fact}"));
        let weak = (!weak.is_empty()).then(|| {
            let kinds: Vec<&str> = kinds.into_iter().map(kind).collect();
            RULE.finds(format!("the server accepts suites with {}", kinds.join(", ")))
                .evidence_from(at.clone()(weak))
                .evidence(ANSWERED_ONLY)
        });
        let recorded = (!recorded.is_empty()).then(|| {
            RULE.finds("the server accepts suites with static RSA, which lack forward secrecy")
                .severity(Severity::Note)
                .fix("Keep them while old clients need them. Otherwise add !kRSA to ssl_ciphers and reload.")
                .evidence_from(at(recorded))
                .evidence(ANSWERED_ONLY)
                .subject(STATIC_RSA)
        });
        weak.into_iter().chain(recorded).collect()
    })
}

/// The suites of one version in one line, as `ssl_ciphers` calls them.
fn evidence(version: ProtocolVersion, suites: impl Iterator<Item = CipherSuite>) -> Option<String> {
    let name = |suite: CipherSuite| {
        suite.openssl_name().map_or_else(|| suite.to_string(), ToOwned::to_owned)
    };
    let names: Vec<String> = suites.map(name).collect();
    (!names.is_empty()).then(|| format!("{version} with {}", names.join(", ")))
}

fn is_static_rsa(suite: CipherSuite) -> bool {
    suite.weakness().is_none() && suite.key_exchange() == Some(KeyExchange::Rsa)
}

fn kind(weakness: SuiteWeakness) -> &'static str {
    match weakness {
        SuiteWeakness::NoEncryption => "no encryption",
        SuiteWeakness::Anonymous => "no authentication",
        SuiteWeakness::Export => "export keys",
        SuiteWeakness::Des => "DES",
        SuiteWeakness::Rc4 => "RC4",
        SuiteWeakness::SmallBlock => "64-bit blocks (3DES)",
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_2, &[0xc02f, 0x000a, 0x0005, 0x0018, 0x002f]);
        scene.judge().findings
    }

    #[test]
    fn a_scan_with_gaps_passes_nothing() {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_2, &[0xc02f]);
        scene.cut_scan_short();
        scene.check(&[]);
        assert!(scene.judge().untested.iter().any(|(rule, _)| *rule == "weak-cipher-accepted"));
    }
}
