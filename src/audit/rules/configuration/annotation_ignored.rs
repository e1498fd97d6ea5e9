//! `annotation-ignored`: the controller does not apply an annotation or a field of a Kubernetes object.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "annotation-ignored",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "the controller does not apply an annotation or a field",
    why: "It has no effect: the controller ignores its value, refuses the object, or needs something else with it.",
    fix: "Correct the value, or add what it needs, and check the events of the object and the controller's log.",
    references: &[
        "https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/",
        "https://docs.nginx.com/nginx-ingress-controller/configuration/policy-resource/",
        "https://gateway-api.sigs.k8s.io/api-types/backendtlspolicy/",
    ],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Ineffective),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::setting;
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::AnnotationIgnored {
            annotation: "proxy-ssl-verify".to_owned(),
            reason: "the controller reads it only beside proxy-ssl-secret".to_owned(),
        })
    }
}
