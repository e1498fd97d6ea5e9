//! `intermediate-expiring`: an intermediate expires before the leaf does.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict, day};
use crate::audit::rules::{of_certificate, path};

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
    let intermediates = path(view).skip(1);
    let findings: Vec<_> = intermediates
        .filter(|(_, certificate)| {
            cx.now <= certificate.not_after && cx.now >= cx.warns_from(certificate)
        })
        .map(|(index, certificate)| {
            let (name, end) = (&certificate.subject.text, day(certificate.not_after));
            let message = format!("the intermediate {name} expires on {end}");
            of_certificate(&RULE, message, (index, view), cx)
        })
        .collect();
    findings.into()
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let end = NOW + Duration::days(9);
        let old = scene.root.intermediate_with("old", |params| params.not_after = end).unwrap();
        scene.present(&old.issue(&["a.test"]).unwrap().chain());
        scene.judge().findings
    }
}
