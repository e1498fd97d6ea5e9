//! What the controllers make of objects, against the lines that their templates write.

use serde_json::{Value, json};

use super::*;
use crate::nginx::listener::ListenAddress;
use crate::nginx::upstream::{PeerAddress, ProxyModule};

fn cluster(items: &[Value]) -> Cluster {
    let list = json!({ "kind": "List", "apiVersion": "v1", "items": items });
    read(list.to_string().as_bytes(), &Variables::new(), None).unwrap()
}

fn meta(namespace: &str, name: &str) -> Value {
    json!({ "namespace": namespace, "name": name })
}

fn lines(cluster: &Cluster) -> Vec<String> {
    let text = cluster.texts.iter().flat_map(|text| text.lines());
    text.map(|line| line.trim().to_owned()).collect()
}

/// The lines of the first block that begins so, to its end.
fn block(cluster: &Cluster, begins: &str) -> Vec<String> {
    let all = lines(cluster);
    let from = all.iter().position(|line| line == begins);
    let from = from.unwrap_or_else(|| panic!("no {begins}: {all:#?}"));
    let to = all[from..].iter().position(|line| line == "}").unwrap();
    all[from + 1..from + to].to_vec()
}

fn facts(cluster: &Cluster) -> Vec<String> {
    cluster.facts.iter().map(ToString::to_string).collect()
}

fn gateway(tls: &Value, listeners: &Value) -> Value {
    json!({
        "kind": "Gateway", "metadata": meta("shop", "gw"),
        "spec": { "gatewayClassName": "nginx", "listeners": listeners, "tls": tls },
        "status": { "addresses": [{ "type": "IPAddress", "value": "192.0.2.1" }] },
    })
}

fn https(hostname: &Value, secret: &str) -> Value {
    json!({
        "name": secret, "port": 443, "protocol": "HTTPS", "hostname": hostname,
        "tls": { "mode": "Terminate", "certificateRefs": [{ "name": secret }] },
    })
}

