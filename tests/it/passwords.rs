//! Encrypted keys and files of passwords: opened, or refused, as nginx does it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::pki::{Files, OpenSslAuthority, Pki};
use crate::support::program::{shakedown, text};
use crate::support::server::{Nginx, nginx_binary};

/// The kinds of encrypted keys: a name, and the arguments with which the openssl command writes them.
const KINDS: [(&str, &[&str]); 8] = [
    ("aes256", &["pkcs8", "-topk8", "-v2", "aes-256-cbc"]),
    ("aes192", &["pkcs8", "-topk8", "-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA512"]),
    ("sha1", &["pkcs8", "-topk8", "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"]),
    ("des3", &["pkcs8", "-topk8", "-v2", "des3", "-iter", "10000"]),
    ("scrypt", &["pkcs8", "-topk8", "-scrypt"]),
    ("older-aes256", &["rsa", "-traditional", "-aes256"]),
    ("older-aes128", &["rsa", "-traditional", "-aes128"]),
    ("older-des3", &["rsa", "-traditional", "-des3"]),
];

/// Files of passwords. A line of 4095 bytes fits in nginx's buffer with its end, and a password has at most 1024 bytes.
fn password_files(folder: &Path) -> Vec<&'static str> {
    let long = "x".repeat(4095);
    let all = [
        ("right", "right\n".to_owned()),
        ("wrong", "wrong\nalso wrong\n".to_owned()),
        ("second", "wrong\r\n\r\nright\r\n".to_owned()),
        ("no-end", "wrong\nright".to_owned()),
        ("spaces", " right\nright \n".to_owned()),
        ("empty", String::new()),
        ("blank", "\n\r\n".to_owned()),
        ("fits", format!("{long}\nright\n")),
        ("too-long", format!("right\n{long}x\n")),
        ("too-long-cr", format!("right\n{long}\r\n")),
    ];
    for (name, text) in &all {
        fs::write(folder.join(name), text).unwrap();
    }
    fs::create_dir(folder.join("folder")).unwrap();
    all.iter().map(|(name, _)| *name).chain(["folder", "missing"]).collect()
}

/// A key in every kind of encryption, each with the password `right`.
fn lock(key: &Path, folder: &Path) -> Vec<PathBuf> {
    let lock = |(name, arguments): &(&str, &[&str])| {
        let locked = folder.join(format!("{name}.key"));
        let mut openssl = Command::new("openssl");
        openssl.args(*arguments).args(["-passout", "pass:right", "-in"]).arg(key);
        let output = openssl.arg("-out").arg(&locked).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        locked
    };
    KINDS.iter().map(lock).collect()
}

/// An RSA certificate, its key in every kind of encryption, and files of passwords.
struct Scene {
    folder: TempDir,
    pki: Pki,
    files: Files,
    keys: Vec<PathBuf>,
    passwords: Vec<&'static str>,
}

