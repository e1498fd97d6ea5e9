//! Gateway API objects as NGINX Gateway Fabric reads them.

use serde_json::{Value, json};

use super::*;

pub(super) fn gateway(tls: &Value, listeners: &Value) -> Value {
    json!({
        "kind": "Gateway", "metadata": meta("shop", "gw"),
        "spec": { "gatewayClassName": "nginx", "listeners": listeners, "tls": tls },
        "status": { "addresses": [{ "type": "IPAddress", "value": "192.0.2.1" }] },
    })
}

pub(super) fn https(hostname: &Value, secret: &str) -> Value {
    json!({
        "name": secret, "port": 443, "protocol": "HTTPS", "hostname": hostname,
        "tls": { "mode": "Terminate", "certificateRefs": [{ "name": secret }] },
    })
}

pub(super) fn route(kind: &str, name: &str, service: &Value) -> Value {
    json!({
        "kind": kind, "metadata": meta("shop", name),
        "spec": {
            "parentRefs": [{ "name": "gw" }], "hostnames": ["www.test"],
            "rules": [{
                "matches": [{ "path": { "type": "PathPrefix", "value": "/api" } }],
                "backendRefs": [service],
            }],
        },
    })
}

pub(super) fn backend_policy(validation: &Value) -> Value {
    json!({
        "kind": "BackendTLSPolicy", "metadata": meta("shop", "api-tls"),
        "spec": { "targetRefs": [{ "kind": "Service", "name": "api" }], "validation": validation },
    })
}

pub(super) fn api() -> Value {
    json!({ "name": "api", "port": 8443 })
}

#[test]
fn a_gateway_verifies_backends_as_their_policy_says() {
    let found = cluster(&[
        gateway(&Value::Null, &json!([https(&json!("www.test"), "www-tls")])),
        route("HTTPRoute", "web", &api()),
        backend_policy(&json!({
            "hostname": "api.internal.test",
            "caCertificateRefs": [{ "group": "", "kind": "ConfigMap", "name": "ca" }],
        })),
    ]);
    assert_eq!(
        block(&found, "location /api {"),
        [
            "proxy_http_version 1.1;",
            "proxy_set_header Host $gw_api_compliant_host;",
            "proxy_pass https://shop_api_8443;",
            "proxy_ssl_server_name on;",
            "proxy_ssl_verify on;",
            "proxy_ssl_verify_depth 4;",
            "proxy_ssl_name api.internal.test;",
            "proxy_ssl_trusted_certificate configmap:shop/ca:ca.crt;",
        ]
    );
    let [upstream] = &found.upstreams[..] else { panic!("{found:#?}") };
    assert_eq!(upstream.span.to_string(), "HTTPRoute/shop/web");
    assert_eq!(upstream.settings_at.to_string(), "BackendTLSPolicy/shop/api-tls");
    assert_eq!(upstream.ssl.depth(), 4);
    let host = "api.shop.svc".to_owned();
    let peer = &upstream.destination.as_ref().unwrap().peers[0];
    assert_eq!(peer.address, PeerAddress::Host { host, port: 8443 });
    assert_eq!(found.release, Some(RELEASE));
    assert_eq!(facts(&found), [""; 0]);
}

#[test]
fn a_gateway_without_a_listener_for_every_host_rejects_handshakes() {
    let named = https(&json!("www.test"), "www-tls");
    let found =
        cluster(&[gateway(&Value::Null, &json!([named])), route("HTTPRoute", "web", &api())]);
    assert_eq!(
        block(&found, "server {"),
        ["listen 192.0.2.1:443 ssl default_server;", "ssl_reject_handshake on;"]
    );
    let [listener] = &found.listeners[..] else { panic!("{found:#?}") };
    assert!(listener.default_server().ssl.rejects());
    assert!(!listener.server_for("www.test").unwrap().ssl.rejects());
    let found = cluster(&[gateway(&Value::Null, &json!([named, https(&Value::Null, "any-tls")]))]);
    assert_eq!(
        block(&found, "server {"),
        [
            "listen 192.0.2.1:443 ssl default_server;",
            "ssl_certificate secret:shop/any-tls;",
            "ssl_certificate_key secret:shop/any-tls;",
        ]
    );
}

