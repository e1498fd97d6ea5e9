//! Certificates and keys in Secrets and ConfigMaps, as the files that a controller writes them to.
//!
//! Their names are not paths: `secret:NAMESPACE/NAME` is the certificate with its key, and `secret:NAMESPACE/NAME:ca.crt`
//! or `configmap:NAMESPACE/NAME:ca.crt` are the CA certificates.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::object::{KubernetesObjects, name, namespace, text};

/// The prefix of the file names of secrets.
pub const SECRET: &str = "secret:";

/// The prefix of the file names of config maps.
pub const CONFIG_MAP: &str = "configmap:";

/// The keys that hold CA certificates and revocation lists.
const AUTHORITY_KEYS: [&str; 2] = ["ca.crt", "ca.crl"];

/// The contents by file name.
pub type SecretFiles = BTreeMap<String, Vec<u8>>;

/// The name of the file with a certificate and its key.
pub(in crate::nginx) fn pair(secret: &str) -> String {
    format!("{SECRET}{secret}")
}

/// The name of the file with the CA certificates of a Secret.
pub(in crate::nginx) fn authorities(secret: &str) -> String {
    format!("{SECRET}{secret}:ca.crt")
}

/// The name of the file with the CA certificates of an object of this kind.
pub(super) fn authorities_of(kind: &str, id: &str) -> String {
    match kind {
        "ConfigMap" => format!("{CONFIG_MAP}{id}:ca.crt"),
        _ => authorities(id),
    }
}

/// Where the contents of such a file come from, in words; `None` if it is an ordinary file.
pub fn source(file: &str) -> Option<String> {
    let of = |prefix, kind| {
        let id = file.strip_prefix(prefix)?;
        let (id, key) = id.split_once(':').unwrap_or((id, ""));
        let key = if key.is_empty() { String::new() } else { format!("{key} of ") };
        Some(format!("{key}the {kind} {id}"))
    };
    of(SECRET, "Secret").or_else(|| of(CONFIG_MAP, "ConfigMap"))
}

/// A command that prints such a file; `None` if it is an ordinary file.
pub fn command(file: &str) -> Option<String> {
    let of = |prefix, kind, decoded: &str| {
        let (namespace, rest) = file.strip_prefix(prefix)?.split_once('/')?;
        let (name, keys) = match rest.split_once(':') {
            Some((name, key)) => (name, vec![key]),
            None => (rest, vec!["tls.crt", "tls.key"]),
        };
        let is_plain = |word: &&str| {
            word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        };
        let part = |key: &&str| format!("{{{{index .data \"{key}\"{decoded}}}}}");
        let template = keys.iter().map(part).collect::<Vec<_>>().concat();
        let words = [namespace, name].into_iter().chain(keys.iter().copied());
        words.collect::<Vec<_>>().iter().all(is_plain).then(|| {
            format!("kubectl get {kind} -n {namespace} {name} -o go-template='{template}'")
        })
    };
    of(SECRET, "secret", " | base64decode").or_else(|| of(CONFIG_MAP, "configmap", ""))
}

/// The files that the Secrets and ConfigMaps stand for.
pub(super) fn files(objects: &KubernetesObjects) -> SecretFiles {
    let mut all = SecretFiles::new();
    for object in objects.of("Secret") {
        let id = format!("{}/{}", namespace(object), name(object));
        let value = |key: &str| secret_value(object, key);
        if let (Some(certificate), Some(key)) = (value("tls.crt"), value("tls.key")) {
            all.insert(pair(&id), [certificate, b"\n".to_vec(), key].concat());
        }
        for key in AUTHORITY_KEYS {
            all.extend(value(key).map(|bytes| (format!("{SECRET}{id}:{key}"), bytes)));
        }
    }
    for object in objects.of("ConfigMap") {
        let id = format!("{}/{}", namespace(object), name(object));
        for key in AUTHORITY_KEYS {
            let value = object.get("data").and_then(|data| data.get(key)).and_then(Value::as_str);
            let value = value.map(|text| text.as_bytes().to_vec());
            all.extend(value.map(|bytes| (format!("{CONFIG_MAP}{id}:{key}"), bytes)));
        }
    }
    all
}

/// The files that stand for a Secret or ConfigMap which is given as one file.
pub fn given(id: &str, contents: &[u8]) -> SecretFiles {
    let names = [pair(id), authorities(id), authorities_of("ConfigMap", id)];
    names.into_iter().map(|name| (name, contents.to_vec())).collect()
}

fn secret_value(secret: &Value, key: &str) -> Option<Vec<u8>> {
    let of = |part: &str| secret.get(part)?.get(key)?.as_str();
    if let Some(plain) = of("stringData") {
        return Some(plain.as_bytes().to_vec());
    }
    let text: String = of("data")?.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok()
}

/// The type of a Secret in the input.
pub(super) fn secret_type<'o>(
    objects: &'o KubernetesObjects,
    namespace: &str,
    name: &str,
) -> Option<&'o str> {
    text(objects.find("Secret", namespace, name)?, "/type")
}
