use serde_json::{Value, json};

use super::annotation::PREFIX;
use super::*;

fn ingress(annotations: &Value, port: &Value) -> Value {
    json!({
        "kind": "Ingress",
        "metadata": { "name": "web", "namespace": "shop", "annotations": annotations },
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{ "hosts": ["a.test", "*.b.test"], "secretName": "web-tls" }],
            "rules": [{ "host": "a.test", "http": { "paths": [{
                "path": "/api", "pathType": "Prefix",
                "backend": { "service": { "name": "api", "port": port } },
            }] } }],
        },
        "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] } },
    })
}

fn parse(items: &[Value]) -> Ingresses {
    let list = json!({ "kind": "List", "apiVersion": "v1", "items": items });
    let objects = KubernetesObjects::read(list.to_string().as_bytes()).unwrap();
    read(&objects, &objects.of("Ingress").collect::<Vec<_>>()).unwrap()
}

fn annotated(annotations: &[(&str, &str)]) -> Ingresses {
    let pairs = annotations.iter().map(|(name, value)| (format!("{PREFIX}{name}"), json!(value)));
    let annotations = Value::Object(pairs.collect());
    parse(&[ingress(&annotations, &json!({ "number": 8443 }))])
}

#[test]
fn hosts_stand_behind_the_controllers_own_server() {
    let found = parse(&[
        ingress(&Value::Null, &json!({ "number": 80 })),
        ingress(&json!({ "nginx.ingress.kubernetes.io/auth-tls-secret": "shop/ca" }), &json!({})),
    ]);
    let [listener] = found.listeners.as_slice() else { panic!("{found:?}") };
    assert_eq!(listener.address.to_string(), "192.0.2.1:443");
    assert_eq!(listener.servers.len(), 3);
    assert_eq!(&*listener.default_server().span.file, "ingress-nginx");
    let server = listener.server_for("x.b.test").unwrap();
    assert_eq!(server.span.to_string(), "shop/web");
    let file = Material::File("secret:shop/web-tls".to_owned());
    assert_eq!(server.ssl.certificates[0].certificate.value, file);
    assert_eq!(server.ssl.verify_client, None);
    let strict = &listener.servers[2].ssl;
    assert_eq!(**strict.verify_client.as_ref().unwrap(), "on");
    assert_eq!(**strict.client_certificate.as_ref().unwrap(), "secret:shop/ca:ca.crt");
    assert!(found.upstreams.is_empty());
}

#[test]
fn a_backend_is_met_under_the_balancers_name() {
    let found = annotated(&[("backend-protocol", "https")]);
    let [upstream] = found.upstreams.as_slice() else { panic!("{found:?}") };
    assert_eq!(upstream.name, Ok("upstream_balancer".to_owned()));
    assert_eq!(upstream.ssl, ProxySsl::default());
    let peer = &upstream.destination.as_ref().unwrap().peers[0];
    let host = "api.shop.svc".to_owned();
    assert_eq!(peer.address, PeerAddress::Host { host, port: 8443 });
    assert_eq!(upstream.blocks.last().unwrap().arguments, ["/api"]);
    assert_eq!(&*upstream.server_names, ["a.test"]);
}

#[test]
fn settings_count_only_beside_a_secret_and_never_for_grpc() {
    let settings = [("proxy-ssl-name", "b.test"), ("proxy-ssl-server-name", "on")];
    let with = |more: &[(&str, &str)]| annotated(&[&settings, more].concat());
    let lines = |found: &Ingresses| found.facts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let found = with(&[
        ("backend-protocol", "HTTPS"),
        ("proxy-ssl-secret", "shop/ca"),
        ("proxy-ssl-verify", "on"),
    ]);
    assert!(found.upstreams[0].ssl.sends_name());
    assert_eq!(found.upstreams[0].name.as_deref(), Ok("b.test"));
    assert!(found.upstreams[0].ssl.verifies());
    assert_eq!(
        **found.upstreams[0].ssl.protocols.as_ref().unwrap(),
        ["TLSv1", "TLSv1.1", "TLSv1.2"]
    );
    assert_eq!(lines(&found), [""; 0]);
    let found = with(&[("backend-protocol", "HTTPS")]);
    assert!(!found.upstreams[0].ssl.sends_name());
    assert_eq!(
        lines(&found),
        [
            "shop/web: proxy-ssl-name is ignored: the controller reads it only beside proxy-ssl-secret",
            "shop/web: proxy-ssl-server-name is ignored: the controller reads it only beside proxy-ssl-secret",
        ]
    );
    let found = with(&[("backend-protocol", "GRPCS"), ("proxy-ssl-secret", "shop/ca")]);
    assert_eq!(found.upstreams[0].module, ProxyModule::Grpc);
    assert_eq!(found.facts.len(), 3);
}

#[test]
fn named_ports_and_other_objects_are_reported() {
    let annotations = json!({ "nginx.ingress.kubernetes.io/backend-protocol": "HTTPS" });
    let found =
        parse(&[ingress(&annotations, &json!({ "name": "tls" })), json!({ "kind": "Service" })]);
    assert_eq!(found.upstreams[0].destination, Err(Unresolved::ServicePort("api".to_owned())));
}