fn route(kind: &str, name: &str, service: &Value) -> Value {
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

fn backend_policy(validation: &Value) -> Value {
    json!({
        "kind": "BackendTLSPolicy", "metadata": meta("shop", "api-tls"),
        "spec": { "targetRefs": [{ "kind": "Service", "name": "api" }], "validation": validation },
    })
}

fn api() -> Value {
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

fn virtual_server(policies: &Value, upstream: &Value) -> Value {
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

fn over_tls() -> Value {
    json!({ "name": "api", "service": "api", "port": 8443, "tls": { "enable": true } })
}

fn policy(spec: &Value) -> Value {
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

#[test]
fn secrets_become_files_that_are_not_paths() {
    let secret = json!({ "kind": "Secret", "metadata": meta("shop", "tls"), "data": {
        "tls.crt": "Y2VydA==", "tls.key": "a2V5", "ca.crt": "!",
    } });
    let map =
        json!({ "kind": "ConfigMap", "metadata": meta("shop", "ca"), "data": { "ca.crt": "ca" } });
    let found = cluster(&[secret, map, gateway(&Value::Null, &json!([]))]);
    assert_eq!(found.files["secret:shop/tls"], b"cert\nkey");
    assert_eq!(found.files["configmap:shop/ca:ca.crt"], b"ca");
    assert_eq!(found.files.len(), 2);
    assert_eq!(
        material::source("secret:shop/tls:ca.crt").unwrap(),
        "ca.crt of the Secret shop/tls"
    );
    assert_eq!(material::source("/etc/ssl/cert.pem"), None);
}

#[test]
fn no_value_can_add_a_line() {
    let mut listener = https(&json!("www.test"), "www-tls");
    listener["tls"]["options"] =
        json!({ "nginx.org/ssl-ciphers": "HIGH;\n} ssl_verify_client \"on\"" });
    let found = cluster(&[gateway(&Value::Null, &json!([listener]))]);
    let server = found.listeners[0].server_for("www.test").unwrap();
    assert_eq!(server.ssl.ciphers.as_ref().unwrap().value, "HIGH; } ssl_verify_client \"on\"");
    assert_eq!(server.ssl.verify_client, None);
}

#[test]
fn other_input_is_refused() {
    let refused =
        |text: &str| read(text.as_bytes(), &Variables::new(), None).unwrap_err().to_string();
    assert!(refused(r#"{"kind":"Pod"}"#).contains("kind \"Pod\""));
    assert!(matches!(read(b"{", &Variables::new(), None), Err(KubernetesError::Json(_))));
    assert!(matches!(read(b"[]", &Variables::new(), None), Err(KubernetesError::Kind(_))));
    let others = r#"{"kind":"List","items":[{"kind":"Service"},{"kind":"Secret"}]}"#;
    assert!(refused(others).contains("among the 2: name the kinds"));
    assert!(refused(r#"{"kind":"List","items":[]}"#).contains("among the 0"));
}

/// An Ingress of ingress-nginx with TLS on both sides.
fn moving(annotations: &Value, tls: &Value) -> Value {
    let all = annotations.as_object().unwrap().iter();
    let all =
        all.map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), value.clone()));
    json!({
        "kind": "Ingress",
        "metadata": { "namespace": "shop", "name": "web", "annotations": Value::Object(all.collect()) },
        "spec": {
            "ingressClassName": "nginx", "tls": [tls],
            "rules": [{ "host": "www.test", "http": { "paths": [{
                "path": "/api", "pathType": "Prefix",
                "backend": { "service": { "name": "api", "port": { "number": 8443 } } },
            }] } }],
        },
        "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.4" }] } },
    })
}

fn moved(next: NextController, items: &[Value]) -> Cluster {
    let list = json!({ "kind": "List", "items": items });
    read(list.to_string().as_bytes(), &Variables::new(), Some(next)).unwrap()
}

const UNKNOWN_NAMES: &str = "clients that send no name or an unknown one";

fn changes(cluster: &Cluster) -> Vec<String> {
    let words = |fact: &Fact| match &fact.kind {
        FactKind::ControllerDiffers { subject, change, .. } => format!("{subject}: {change}"),
        kind => kind.to_string(),
    };
    let all = cluster.facts.iter().map(words);
    all.filter(|change| !change.starts_with(UNKNOWN_NAMES)).collect()
}

fn own_certificate() -> Value {
    json!({ "hosts": ["www.test"], "secretName": "www-tls" })
}

#[test]
fn a_backend_over_tls_becomes_a_backend_in_plain_text() {
    let ingress = moving(&json!({ "backend-protocol": "HTTPS" }), &own_certificate());
    let found = moved(NextController::Nic, std::slice::from_ref(&ingress));
    assert_eq!(
        changes(&found),
        [
            "www.test/api: connects to the backend without TLS; the annotation nginx.org/ssl-services makes it use TLS"
        ]
    );
    assert!(found.listeners.is_empty() && found.upstreams.is_empty());
    assert_eq!(found.plain_upstreams.len(), 1);
    let found = moved(NextController::Ngf, std::slice::from_ref(&ingress));
    assert_eq!(
        changes(&found),
        [
            "www.test/api: connects to the backend without TLS; a BackendTLSPolicy for the Service makes it use TLS"
        ]
    );
    let policy =
        backend_policy(&json!({ "hostname": "api.test", "wellKnownCACertificates": "System" }));
    let found = moved(NextController::Ngf, &[ingress, policy]);
    assert_eq!(
        changes(&found),
        [
            "www.test/api: allows 4 intermediates in a chain instead of 1",
            "www.test/api: sends the name api.test; ingress-nginx sends none",
            "www.test/api: verifies the backend's certificate",
        ]
    );
    assert_eq!(found.upstreams.len(), 2);
}

#[test]
fn settings_in_annotations_end_with_the_move() {
    let ingress = moving(
        &json!({
            "backend-protocol": "HTTPS", "proxy-ssl-secret": "shop/ca", "proxy-ssl-verify": "on",
            "proxy-ssl-name": "api.test", "proxy-ssl-server-name": "on",
        }),
        &own_certificate(),
    );
    let mut annotated = ingress;
    annotated["metadata"]["annotations"]["nginx.org/ssl-services"] = json!("api");
    let class = json!({ "kind": "IngressClass", "metadata": { "name": "nginx" },
        "spec": { "controller": "k8s.io/ingress-nginx" } });
    assert_eq!(
        changes(&moved(NextController::Nic, &[annotated, class])),
        [
            "www.test/api: no longer verifies the backend's certificate",
            "www.test/api: offers the protocols nginx's default instead of TLSv1 TLSv1.1 TLSv1.2",
            "www.test/api: presents no client certificate; ingress-nginx presents one",
            "www.test/api: sends no name; ingress-nginx sends api.test",
        ]
    );
}

#[test]
fn clients_meet_other_certificates_and_are_no_longer_asked_for_theirs() {
    let bare = json!({ "hosts": ["www.test"] });
    let found = moved(NextController::Nic, &[moving(&json!({}), &bare)]);
    assert_eq!(
        changes(&found),
        ["www.test: rejects handshakes; ingress-nginx serves its default certificate"]
    );
    assert!(facts(&found).iter().any(|fact| fact.contains(UNKNOWN_NAMES)));
    let asks = moving(&json!({ "auth-tls-secret": "shop/clients" }), &own_certificate());
    let found = moved(NextController::Ngf, std::slice::from_ref(&asks));
    assert_eq!(
        changes(&found),
        [
            "www.test: asks clients for no certificate, which ingress-nginx does (on); spec.tls.frontend of the Gateway makes it ask"
        ]
    );
    let config = json!({ "kind": "ConfigMap", "metadata": meta("ingress-nginx", "ingress-nginx-controller"),
        "data": { "ssl-protocols": "TLSv1.3" } });
    let found = moved(NextController::Nic, &[moving(&json!({}), &own_certificate()), config]);
    assert_eq!(changes(&found), ["www.test: accepts TLSv1.2 TLSv1.3 instead of TLSv1.3"]);
    assert_eq!(
        changes(&moved(NextController::Nic, &[moving(&json!({}), &own_certificate())])),
        [""; 0]
    );
}
