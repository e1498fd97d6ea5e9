//! What the controller is started with: its arguments, if the workload is among the objects, and its ConfigMap.

use serde_json::Value;

use crate::nginx::kubernetes::object::{KubernetesObjects, list, name, place, text, texts};

/// The arguments and the ConfigMap.
#[derive(Debug, Default)]
pub(super) struct NicFlags<'o> {
    /// The ConfigMap, or else the controller, as in reports.
    pub(super) place: String,
    config_map: Option<&'o Value>,
    /// The Secret of the default server, `NAMESPACE/NAME`.
    pub(super) default_certificate: Option<&'o str>,
    /// The Secret for hosts without one of their own.
    pub(super) wildcard_certificate: Option<&'o str>,
}

/// The name of the ConfigMap in the controller's manifests.
const USUAL_NAME: &str = "nginx-config";

/// The kinds of workloads that the controller runs as.
const WORKLOADS: [&str; 3] = ["Deployment", "DaemonSet", "StatefulSet"];

impl<'o> NicFlags<'o> {
    pub(super) fn of(objects: &'o KubernetesObjects) -> Self {
        let arguments = arguments(objects);
        let value = |flag: &str| {
            arguments
                .iter()
                .find_map(|one| one.trim_start_matches('-').strip_prefix(flag)?.strip_prefix('='))
        };
        let named = value("nginx-configmaps").and_then(|id| id.split_once('/'));
        let config_map = match named {
            Some((in_namespace, name)) => objects.find("ConfigMap", in_namespace, name),
            None => objects.of("ConfigMap").find(|one| name(one) == USUAL_NAME || is_labelled(one)),
        };
        Self {
            place: config_map.map_or_else(
                || "NGINX Ingress Controller".to_owned(),
                |one| place("ConfigMap", one),
            ),
            config_map,
            default_certificate: value("default-server-tls-secret"),
            wildcard_certificate: value("wildcard-tls-secret"),
        }
    }

    /// A key of the ConfigMap.
    pub(super) fn key(&self, key: &str) -> Option<&'o str> {
        let value = self.config_map?.get("data")?.get(key)?.as_str()?.trim();
        Some(value).filter(|value| !value.is_empty())
    }
}

/// Whether an object has the label of the controller's Helm chart.
fn is_labelled(object: &Value) -> bool {
    let label = object.pointer("/metadata/labels/app.kubernetes.io~1name").and_then(Value::as_str);
    label == Some("nginx-ingress")
        && object.get("data").is_some_and(|data| data.get("ca.crt").is_none())
}

/// The arguments of the controller's container, which its image or its flags give away.
fn arguments(objects: &KubernetesObjects) -> Vec<&str> {
    let workloads = WORKLOADS.into_iter().flat_map(|kind| objects.of(kind));
    let containers = workloads.flat_map(|one| list(one, "/spec/template/spec/containers"));
    let is_controller = |container: &&Value| {
        text(container, "/image").is_some_and(|image| image.contains("nginx-ingress"))
            && texts(container, "/args").any(|one| one.contains("nginx-configmaps"))
    };
    containers.filter(is_controller).take(1).flat_map(|one| texts(one, "/args")).collect()
}
