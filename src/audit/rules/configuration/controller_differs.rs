//! `controller-differs`: another ingress controller would handle TLS of an Ingress differently.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "controller-differs",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "the other ingress controller handles TLS differently",
    why: "After the move, clients or backends meet another certificate, name, protocol or verification than before, or TLS ends.",
    fix: "Before the move, add what the new controller needs for the same: a policy, an annotation, a Secret.",
    references: &[
        "https://docs.nginx.com/nginx-ingress-controller/configuration/policy-resource/",
        "https://gateway-api.sigs.k8s.io/guides/getting-started/migrating-from-ingress/",
    ],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Doubtful),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::setting;
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::ControllerDiffers {
            controller: "NGINX Ingress Controller",
            subject: "www.example.com/".to_owned(),
            change: "no longer verifies the backend's certificate".to_owned(),
        })
    }
}
