//! `shakedown nginx`: from a configuration to its listeners and upstreams, and to fixes that work with real servers.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::pki::Pki;
use crate::support::program::{Run, shakedown, shakedown_with, text};
use crate::support::server::{Nginx, free_port, nginx_binary};

/// A proxy in front of an upstream that requires a name, and of one that only accepts TLS 1.3 and is verified.
struct Scene {
    pki: Pki,
    back: Nginx,
    front: Nginx,
    main: String,
}

impl Scene {
    fn new() -> Self {
        let pki = Pki::new();
        let api = pki.server("api", &["api.test"]);
        let www = pki.server("www", &["www.test"]);
        let pair = |files: &crate::support::pki::Files| {
            format!(
                "ssl_certificate {}; ssl_certificate_key {};",
                files.certificate.display(),
                files.key.display()
            )
        };
        let (api, www) = (pair(&api), pair(&www));
        let back = Nginx::start(&format!(
            "server {{ listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }}
             server {{ listen 127.0.0.1:PORT ssl; server_name api.test; {api} return 200 ok; }}
             server {{ listen 127.0.0.2:PORT ssl; ssl_protocols TLSv1.3; {api} return 200 ok; }}"
        ));
        let site = format!(
            "upstream backend {{\n    server 127.0.0.1:{0};\n}}\nserver {{\n    listen 127.0.0.1:PORT;\n    \
             listen 127.0.0.1:TLS ssl;\n    server_name www.test;\n    {www}\n    location / {{\n        \
             proxy_pass https://backend;\n        proxy_set_header Host api.test;\n    }}\n    location /new {{\n        \
             proxy_pass https://127.0.0.2:{0};\n        proxy_set_header Host api.test;\n        proxy_ssl_protocols TLSv1.2;\n        proxy_ssl_verify on;\n        \
             proxy_ssl_trusted_certificate {1};\n    }}\n}}\n",
            back.port,
            pki.ca_file()
        );
        let tls = free_port().to_string();
        let folder = pki.path("conf");
        fs::create_dir_all(folder.join("sites")).unwrap();
        let main = folder.join("nginx.conf");
        fs::write(&main, "events {}\nhttp {\n    include sites/*.conf;\n}\n").unwrap();
        let front = Nginx::start_with(|port| {
            let site =
                site.replace("PORT", &port.to_string()).replace("TLS ssl", &format!("{tls} ssl"));
            fs::write(folder.join("sites/site.conf"), &site).unwrap();
            format!("http {{ access_log off; {site} }}")
        });
        Self { main: main.display().to_string(), pki, back, front }
    }

    fn audit(&self, more: &[&str]) -> Run {
        let (ca_file, binary) = (self.pki.ca_file(), nginx_binary().display().to_string());
        let fixed = ["nginx", &self.main, "--ca-file", &ca_file, "--nginx-binary", &binary];
        shakedown(&[&fixed, more].concat())
    }

    fn report(&self, more: &[&str]) -> Value {
        let run = self.audit(&[&["--format", "json"], more].concat());
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr))
    }
}

fn target<'r>(report: &'r Value, part: &str) -> &'r Value {
    let targets = report["targets"].as_array().unwrap();
    targets
        .iter()
        .find(|one| text(&one["name"]).contains(part))
        .unwrap_or_else(|| panic!("{report:#}"))
}

fn finding<'r>(target: &'r Value, rule: &str) -> &'r Value {
    let findings = target["findings"].as_array().unwrap();
    findings.iter().find(|one| one["rule"] == rule).unwrap_or_else(|| panic!("{target:#}"))
}

fn status(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: www.test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn every_place_with_the_same_settings_is_listed() {
    let pki = Pki::new();
    let main = pki.path("same.conf");
    let conf = "events {}\nhttp { server {\n    listen 127.0.0.1:1;\n    location /a { proxy_pass https://127.0.0.1:9; }\n    \
                location /b { proxy_pass https://127.0.0.1:9; }\n    location /c { proxy_pass https://127.0.0.1:9; }\n} }\n";
    fs::write(&main, conf).unwrap();
    let main = main.display().to_string();
    let audit = |format: &str| -> Value {
        let run = shakedown(&["nginx", &main, "--nginx-version", "1.28.0", "--format", format]);
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr))
    };
    let lines = |places: &Value, at: &dyn Fn(&Value) -> Value| -> Vec<Value> {
        places.as_array().unwrap().iter().map(at).collect()
    };
    let report = audit("json");
    let target = target(&report, "https://127.0.0.1:9");
    assert_eq!(target["origin"]["line"], 4);
    assert_eq!(lines(&target["origins"], &|place| place["line"].clone()), [4, 5, 6]);

    let report = audit("sarif");
    let result = &report["runs"][0]["results"][0];
    let line = |place: &Value| place["physicalLocation"]["region"]["startLine"].clone();
    assert_eq!(lines(&result["locations"], &line), [4], "{result:#}");
    assert_eq!(lines(&result["relatedLocations"], &line), [5, 6], "{result:#}");
}

