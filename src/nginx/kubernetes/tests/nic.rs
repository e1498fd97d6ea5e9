//! Objects as F5 NGINX Ingress Controller reads them.

use serde_json::{Value, json};

use super::*;

pub(super) fn virtual_server(policies: &Value, upstream: &Value) -> Value {
    json!({
        "kind": "VirtualServer", "metadata": meta("shop", "web"),
        "spec": {
            "host": "www.test", "tls": { "secret": "www-tls" }, "policies": policies,
            "upstreams": [upstream],
            "routes": [{ "path": "/", "action": { "pass": "api" } }],
        },
        "status": { "externalEndpoints": [{ "ip": "192.0.2.2", "ports": "[80,443]" }] },
    })
}

pub(super) fn over_tls() -> Value {
    json!({ "name": "api", "service": "api", "port": 8443, "tls": { "enable": true } })
}

pub(super) fn policy(spec: &Value) -> Value {
    json!({ "kind": "Policy", "metadata": meta("shop", "mtls"), "spec": spec })
}

#[test]
fn a_virtual_server_verifies_backends_as_its_policy_says() {
    let egress = json!({ "egressMTLS": {
        "tlsSecret": "own", "trustedCertSecret": "ca", "verifyServer": true, "verifyDepth": 2,
        "serverName": true, "sslName": "api.test", "protocols": "TLSv1.3",
    } });
    let found =
        cluster(&[virtual_server(&json!([{ "name": "mtls" }]), &over_tls()), policy(&egress)]);
    let all = lines(&found);
    let from = all.iter().position(|line| line == "server_name www.test;").unwrap();
    assert_eq!(
        all[from + 1..from + 14],
        [
            "listen 192.0.2.2:443 ssl;",
            "ssl_certificate secret:shop/www-tls;",
            "ssl_certificate_key secret:shop/www-tls;",
            "proxy_ssl_certificate secret:shop/own;",
            "proxy_ssl_certificate_key secret:shop/own;",
            "proxy_ssl_trusted_certificate secret:shop/ca:ca.crt;",
            "proxy_ssl_verify on;",
            "proxy_ssl_verify_depth 2;",
            "proxy_ssl_protocols TLSv1.3;",
            "proxy_ssl_ciphers DEFAULT;",
            "proxy_ssl_session_reuse on;",
            "proxy_ssl_server_name on;",
            "proxy_ssl_name api.test;",
        ]
    );
    assert_eq!(
        block(&found, "location / {"),
        [
            "proxy_http_version 1.1;",
            "proxy_set_header Host $host;",
            "proxy_pass https://vs_shop_web_api;",
        ]
    );
    let [upstream] = &found.upstreams[..] else { panic!("{found:#?}") };
    assert_eq!(upstream.settings_at.to_string(), "Policy/shop/mtls");
    assert_eq!(upstream.name.as_deref(), Ok("api.test"));
    assert_eq!(facts(&found), [""; 0]);
}

#[test]
fn the_name_of_an_upstream_block_is_on_no_certificate() {
    let egress = json!({ "egressMTLS": { "trustedCertSecret": "ca", "verifyServer": true } });
    let with = |upstream: &Value| {
        cluster(&[virtual_server(&json!([{ "name": "mtls" }]), upstream), policy(&egress)])
    };
    let found = with(&over_tls());
    assert_eq!(found.upstreams[0].name.as_deref(), Ok("vs_shop_web_api"));
    assert_eq!(
        found.upstreams[0].ssl.protocols.as_ref().unwrap().value,
        ["TLSv1", "TLSv1.1", "TLSv1.2"]
    );
    assert_eq!(
        facts(&found),
        [
            "Policy/shop/mtls: the name sent or verified is \"vs_shop_web_api\", the name of the upstream block"
        ]
    );
    let mut plain = over_tls();
    plain["tls"]["enable"] = json!(false);
    assert_eq!(facts(&with(&plain)), [""; 0]);
}

