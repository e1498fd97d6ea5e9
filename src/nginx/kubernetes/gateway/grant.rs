//! Whether a ReferenceGrant allows a reference to another namespace.

use serde_json::Value;

use crate::nginx::kubernetes::object::{KubernetesObjects, list, text};

/// A reference from an object of some kind to another.
pub(super) struct CrossReference<'a> {
    pub(super) from: (&'a str, &'a str),
    pub(super) to: (&'a str, &'a str, &'a str),
}

/// Whether the reference is within one namespace or allowed. If the input has no ReferenceGrant at all, they were
/// probably not asked for, and nothing is concluded.
pub(super) fn is_allowed(objects: &KubernetesObjects, reference: &CrossReference<'_>) -> bool {
    let (kind, from) = reference.from;
    let (to_kind, to_namespace, to_name) = reference.to;
    if from == to_namespace || !objects.has("ReferenceGrant") {
        return true;
    }
    objects.within("ReferenceGrant", to_namespace).any(|grant| {
        let is_from =
            |one: &Value| text(one, "/kind") == Some(kind) && text(one, "/namespace") == Some(from);
        let is_to = |one: &Value| {
            text(one, "/kind") == Some(to_kind)
                && text(one, "/name").is_none_or(|name| name == to_name)
        };
        list(grant, "/spec/from").iter().any(is_from) && list(grant, "/spec/to").iter().any(is_to)
    })
}