#[test]
fn every_listener_and_upstream_is_audited_with_its_place() {
    let scene = Scene::new();
    let report = scene.report(&[]);
    let listener = target(&report, "www.test:");
    assert_eq!(listener["status"], "pass", "{listener:#}");
    assert!(text(&listener["origin"]["file"]).ends_with("sites/site.conf"));
    assert_eq!(listener["origin"]["line"], 6);

    let backend = target(&report, "https://backend");
    assert_eq!(backend["nginx"]["as_configured"], "fail");
    let line = text(&backend["nginx"]["error_log_line"]);
    assert_eq!(status(scene.front.port, "/"), "502");
    assert!(scene.front.logs(line.split(", upstream").next().unwrap()), "{line}");
    let fix = &finding(backend, "upstream-sni-missing")["fix"];
    assert_eq!(fix["verified"], true);
    assert_eq!(fix["directives"][0]["name"], "proxy_ssl_server_name");
    assert_eq!(fix["directives"][1]["value"], "api.test");
    assert_eq!(fix["directives"][0]["line"], 10);

    let new = target(&report, "https://127.0.0.2");
    let findings = new["findings"].as_array().unwrap();
    assert!(findings.iter().all(|one| one["rule"] != "hostname-mismatch"), "{new:#}");
    assert_eq!(finding(new, "upstream-protocol-mismatch")["fix"]["verified"], true, "{new:#}");
    assert_eq!(scene.back.port, u16::try_from(new["port"].as_u64().unwrap()).unwrap());
}

#[test]
fn the_patch_applies_and_the_patched_configuration_works() {
    let scene = Scene::new();
    let folder = scene.pki.path("patched");
    let run = scene.audit(&["--diff", "--write", folder.to_str().unwrap()]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    // patch(1) ignores text before a diff.
    let copy = scene.pki.path("copy");
    fs::create_dir_all(&copy).unwrap();
    let original = Path::new(&scene.main).parent().unwrap().join("sites/site.conf");
    let below = original.strip_prefix("/").unwrap();
    fs::create_dir_all(copy.join(below).parent().unwrap()).unwrap();
    fs::copy(&original, copy.join(below)).unwrap();
    let mut patch = Command::new("patch")
        .args(["-p1", "-s", "-d", copy.to_str().unwrap()])
        .stdin(Stdio::piped())
        .spawn()
        .expect("patch is needed: install the package patch");
    patch.stdin.take().unwrap().write_all(run.stdout.as_bytes()).unwrap();
    assert!(patch.wait().unwrap().success(), "{}", run.stdout);
    let patched = fs::read_to_string(copy.join(below)).unwrap();
    assert_eq!(patched, fs::read_to_string(folder.join(below)).unwrap());
    assert!(fs::read_to_string(&original).unwrap() != patched);

    let front = Nginx::start_with(|port| {
        let site = patched
            .replace(&format!("127.0.0.1:{};", scene.front.port), &format!("127.0.0.1:{port};"));
        let tls = site.lines().find(|line| line.ends_with(" ssl;")).unwrap().to_owned();
        format!("http {{ access_log off; {} }}", site.replace(&tls, ""))
    });
    for path in ["/", "/new"] {
        assert_eq!(status(front.port, path), "200", "{path}: {}", front.error_log());
    }
}

#[test]
fn a_dump_on_stdin_says_the_same_as_the_files() {
    let scene = Scene::new();
    let dump = Command::new(nginx_binary())
        .args(["-T", "-c", &scene.main, "-g", "error_log stderr; pid /dev/null;"])
        .output()
        .unwrap();
    assert!(dump.status.success(), "{dump:?}");
    let ca_file = scene.pki.ca_file();
    let args = ["nginx", "-", "--ca-file", &ca_file, "--format", "json"];
    let run = shakedown_with(&args, &String::from_utf8(dump.stdout).unwrap());
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let backend = target(&report, "https://backend");
    let directives = &finding(backend, "upstream-sni-missing")["fix"]["directives"];
    assert!(text(&directives[0]["file"]).ends_with("conf/sites/site.conf"));
}

#[test]
fn a_certificate_that_was_renewed_and_not_loaded_is_found() {
    let scene = Scene::new();
    scene.pki.server("www", &["www.test"]);
    let report = scene.report(&[]);
    let listener = target(&report, "www.test:");
    assert_eq!(finding(listener, "served-certificate-stale")["severity"], "warning");
}

#[test]
fn what_cannot_be_probed_is_reported_and_does_not_pass() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("nginx.conf");
    let check = |http: &str| {
        fs::write(&main, format!("events {{}}\nhttp {{\n{http}\n}}\n")).unwrap();
        let run = shakedown(&["nginx", main.to_str().unwrap(), "--format", "json"]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap_or(Value::Null);
        (run, report)
    };
    let (run, report) = check("server { listen 81; location / { proxy_pass https://$arg_x; } }");
    assert_eq!(run.status, 3, "{report:#}");
    let reason = text(&report["targets"][0]["untested"][0]["reason"]);
    assert!(reason.contains("--var arg_x=VALUE"), "{reason}");
    let (run, _) = check("server { listen 81;\n  location / { proxy_pass https://a.test }\n}");
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("unexpected \"}\" in"), "{}", run.stderr);
    let (run, _) = check("server { listen 81; }");
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("no listener or upstream with TLS"), "{}", run.stderr);
}

