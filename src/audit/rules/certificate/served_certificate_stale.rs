//! `served-certificate-stale`: the certificate on disk is not the one that is served.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict, day};
use crate::certificate::Certificate;
use crate::observation::Observation;

pub(crate) const RULE: Rule = Rule {
    id: "served-certificate-stale",
    severity: Severity::Warning,
    section: Section::Certificate,
    summary: "the certificate in the file is not the one that is served",
    why: "The file was renewed and nginx was not reloaded, or something else answers at the address. Clients keep \
          getting the old certificate, even after it expires.",
    fix: "Check the new file (nginx -t) and reload nginx. Have the renewal reload it in future (certbot --deploy-hook).",
    references: &["https://nginx.org/en/docs/control.html"],
    consequence_of: &[],
    check: Check::Target(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(seen: &Observation, cx: &Context<'_>) -> Verdict {
    let filed: Vec<(&str, &Certificate)> = cx
        .target
        .files
        .iter()
        .filter_map(|file| Some((file.path.as_str(), file.chain.leaf()?.as_ref())))
        .collect();
    if filed.is_empty() {
        return Verdict::NotApplicable;
    }
    let cells = seen.endpoints.iter().flat_map(|endpoint| cx.own_cells(endpoint));
    let served: Vec<&Certificate> =
        cells.filter_map(|cell| Some(cell.chain.as_ref()?.leaf()?.as_ref())).collect();
    if served.is_empty() {
        return Verdict::NotApplicable;
    }
    let is_filed = |leaf: &Certificate| filed.iter().any(|(_, one)| one.sha256 == leaf.sha256);
    let Some(stale) = served.into_iter().find(|leaf| !is_filed(leaf)) else {
        return Verdict::Pass;
    };
    let paths: Vec<&str> = filed.iter().map(|(path, _)| *path).collect();
    let finding =
        RULE.finds(format!("what is served is not the certificate in {}", paths.join(", ")));
    let is_loaded = cx.target.files.iter().all(|file| file.at_handshake);
    let finding = if is_loaded { finding.fix(AT_HANDSHAKE) } else { finding };
    finding
        .evidence(format!("served: {}", described(stale)))
        .evidence_from(filed.iter().map(|(path, leaf)| format!("{path}: {}", described(leaf))))
        .into()
}

const AT_HANDSHAKE: &str = "Check what answers at the address. nginx reads this file at each handshake, because its name has variables; \
                            with ssl_certificate_cache it may be older, up to valid=.";

fn described(leaf: &Certificate) -> String {
    let (from, to) = (day(leaf.not_before), day(leaf.not_after));
    format!("{}, valid from {from} to {to}, SHA-256 {}", leaf.subject.text, leaf.sha256)
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, chain_of};
    use crate::certificate::file::FileChain;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let renewed = scene.intermediate.issue(&["a.test"]).unwrap().chain();
        scene.target.files = vec![FileChain {
            path: "/etc/nginx/a.pem".to_owned(),
            chain: chain_of(&renewed),
            leaf_at: 0,
            key: None,
            is_plain: true,
            at_handshake: false,
        }];
        scene.judge().findings
    }
}