#[test]
fn options_of_a_listener_and_the_verification_of_clients_reach_each_of_its_servers() {
    let mut listener = https(&json!("www.test"), "www-tls");
    listener["tls"]["options"] = json!({
        "nginx.org/ssl-protocols": "TLSv1.2 TLSv1.3", "nginx.org/ssl-prefer-server-ciphers": "off",
    });
    let clients = json!({ "frontend": { "default": { "validation": {
        "caCertificateRefs": [{ "kind": "ConfigMap", "name": "clients" }],
    } } } });
    let found = cluster(&[gateway(&clients, &json!([listener.clone()]))]);
    let server = lines(&found);
    let from = server.iter().position(|line| line == "listen 192.0.2.1:443 ssl;").unwrap();
    assert_eq!(
        server[from + 1..from + 8],
        [
            "ssl_certificate secret:shop/www-tls;",
            "ssl_certificate_key secret:shop/www-tls;",
            "ssl_protocols TLSv1.2 TLSv1.3;",
            "ssl_client_certificate configmap:shop/clients:ca.crt;",
            "ssl_verify_client on;",
            "ssl_verify_depth 4;",
            "server_name www.test;",
        ]
    );
    listener["tls"]["options"]["example.org/other"] = json!("x");
    let found = cluster(&[gateway(&clients, &json!([listener]))]);
    assert!(found.listeners.is_empty());
    assert!(facts(&found)[0].contains("tls.options example.org/other is ignored"), "{found:#?}");
    let lenient = json!({ "frontend": { "perPort": [{ "port": 443, "tls": { "validation": {
        "mode": "AllowInsecureFallback", "caCertificateRefs": [{ "kind": "ConfigMap", "name": "c" }],
    } } }] } });
    let found = cluster(&[gateway(&lenient, &json!([https(&json!("www.test"), "www-tls")]))]);
    assert!(lines(&found).contains(&"ssl_verify_client optional_no_ca;".to_owned()));
    assert!(!lines(&found).iter().any(|line| line.contains("ssl_client_certificate")));
}

#[test]
fn a_grpc_route_has_directives_of_its_own_module() {
    let mut grpc = route("GRPCRoute", "rpc", &api());
    grpc["spec"]["rules"][0]["matches"] =
        json!([{ "method": { "service": "a.B", "method": "C" } }]);
    let policy = json!({ "hostname": "api.test", "wellKnownCACertificates": "System" });
    let found = cluster(&[
        gateway(&Value::Null, &json!([https(&json!("www.test"), "www-tls")])),
        grpc,
        backend_policy(&policy),
    ]);
    assert_eq!(
        block(&found, "location = /a.B/C {"),
        [
            "grpc_set_header Host $gw_api_compliant_host;",
            "grpc_pass grpcs://shop_api_8443;",
            "grpc_ssl_server_name on;",
            "grpc_ssl_verify on;",
            "grpc_ssl_verify_depth 4;",
            "grpc_ssl_name api.test;",
            "grpc_ssl_trusted_certificate /etc/ssl/cert.pem;",
        ]
    );
    assert_eq!(found.upstreams[0].module, ProxyModule::Grpc);
}

#[test]
fn endpoints_are_the_servers_of_an_upstream() {
    let ports = json!([{ "name": "tls", "port": 8443, "targetPort": 9443 }]);
    let slice = json!({
        "kind": "EndpointSlice",
        "metadata": { "namespace": "shop", "name": "api-x", "labels": { "kubernetes.io/service-name": "api" } },
        "ports": [{ "name": "tls", "port": 9443 }],
        "endpoints": [
            { "addresses": ["10.0.0.1"] },
            { "addresses": ["10.0.0.2"], "conditions": { "ready": false } },
            { "addresses": ["fd00::3"], "conditions": { "ready": true } },
        ],
    });
    let items = [
        gateway(&Value::Null, &json!([https(&json!("www.test"), "www-tls")])),
        route("HTTPRoute", "web", &api()),
        json!({ "kind": "Service", "metadata": meta("shop", "api"), "spec": { "ports": ports, "clusterIP": "10.96.0.1" } }),
        slice,
    ];
    let found = cluster(&items);
    assert_eq!(
        block(&found, "upstream shop_api_8443 {"),
        ["server 10.0.0.1:9443;", "server [fd00::3]:9443;"]
    );
    assert_eq!(
        block(&cluster(&items[..3]), "upstream shop_api_8443 {"),
        ["server 10.96.0.1:8443;"]
    );
    assert!(found.upstreams.is_empty());
    assert_eq!(found.plain_upstreams.len(), 1);
}