#[test]
fn a_server_with_an_expression_is_asked_for_a_name_that_fits() {
    let pki = Pki::new();
    let (by_default, own) = (pki.server("default", &["www.test"]), pki.server("own", &["a.test"]));
    let server = |name: &str, files: &crate::support::pki::Files| {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        format!(
            "server {{ listen 127.0.0.1:PORT ssl; server_name {name}; ssl_certificate {certificate}; \
             ssl_certificate_key {key}; }}\n"
        )
    };
    let expression = r"~^(?<shop>[a-z]+)\.shops\.test$";
    let http = server("www.test", &by_default) + &server(&format!("\"{expression}\""), &own);
    let nginx = Nginx::start(&http);
    let main = pki.path("nginx.conf");
    let http = http.replace("PORT", &nginx.port.to_string());
    fs::write(&main, format!("events {{}}\nhttp {{\n{http}}}\n")).unwrap();
    let ca_file = pki.ca_file();
    let args = ["nginx", main.to_str().unwrap(), "--ca-file", &ca_file, "--format", "json"];
    let run = shakedown(&args);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let found = target(&report, "an example of ~^(?<shop>");
    assert!(text(&found["name"]).starts_with("a.shops.test:"), "{found:#}");
    // The certificate is the one in the file of that server.
    assert_eq!(found["status"], "pass", "{found:#}");
}

#[test]
fn a_diff_goes_with_a_report_for_people_or_beside_one_in_a_file() {
    let scene = Scene::new();
    let run = scene.audit(&["--diff", "--format", "json"]);
    assert_eq!(run.status, 2, "{}", run.stdout);
    let file = scene.pki.path("report.json");
    let run = scene.audit(&["--diff", "--format", "json", "--output", file.to_str().unwrap()]);
    assert!(run.stdout.starts_with("--- a/"), "{}{}", run.stdout, run.stderr);
    let full = scene.pki.path("full");
    fs::create_dir_all(full.join("x")).unwrap();
    let run = scene.audit(&["--write", full.to_str().unwrap()]);
    assert!(run.stderr.contains("is not empty"), "{}", run.stderr);
    assert_eq!((run.status, &*run.stdout), (2, ""), "nothing is probed");
}

#[test]
fn a_fix_names_the_file_of_roots_so_that_nginx_finds_it() {
    let scene = Scene::new();
    let ca_file = scene.pki.ca_file();
    let depth = std::env::current_dir().unwrap().components().count() - 1;
    let relative = format!("{}{}", "../".repeat(depth), ca_file.trim_start_matches('/'));
    let address = format!("127.0.0.1:{}", scene.back.port);
    let upstream = ["probe", "--format", "json", "--as-nginx", "--ca-file", &relative, &address];
    let name = ["--proxy-ssl-server-name", "on", "--proxy-ssl-name", "api.test"];
    let run = shakedown(&[&upstream[..], &name].concat());
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let found = target(&report, &address);
    let findings = found["findings"].as_array().unwrap();
    assert!(findings.iter().all(|one| one["rule"] != "hostname-mismatch"), "{found:#}");
    let fix = &finding(found, "upstream-verify-off")["fix"];
    assert_eq!(fix["verified"], true, "{fix:#}");
    let value = text(&fix["directives"][1]["value"]);
    assert!(Path::new(value).is_absolute() && value.ends_with(&ca_file), "{fix:#}");
}

