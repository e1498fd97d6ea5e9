//! What changes when Ingress objects move to another controller.

use serde_json::{Value, json};

use super::gateway::backend_policy;
use super::*;

/// An Ingress of ingress-nginx with TLS on both sides.
pub(super) fn moving(annotations: &Value, tls: &Value) -> Value {
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

pub(super) fn moved(next: NextController, items: &[Value]) -> Cluster {
    let list = json!({ "kind": "List", "items": items });
    read(list.to_string().as_bytes(), &Variables::new(), Some(next)).unwrap()
}

const UNKNOWN_NAMES: &str = "clients that send no name or an unknown one";

pub(super) fn changes(cluster: &Cluster) -> Vec<String> {
    let words = |fact: &Fact| match &fact.kind {
        FactKind::ControllerDiffers { subject, change, .. } => format!("{subject}: {change}"),
        kind => kind.to_string(),
    };
    let all = cluster.facts.iter().map(words);
    all.filter(|change| !change.starts_with(UNKNOWN_NAMES)).collect()
}

pub(super) fn own_certificate() -> Value {
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
