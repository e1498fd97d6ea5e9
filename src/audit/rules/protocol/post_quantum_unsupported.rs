//! `post-quantum-unsupported`: no hybrid key exchange.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::protocol::{large_hello_fails, over_scans, place};
use crate::observation::Endpoint;
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "post-quantum-unsupported",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "the server accepts no post-quantum key exchange",
    why: "Traffic that is recorded today can be decrypted once quantum computers exist. Current browsers, Go and \
          OpenSSL 3.5 offer X25519MLKEM768, and nginx accepts it if its OpenSSL is 3.5 or newer.",
    fix: "Run nginx with OpenSSL 3.5 or newer and leave ssl_ecdh_curve at its default (auto), or add \
          X25519MLKEM768 to its list, and reload.",
    references: &[
        "https://datatracker.ietf.org/doc/draft-ietf-tls-ecdhe-mlkem/",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ecdh_curve",
    ],
    consequence_of: &[&large_hello_fails::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, _: &Context<'_>) -> Verdict {
    over_scans(endpoint, |scan| {
        let Some(version) = scan.version(ProtocolVersion::TLS1_3) else { return Vec::new() };
        let groups = &version.groups;
        let listed = !groups.accepted.is_empty() && groups.cut_short.is_none();
        let without = listed && !groups.accepted.iter().any(|group| group.is_post_quantum());
        let finding = without.then(|| {
            let names: Vec<String> = groups.accepted.iter().map(ToString::to_string).collect();
            RULE.finds("the server accepts no post-quantum key exchange").evidence(format!(
                "{}: its groups are {}",
                place(endpoint, scan),
                names.join(", ")
            ))
        });
        finding.into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::tls::group::NamedGroup;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_3, &[0x1301]);
        let scan = &mut scene.seen.endpoints[0].scans[0];
        scan.versions.last_mut().unwrap().groups.accepted = vec![NamedGroup(0x001d)];
        scene.judge().findings
    }

    #[test]
    fn classical_groups_alone_are_a_note() {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_3, &[0x1301]);
        let groups = |scene: &mut Scene, groups: &[u16]| {
            let scan = &mut scene.seen.endpoints[0].scans[0];
            let tls13 = scan.versions.last_mut().unwrap();
            tls13.groups.accepted = groups.iter().copied().map(NamedGroup).collect();
        };
        groups(&mut scene, &[0x001d]);
        scene.check(&["note post-quantum-unsupported"]);
        groups(&mut scene, &[0x11ec, 0x001d]);
        scene.check(&[]);
    }
}
