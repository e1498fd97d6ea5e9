//! `no-forward-secrecy`: no suite keeps recorded traffic secret.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::protocol::{over_scans, place};
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "no-forward-secrecy",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "a version is spoken without any forward-secret suite",
    why: "Whoever gets the server's key, now or in ten years, can read all that was recorded in this version. \
          Clients that insist on ECDHE (browsers with an option set, hardened clients) are refused with alert \
          40.",
    fix: "Add ECDHE suites to ssl_ciphers of the server of that name (the default server of the socket where no \
          name is sent), or take the directive out, and reload.",
    references: &[
        "RFC 9325 section 4.1",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ciphers",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
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
        vec![
            RULE.finds(format!("no suite of {} has forward secrecy", names.join(", ")))
                .evidence_from(evidence)
                .directive("server", "ssl_ciphers", "HIGH:!aNULL:!MD5"),
        ]
    })
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::Scene;
    use crate::tls::version::ProtocolVersion;

    #[test]
    fn a_version_with_static_suites_alone_is_a_warning() {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_2, &[0x009c]);
        scene.check(&["warning no-forward-secrecy"]);
        scene.scan(ProtocolVersion::TLS1_2, &[0xc02f]);
        scene.check(&[]);
    }
}
