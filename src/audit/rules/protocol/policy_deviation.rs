//! `policy-deviation`: the server accepts something that the policy does not allow.

use crate::audit::finding::{Finding, Section, Severity};
use crate::audit::policy::{CertificatePolicy, Policy};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::protocol::{over_scans, place};
use crate::certificate::Certificate;
use crate::certificate::key::KeyType;
use crate::observation::Endpoint;
use crate::observation::scan::{Order, Scan, VersionScan};
use crate::tls::group::NamedGroup;
use crate::tls::suite::KeyExchange;
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "policy-deviation",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "the server deviates from the policy",
    why: "You chose the policy (--policy), so everything that it does not allow fails the run. Clients may still \
          connect without problems.",
    fix: "Set the directive as shown, and reload. ssl_ciphers, ssl_prefer_server_ciphers, ssl_dhparam and the \
          certificate belong in the server with that name, ssl_ecdh_curve in the default server of the socket. \
          ssl_protocols and the TLS 1.3 suites (ssl_conf_command) belong in the server with that name too, but \
          before nginx 1.29.2 in the default server.",
    references: &[
        "https://wiki.mozilla.org/Security/Server_Side_TLS",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Some(policy) = cx.policy else { return Verdict::NotApplicable };
    if endpoint.scans.is_empty() {
        return Verdict::Untested(format!("{} could not be scanned", endpoint.address));
    }
    over_scans(endpoint, |scan| {
        let place = place(endpoint, scan);
        let found = [
            protocols(scan, policy),
            suites(scan, policy),
            groups(scan, policy),
            finite_field(scan, policy),
            preference(scan, policy),
            certificate(endpoint, scan, &policy.certificate).filter(|_| is_own(scan, cx)),
        ];
        let named = |finding: Finding| {
            let message = format!("{} (policy {})", finding.message, policy.name);
            Finding { message, ..finding }
        };
        found.into_iter().flatten().map(|finding| named(finding).evidence(place.clone())).collect()
    })
}

fn protocols(scan: &Scan, policy: &Policy) -> Option<Finding> {
    let allowed = policy.protocols.as_ref()?;
    let accepted: Vec<ProtocolVersion> = scan.accepted().map(|scan| scan.version).collect();
    let surplus: Vec<_> = accepted.iter().filter(|version| !allowed.contains(version)).collect();
    let newest = allowed.iter().max().filter(|newest| !accepted.contains(newest));
    let message = match (surplus.is_empty(), newest) {
        (true, None) => return None,
        (true, Some(newest)) => format!("{newest} is not accepted"),
        (false, _) => format!("{} is accepted", listed(surplus)),
    };
    let finding = RULE.finds(message).subject("protocols");
    Some(finding.directive("server", "ssl_protocols", joined(allowed, " ")))
}

fn suites(scan: &Scan, policy: &Policy) -> Option<Finding> {
    let allowed = policy.cipher_suites.as_ref()?;
    let versions = policy.protocols.as_deref();
    // The suites of a version that must go need no finding of their own.
    let stays = |version: &ProtocolVersion| versions.is_none_or(|kept| kept.contains(version));
    let surplus: Vec<_> = scan
        .suites()
        .filter(|(version, choice)| stays(version) && !allowed.contains(&choice.cipher_suite))
        .collect();
    if surplus.is_empty() {
        return None;
    }
    let mut finding = RULE
        .finds(format!("{} accepted but not in the policy", counted(surplus.len())))
        .evidence_from(
            surplus.iter().map(|(version, choice)| format!("{version}: {}", choice.cipher_suite)),
        )
        .subject("cipher-suites");
    if surplus.iter().any(|(version, _)| *version < ProtocolVersion::TLS1_3) {
        let names = allowed.iter().filter(|suite| !suite.is_tls13());
        let names: Vec<&str> = names.filter_map(|suite| suite.openssl_name()).collect();
        finding = finding.directive("server", "ssl_ciphers", names.join(":"));
    }
    if surplus.iter().any(|(version, _)| *version == ProtocolVersion::TLS1_3) {
        let names: Vec<String> =
            allowed.iter().filter(|suite| suite.is_tls13()).map(ToString::to_string).collect();
        let value = format!("Ciphersuites {}", names.join(":"));
        finding = finding.directive("server", "ssl_conf_command", value);
    }
    Some(finding)
}

