//! `intermediate-expiring`: an intermediate expires before the leaf does.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::chain::of_end;
use crate::audit::rules::path;
use crate::certificate::Certificate;

pub(crate) const RULE: Rule = Rule {
    id: "intermediate-expiring",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "an intermediate certificate expires soon",
    why: "From that day on clients cannot build a valid path, although the leaf is valid.",
    fix: "Replace it with the authority's current intermediate in the file in ssl_certificate (download the full \
          chain again), run nginx -t, and reload.",
    references: &[
        "RFC 5280 section 4.1.2.5",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate",
    ],
    consequence_of: &[],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    let is_near = |(_, certificate): &(usize, &Certificate)| {
        cx.now <= certificate.not_after && cx.now >= cx.warns_from(certificate)
    };
    let near = path(view).skip(1).filter(is_near);
    near.map(|at| of_end(&RULE, "expires", at, view, cx)).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.intermediate_until(NOW + Duration::days(9));
        scene.judge().findings
    }
}
