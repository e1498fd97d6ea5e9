//! `intermediate-expired`: the leaf is valid, an intermediate is not.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::chain::of_end;
use crate::audit::rules::path;
use crate::certificate::shape::Position;
use crate::certificate::trust::browser::BrowserVerdict;

pub(crate) const RULE: Rule = Rule {
    id: "intermediate-expired",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "an intermediate certificate has expired",
    why: "Clients cannot build a valid path and refuse the connection, although the leaf is valid. This happens if a \
          renewal keeps the old chain file.",
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
    let crossed = view.assessment.shape.at(Position::Alternative);
    let beside = crossed.filter_map(|at| Some((at, view.chain.certificates.get(at)?.as_ref())));
    let expired =
        path(view).skip(1).chain(beside).filter(|(_, certificate)| cx.now > certificate.not_after);
    let finding = |at| of_end(&RULE, "expired", at, view, cx).severity(severity(view));
    expired.map(finding).collect::<Vec<_>>().into()
}

/// Not a finding if clients have another path.
fn severity(view: &ObservedChain<'_>) -> Severity {
    if view.assessment.browser == BrowserVerdict::Accepted {
        Severity::Note
    } else {
        Severity::Error
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene};
    use crate::certificate::issue::Authority;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.intermediate_until(NOW - Duration::days(1));
        scene.judge().findings
    }

    #[test]
    fn an_expired_cross_sign_that_no_path_needs_is_a_note() {
        let mut scene = Scene::new();
        let old_root = Authority::root("old root", NOW).unwrap();
        let ended = NOW - Duration::days(1);
        let crossed =
            old_root.cross_sign(&scene.intermediate, |params| params.not_after = ended).unwrap();
        let chain = scene.issue(|_| {}).chain();
        scene.present(&[chain[0].clone(), chain[1].clone(), crossed.clone()]);
        scene.check(&["note intermediate-expired"]);
        scene.present(&[chain[0].clone(), crossed, chain[1].clone()]);
        scene.check(&["note intermediate-expired"]);
    }
}
