//! The output of `nginx`: patches that apply even if files are links, copies that nginx can test, and verdicts that
//! need no connection.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::pki::Pki;
use crate::support::program::shakedown;
use crate::support::server::{Nginx, nginx_binary};

/// A configuration in Debian's layout: the site is a link, and everything is included by its full name.
fn debian(folder: &Path, port: u16) {
    let at = |name: &str| folder.join(name);
    for name in ["sites-available", "sites-enabled"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    let here = folder.display();
    fs::write(
        at("nginx.conf"),
        format!("events {{}}\npid {here}/pid;\nhttp {{\n    access_log off;\n    include {here}/sites-enabled/*;\n}}\n"),
    )
    .unwrap();
    fs::write(
        at("sites-available/site"),
        format!("server {{\n    listen 127.0.0.1:1;\n    location / {{\n        proxy_pass https://127.0.0.1:{port};\n    }}\n}}\n"),
    )
    .unwrap();
    symlink(at("sites-available/site"), at("sites-enabled/site")).unwrap();
}

/// An upstream that nginx 1.22 reaches only with a directive.
fn upstream(pki: &Pki) -> Nginx {
    let files = pki.server("api", &["api.test"]);
    let (certificate, key) = (files.certificate.display(), files.key.display());
    Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.3; ssl_certificate {certificate}; \
         ssl_certificate_key {key}; }}"
    ))
}

#[test]
fn a_patch_applies_although_the_site_is_a_link() {
    let (folder, pki) = (tempfile::tempdir().unwrap(), Pki::new());
    let upstream = upstream(&pki);
    debian(folder.path(), upstream.port);
    let main = folder.path().join("nginx.conf").display().to_string();
    let args = ["nginx", &main, "--nginx-version", "1.22.1", "--trust", "mozilla", "--diff"];
    let run = shakedown(&args);
    assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("patch -p1 -d / < FILE"), "{}", run.stderr);
    let mut patch = Command::new("patch")
        .args(["-p1", "-d", "/"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    patch.stdin.take().unwrap().write_all(run.stdout.as_bytes()).unwrap();
    assert!(patch.wait().unwrap().success(), "{}", run.stdout);
    let site = fs::read_to_string(folder.path().join("sites-available/site")).unwrap();
    assert!(site.contains("proxy_ssl_protocols"), "{site}");
    assert!(folder.path().join("sites-enabled/site").is_symlink());
    assert_eq!(shakedown(&args).status, 0);
}

#[test]
fn a_copy_includes_itself_and_nothing_of_the_original() {
    let (folder, pki) = (tempfile::tempdir().unwrap(), Pki::new());
    let upstream = upstream(&pki);
    debian(folder.path(), upstream.port);
    let main = folder.path().join("nginx.conf").display().to_string();
    let copy = folder.path().join("copy");
    let written = copy.display().to_string();
    let args =
        ["nginx", &main, "--nginx-version", "1.22.1", "--trust", "mozilla", "--write", &written];
    assert_eq!(shakedown(&args).status, 1);
    // The original no longer matters.
    fs::remove_file(folder.path().join("sites-enabled/site")).unwrap();
    let copied = copy.join(main.trim_start_matches('/')).display().to_string();
    let dump = Command::new(nginx_binary())
        .args(["-T", "-c", &copied, "-e", "/dev/null"])
        .output()
        .unwrap();
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(dump.contains("proxy_ssl_protocols"), "{dump}");
}

#[test]
fn the_command_for_the_copy_works_although_certificates_have_relative_names() {
    let pki = Pki::new();
    let upstream = upstream(&pki);
    let files = pki.server("a", &["a.test"]);
    let name = |path: &Path| path.strip_prefix(pki.folder.path()).unwrap().display().to_string();
    let main = pki.path("nginx.conf");
    let text = format!(
        "events {{}}\nhttp {{\n    access_log off;\n    server {{\n        listen 127.0.0.1:1 ssl;\n        \
         ssl_certificate {}; ssl_certificate_key \"{}\";\n        location / {{\n            \
         proxy_pass https://127.0.0.1:{};\n        }}\n    }}\n}}\n",
        name(&files.certificate),
        name(&files.key),
        upstream.port
    );
    fs::write(&main, text).unwrap();
    let written = pki.path("copy").display().to_string();
    let main = main.display().to_string();
    let run = shakedown(&["nginx", &main, "--nginx-version", "1.22.1", "--write", &written]);
    let (_, command) = run.stderr.split_once("to test the copy: nginx ").unwrap();
    let pid = format!("pid {};", pki.path("pid").display());
    let test = Command::new(nginx_binary())
        .args(command.split_whitespace())
        .args(["-e", "stderr", "-g", &pid])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&test.stderr).into_owned();
    assert!(said.contains("syntax is ok"), "{said}");
}

#[test]
fn a_checkout_is_judged_without_its_servers() {
    let folder = tempfile::tempdir().unwrap();
    let etc = folder.path().join("rootfs/etc/nginx");
    fs::create_dir_all(&etc).unwrap();
    fs::write(
        etc.join("nginx.conf"),
        "events {}\nhttp {\n    server {\n        listen 443;\n        location / { proxy_pass https://a.invalid; }\n    }\n}\n",
    )
    .unwrap();
    let run = |config: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_shakedown"))
            .args(["nginx", "--static", "--root", "rootfs", "--trust", "mozilla"])
            .args(["--format", "sarif", "--fail-on", "note", config])
            .current_dir(folder.path())
            .env_clear()
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let results = report["runs"][0]["results"].as_array().unwrap().clone();
        (output.status.code(), results)
    };
    for config in ["/etc/nginx/nginx.conf", "rootfs/etc/nginx/nginx.conf", "etc/nginx"] {
        let (status, results) = run(config);
        assert_eq!(status, Some(1), "{config}");
        assert!(!results.is_empty());
        for result in results {
            let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            assert_eq!(place, "rootfs/etc/nginx/nginx.conf", "{config}");
        }
    }
}