fn groups(scan: &Scan, policy: &Policy) -> Option<Finding> {
    let allowed = policy.groups.as_ref()?;
    let taken = scan.versions.iter().flat_map(|version| &version.groups.accepted);
    let mut surplus: Vec<&NamedGroup> = taken.filter(|group| !allowed.contains(group)).collect();
    surplus.sort();
    surplus.dedup();
    if surplus.is_empty() {
        return None;
    }
    // OpenSSL before 3.5 refuses a list that names a hybrid group.
    let portable: Vec<&NamedGroup> =
        allowed.iter().filter(|group| !group.is_post_quantum()).collect();
    let finding = RULE
        .finds(format!("the groups {} are accepted but not in the policy", listed(surplus)))
        .subject("groups");
    Some(finding.directive("server", "ssl_ecdh_curve", joined(portable, ":")))
}

fn finite_field(scan: &Scan, policy: &Policy) -> Option<Finding> {
    let least = policy.min_dh_bits?;
    let keys = scan.suites().filter_map(|(_, choice)| {
        choice.key_bits.filter(|_| choice.cipher_suite.key_exchange() == Some(KeyExchange::Dhe))
    });
    let bits = keys.min().filter(|bits| *bits < least)?;
    let finding = RULE
        .finds(format!("the Diffie-Hellman key has {bits} bits, less than {least}"))
        .subject("dh-bits");
    Some(finding.directive("server", "ssl_dhparam", "/etc/nginx/dhparam.pem"))
}

fn preference(scan: &Scan, policy: &Policy) -> Option<Finding> {
    let by_server = policy.server_preference?;
    let wanted = if by_server { Order::Server } else { Order::Client };
    let other = |scan: &&VersionScan| scan.suites.order.is_some_and(|order| order != wanted);
    let versions: Vec<_> = scan.accepted().filter(other).map(|scan| scan.version).collect();
    if versions.is_empty() {
        return None;
    }
    let who = if by_server { "the client's" } else { "the server's" };
    let finding = RULE.finds(format!("{who} order of suites applies in {}", listed(versions)));
    let value = if by_server { "on" } else { "off" };
    Some(finding.subject("preference").directive("server", "ssl_prefer_server_ciphers", value))
}

/// Whether the scan sent SNI as the target's clients do. The certificate for other clients depends on the default
/// server.
fn is_own(scan: &Scan, cx: &Context<'_>) -> bool {
    scan.sni.is_some() == cx.target.server_name.is_some()
}

/// Compares the certificates that were presented to hellos with the scan's name with the policy.
fn certificate(endpoint: &Endpoint, scan: &Scan, policy: &CertificatePolicy) -> Option<Finding> {
    let cells = endpoint.cells(scan.sni.is_some()).filter_map(|cell| cell.chain.as_ref());
    let leaf = cells.chain(&scan.chains).filter_map(|chain| chain.leaf());
    let mut found: Vec<String> = leaf.flat_map(|leaf| objections(leaf, policy)).collect();
    found.sort();
    found.dedup();
    (!found.is_empty()).then(|| {
        RULE.finds("the certificate is not what the policy allows")
            .evidence_from(found)
            .fix("Have a certificate issued with a key and a lifetime that the policy allows, and reload.")
            .subject("certificate")
    })
}

