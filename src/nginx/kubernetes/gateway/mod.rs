//! Gateway API objects as NGINX Gateway Fabric turns them into a configuration.
//!
//! Read in release 2.6.7 (nginx 1.31.3): `internal/controller/nginx/config/` (`servers_template.go`, `servers.go`,
//! `base_http_config_template.go`, `stream_servers.go`) and `internal/controller/state/` (`dataplane/configuration.go`,
//! `graph/gateway_listener.go`, `graph/backend_tls_policy.go`, `graph/backend_refs.go`, `graph/listenerset.go`,
//! `graph/reference_grant.go`).

mod backend;
mod grant;
mod listener;
mod route;

use std::collections::BTreeMap;

use serde_json::Value;

use self::backend::Backends;
pub use self::backend::SYSTEM_ROOTS;
use self::listener::GatewayListener;
use self::route::AttachedRoute;
use super::address;
use super::lines::{ControllerLines, ObjectPlace};
use super::material::{SecretFiles, authorities_of, pair};
use super::object::{KubernetesObjects, list, name, namespace, namespace_of, number, place, text};
use super::passthrough::PassedHost;

/// The controller's name in a GatewayClass.
const CONTROLLER: &str = "gateway.nginx.org/nginx-gateway-controller";

/// The number of intermediates that the controller allows, for clients and for backends.
const DEPTH: &str = "4";

/// The controller's name for every host.
const ANY_HOST: &str = "~^";

/// What one Gateway becomes; each has an nginx of its own.
pub(super) struct GatewayNginx {
    pub(super) lines: ControllerLines,
    pub(super) files: SecretFiles,
    pub(super) passed: Vec<PassedHost>,
}

/// What every Gateway of the controller becomes.
pub(super) fn render(objects: &KubernetesObjects, material: &SecretFiles) -> Vec<GatewayNginx> {
    objects.of("Gateway").map(|gateway| render_one(objects, material, gateway)).collect()
}

fn render_one(
    objects: &KubernetesObjects,
    material: &SecretFiles,
    gateway: &Value,
) -> GatewayNginx {
    let own = place("Gateway", gateway);
    let mut rendered = GatewayNginx {
        lines: ControllerLines::new(&own),
        files: SecretFiles::new(),
        passed: Vec::new(),
    };
    if let Some(class) = foreign_class(objects, gateway) {
        let reason = format!("its class {class} does not belong to NGINX Gateway Fabric");
        rendered.lines.untested(&own, reason);
        return rendered;
    }
    let lines = &mut rendered.lines;
    lines.line(&["http2", "on"]);
    lines.open(&["map", "$http_host", "$gw_api_compliant_host"]);
    lines.line(&["", "$host"]);
    lines.line(&["default", "$http_host"]);
    lines.close();
    if let Some(reference) = gateway.pointer("/spec/tls/backend/clientCertificateRef") {
        let in_namespace = namespace_of(reference, namespace(gateway));
        let secret =
            pair(&format!("{in_namespace}/{}", text(reference, "/name").unwrap_or_default()));
        lines.line(&["proxy_ssl_certificate", &secret]);
        lines.line(&["proxy_ssl_certificate_key", &secret]);
    }
    let listeners = listener::of_gateway(objects, gateway, lines);
    let attached = route::attached(objects, gateway, &listeners, lines);
    let backends = Backends::new(objects);
    let mut ports: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (at, listener) in listeners.iter().enumerate() {
        ports.entry(listener.port).or_default().push(at);
    }
    for (port, here) in ports {
        let own = (gateway, port);
        let clients = client_settings(own, material, &mut rendered.files);
        let here: Vec<&GatewayListener<'_>> = here.iter().map(|at| &listeners[*at]).collect();
        servers(own, &here, &attached, &clients, &backends, &mut rendered);
    }
    rendered.passed = route::passed_through(objects, gateway, &listeners);
    rendered
}

/// The class of a Gateway that belongs to another controller. Without GatewayClass objects, names that mention nginx are
/// taken for this controller's.
fn foreign_class<'o>(objects: &KubernetesObjects, gateway: &'o Value) -> Option<&'o str> {
    let class = text(gateway, "/spec/gatewayClassName").unwrap_or_default();
    let object = objects.of("GatewayClass").find(|one| name(one) == class);
    let is_own = match object {
        Some(object) => text(object, "/spec/controllerName") == Some(CONTROLLER),
        None => class.contains("nginx"),
    };
    (!is_own).then_some(class)
}

/// How clients of a port are verified.
#[derive(Default)]
struct ClientSettings {
    mode: Option<&'static str>,
    authorities: Option<String>,
}

