//! `shakedown nginx -` with Kubernetes objects, whose backends are real servers.

use std::fs;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};
use shakedown::nginx::kubernetes::{NextController, read};
use shakedown::nginx::variable::Variables;

use crate::support::crds;
use crate::support::pki::Pki;
use crate::support::program::{Run, shakedown_with, text};
use crate::support::server::{Nginx, nginx_binary};

/// A backend with a certificate for `api.test`, and the objects around it.
struct Shop {
    pki: Pki,
    back: Nginx,
}

impl Shop {
    fn new() -> Self {
        let pki = Pki::new();
        let files = pki.server("api", &["api.test"]);
        let back = Nginx::with_tls(&files, "return 200 ok;");
        Self { pki, back }
    }

    fn authority(&self) -> String {
        fs::read_to_string(self.pki.ca_file()).unwrap()
    }

    fn endpoints(&self) -> Value {
        json!({
            "kind": "EndpointSlice",
            "metadata": { "namespace": "shop", "name": "api-1", "labels": { "kubernetes.io/service-name": "api" } },
            "ports": [{ "name": "tls", "port": self.back.port }],
            "endpoints": [{ "addresses": ["127.0.0.1"] }],
        })
    }

    fn service() -> Value {
        json!({
            "kind": "Service", "metadata": { "namespace": "shop", "name": "api" },
            "spec": { "ports": [{ "name": "tls", "port": 8443 }] },
        })
    }

    fn run(&self, objects: &[Value], more: &[&str]) -> Run {
        objects.iter().for_each(crds::check);
        let all = [objects, &[Self::service(), self.endpoints()]].concat();
        let list = json!({ "kind": "List", "apiVersion": "v1", "items": all }).to_string();
        shakedown_with(&[&["nginx", "-"], more].concat(), &list)
    }

    fn audit(&self, objects: &[Value], more: &[&str]) -> Value {
        let run = self.run(objects, &[&["--format", "json"], more].concat());
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr))
    }

    /// The manifests that mend the objects.
    fn fixes(&self, objects: &[Value], more: &[&str]) -> Vec<Value> {
        let run = self.run(objects, &[&["--diff"], more].concat());
        let documents = serde_yaml_ng::Deserializer::from_str(&run.stdout);
        documents.map(|document| Value::deserialize(document).unwrap()).collect()
    }
}

