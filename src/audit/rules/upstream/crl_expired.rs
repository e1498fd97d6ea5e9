//! `crl-expired`: a revocation list of nginx's has expired.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::case::{FaultKind, NginxCase};
use crate::audit::upstream::findings;

/// A fact of a configuration (`FactKind::ListExpired`) belongs to it too.
pub(crate) const RULE: Rule = Rule {
    id: "crl-expired",
    severity: Severity::Error,
    section: Section::Upstream,
    summary: "a revocation list of nginx's has expired",
    why: "With a file of revocation lists, nginx accepts only certificates whose authorities have a current list in it. \
          Once a list has expired, nginx refuses every certificate of that authority: it answers 502 for an upstream, \
          and 400 to its clients.",
    fix: "Fetch the authority's current list, replace the expired one in the file, and reload: nginx reads the file only \
          when it starts. Let a timer do both, well before the list's nextUpdate.",
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
    findings::check(&RULE, FaultKind::ListExpired, case, cx)
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene, taken};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::upstream();
        let client = scene.verifying("a.test");
        let client = scene.with_lists(client, |list| list.next_update = NOW - Duration::days(3));
        scene.behind_with(client, taken());
        scene.judge().findings
    }

    #[test]
    fn a_current_list_is_in_order() {
        let mut scene = Scene::upstream();
        let client = scene.verifying("a.test");
        let client = scene.with_lists(client, |_| {});
        scene.behind_with(client, taken());
        scene.check(&[]);
    }
}