impl Scene {
    fn new() -> Self {
        let (folder, pki) = (tempfile::tempdir().unwrap(), Pki::rsa());
        let files = pki.client("client");
        let keys = lock(&files.key, folder.path());
        let passwords = password_files(folder.path());
        Self { folder, pki, files, keys, passwords }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What nginx says without a terminal: its first message, without the time. `None` if it accepts the configuration.
    fn theirs(&self, main: &str) -> Option<String> {
        let mut nginx = Command::new("setsid");
        nginx.arg(nginx_binary()).arg("-p").arg(self.folder.path());
        let output = nginx.args(["-e", "stderr", "-t", "-c", main]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, error) = said.lines().find_map(|line| line.split_once("[emerg] "))?;
        Some(error.split_once(": ").map_or(error, |(_, words)| words).to_owned())
    }

    /// The findings that refuse the configuration: their rules, messages and lines.
    fn ours(main: &str) -> Vec<(String, String, u64)> {
        let run = shakedown(&[
            "nginx",
            main,
            "--static",
            "--nginx-version",
            "1.22.1",
            "--openssl-version",
            "3.0",
            "--format",
            "json",
        ]);
        let report: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
        let targets = report["targets"].as_array().unwrap().iter();
        let findings = targets.flat_map(|one| one["findings"].as_array().unwrap());
        let own = findings.filter(|one| one["group"] == "configuration-refused");
        own.map(|one| {
            let line = text(&one["evidence"][0]).rsplit(':').next().unwrap().parse().unwrap();
            (text(&one["rule"]).to_owned(), text(&one["message"]).to_owned(), line)
        })
        .collect()
    }

    /// Compares both about these lines, of which the first is the eighth and the key is in the last.
    #[track_caller]
    fn compare(&self, before: &str, lines: &str, password_line: u64, key_line: u64) {
        let main = self.path("nginx.conf");
        let text =
            format!("error_log stderr;\npid nginx.pid;\nevents {{\n}}\n{before}{lines}\n}}\n}}\n");
        fs::write(&main, text).unwrap();
        let (theirs, ours) = (self.theirs(&main), Self::ours(&main));
        let Some(theirs) = theirs else {
            assert_eq!(ours, [], "nginx accepts {lines}");
            return;
        };
        let head = |words: &str| words.split(" (").next().unwrap().to_owned();
        let (words, line) = match theirs.rsplit_once(&format!(" in {main}:")) {
            Some((words, line)) => (words, line.parse().unwrap()),
            None => (theirs.as_str(), key_line),
        };
        assert!(line == key_line || line == password_line, "{theirs}");
        let same = |(rule, own, at): &(String, String, u64)| {
            rule == "file-refused" && head(own) == head(words) && *at == line
        };
        assert!(ours.iter().any(same), "{lines}: {theirs}, not {ours:?}");
    }
}

#[test]
fn keys_of_listeners_are_opened_and_refused_as_nginx_does() {
    let scene = Scene::new();
    let certificate = scene.files.certificate.display();
    for key in &scene.keys {
        let key = key.display();
        let before = "http {\nserver {\nlisten 127.0.0.1:1 ssl;\n";
        for file in &scene.passwords {
            let lines = format!(
                "ssl_certificate {certificate};\nssl_password_file {file};\nssl_certificate_key {key};"
            );
            scene.compare(before, &lines, 9, 10);
        }
        let lines = format!("\nssl_certificate {certificate};\nssl_certificate_key {key};");
        scene.compare(before, &lines, 9, 10);
    }
}

#[test]
fn keys_for_upstreams_are_opened_and_refused_as_nginx_does() {
    let scene = Scene::new();
    let certificate = scene.files.certificate.display();
    for (prefix, pass) in [
        ("proxy", "https://127.0.0.1:1"),
        ("grpc", "grpcs://127.0.0.1:1"),
        ("uwsgi", "suwsgi://127.0.0.1:1"),
    ] {
        for (key, file) in
            [(0, "right"), (5, "wrong"), (5, "second"), (4, "missing"), (3, "too-long")]
        {
            let key = scene.keys[key].display();
            let before = "http {\nserver {\nlisten 127.0.0.1:1;\n";
            let lines = format!(
                "{prefix}_ssl_certificate {certificate};\n{prefix}_ssl_password_file {file};\n{prefix}_ssl_certificate_key {key};\n\
                 location / {{ {prefix}_pass {pass}; }}"
            );
            scene.compare(before, &lines, 9, 10);
        }
    }
    // The file is read even where no key needs it.
    let before = "http {\nserver {\nlisten 127.0.0.1:1;\n";
    scene.compare(before, "\nproxy_ssl_password_file missing;\n", 9, 10);
    scene.compare(before, "\nssl_password_file folder;\n", 9, 10);
}

#[test]
fn a_client_certificate_with_an_encrypted_key_is_presented() {
    let scene = Scene::new();
    let server = scene.pki.server("server", &["a.test"]);
    let (pair, ca_file) = (
        format!(
            "ssl_certificate {}; ssl_certificate_key {};",
            server.certificate.display(),
            server.key.display()
        ),
        scene.pki.ca_file(),
    );
    let upstream = |authority: &str| {
        Nginx::start(&format!(
            "server {{ listen 127.0.0.1:PORT ssl; {pair} ssl_verify_client on; ssl_verify_depth 2; ssl_client_certificate {authority};
             location / {{ return 204; }} }}"
        ))
    };
    // Of another name than the client's root, which nginx would find and fail to verify with.
    let stranger = OpenSslAuthority::new();
    let (trusting, other) = (upstream(&ca_file), upstream(&stranger.ca_file()));
    let certificate = scene.files.certificate.display().to_string();
    let audit = |port: u16, key: &Path, passwords: &str| {
        let main = scene.path("nginx.conf");
        let location = format!(
            "location / {{ proxy_pass https://127.0.0.1:{port}; proxy_ssl_certificate {certificate};
             proxy_ssl_certificate_key {}; proxy_ssl_password_file {passwords}; }}",
            key.display()
        );
        fs::write(
            &main,
            format!("events {{}}\nhttp {{\nserver {{\nlisten 127.0.0.1:1;\n{location}\n}}\n}}\n"),
        )
        .unwrap();
        let run = shakedown(&["nginx", &main, "--openssl-version", "3.0", "--format", "json"]);
        let report: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
        let targets = report["targets"].as_array().unwrap().iter();
        let upstream = targets.clone().find(|one| one["nginx"].is_object()).cloned();
        upstream.unwrap_or_else(|| panic!("{report:#}"))
    };
    for key in &scene.keys {
        let target = audit(trusting.port, key, "no-end");
        assert_eq!(target["nginx"]["as_configured"], "pass", "{}: {target:#}", key.display());
    }
    let target = audit(trusting.port, &scene.keys[0], "wrong");
    assert_eq!(target["nginx"]["as_configured"], "untested", "{target:#}");
    // The command that shows the failure opens the key too.
    for file in ["right", "second"] {
        let target = audit(other.port, &scene.keys[5], file);
        let findings = target["findings"].as_array().unwrap();
        let commands = findings.iter().flat_map(|one| one["reproduce"].as_array().unwrap());
        let command = commands.map(text).find(|command| command.contains("-key ")).unwrap();
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("400 The SSL certificate error"), "{file}: {command}: {output:?}");
    }
}