/// `spec.tls.frontend`: the settings of a port, or else the default.
fn client_settings(
    (gateway, port): (&Value, u16),
    known: &SecretFiles,
    made: &mut SecretFiles,
) -> ClientSettings {
    let refs = |of: &'static str, value| list(value, of);
    let frontend = gateway.pointer("/spec/tls/frontend");
    let of_port = frontend.iter().flat_map(|frontend| list(frontend, "/perPort")).find(|one| {
        number(one, "/port") == Some(port.into())
            && !refs("/tls/validation/caCertificateRefs", one).is_empty()
    });
    let validation = of_port
        .and_then(|one| one.pointer("/tls/validation"))
        .or_else(|| frontend?.pointer("/default/validation"));
    let Some(validation) = validation else { return ClientSettings::default() };
    let references = list(validation, "/caCertificateRefs");
    if references.is_empty() {
        return ClientSettings::default();
    }
    if text(validation, "/mode") == Some("AllowInsecureFallback") {
        return ClientSettings { mode: Some("optional_no_ca"), authorities: None };
    }
    let files: Vec<String> = references.iter().map(|one| reference_file(one, gateway)).collect();
    let file = match &files[..] {
        [one] => one.clone(),
        several => {
            // The controller writes them to one file, which is whole only if all are known.
            let bundle = format!("{} and {} more", several[0], several.len() - 1);
            let all: Option<Vec<&[u8]>> =
                several.iter().map(|file| known.get(file).map(Vec::as_slice)).collect();
            made.extend(all.map(|all| (bundle.clone(), all.join(&b'\n'))));
            bundle
        }
    };
    ClientSettings { mode: Some("on"), authorities: Some(file) }
}

fn reference_file(reference: &Value, owner: &Value) -> String {
    let kind = text(reference, "/kind").unwrap_or("ConfigMap");
    let in_namespace = namespace_of(reference, namespace(owner));
    authorities_of(
        kind,
        &format!("{in_namespace}/{}", text(reference, "/name").unwrap_or_default()),
    )
}

/// The servers of one port: the default server first, then one for each host.
fn servers(
    (gateway, port): (&Value, u16),
    listeners: &[&GatewayListener<'_>],
    attached: &[AttachedRoute<'_>],
    clients: &ClientSettings,
    backends: &Backends<'_>,
    rendered: &mut GatewayNginx,
) {
    let hosts = route::hosts(listeners, attached);
    let any = listeners.iter().find(|one| one.is_https() && one.hostname.is_none());
    let statuses = address::of_status(gateway);
    let lines = &mut rendered.lines;
    let is_https = listeners.iter().any(|one| one.is_https());
    if is_https && !statuses.is_empty() {
        lines.at(ObjectPlace::of(
            &any.map_or_else(|| place("Gateway", gateway), |one| one.place.clone()),
        ));
        lines.open(&["server"]);
        listen(lines, (&statuses, port), " ssl default_server");
        match any {
            Some(listener) => ssl(lines, listener, clients),
            None => lines.line(&["ssl_reject_handshake", "on"]),
        }
        lines.close();
    }
    for (host, listener, rules) in hosts {
        let sample = (host != ANY_HOST).then_some(host.as_str());
        let addresses =
            if statuses.is_empty() { address::stand_in(sample) } else { statuses.clone() };
        lines.at(ObjectPlace::of(&listener.place));
        if addresses.is_empty() {
            let reason =
                format!("the Gateway has no address in its status, so {host} is not tested");
            lines.untested(&listener.place, reason);
            continue;
        }
        lines.open(&["server"]);
        if listener.is_https() {
            listen(lines, (&addresses, port), " ssl");
            ssl(lines, listener, clients);
        } else {
            listen(lines, (&addresses, port), "");
        }
        lines.line(&["server_name", &host]);
        backend::locations(lines, &rules, backends);
        lines.at(ObjectPlace::of(&listener.place));
        lines.close();
    }
}

fn listen(lines: &mut ControllerLines, (addresses, port): (&[String], u16), parameters: &str) {
    for one in addresses {
        let words: Vec<String> = [address::join(one, port)]
            .into_iter()
            .chain(parameters.split_whitespace().map(str::to_owned))
            .collect();
        let words: Vec<&str> =
            ["listen"].into_iter().chain(words.iter().map(String::as_str)).collect();
        lines.line(&words);
    }
}

/// The options of a listener that the controller knows, and their directives.
pub(super) const OPTIONS: [(&str, &str); 3] = [
    ("nginx.org/ssl-protocols", "ssl_protocols"),
    ("nginx.org/ssl-ciphers", "ssl_ciphers"),
    ("nginx.org/ssl-prefer-server-ciphers", "ssl_prefer_server_ciphers"),
];

fn ssl(lines: &mut ControllerLines, listener: &GatewayListener<'_>, clients: &ClientSettings) {
    for secret in &listener.secrets {
        lines.line(&["ssl_certificate", &pair(secret)]);
    }
    for secret in &listener.secrets {
        lines.line(&["ssl_certificate_key", &pair(secret)]);
    }
    for (option, directive) in OPTIONS {
        let value = listener.options.and_then(|options| options.get(option)?.as_str());
        let value =
            value.filter(|value| directive != "ssl_prefer_server_ciphers" || *value == "on");
        if let Some(value) = value {
            let words: Vec<&str> = match directive {
                "ssl_protocols" => value.split_whitespace().collect(),
                _ => vec![value],
            };
            lines.line(&[&[directive], &words[..]].concat());
        }
    }
    if let Some(file) = &clients.authorities {
        lines.line(&["ssl_client_certificate", file]);
    }
    if let Some(mode) = clients.mode {
        lines.line(&["ssl_verify_client", mode]);
        if mode == "on" {
            lines.line(&["ssl_verify_depth", DEPTH]);
        }
    }
}
