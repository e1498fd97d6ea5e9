//! TransportServers: sockets of `stream` with TLS, and connections that are passed on as they are.

use serde_json::Value;

use super::virtual_server::listener_port;
use super::{NicController, certificate};
use crate::nginx::kubernetes::address::{self, PortName};
use crate::nginx::kubernetes::lines::{ControllerLines, ObjectPlace};
use crate::nginx::kubernetes::object::{list, name, namespace, place, text};
use crate::nginx::kubernetes::passthrough::PassedHost;

/// The listener for connections that are passed on.
const PASSTHROUGH: &str = "tls-passthrough";

/// Writes the servers, and returns the hosts that are passed on.
pub(super) fn servers(
    controller: &NicController<'_>,
    lines: &mut ControllerLines,
) -> Vec<PassedHost> {
    let mut passed = Vec::new();
    lines.in_stream(true);
    for object in controller.objects.of("TransportServer") {
        let own = place("TransportServer", object);
        let host = text(object, "/spec/host").unwrap_or_default();
        let listener = text(object, "/spec/listener/name").unwrap_or_default();
        let addresses = controller.addresses(object, host);
        if listener == PASSTHROUGH {
            passed.extend(addresses.into_iter().map(|address| PassedHost {
                place: own.clone(),
                address,
                port: 443,
                host: host.to_owned(),
            }));
        } else if let Some(secret) = text(object, "/spec/tls/secret") {
            terminate(controller, (object, secret, listener), &addresses, lines);
        }
    }
    lines.in_stream(false);
    passed
}

fn terminate(
    controller: &NicController<'_>,
    (object, secret, listener): (&Value, &str, &str),
    addresses: &[String],
    lines: &mut ControllerLines,
) {
    let own = place("TransportServer", object);
    let Some(port) = listener_port(controller.objects, listener) else {
        lines.untested(&own, "the GlobalConfiguration with its listener is not in the input");
        return;
    };
    if addresses.is_empty() {
        lines.untested(&own, "the address of the controller is not known");
        return;
    }
    let wanted = text(object, "/spec/action/pass").unwrap_or_default();
    let upstreams = list(object, "/spec/upstreams");
    let upstream = upstreams.iter().find(|one| text(one, "/name") == Some(wanted));
    let group = format!("ts_{}_{}_{wanted}", namespace(object), name(object));
    lines.at(ObjectPlace::of(&own));
    let service = upstream.and_then(|one| text(one, "/service")).unwrap_or_default();
    let port_name = upstream.and_then(|one| PortName::of(one.get("port")?));
    let servers = port_name
        .map(|port| address::servers(controller.objects, (namespace(object), service), port));
    match servers {
        Some(Ok(servers)) => lines.upstream(&group, servers),
        Some(Err(reason)) => return lines.untested(&own, reason.to_string()),
        None => return,
    }
    lines.open(&["server"]);
    for one in addresses {
        lines.line(&["listen", &address::join(one, port), "ssl"]);
    }
    if let Some(host) = text(object, "/spec/host") {
        lines.line(&["server_name", host]);
    }
    certificate(lines, &format!("{}/{secret}", namespace(object)));
    lines.line(&["proxy_pass", &group]);
    lines.close();
}
