//! `weak-dh`: a finite-field key that clients refuse.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::protocol::{over_scans, place};
use crate::observation::Endpoint;
use crate::tls::suite::KeyExchange;

pub(crate) const RULE: Rule = Rule {
    id: "weak-dh",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "the Diffie-Hellman key is too small",
    why: "OpenSSL 3 at Debian's security level refuses finite-field keys below 2048 bits (nginx as a client logs: dh \
          key too small), browsers refuse keys below 1024, and states can probably break 1024 bits (Logjam).",
    fix: "Set ssl_dhparam to a file with 2048 bits or more (openssl dhparam -out dhparam.pem 2048), or remove the \
          directive and with it all DHE suites, and reload.",
    references: &[
        "RFC 9325 section 4.4",
        "https://weakdh.org/",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_dhparam",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

/// The smallest key that OpenSSL's security level 2 accepts, in bits.
const LEAST: usize = 2048;

fn check(endpoint: &Endpoint, _: &Context<'_>) -> Verdict {
    over_scans(endpoint, |scan| {
        let small = scan.suites().filter(|(_, choice)| {
            choice.cipher_suite.key_exchange() == Some(KeyExchange::Dhe)
                && choice.key_bits.is_some_and(|bits| bits < LEAST)
        });
        let small: Vec<_> = small.collect();
        let Some(least) = small.iter().filter_map(|(_, choice)| choice.key_bits).min() else {
            return Vec::new();
        };
        let place = place(endpoint, scan);
        let evidence = small.iter().map(|(version, choice)| {
            let bits = choice.key_bits.unwrap_or_default();
            format!("{place}: {version} {}: a key of {bits} bits", choice.cipher_suite)
        });
        vec![
            RULE.finds(format!(
                "the server's Diffie-Hellman key has {least} bits, less than {LEAST}"
            ))
            .evidence_from(evidence)
            .directive("server", "ssl_dhparam", "/etc/nginx/dhparam.pem"),
        ]
    })
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_2, &[0x009e]);
        let versions = &mut scene.seen.endpoints[0].scans[0].versions;
        let version = versions.iter_mut().find(|version| !version.suites.accepted.is_empty());
        version.unwrap().suites.accepted[0].key_bits = Some(1024);
        scene.judge().findings
    }

    #[test]
    fn a_key_below_2048_bits_is_a_warning() {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_2, &[0x009e]);
        let size = |scene: &mut Scene, bits| {
            let scan = &mut scene.seen.endpoints[0].scans[0];
            let version = scan.versions.iter_mut().find(|v| !v.suites.accepted.is_empty());
            version.unwrap().suites.accepted[0].key_bits = Some(bits);
        };
        size(&mut scene, 2048);
        scene.check(&[]);
        size(&mut scene, 1024);
        scene.check(&["warning weak-dh"]);
    }
}
