//! `crl-missing`: an authority has no revocation list that nginx can use.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::case::{FaultKind, NginxCase};
use crate::audit::upstream::findings;

/// A fact of a configuration (`FactKind::ListMissing`) belongs to it too.
pub(crate) const RULE: Rule = Rule {
    id: "crl-missing",
    severity: Severity::Error,
    section: Section::Upstream,
    summary: "an authority has no revocation list that nginx can use",
    why: "With a file of revocation lists, OpenSSL needs a list of every authority of the chain, the root included. If one is \
          missing, not yet valid or signed by another key, nginx refuses every certificate of that authority: it \
          answers 502 for an upstream, and 400 to its clients.",
    fix: "Add the current list of each authority that is named here to the file, in PEM, and reload. A root needs a list of \
          its own, even if it revokes nothing.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_crl",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_crl",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    findings::check(&RULE, FaultKind::ListMissing, case, cx)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, taken};
    use crate::certificate::crl::RevocationLists;
    use crate::targets::nginx_client::NginxClient;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::upstream();
        let client = scene.verifying("a.test");
        let lists = Some(RevocationLists::default().into());
        let client = NginxClient { crl: Some("crl.pem".into()), lists, ..client };
        scene.behind_with(client, taken());
        scene.judge().findings
    }

    #[test]
    fn without_a_file_of_lists_none_is_needed() {
        let mut scene = Scene::upstream();
        let client = scene.verifying("a.test");
        scene.behind_with(client, taken());
        scene.check(&[]);
    }
}
