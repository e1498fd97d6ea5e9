//! `annotation-ignored`: the Ingress controller does not apply an annotation.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Group, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "annotation-ignored",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "the Ingress controller does not apply an annotation",
    why: "Whoever wrote it relies on something that does not happen: the controller drops the \
          value, or needs another annotation beside it.",
    fix: "Correct the value, or add the annotation that it needs, and look into the \
          controller's log.",
    references: &[
        "https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/",
    ],
    consequence_of: &[],
    check: Check::Setting(Group::Ineffective),
};