#[test]
fn a_policy_of_the_server_does_not_reach_grpc() {
    let egress = json!({ "egressMTLS": { "trustedCertSecret": "ca", "verifyServer": true, "serverName": true, "sslName": "a.test" } });
    let mut grpc = over_tls();
    grpc["type"] = json!("grpc");
    let found = cluster(&[virtual_server(&json!([{ "name": "mtls" }]), &grpc), policy(&egress)]);
    assert!(!found.upstreams[0].ssl.verifies());
    assert!(
        facts(&found)[0]
            .starts_with("Policy/shop/mtls: spec.egressMTLS is ignored: it does not reach gRPC")
    );
    let mut server = virtual_server(&json!([]), &grpc);
    server["spec"]["routes"][0]["policies"] = json!([{ "name": "mtls" }]);
    let found = cluster(&[server, policy(&egress)]);
    assert!(found.upstreams[0].ssl.verifies());
    assert_eq!(facts(&found), [""; 0]);
}

#[test]
fn a_policy_that_the_controller_refuses_is_reported() {
    let server = || virtual_server(&json!([{ "name": "mtls" }]), &over_tls());
    let found = cluster(&[server(), policy(&json!({ "egressMTLS": { "verifyServer": true } }))]);
    assert!(facts(&found)[0].contains("verifyServer needs trustedCertSecret"), "{found:#?}");
    assert!(found.upstreams.is_empty());
    let found = cluster(&[server()]);
    assert_eq!(facts(&found), ["VirtualServer/shop/web: the Policy shop/mtls is not in the input"]);
    let unused = json!({ "egressMTLS": { "trustedCertSecret": "ca" } });
    assert_eq!(
        facts(&cluster(&[server(), policy(&unused)])),
        ["Policy/shop/mtls: spec.egressMTLS.trustedCertSecret is ignored: verification is off"]
    );
}

#[test]
fn clients_of_a_virtual_server_are_verified_as_its_policy_says() {
    let secret = json!({ "kind": "Secret", "metadata": meta("shop", "clients"), "type": "nginx.org/ca",
        "data": { "ca.crt": "YQ==", "ca.crl": "Yg==" } });
    let ingress =
        json!({ "ingressMTLS": { "clientCertSecret": "clients", "verifyClient": "optional" } });
    let found = cluster(&[
        virtual_server(&json!([{ "name": "mtls" }]), &over_tls()),
        policy(&ingress),
        secret,
    ]);
    let all = lines(&found);
    for line in [
        "ssl_client_certificate secret:shop/clients:ca.crt;",
        "ssl_crl secret:shop/clients:ca.crl;",
        "ssl_verify_client optional;",
        "ssl_verify_depth 1;",
    ] {
        assert!(all.contains(&line.to_owned()), "{line}: {all:#?}");
    }
    assert_eq!(found.files["secret:shop/clients:ca.crt"], b"a");
}

#[test]
fn routes_of_another_object_take_over_its_policies() {
    let mut server = virtual_server(&json!([]), &over_tls());
    server["spec"]["routes"] =
        json!([{ "path": "/a", "route": "team/sub", "policies": [{ "name": "mtls" }] }]);
    let sub = json!({ "kind": "VirtualServerRoute", "metadata": meta("team", "sub"), "spec": {
        "host": "www.test", "upstreams": [over_tls()],
        "subroutes": [{ "path": "/a/b", "splits": [
            { "weight": 90, "action": { "pass": "api" } }, { "weight": 10, "action": { "pass": "gone" } },
        ] }],
    } });
    let egress = json!({ "egressMTLS": { "serverName": true, "sslName": "a.test" } });
    let found = cluster(&[server, sub, policy(&egress)]);
    let location = block(&found, "location /a/b {");
    assert!(location.contains(&"proxy_ssl_server_name on;".to_owned()), "{location:?}");
    assert!(location.contains(&"proxy_pass https://vs_shop_web_vsr_team_sub_api;".to_owned()));
    assert_eq!(found.upstreams[0].span.to_string(), "VirtualServerRoute/team/sub");
}