#[test]
fn annotations_of_an_ingress_are_read() {
    let ingress = r#"{"kind": "Ingress", "metadata": {"namespace": "shop", "name": "web", "annotations":
        {"nginx.ingress.kubernetes.io/backend-protocol": "HTTPS"}},
        "spec": {"rules": [{"host": "www.test", "http": {"paths": [{"path": "/", "pathType": "Prefix",
        "backend": {"service": {"name": "web", "port": {"number": 8443}}}}]}}]}}"#;
    let run = shakedown_with(&["nginx", "-", "--format", "json"], ingress);
    let report: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
    assert!(text(&report["targets"][0]["name"]).contains("8443"), "{report:#}");
}

#[test]
fn findings_about_directives_have_their_place() {
    let scene = Scene::new();
    let site = Path::new(&scene.main).parent().unwrap().join("sites/site.conf");
    let site_text = fs::read_to_string(&site).unwrap();
    let verified = "proxy_ssl_verify on; proxy_ssl_trusted_certificate";
    let backend =
        format!("{verified} {};\n        proxy_pass https://backend;", scene.pki.ca_file());
    let doubtful = |comment: &str| {
        let backend = backend.replace("backend;", &format!("backend; {comment}"));
        fs::write(&site, site_text.replace("proxy_pass https://backend;", &backend)).unwrap();
        let run = scene.audit(&["--format", "gitlab"]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let all = report.as_array().unwrap().clone();
        let wanted = |one: &Value| {
            one["check_name"] == "ssl-name-of-upstream-block" && one.to_string().contains("backend")
        };
        (all.into_iter().find(wanted), run.stderr)
    };
    let (found, _) = doubtful("");
    let location = &found.unwrap()["location"];
    assert!(text(&location["path"]).ends_with("site.conf"), "{location}");
    let ignored = "# shakedown: ignore[configuration-doubtful] the name is on the certificate";
    let (_, said) = doubtful(ignored);
    assert!(!said.contains("no longer found here"), "{said}");
}

#[test]
fn ssl_on_is_refused_by_the_releases_that_no_longer_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("nginx.conf");
    let configured = "events {}\nhttp {\nserver {\n    listen 127.0.0.1:1 ssl;\n    ssl on;\n    \
        ssl_reject_handshake on;\n}\n}\n";
    fs::write(&main, configured).unwrap();
    let audit = |version: &str| {
        let path = main.to_str().unwrap();
        shakedown(&["nginx", path, "--nginx-version", version, "--format", "json"])
    };
    let run = audit("1.25.1");
    assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let found = finding(target(&report, "nginx.conf"), "directive-removed");
    assert_eq!(found["group"], "configuration-refused");
    assert!(text(&found["message"]).contains("unknown directive \"ssl\""), "{found:#}");
    assert!(found["evidence"].to_string().contains("nginx.conf:5"), "{found:#}");
    let run = audit("1.24.0");
    assert!(!run.stdout.contains("directive-removed"), "{}", run.stdout);
}

#[test]
fn the_name_of_a_group_lists_its_rules() {
    let run = shakedown(&["explain", "configuration-refused"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stdout.contains("  directive-removed "), "{}", run.stdout);
    assert!(!run.stdout.contains("server-name-conflict"), "{}", run.stdout);
}

/// A configuration that a real nginx runs, and the result of its audit.
struct Site {
    pki: Pki,
    nginx: Nginx,
    report: Value,
    status: i32,
}

impl Site {
    /// `PAIR` is replaced by a certificate of a.test with its key, `PORT` by the port and `TLS` by a second one.
    fn audit(text: &str) -> Self {
        let pki = Pki::new();
        let files = pki.server("a", &["a.test"]);
        let pair = format!(
            "ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {}; ssl_certificate_key {};",
            files.certificate.display(),
            files.key.display()
        );
        let (main, tls) = (pki.path("nginx.conf"), free_port().to_string());
        let nginx = Nginx::start_with(|port| {
            let text = text.replace("PAIR", &pair).replace("PORT", &port.to_string());
            let text = text.replace("TLS:", &tls);
            fs::write(&main, format!("events {{}}\n{text}")).unwrap();
            text
        });
        let ca_file = pki.ca_file();
        let args = ["nginx", main.to_str().unwrap(), "--ca-file", &ca_file, "--format", "json"];
        let run = shakedown(&args);
        let report = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
        Self { pki, nginx, report, status: run.status }
    }

    fn rules(&self) -> Vec<String> {
        let targets = self.report["targets"].as_array().unwrap();
        let findings = targets.iter().flat_map(|one| one["findings"].as_array().unwrap());
        findings.map(|one| text(&one["rule"]).to_owned()).collect()
    }
}

#[test]
fn a_plain_server_on_a_tls_socket_is_a_collision_and_no_wrong_name() {
    let site = Site::audit(
        "http { server { listen 127.0.0.1:PORT ssl; server_name a.test; PAIR return 204; }
         server { listen 127.0.0.1:PORT; server_name www.test; return 204; } }",
    );
    let rules = site.rules();
    assert!(rules.iter().any(|rule| rule == "listen-ssl-conflict"), "{:#}", site.report);
    assert!(!rules.iter().any(|rule| rule == "hostname-mismatch"), "{:#}", site.report);
    assert_eq!(status(site.nginx.port, "/"), "400");
    drop(site.pki);
}