#[test]
fn what_a_gateway_refuses_is_reported() {
    let listeners = json!([https(&json!("www.test"), "www-tls")]);
    let with = |more: &[Value]| {
        let gateway = gateway(&Value::Null, &listeners);
        facts(&cluster(&[&[gateway, route("HTTPRoute", "web", &api())], more].concat()))
    };
    let both = backend_policy(&json!({
        "hostname": "a.test", "wellKnownCACertificates": "System",
        "caCertificateRefs": [{ "kind": "ConfigMap", "name": "ca" }],
    }));
    let said = with(&[both]);
    assert!(
        said[0].starts_with(
            "HTTPRoute/shop/web: spec.rules.backendRefs is ignored: BackendTLSPolicy/shop/api-tls: "
        ),
        "{said:?}"
    );
    assert!(said[0].ends_with("so the controller answers 500"), "{said:?}");
    let other = json!({ "kind": "ReferenceGrant", "metadata": meta("vault", "none"), "spec": {} });
    assert_eq!(with(std::slice::from_ref(&other)), [""; 0]);
    let mut far = https(&json!("far.test"), "far-tls");
    far["tls"]["certificateRefs"][0]["namespace"] = json!("vault");
    let foreign = |grants: &[Value]| {
        let gateway = gateway(&Value::Null, &json!([far]));
        facts(&cluster(&[&[gateway], grants].concat()))
    };
    assert_eq!(foreign(&[]), [""; 0]);
    assert!(
        foreign(&[other])[0]
            .contains("no ReferenceGrant in vault lets a Gateway of shop use the Secret far-tls")
    );
    let allowed = json!({
        "kind": "ReferenceGrant", "metadata": meta("vault", "yes"),
        "spec": {
            "from": [{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "shop" }],
            "to": [{ "group": "", "kind": "Secret" }],
        },
    });
    assert_eq!(foreign(&[allowed]), [""; 0]);
}

#[test]
fn a_listener_set_needs_the_consent_of_its_gateway() {
    let set = json!({
        "kind": "ListenerSet", "metadata": meta("team", "more"),
        "spec": {
            "parentRef": { "name": "gw", "namespace": "shop" },
            "listeners": [https(&json!("team.test"), "team-tls")],
        },
    });
    let mut gateway = gateway(&Value::Null, &json!([]));
    let refused = cluster(&[gateway.clone(), set.clone()]);
    assert!(refused.listeners.is_empty());
    assert!(facts(&refused)[0].starts_with("ListenerSet/team/more: spec.parentRef is ignored"));
    gateway["spec"]["allowedListeners"] = json!({ "namespaces": { "from": "All" } });
    let found = cluster(&[gateway, set]);
    let server = found.listeners[0].server_for("team.test").unwrap();
    assert_eq!(server.span.to_string(), "ListenerSet/team/more");
    assert!(lines(&found).contains(&"ssl_certificate secret:team/team-tls;".to_owned()));
}

#[test]
fn clients_of_a_tls_route_meet_its_backends() {
    let listener = json!([{ "name": "tls", "port": 8443, "protocol": "TLS", "tls": { "mode": "Passthrough" } }]);
    let mut tls = route("TLSRoute", "db", &api());
    tls["spec"]["hostnames"] = json!(["db.test"]);
    let found = cluster(&[gateway(&Value::Null, &listener), tls]);
    let [listener] = &found.listeners[..] else { panic!("{found:#?}") };
    assert_eq!(listener.address, ListenAddress::Ip("192.0.2.1:8443".parse().unwrap()));
    assert!(!listener.server_for("db.test").unwrap().has_certificate());
    assert!(listener.server_for("other.test").unwrap().ssl.rejects());
}
