//! Objects of F5 NGINX Ingress Controller as it turns them into a configuration.
//!
//! Read in release 5.5.4 (nginx 1.31.3): `internal/configs/version1/` (`nginx.tmpl`, `nginx.ingress.tmpl`),
//! `internal/configs/version2/` (`nginx.virtualserver.tmpl`, `nginx.transportserver.tmpl`, `template_helper.go`),
//! `internal/configs/` (`ingress.go`, `virtualserver.go`, `transportserver.go`, `policy.go`, `configmaps.go`,
//! `config_params.go`) and `cmd/nginx-ingress/flags.go`.

mod flags;
mod ingress;
mod passed;
mod policy;
mod transport_server;
mod virtual_server;

use serde_json::Value;

use self::flags::NicFlags;
use super::address;
use super::lines::{ControllerLines, ObjectPlace};
use super::object::{KubernetesObjects, annotation, name, text};
use super::passthrough::PassedHost;
use crate::nginx::kubernetes::material;

/// The controller's name in an IngressClass.
pub(super) const CONTROLLER: &str = "nginx.org/ingress-controller";

/// The name of a server for every host.
const ANY_HOST: &str = "_";

/// What the objects become.
pub(super) struct ControllerNginx {
    pub(super) lines: ControllerLines,
    pub(super) passed: Vec<PassedHost>,
}

/// The objects of one controller.
pub(super) struct NicController<'o> {
    objects: &'o KubernetesObjects,
    flags: NicFlags<'o>,
    /// The addresses of the controller, as far as a status has them.
    addresses: Vec<String>,
    http2: bool,
}

/// Whether an Ingress belongs to this controller: by its class, or else by its annotations.
pub(super) fn has_ingress(objects: &KubernetesObjects, ingress: &Value) -> bool {
    let class = text(ingress, "/spec/ingressClassName")
        .or_else(|| annotation(ingress, "kubernetes.io/ingress.class"));
    let object = objects.of("IngressClass").find(|one| Some(name(one)) == class);
    if let Some(controller) = object.and_then(|object| text(object, "/spec/controller")) {
        return controller == CONTROLLER;
    }
    let annotations = ingress.pointer("/metadata/annotations").and_then(Value::as_object);
    annotations.is_some_and(|all| {
        all.keys().any(|key| key.starts_with("nginx.org/") || key.starts_with("nginx.com/"))
    })
}

/// What the objects become; `None` if none belongs to this controller.
pub(super) fn render(objects: &KubernetesObjects, ingresses: &[&Value]) -> Option<ControllerNginx> {
    let has_own = ["VirtualServer", "TransportServer"].into_iter().any(|kind| objects.has(kind));
    if ingresses.is_empty() && !has_own {
        return None;
    }
    let flags = NicFlags::of(objects);
    let with_status = ingresses.iter().copied().chain(objects.of("VirtualServer"));
    let mut addresses: Vec<String> = with_status.flat_map(address::of_status).collect();
    addresses.sort();
    addresses.dedup();
    let http2 = flags.key("http2").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let controller = NicController { objects, flags, addresses, http2 };
    let mut lines = ControllerLines::new(&controller.flags.place);
    controller.main(&mut lines);
    ingress::servers(&controller, ingresses, &mut lines);
    virtual_server::servers(&controller, &mut lines);
    let passed = transport_server::servers(&controller, &mut lines);
    Some(ControllerNginx { lines, passed })
}

impl NicController<'_> {
    /// The keys of the ConfigMap, and the default server.
    fn main(&self, lines: &mut ControllerLines) {
        lines.at(ObjectPlace::of(&self.flags.place));
        if let Some(protocols) = self.flags.key("ssl-protocols") {
            let words: Vec<&str> =
                ["ssl_protocols"].into_iter().chain(protocols.split_whitespace()).collect();
            lines.line(&words);
        }
        if let Some(ciphers) = self.flags.key("ssl-ciphers") {
            lines.line(&["ssl_ciphers", ciphers]);
        }
        if self
            .flags
            .key("ssl-prefer-server-ciphers")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            lines.line(&["ssl_prefer_server_ciphers", "on"]);
        }
        if self.addresses.is_empty() {
            return;
        }
        lines.open(&["server"]);
        self.listen(lines, (&self.addresses, 443), "ssl default_server");
        match self.flags.default_certificate {
            Some(secret) => certificate(lines, secret),
            None => lines.line(&["ssl_reject_handshake", "on"]),
        }
        lines.line(&["server_name", ANY_HOST]);
        lines.close();
    }

    /// Where a host is served: the addresses in the status of its object, those of others, or else the host itself.
    fn addresses(&self, object: &Value, host: &str) -> Vec<String> {
        let own = address::of_status(object);
        match (own.is_empty(), self.addresses.is_empty()) {
            (false, _) => own,
            (true, false) => self.addresses.clone(),
            (true, true) => address::stand_in(Some(host).filter(|host| !host.is_empty())),
        }
    }

    fn listen(
        &self,
        lines: &mut ControllerLines,
        (addresses, port): (&[String], u16),
        parameters: &str,
    ) {
        let proxy_protocol =
            self.flags.key("proxy-protocol").filter(|value| value.eq_ignore_ascii_case("true"));
        let proxy_protocol = proxy_protocol.map(|_| "proxy_protocol");
        for one in addresses {
            let at = address::join(one, port);
            let words: Vec<&str> = ["listen", &at]
                .into_iter()
                .chain(parameters.split_whitespace())
                .chain(proxy_protocol)
                .collect();
            lines.line(&words);
        }
    }

    /// The certificate of a host: that of its Secret, the wildcard certificate, or none, and then no handshake.
    fn certificate(&self, lines: &mut ControllerLines, secret: Option<(&str, &str)>) {
        if self.http2 {
            lines.line(&["http2", "on"]);
        }
        let of_type = |(in_namespace, secret)| {
            let known = material::secret_type(self.objects, in_namespace, secret);
            known.is_none_or(|known| known == "kubernetes.io/tls")
        };
        match secret {
            Some(id) if of_type(id) => certificate(lines, &format!("{}/{}", id.0, id.1)),
            None if self.flags.wildcard_certificate.is_some() => {
                certificate(lines, self.flags.wildcard_certificate.unwrap_or_default());
            }
            _ => lines.line(&["ssl_reject_handshake", "on"]),
        }
    }
}

fn certificate(lines: &mut ControllerLines, secret: &str) {
    lines.line(&["ssl_certificate", &material::pair(secret)]);
    lines.line(&["ssl_certificate_key", &material::pair(secret)]);
}