#[test]
fn an_ingress_belongs_to_the_controller_of_its_class_or_its_annotations() {
    let ingress = |annotations: &Value| {
        json!({
            "kind": "Ingress",
            "metadata": { "namespace": "shop", "name": "web", "annotations": annotations },
            "spec": {
                "ingressClassName": "nginx",
                "tls": [{ "hosts": ["www.test"], "secretName": "www-tls" }],
                "rules": [{ "host": "www.test", "http": { "paths": [{
                    "path": "/", "pathType": "Exact",
                    "backend": { "service": { "name": "api", "port": { "number": 8443 } } },
                }] } }],
            },
            "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.3" }] } },
        })
    };
    let own = ingress(&json!({ "nginx.org/ssl-services": "api", "nginx.org/ssl-ciphers": "HIGH" }));
    let config = json!({ "kind": "ConfigMap", "metadata": meta("nginx-ingress", "nginx-config"),
        "data": { "ssl-protocols": "TLSv1.3", "http2": "True" } });
    let found = cluster(&[own.clone(), config]);
    let all = lines(&found);
    let from = all.iter().position(|line| line == "ssl_protocols TLSv1.3;").unwrap();
    assert_eq!(
        all[from + 1..from + 14],
        [
            "server {",
            "listen 192.0.2.3:443 ssl default_server;",
            "ssl_reject_handshake on;",
            "server_name _;",
            "}",
            "server {",
            "listen 192.0.2.3:80;",
            "listen 192.0.2.3:443 ssl;",
            "http2 on;",
            "ssl_certificate secret:shop/www-tls;",
            "ssl_certificate_key secret:shop/www-tls;",
            "ssl_ciphers HIGH;",
            "server_name www.test;",
        ]
    );
    assert!(
        block(&found, "location = / {")
            .contains(&"proxy_pass https://shop-web-www.test-api-8443;".to_owned())
    );
    assert!(cluster(&[ingress(&json!({}))]).texts.is_empty());
    let class = |controller: &str| {
        json!({ "kind": "IngressClass", "metadata": { "name": "nginx" },
        "spec": { "controller": controller } })
    };
    assert_eq!(
        cluster(&[ingress(&json!({})), class("nginx.org/ingress-controller")]).texts.len(),
        1
    );
    assert!(cluster(&[own, class("k8s.io/ingress-nginx")]).texts.is_empty());
}

#[test]
fn arguments_of_the_controller_name_its_configuration_and_its_certificates() {
    let deployment = json!({ "kind": "Deployment", "metadata": meta("nginx-ingress", "nic"), "spec": { "template": {
        "spec": { "containers": [{ "image": "nginx/nginx-ingress:5.5.4", "args": [
            "-nginx-configmaps=$(POD_NAMESPACE)/nginx-config", "-default-server-tls-secret=shop/default",
        ] }] } } } });
    let found = cluster(&[virtual_server(&json!([]), &over_tls()), deployment]);
    assert_eq!(
        block(&found, "server {"),
        [
            "listen 192.0.2.2:443 ssl default_server;",
            "ssl_certificate secret:shop/default;",
            "ssl_certificate_key secret:shop/default;",
            "server_name _;",
        ]
    );
}

#[test]
fn a_transport_server_has_a_socket_of_its_own_or_passes_connections_on() {
    let server = |listener: &str, tls: &Value| {
        json!({
            "kind": "TransportServer", "metadata": meta("shop", "db"),
            "spec": {
                "host": "db.test", "listener": { "name": listener, "protocol": "TCP" }, "tls": tls,
                "upstreams": [{ "name": "db", "service": "db", "port": 5432 }], "action": { "pass": "db" },
            },
        })
    };
    let global = json!({ "kind": "GlobalConfiguration", "metadata": meta("nginx-ingress", "global"),
        "spec": { "listeners": [{ "name": "db-tcp", "port": 6432, "protocol": "TCP" }] } });
    let found = cluster(&[server("db-tcp", &json!({ "secret": "db-tls" })), global]);
    assert_eq!(
        block(&found, "server {"),
        [
            "listen db.test:6432 ssl;",
            "server_name db.test;",
            "ssl_certificate secret:shop/db-tls;",
            "ssl_certificate_key secret:shop/db-tls;",
            "proxy_pass ts_shop_db_db;",
        ]
    );
    assert_eq!(found.listeners[0].protocol, crate::nginx::listener::Protocol::Stream);
    let found = cluster(&[server("tls-passthrough", &Value::Null)]);
    assert_eq!(found.listeners[0].address.to_string(), "db.test:443");
    assert!(!found.listeners[0].server_for("db.test").unwrap().has_certificate());
}