/// Puts the fields of a manifest into the object, as the API server does.
fn apply(object: &mut Value, manifest: &Value) {
    match (object, manifest) {
        (Value::Object(fields), Value::Object(new)) => {
            for (name, value) in new {
                apply(fields.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (object, manifest) => *object = manifest.clone(),
    }
}

fn gateway(hostname: &str) -> Vec<Value> {
    let meta = |name: &str| json!({ "namespace": "shop", "name": name });
    vec![
        json!({
            "kind": "Gateway", "metadata": meta("gw"),
            "spec": { "gatewayClassName": "nginx", "listeners": [{ "name": "web", "port": 80, "protocol": "HTTP" }] },
            "status": { "addresses": [{ "type": "IPAddress", "value": "127.0.0.1" }] },
        }),
        json!({
            "kind": "HTTPRoute", "metadata": meta("web"),
            "spec": {
                "parentRefs": [{ "name": "gw" }], "hostnames": ["api.test"],
                "rules": [{ "backendRefs": [{ "name": "api", "port": 8443 }] }],
            },
        }),
        json!({
            "kind": "BackendTLSPolicy", "metadata": meta("api-tls"),
            "spec": {
                "targetRefs": [{ "group": "", "kind": "Service", "name": "api", "sectionName": "tls" }],
                "validation": {
                    "hostname": hostname,
                    "caCertificateRefs": [{ "group": "", "kind": "ConfigMap", "name": "ca" }],
                },
            },
        }),
    ]
}

fn config_map(authority: &str) -> Value {
    json!({ "kind": "ConfigMap", "metadata": { "namespace": "shop", "name": "ca" }, "data": { "ca.crt": authority } })
}

fn backend(report: &Value) -> &Value {
    let targets = report["targets"].as_array().unwrap();
    let is_backend = |one: &&Value| one["role"] == "upstream";
    targets.iter().find(is_backend).unwrap_or_else(|| panic!("{report:#}"))
}

fn finding<'r>(target: &'r Value, rule: &str) -> &'r Value {
    let findings = target["findings"].as_array().unwrap();
    findings.iter().find(|one| one["rule"] == rule).unwrap_or_else(|| panic!("{target:#}"))
}

fn directives(finding: &Value) -> Vec<(&str, &str, &str)> {
    let all = finding["fix"]["directives"].as_array().unwrap().iter();
    all.map(|one| (text(&one["file"]), text(&one["name"]), text(&one["value"]))).collect()
}

#[test]
fn a_backend_of_a_gateway_is_met_as_its_policy_says() {
    let shop = Shop::new();
    let map = config_map(&shop.authority());
    let report = shop.audit(&[gateway("api.test"), vec![map.clone()]].concat(), &[]);
    let target = backend(&report);
    assert_eq!(target["nginx"]["as_configured"], "pass", "{target:#}");
    assert_eq!(target["origin"]["file"], "HTTPRoute/shop/web");
    let report = shop.audit(&[gateway("other.test"), vec![map]].concat(), &[]);
    let target = backend(&report);
    assert_eq!(target["nginx"]["as_configured"], "fail", "{target:#}");
    let mismatch = finding(target, "upstream-name-mismatch");
    assert_eq!(
        directives(mismatch),
        [("BackendTLSPolicy/shop/api-tls", "spec.validation.hostname", "api.test")]
    );
}

#[test]
fn what_needs_a_missing_config_map_is_untested_until_it_is_given() {
    let shop = Shop::new();
    let report = shop.audit(&gateway("api.test"), &[]);
    let target = backend(&report);
    assert_eq!(target["nginx"]["as_configured"], "untested", "{target:#}");
    let said = "ca.crt of the ConfigMap shop/ca is not in the input; add it, or give it with --secret shop/ca=FILE";
    assert!(target.to_string().contains(said), "{target:#}");
    let given = format!("shop/ca={}", shop.pki.ca_file());
    let report = shop.audit(&gateway("api.test"), &["--secret", &given]);
    assert_eq!(backend(&report)["nginx"]["as_configured"], "pass", "{report:#}");
}

/// A VirtualServer whose policy verifies the backend by the name of the upstream block.
fn virtual_server() -> [Value; 2] {
    let policy = json!({
        "kind": "Policy", "metadata": { "namespace": "shop", "name": "mtls" },
        "spec": { "egressMTLS": { "verifyServer": true, "trustedCertSecret": "ca", "serverName": true } },
    });
    let server = json!({
        "kind": "VirtualServer", "metadata": { "namespace": "shop", "name": "web" },
        "spec": {
            "host": "api.test", "policies": [{ "name": "mtls" }],
            "upstreams": [{ "name": "api", "service": "api", "port": 8443, "tls": { "enable": true } }],
            "routes": [{ "path": "/", "action": { "pass": "api" } }],
        },
        "status": { "externalEndpoints": [{ "ip": "127.0.0.1" }] },
    });
    [server, policy]
}

/// An Ingress of ingress-nginx that does.
fn ingress() -> Value {
    json!({
        "kind": "Ingress",
        "metadata": { "namespace": "shop", "name": "web", "annotations": {
            "nginx.ingress.kubernetes.io/backend-protocol": "HTTPS",
            "nginx.ingress.kubernetes.io/proxy-ssl-secret": "shop/ca",
            "nginx.ingress.kubernetes.io/proxy-ssl-verify": "on",
        } },
        "spec": { "ingressClassName": "nginx", "rules": [{ "host": "api.test", "http": { "paths": [
            { "path": "/", "pathType": "Prefix", "backend": { "service": { "name": "api", "port": { "number": 8443 } } } },
        ] } }] },
        "status": { "loadBalancer": { "ingress": [{ "ip": "127.0.0.1" }] } },
    })
}

#[test]
fn fixes_are_manifests_and_the_objects_work_with_them() {
    let shop = Shop::new();
    let given = format!("shop/ca={}", shop.pki.ca_file());
    let secret = ["--secret", &*given];
    for (mut objects, field) in [
        (gateway("other.test"), "/spec/validation/hostname"),
        (virtual_server().to_vec(), "/spec/egressMTLS/sslName"),
        (vec![ingress()], "/metadata/annotations/nginx.ingress.kubernetes.io~1proxy-ssl-name"),
    ] {
        let report = shop.audit(&objects, &secret);
        assert_eq!(backend(&report)["nginx"]["as_configured"], "fail", "{report:#}");
        let manifests = shop.fixes(&objects, &secret);
        let [manifest] = &manifests[..] else { panic!("{field}: {manifests:#?}") };
        crds::check_part(manifest);
        assert_eq!(manifest.pointer(field), Some(&json!("api.test")), "{manifest:#}");
        let is_it = |object: &&mut Value| object["kind"] == manifest["kind"];
        apply(objects.iter_mut().find(is_it).unwrap(), manifest);
        let report = shop.audit(&objects, &secret);
        assert_eq!(backend(&report)["nginx"]["as_configured"], "pass", "{report:#}");
    }
}

#[test]
fn the_examples_are_valid_objects() {
    for file in ["shop", "ingress"] {
        let text = fs::read_to_string(format!("testdata/kubernetes/{file}.json")).unwrap();
        let list: Value = serde_json::from_str(&text).unwrap();
        list["items"].as_array().unwrap().iter().for_each(crds::check);
    }
}

#[test]
fn a_verdict_that_needs_no_secret_is_given_without_it() {
    let shop = Shop::new();
    let objects = virtual_server();
    let report = shop.audit(&objects, &["--static"]);
    let doubt = finding(&report["targets"][0], "ssl-name-of-upstream-block");
    assert_eq!(doubt["evidence"][0], "at Policy/shop/mtls", "{doubt:#}");
    assert_eq!(doubt["severity"], "error", "{doubt:#}");
    assert!(text(&doubt["fix"]["text"]).contains("spec.egressMTLS.sslName"), "{doubt:#}");
    let given = format!("shop/ca={}", shop.pki.ca_file());
    let report = shop.audit(&objects, &["--secret", &given]);
    let target = backend(&report);
    assert_eq!(target["nginx"]["as_configured"], "fail", "{target:#}");
    let fixes = directives(finding(target, "upstream-name-mismatch"));
    assert!(
        fixes.contains(&("Policy/shop/mtls", "spec.egressMTLS.sslName", "api.test")),
        "{fixes:?}"
    );
}

/// A controller's lines with sockets, servers and files of this machine. `http2` is a directive from nginx 1.25.1 on.
fn on_this_machine(text: &str, pki: &Pki, pair: &str) -> String {
    let mut sockets = Vec::new();
    let lines = text.lines().filter(|line| !line.trim().starts_with("http2 ")).map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["listen", address, rest @ ..] => {
                let address = address.trim_end_matches(';');
                if !sockets.iter().any(|known| known == address) {
                    sockets.push(address.to_owned());
                }
                let number = sockets.iter().position(|known| known == address).unwrap();
                let socket = pki.path(&format!("{number}.sock")).display().to_string();
                let rest = rest.join(" ");
                format!("listen unix:{socket} {};", rest.trim_end_matches(';'))
            }
            ["server", address] if address.ends_with(';') => "server 127.0.0.1:9;".to_owned(),
            [directive, file] if file.starts_with("secret:") || file.starts_with("configmap:") => {
                let is_authority = file.ends_with(":ca.crt;");
                let own = if is_authority { pki.ca_file() } else { pair.to_owned() };
                format!("{directive} {own};")
            }
            _ => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn nginx_accepts_the_lines_that_stand_for_objects() {
    let pki = Pki::new();
    let files = pki.server("web", &["web.test"]);
    let pair = pki.path("pair.pem");
    let contents = [fs::read(&files.certificate).unwrap(), fs::read(&files.key).unwrap()].concat();
    fs::write(&pair, contents).unwrap();
    let pair = pair.display().to_string();
    let shop = include_str!("../../testdata/kubernetes/shop.json");
    let ingress = include_str!("../../testdata/kubernetes/ingress.json");
    let inputs =
        [(shop, None), (ingress, Some(NextController::Ngf)), (ingress, Some(NextController::Nic))];
    let mut tested = 0;
    for (json, next) in inputs {
        for text in read(json.as_bytes(), &Variables::new(), next).unwrap().texts {
            let main = pki.path("lines.conf");
            fs::write(&main, on_this_machine(&text, &pki, &pair)).unwrap();
            let run = Command::new(nginx_binary())
                .args(["-t", "-q", "-c", main.to_str().unwrap(), "-g"])
                .arg(format!("pid {};", pki.path("lines.pid").display()))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&run.stderr);
            assert!(run.status.success(), "{said}\n{}", fs::read_to_string(&main).unwrap());
            tested += 1;
        }
    }
    assert!(tested >= 4, "{tested}");
}
