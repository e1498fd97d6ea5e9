//! `annotation-ignored`: the Ingress controller does not apply an annotation.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "annotation-ignored",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "the Ingress controller does not apply an annotation",
    why: "The annotation has no effect: the controller ignores its value, or needs another annotation with it.",
    fix: "Correct the value, or add the annotation that it needs, and check the controller's log.",
    references: &[
        "https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/",
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
            reason: "the controller reads it only beside proxy-ssl-secret",
        })
    }
}
