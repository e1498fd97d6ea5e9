//! The fixes that were tried and work, as manifests for `kubectl apply --server-side`: each has the fields that change, and
//! no others.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Map, Value, json};

use crate::audit::finding::{Fix, ProposedDirective};
use crate::cli::whole_file::Output;
use crate::report::escape::escape;

/// The API of each kind that a fix may change.
const APIS: [(&str, &str); 3] = [
    ("Ingress", "networking.k8s.io/v1"),
    ("Policy", "k8s.nginx.org/v1"),
    ("BackendTLSPolicy", "gateway.networking.k8s.io/v1"),
];

/// The changes of one object, and what cannot be written as a field.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    object: Value,
    rest: Vec<String>,
}

/// Writes the manifests to stdout, and how to apply them to stderr.
pub(super) fn show(fixes: &[(usize, Fix)]) -> anyhow::Result<()> {
    let mut stdout = Output::open(None)?;
    let text = manifests(fixes);
    if text.is_empty() {
        stdout.write_all(
            b"# No error or warning has a fix that changes an object; fixes of notes are left out.\n",
        )?;
        return stdout.finish();
    }
    stdout.write_all(text.as_bytes())?;
    stdout.finish()?;
    // If stderr is closed, the message is lost.
    let _ = writeln!(
        anstream::stderr(),
        "shakedown: to apply these changes, save this output as FILE, then: kubectl apply --server-side --force-conflicts -f FILE"
    );
    Ok(())
}

fn manifests(fixes: &[(usize, Fix)]) -> String {
    let mut changes: BTreeMap<String, Change> = BTreeMap::new();
    for directive in fixes.iter().flat_map(|(_, fix)| &fix.directives) {
        let Some(place) = &directive.file else { continue };
        add(changes.entry(place.clone()).or_default(), place, directive);
    }
    let mut text = String::new();
    for (place, change) in &changes {
        text.push_str("---\n");
        text.push_str(&format_comments(place, &change.rest));
        if change.object.is_object() {
            write(&mut text, &change.object, 0);
        }
    }
    text
}

fn format_comments(place: &str, rest: &[String]) -> String {
    let comment = |line: &String| format!("# {}: {}\n", one_line(place), one_line(line));
    rest.iter().map(comment).collect::<Vec<_>>().concat()
}

/// A text on one line without control characters.
fn one_line(text: &str) -> String {
    escape(text).to_string()
}

fn add(change: &mut Change, place: &str, directive: &ProposedDirective) {
    let value = typed(&directive.name, &directive.value);
    let path: Option<Vec<&str>> = match &*directive.context {
        "annotation" => Some(vec!["metadata", "annotations", &directive.name]),
        "field" if directive.name.starts_with("spec.") && !directive.name.contains(' ') => {
            Some(directive.name.split('.').collect())
        }
        _ => None,
    };
    let base = base(place).filter(|base| {
        // Fields of a Policy can be changed only where there is one.
        directive.context == "annotation" || !is_of_a_new_policy(base, &directive.name)
    });
    match (path, base, value) {
        (Some(path), Some(base), Some(value)) => {
            if !change.object.is_object() {
                change.object = base;
            }
            set(&mut change.object, &path, value);
        }
        _ => change.rest.push(format!("{} {}", directive.name, directive.value)),
    }
}

fn is_of_a_new_policy(base: &Value, field: &str) -> bool {
    field.starts_with("spec.egressMTLS") && base["kind"] != "Policy"
}

/// The object at a place: `KIND/NAMESPACE/NAME`, or `NAMESPACE/NAME` for an Ingress.
fn base(place: &str) -> Option<Value> {
    let mut parts = place.rsplit('/');
    let (name, namespace) = (parts.next()?, parts.next()?);
    let kind = parts.next().unwrap_or("Ingress");
    let (_, api) = APIS.into_iter().find(|(known, _)| *known == kind)?;
    Some(json!({
        "apiVersion": api, "kind": kind, "metadata": { "name": name, "namespace": namespace },
    }))
}

/// The value of a field in its type; `None` if it is words that describe another object.
fn typed(name: &str, value: &str) -> Option<Value> {
    let last = name.rsplit('.').next().unwrap_or(name);
    match last {
        "serverName" | "verifyServer" | "sessionReuse" => {
            Some(json!(value == "true" || value == "on"))
        }
        "verifyDepth" => value.parse::<u64>().ok().map(|depth| json!(depth)),
        "trustedCertSecret" | "tlsSecret" | "caCertificateRefs" => None,
        _ if name.ends_with("proxy-ssl-secret") => None,
        _ => Some(json!(value)),
    }
}

fn set(object: &mut Value, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    let Value::Object(fields) = object else { return };
    if rest.is_empty() {
        fields.insert((*first).to_owned(), value);
        return;
    }
    let next = fields.entry((*first).to_owned()).or_insert_with(|| Value::Object(Map::new()));
    set(next, rest, value);
}

/// Writes an object as YAML; a text is quoted as in JSON, which YAML contains.
fn write(text: &mut String, value: &Value, depth: usize) {
    let Value::Object(fields) = value else { return };
    for (name, field) in fields {
        let indent = "  ".repeat(depth);
        if field.is_object() {
            text.push_str(&[&indent, name, ":\n"].concat());
            write(text, field, depth + 1);
        } else {
            text.push_str(&[&indent, name, ": ", &field.to_string(), "\n"].concat());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(place: &str, context: &str, name: &str, value: &str) -> (usize, Fix) {
        let directive = ProposedDirective {
            context: context.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
            file: Some(place.to_owned()),
            line: None,
        };
        let directives = vec![directive];
        (0, Fix { text: String::new(), directives, verified: Some(true), assumes: None })
    }

    #[test]
    fn only_the_fields_that_change_are_written_in_their_types() {
        let fixes = [
            fix("Policy/shop/mtls", "field", "spec.egressMTLS.sslName", "api.test"),
            fix("Policy/shop/mtls", "field", "spec.egressMTLS.serverName", "true"),
            fix("Policy/shop/mtls", "field", "spec.egressMTLS.verifyDepth", "2"),
            fix(
                "shop/web",
                "annotation",
                "nginx.ingress.kubernetes.io/proxy-ssl-verify-depth",
                "2",
            ),
        ];
        let all = manifests(&fixes);
        let documents: Vec<Value> = all
            .split("---\n")
            .skip(1)
            .map(|document| serde_yaml_ng::from_str(document).unwrap())
            .collect();
        assert_eq!(
            documents,
            [
                json!({
                    "apiVersion": "k8s.nginx.org/v1", "kind": "Policy",
                    "metadata": { "name": "mtls", "namespace": "shop" },
                    "spec": { "egressMTLS": { "sslName": "api.test", "serverName": true, "verifyDepth": 2 } },
                }),
                json!({
                    "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                    "metadata": {
                        "name": "web", "namespace": "shop",
                        "annotations": { "nginx.ingress.kubernetes.io/proxy-ssl-verify-depth": "2" },
                    },
                }),
            ]
        );
    }

    #[test]
    fn what_another_object_must_hold_is_a_comment() {
        let fixes = [
            fix("Policy/shop/mtls", "field", "spec.egressMTLS.trustedCertSecret", "a Secret"),
            fix("VirtualServer/shop/web", "field", "spec.egressMTLS.sslName", "api\n.test"),
        ];
        let all = manifests(&fixes);
        assert!(all.lines().all(|line| line == "---" || line.starts_with("# ")), "{all}");
        assert_eq!(all.lines().count(), 4);
    }
}
