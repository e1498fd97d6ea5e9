//! `hostname-mismatch`: the certificate does not cover the name that clients ask for.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{curl, show_leaf};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::upstream;
use crate::audit::rules::{name_of, names_of, plain_name};
use crate::certificate::Certificate;
use crate::certificate::name::{Coverage, coverage, to_unicode};
use crate::targets::Host;

pub(crate) const RULE: Rule = Rule {
    id: "hostname-mismatch",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the certificate does not cover the name",
    why: "Clients compare the name they asked for with the subject alternative names of the certificate, and refuse \
          the connection if none matches. nginx as a client does so with proxy_ssl_verify on. It compares \
          proxy_ssl_name (by default the host in proxy_pass), and logs upstream SSL certificate does not match.",
    fix: "Have a certificate issued that lists the name (a wildcard covers exactly one label), set ssl_certificate \
          in the server block with that server_name, and reload. If clients use another name, test with that name: \
          probe --server-name, cert --hostname.",
    references: &[
        "RFC 9525 section 6",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_name",
    ],
    consequence_of: &[
        &upstream::upstream_name_mismatch::RULE,
        &upstream::upstream_sni_missing::RULE,
    ],
    check: Check::Leaf(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(leaf: &Certificate, view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if leaf.subject_alt_names.is_none() || cx.target.is_client_file() {
        return Verdict::NotApplicable;
    }
    let missing: Vec<String> = cx
        .target
        .required_names()
        .filter(|host| coverage(leaf, name_of(host)) != Coverage::Covered)
        .map(|host| shown(&host))
        .collect();
    if missing.is_empty() {
        return Verdict::Pass;
    }
    let finding = RULE
        .finds(format!("the certificate does not cover {}", missing.join(", ")))
        .subject(missing.join(","))
        .evidence(format!("it covers {}", names_of(leaf)))
        .evidence(view.describe(0))
        .evidence_from(view.sightings())
        .reproduce(show_leaf(cx.target, view.address()))
        .reproduce_from(curl(cx.target, view.address()));
    match plain_name(leaf) {
        Some(name) if cx.is_upstream() => {
            finding.directive("location", "proxy_ssl_name", name).into()
        }
        _ => finding.into(),
    }
}

fn shown(host: &Host) -> String {
    match host {
        Host::Name(name) => {
            to_unicode(name).map_or_else(|| name.clone(), |unicode| format!("{name} ({unicode})"))
        }
        Host::Ip(ip) => format!("the address {ip}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.target.extra_names = vec!["b.test".to_owned()];
        scene.judge().findings
    }

    #[test]
    fn an_address_needs_an_address_on_the_certificate() {
        Scene::of("192.0.2.1").check(&[]);
        Scene::of("192.0.2.9").check(&["error hostname-mismatch"]);
    }
}
