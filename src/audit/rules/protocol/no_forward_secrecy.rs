//! `no-forward-secrecy`: no suite of a version protects recorded traffic.

use crate::audit::finding::{Finding, Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::protocol::{ANSWERED_ONLY, over_scans, place};
use crate::observation::Endpoint;
use crate::observation::scan::{Scan, VersionScan};
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "no-forward-secrecy",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "a version has no cipher suite with forward secrecy",
    why: "Anyone who gets the server's key, now or in ten years, can decrypt recorded traffic of this version. \
          Clients that insist on ECDHE (browsers with an option set, hardened clients) are refused with alert 40.",
    fix: "Add ECDHE suites to ssl_ciphers in the server with that name (without a name: the default server of the \
          socket), and reload. If ssl_ecdh_curve is set, it must contain a group for TLS 1.2.",
    references: &[
        "RFC 9325 section 4.1",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ciphers",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, _: &Context<'_>) -> Verdict {
    over_scans(endpoint, |scan| {
        let without = scan.accepted().filter(|scan| {
            !scan.suites.accepted.iter().any(|choice| choice.cipher_suite.forward_secret())
        });
        let versions: Vec<_> = without.collect();
        if versions.is_empty() {
            return Vec::new();
        }
        let place = place(endpoint, scan);
        let names: Vec<String> = versions.iter().map(|scan| scan.version.to_string()).collect();
        let evidence = versions.iter().map(|scan| {
            let suites = scan.suites.accepted.iter().map(|choice| choice.cipher_suite.to_string());
            format!("{place}: {} with {}", scan.version, suites.collect::<Vec<_>>().join(", "))
        });
        let finding = RULE
            .finds(format!("no cipher suite of {} has forward secrecy", names.join(", ")))
            .evidence_from(evidence)
            .evidence(ANSWERED_ONLY);
        vec![with_fix(finding, scan, &versions)]
    })
}

/// The fix keeps what is accepted now, so no client is cut off.
fn with_fix(finding: Finding, scan: &Scan, without: &[&VersionScan]) -> Finding {
    let tls13 = scan.version(ProtocolVersion::TLS1_3).map(|scan| &scan.groups.accepted);
    if let Some(groups) = tls13.filter(|groups| !groups.is_empty())
        && groups.iter().all(|group| group.is_post_quantum())
    {
        let names: Vec<String> = groups.iter().map(ToString::to_string).collect();
        return finding
            .evidence(format!(
                "TLS 1.3 accepts only the groups {}, so none is left for ECDHE in older versions",
                names.join(", ")
            ))
            .fix("Add X25519 and prime256v1 to ssl_ecdh_curve in the default server of the socket, and reload.")
            .directive("server", "ssl_ecdh_curve", format!("{}:X25519:prime256v1", names.join(":")));
    }
    let mut kept: Vec<&str> = Vec::new();
    for choice in without.iter().flat_map(|scan| &scan.suites.accepted) {
        if let Some(name) = choice.cipher_suite.openssl_name()
            && !kept.contains(&name)
        {
            kept.push(name);
        }
    }
    let added = ["ECDHE+AESGCM", "ECDHE+CHACHA20"];
    let value: Vec<&str> = added.into_iter().chain(kept).collect();
    finding.directive("server", "ssl_ciphers", value.join(":"))
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_2, &[0x009c]);
        scene.judge().findings
    }
}
