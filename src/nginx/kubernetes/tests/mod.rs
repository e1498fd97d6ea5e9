//! What the controllers make of objects, against the lines that their templates write.

mod gateway;
mod moving;
mod nic;

use serde_json::{Value, json};

use self::gateway::{gateway, https};
use super::*;
use crate::nginx::listener::ListenAddress;
use crate::nginx::upstream::{PeerAddress, ProxyModule};

pub(super) fn cluster(items: &[Value]) -> Cluster {
    let list = json!({ "kind": "List", "apiVersion": "v1", "items": items });
    read(list.to_string().as_bytes(), &Variables::new(), None).unwrap()
}

pub(super) fn meta(namespace: &str, name: &str) -> Value {
    json!({ "namespace": namespace, "name": name })
}

pub(super) fn lines(cluster: &Cluster) -> Vec<String> {
    let text = cluster.texts.iter().flat_map(|text| text.lines());
    text.map(|line| line.trim().to_owned()).collect()
}

/// The lines of the first block that begins so, to its end.
pub(super) fn block(cluster: &Cluster, begins: &str) -> Vec<String> {
    let all = lines(cluster);
    let from = all.iter().position(|line| line == begins);
    let from = from.unwrap_or_else(|| panic!("no {begins}: {all:#?}"));
    let to = all[from..].iter().position(|line| line == "}").unwrap();
    all[from + 1..from + to].to_vec()
}

pub(super) fn facts(cluster: &Cluster) -> Vec<String> {
    cluster.facts.iter().map(ToString::to_string).collect()
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