#[test]
fn variables_in_the_path_of_an_upstream_do_not_stop_the_audit() {
    let site = Site::audit(
        "http { server { listen 127.0.0.1:TLS: ssl; server_name a.test; PAIR return 204; }
         server { listen 127.0.0.1:PORT;
           location ~ ^/api/(.*)$ { proxy_pass https://127.0.0.1:TLS:/$1$is_args$args; }
           location ~ ^/x/(?<rest>.*)$ { proxy_pass https://127.0.0.1:TLS:/$rest/$arg_x?c=$cookie_c; } } }",
    );
    for path in ["/api/y?a=1", "/x/y?x=1"] {
        assert_eq!(status(site.nginx.port, path), "204", "{path}");
    }
    let upstream = target(&site.report, "https://127.0.0.1");
    assert_eq!(upstream["nginx"]["as_configured"], "pass", "{upstream:#}");
    assert_ne!(site.status, 3, "{:#}", site.report);
}

#[test]
fn a_name_with_a_star_behind_is_asked_for_by_one_that_leads_there() {
    let site = Site::audit(
        "http { server { listen 127.0.0.1:PORT ssl default_server; server_name a.test; PAIR return 204; }
         server { listen 127.0.0.1:PORT ssl; server_name app.*; PAIR return 204; } }",
    );
    let app = target(&site.report, "app.test:");
    let name = text(&app["name"]);
    assert!(name.contains("an example of app.*") && name.contains("probe NAME:"), "{name}");
    assert_eq!(app["status"], "pass", "{app:#}");
    assert_ne!(site.status, 3, "{:#}", site.report);
}

#[test]
fn sockets_that_pass_tls_on_could_not_be_tested_and_plain_ones_do_not_matter() {
    let site = |preread: &str| {
        Site::audit(&format!(
            "stream {{ server {{ listen 127.0.0.1:PORT; {preread} proxy_pass 127.0.0.1:TLS:; }} }}
             http {{ server {{ listen 127.0.0.1:TLS: ssl; server_name a.test; PAIR return 204; }} }}"
        ))
    };
    let passed = site("ssl_preread on;");
    assert_eq!(passed.status, 3, "{:#}", passed.report);
    let socket = target(&passed.report, &format!("127.0.0.1:{}", passed.nginx.port));
    assert!(text(&socket["untested"][0]["reason"]).contains("ssl_preread"), "{socket:#}");
    let plain = site("");
    assert_eq!(plain.status, 0, "{:#}", plain.report);
}

#[test]
fn saved_observations_of_a_configuration_say_the_same_again() {
    let scene = Scene::new();
    let saved = scene.pki.path("seen.jsonl").display().to_string();
    let recorded = scene.audit(&["--format", "json", "--save-observations", &saved]);
    let report: Value = serde_json::from_str(&recorded.stdout).unwrap();
    let api = target(&report, "backend");
    assert_eq!(api["findings"][0]["fix"]["verified"], true, "{api:#}");
    let Scene { pki: _pki, back, front, .. } = scene;
    drop((back, front));
    let replayed = shakedown(&["replay", &saved, "--format", "json"]);
    assert_eq!(replayed.status, recorded.status, "{}", replayed.stderr);
    let replayed: Value = serde_json::from_str(&replayed.stdout).unwrap();
    assert_eq!(replayed["targets"], report["targets"]);
    assert_eq!(replayed["summary"], report["summary"]);
}