fn objections(leaf: &Certificate, policy: &CertificatePolicy) -> Vec<String> {
    let key = &leaf.public_key;
    let kind = match key.key_type {
        KeyType::Rsa => "rsa",
        KeyType::Ec(curve) => curve.unwrap_or("unknown curve"),
        KeyType::Ed25519 => "ed25519",
        KeyType::Ed448 => "ed448",
        KeyType::Dsa | KeyType::MlDsa(_) | KeyType::Unknown => "unknown",
    };
    let mut objections = Vec::new();
    if policy.key_types.as_ref().is_some_and(|kinds| !kinds.iter().any(|known| known == kind)) {
        objections.push(format!("its key is of type {kind}"));
    }
    if let Some(least) = policy.min_rsa_bits.filter(|least| kind == "rsa" && key.bits < *least) {
        objections.push(format!("its key has {} bits, less than {least}", key.bits));
    }
    let days = (leaf.not_after - leaf.not_before).whole_days();
    if let Some(most) = policy.max_lifetime_days.filter(|most| days > i64::from(*most)) {
        objections.push(format!("it is valid for {days} days, more than {most}"));
    }
    objections
}

fn listed<T: std::fmt::Display>(items: Vec<T>) -> String {
    joined(items, ", ")
}

fn joined<T: std::fmt::Display>(items: impl IntoIterator<Item = T>, between: &str) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(between)
}

fn counted(suites: usize) -> String {
    if suites == 1 { "1 suite is".to_owned() } else { format!("{suites} suites are") }
}

#[cfg(test)]
mod tests {
    use rcgen::CertificateParams;
    use time::Duration;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene, bare, chain_of, named};
    use crate::audit::policy::Policy;
    use crate::observation::Handshake;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        scene("protocols = ['TLSv1.3']").judge().findings
    }

    fn scene(policy: &str) -> Scene {
        let mut scene = Scene::new();
        scene.policy = Some(Policy::parse(&format!("name = 'own'\n{policy}")).unwrap());
        scene.scan(ProtocolVersion::TLS1_2, &[0xc02f, 0x002f]);
        scene
    }

    #[track_caller]
    fn directive(policy: &str, expected: &str) {
        let findings =
            scene(policy).check(&["error policy-deviation", "note weak-cipher-accepted"]);
        let directive = &findings[0].fix.as_ref().unwrap().directives[0];
        assert_eq!(format!("{} {}", directive.name, directive.value), expected);
    }

    #[test]
    fn each_deviation_names_the_line_to_use() {
        directive("protocols = ['TLSv1.3']", "ssl_protocols TLSv1.3");
        directive("protocols = ['TLSv1.2', 'TLSv1.3']", "ssl_protocols TLSv1.2 TLSv1.3");
        directive(
            "cipher_suites = ['ECDHE-RSA-AES128-GCM-SHA256']",
            "ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256",
        );
    }

    #[test]
    fn the_certificate_is_compared_with_the_policy() {
        let scene = scene("[certificate]\nkey_types = ['rsa']\nmax_lifetime_days = 5");
        let findings = scene.check(&["error policy-deviation", "note weak-cipher-accepted"]);
        assert_eq!(findings[0].evidence.len(), 3, "{findings:#?}");
    }

    #[test]
    fn the_certificate_of_the_default_server_is_not_counted_against_a_named_one() {
        let mut scene = scene("[certificate]\nmax_lifetime_days = 400");
        let long_lived = |params: &mut CertificateParams| {
            params.not_after = NOW + Duration::days(3650);
        };
        let placeholder = scene.intermediate.issue_with(&["a.test"], long_lived).unwrap();
        let placeholder = chain_of(&placeholder.chain());
        let deviations = |scene: &Scene| {
            let findings = scene.judge().findings;
            findings.iter().filter(|finding| finding.rule == "policy-deviation").count()
        };
        let present = |scene: &mut Scene, to: fn(&Handshake) -> bool| {
            scene.each(|cell| {
                if to(cell) {
                    cell.chain = Some(placeholder.clone());
                }
            });
        };
        present(&mut scene, bare);
        assert_eq!(deviations(&scene), 0);
        present(&mut scene, named);
        assert_eq!(deviations(&scene), 1);
    }

    #[test]
    fn what_the_policy_allows_passes_and_what_was_not_scanned_does_not() {
        let mut scene = scene("protocols = ['TLSv1.2']");
        scene.check(&["note weak-cipher-accepted"]);
        scene.seen.endpoints[0].scans.clear();
        assert_eq!(scene.judge().untested[0].0, "policy-deviation");
    }
}
