//! The parts of an Ingress that are needed: `networking.k8s.io/v1` and the older `v1beta1`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::nginx::kubernetes::address::PortName;

/// One Ingress.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Object {
    metadata: Metadata,
    spec: Spec,
    status: IngressStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    namespace: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(alias = "backend")]
    default_backend: Option<Backend>,
    rules: Option<Vec<IngressRule>>,
    tls: Option<Vec<Tls>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct IngressRule {
    host: Option<String>,
    http: Option<Http>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Http {
    paths: Vec<Path>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Path {
    path: Option<String>,
    backend: Backend,
}

/// Certificates for some hosts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tls {
    pub hosts: Vec<String>,
    #[serde(rename = "secretName")]
    pub secret: Option<String>,
}

/// A Service and its port.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Backend {
    service: Option<Service>,
    service_name: Option<String>,
    service_port: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Service {
    name: String,
    port: Port,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    number: Option<u16>,
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct IngressStatus {
    load_balancer: LoadBalancer,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadBalancer {
    ingress: Option<Vec<LoadBalancerIngress>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadBalancerIngress {
    ip: Option<String>,
    hostname: Option<String>,
}

impl Object {
    pub(super) fn name(&self) -> &str {
        &self.metadata.name
    }

    pub(super) fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or("default")
    }

    pub(super) fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.metadata.annotations.iter().flatten();
        all.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn tls(&self) -> impl Iterator<Item = &Tls> {
        self.spec.tls.iter().flatten()
    }

    /// The addresses of its status.
    pub(super) fn addresses(&self) -> impl Iterator<Item = String> {
        let all = self.status.load_balancer.ingress.iter().flatten();
        all.filter_map(|one| one.ip.clone().or_else(|| one.hostname.clone()))
    }

    /// Its backends with their host and path.
    pub(super) fn backends(&self) -> impl Iterator<Item = (Option<&str>, Option<&str>, &Backend)> {
        let default = self.spec.default_backend.iter().map(|backend| (None, None, backend));
        let rules = self.spec.rules.iter().flatten();
        let paths = rules.flat_map(|rule| {
            let paths = rule.http.iter().flat_map(|http| &http.paths);
            paths.map(|path| (rule.host.as_deref(), path.path.as_deref(), &path.backend))
        });
        default.chain(paths)
    }
}

impl Backend {
    /// The Service; `None` if the backend is another resource.
    pub(super) fn service(&self) -> Option<&str> {
        let new = self.service.as_ref().map(|service| service.name.as_str());
        new.or(self.service_name.as_deref())
    }

    /// The port.
    pub(super) fn port(&self) -> Option<PortName<'_>> {
        let old = || PortName::of(self.service_port.as_ref()?);
        let port = self.service.as_ref().map(|service| &service.port);
        let number = port.and_then(|port| port.number).map(PortName::Number);
        number.or_else(|| port?.name.as_deref().map(PortName::Named)).or_else(old)
    }
}
