//! Problems of a configuration that only the file system, OpenSSL or nginx itself can show: files, values, `nginx -t`
//! on a copy.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use shakedown::certificate::issue::Authority;
use tempfile::TempDir;
use time::Duration;

use crate::support::pki::{Files, Pki, openssl_req, pem_of};
use crate::support::program::{Run, shakedown, shakedown_with, text};
use crate::support::server::{Nginx, nginx_binary};

/// A server with a valid certificate and one more line, in its own folder.
struct Scene {
    folder: TempDir,
    pki: Pki,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), pki: Pki::new() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Writes the configuration; the tested line is the ninth.
    fn write(&self, line: &str) -> String {
        let files = self.pki.server("a", &["a.test"]);
        let configured = format!(
            "error_log stderr;\npid nginx.pid;\nevents {{}}\nhttp {{\nserver {{\nlisten 127.0.0.1:1 ssl;\n\
             ssl_certificate {};\nssl_certificate_key {};\n{}\n}}\n}}\n",
            files.certificate.display(),
            files.key.display(),
            line.replace("DIR", &self.folder.path().display().to_string())
                .replace("CA", &self.pki.ca_file()),
        );
        let main = self.path("nginx.conf");
        fs::write(&main, configured).unwrap();
        main
    }

    /// nginx's own first message; `None` if it accepts the configuration.
    fn theirs(&self) -> Option<String> {
        self.theirs_with(Path::new("/dev/null"))
    }

    /// The same with this configuration of OpenSSL.
    fn theirs_with(&self, openssl_conf: &Path) -> Option<String> {
        let mut nginx = Command::new(nginx_binary());
        nginx.env("OPENSSL_CONF", openssl_conf);
        nginx.arg("-p").arg(self.folder.path()).args(["-e", "stderr", "-t", "-c"]);
        let output = nginx.arg(self.path("nginx.conf")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let error = said.lines().find_map(|line| line.split_once("[emerg] "))?.1;
        Some(error.split_once(": ").map_or(error, |(_, words)| words).to_owned())
    }
}

/// The findings about what nginx refuses: rule, message and line.
fn found(run: &Run) -> Vec<(String, String, u64)> {
    in_group(run, "configuration-refused")
}

/// The findings of a group of rules: rule, message and line.
fn in_group(run: &Run, group: &str) -> Vec<(String, String, u64)> {
    let report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    let targets = report["targets"].as_array().unwrap().iter();
    let findings = targets.flat_map(|one| one["findings"].as_array().unwrap());
    let own = findings.filter(|one| one["group"] == group);
    own.map(|one| {
        let place = text(&one["evidence"][0]);
        let line = place.rsplit(':').next().unwrap().parse().unwrap_or(0);
        (text(&one["rule"]).to_owned(), text(&one["message"]).to_owned(), line)
    })
    .collect()
}

fn audit(main: &str, more: &[&str]) -> Run {
    let fixed = ["nginx", main, "--nginx-version", "1.22.1", "--openssl-version", "3.0"];
    shakedown(&[&fixed[..], &["--format", "json"], more].concat())
}

/// The message without what OpenSSL adds.
fn head(words: &str) -> String {
    let words = words.split(" (").next().unwrap_or_default();
    words.split(" in /").next().unwrap_or_default().to_owned()
}

/// The tested line, and the rule that has a finding about it, or none if nginx accepts it.
const LINES: &[(&str, &str)] = &[
    ("ssl_trusted_certificate DIR/none.pem;", "file-refused"),
    ("ssl_trusted_certificate DIR/empty;", "file-refused"),
    ("ssl_dhparam DIR/none.pem;", "file-refused"),
    ("ssl_dhparam none.pem;", "file-refused"),
    ("ssl_password_file DIR/none;", "file-refused"),
    ("ssl_session_ticket_key DIR/short.key;", "file-refused"),
    ("ssl_session_ticket_key DIR/good.key;", ""),
    ("ssl_stapling on; ssl_stapling_file DIR/none.der;", "file-refused"),
    ("ssl_stapling_file DIR/none.der;", ""),
    ("ssl_client_certificate DIR/none.pem;", ""),
    ("ssl_verify_client on; ssl_client_certificate DIR/none.pem;", "file-refused"),
    ("ssl_verify_client on; ssl_client_certificate CA;", ""),
    ("ssl_ciphers FOO;", "value-refused-by-openssl"),
    ("ssl_ciphers TLS_AES_128_GCM_SHA256;", "value-refused-by-openssl"),
    ("ssl_ciphers HIGH:!aNULL;", ""),
    ("ssl_ecdh_curve X25519MLKEM768:X25519;", "value-refused-by-openssl"),
    ("ssl_ecdh_curve nonsense;", "value-refused-by-openssl"),
    ("ssl_ecdh_curve X25519:secp384r1;", ""),
    ("ssl_conf_command Foo bar;", "value-refused-by-openssl"),
    ("ssl_conf_command MinProtocol TLSv1.2;", ""),
    ("ssl_ciphers PSK;", ""),
    ("ssl_ciphers HIGH:@SECLEVEL=9;", "value-refused-by-openssl"),
    ("ssl_ciphers HIGH:@FOO;", "value-refused-by-openssl"),
    ("ssl_ecdh_curve prime256v1:prime256v1;", "value-refused-by-openssl"),
    ("ssl_conf_command MinProtocol TLSv9;", "value-refused-by-openssl"),
    ("ssl_conf_command MaxProtocol None;", ""),
    ("ssl_conf_command Protocol ALL,-TLSv1.3;", ""),
    ("ssl_conf_command Protocol foo;", "value-refused-by-openssl"),
    ("ssl_conf_command Options Foo;", "value-refused-by-openssl"),
    ("ssl_conf_command Options ServerPreference,-Compression;", ""),
    ("ssl_conf_command VerifyMode Foo;", "value-refused-by-openssl"),
    ("ssl_conf_command SignatureAlgorithms RSA+FOO;", "value-refused-by-openssl"),
    ("ssl_conf_command SignatureAlgorithms RSA+SHA256;", ""),
    ("ssl_conf_command Ciphersuites FOO;", "value-refused-by-openssl"),
    ("ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;", ""),
    ("ssl_conf_command CipherString FOO;", "value-refused-by-openssl"),
    ("ssl_conf_command Groups foo;", "value-refused-by-openssl"),
    ("ssl_conf_command NumTickets -1;", "value-refused-by-openssl"),
    ("ssl_conf_command RecordPadding 99999999;", "value-refused-by-openssl"),
    ("ssl_conf_command DHParameters none.pem;", "value-refused-by-openssl"),
    ("ssl_crl DIR/list.pem;", ""),
    ("ssl_crl DIR/list-cut.pem;", "file-refused"),
    ("ssl_crl DIR/list-damaged.pem;", "file-refused"),
    ("ssl_crl DIR/list.der;", "file-refused"),
    ("ssl_crl DIR/other.pem;", "file-refused"),
    ("ssl_crl CA;", ""),
    ("ssl_crl DIR/none.pem;", "file-refused"),
    ("ssl_trusted_certificate DIR/list-cut.pem;", "file-refused"),
    ("ssl_trusted_certificate DIR/other.pem;", "file-refused"),
    ("ssl_trusted_certificate /dev/null;", "file-refused"),
    ("ssl_verify_client on; ssl_client_certificate DIR/list.pem;", "file-refused"),
    ("ssl_stapling on; ssl_stapling_file DIR/list.pem;", "file-refused"),
    ("ssl_dhparam DIR/other.pem;", "file-refused"),
    ("ssl_dhparam $x;", "file-refused"),
    // OpenSSL takes a folder for an empty file, and cannot open a socket.
    ("ssl_crl DIR/folder;", "file-refused"),
    ("ssl_crl DIR/socket;", "file-refused"),
    ("ssl_trusted_certificate DIR/folder;", "file-refused"),
    ("ssl_trusted_certificate DIR/socket;", "file-refused"),
    ("ssl_verify_client on; ssl_client_certificate DIR/folder;", "file-refused"),
    ("ssl_dhparam DIR/folder;", "file-refused"),
    ("ssl_dhparam DIR/socket;", "file-refused"),
    ("ssl_password_file DIR/folder;", "file-refused"),
    ("ssl_password_file DIR/socket;", "file-refused"),
    ("ssl_password_file /dev/null;", ""),
    ("ssl_session_ticket_key DIR/folder;", "file-refused"),
    ("ssl_session_ticket_key DIR/socket;", "file-refused"),
    ("ssl_stapling on; ssl_stapling_file DIR/folder;", "file-refused"),
    ("ssl_certificate DIR/folder; ssl_certificate_key DIR/own.key;", "file-refused"),
    ("ssl_certificate DIR/socket; ssl_certificate_key DIR/own.key;", "file-refused"),
    (
        "location / { proxy_pass https://127.0.0.1:1; proxy_ssl_password_file DIR/folder; }",
        "file-refused",
    ),
    ("ssl_certificate_key CA; ssl_certificate CA;", "file-refused"),
    (
        "location / { proxy_pass https://127.0.0.1:1; proxy_ssl_verify on; proxy_ssl_trusted_certificate DIR/none; }",
        "file-refused",
    ),
    ("location / { proxy_pass https://127.0.0.1:1; proxy_ssl_trusted_certificate DIR/none; }", ""),
    (
        "location / { proxy_pass https://127.0.0.1:1; proxy_ssl_certificate DIR/n.pem; proxy_ssl_certificate_key DIR/n.key; }",
        "file-refused",
    ),
];

#[test]
fn files_and_values_are_refused_in_nginxs_words_at_their_line() {
    let scene = Scene::new();
    fs::write(scene.path("short.key"), [7; 47]).unwrap();
    fs::write(scene.path("good.key"), [7; 48]).unwrap();
    fs::write(scene.path("empty"), "").unwrap();
    fs::create_dir(scene.path("folder")).unwrap();
    fs::copy(scene.pki.server("own", &["a.test"]).key, scene.path("own.key")).unwrap();
    let _socket = UnixListener::bind(scene.path("socket")).unwrap();
    let list = scene.pki.root.revocation_list(|_| {}).unwrap();
    let text = pem_of("X509 CRL", &[&list]);
    fs::write(scene.path("list.der"), &list).unwrap();
    fs::write(scene.path("list.pem"), &text).unwrap();
    fs::write(scene.path("list-cut.pem"), &text[..text.len() / 2]).unwrap();
    fs::write(scene.path("list-damaged.pem"), text.replacen('\n', "\n!", 1)).unwrap();
    fs::write(scene.path("other.pem"), pem_of("OTHER", &[&list])).unwrap();
    for (line, rule) in LINES.iter().copied() {
        let main = scene.write(line);
        let (theirs, run) = (scene.theirs(), audit(&main, &[]));
        let found = found(&run);
        assert_eq!(theirs.is_none(), rule.is_empty(), "nginx: {line}: {theirs:?}");
        if let Some(theirs) = theirs {
            assert_eq!(run.status, 1, "{line}: {}", run.stdout);
            // Without a place of its own, the tested line is meant.
            let place = theirs.rsplit_once(" in /").and_then(|(_, place)| place.rsplit_once(':'));
            let expected = place.and_then(|(_, line)| line.parse().ok()).unwrap_or(9);
            let own = found.iter().find(|(own, _, at)| own == rule && *at == expected);
            let own = own.unwrap_or_else(|| panic!("{line}: {found:?}"));
            assert_eq!(head(&own.1), head(&theirs), "{line}");
        } else {
            assert_eq!(found, [], "{line}");
        }
    }
}

#[test]
fn a_certificate_that_is_too_weak_for_the_security_level_is_refused() {
    let scene = Scene::new();
    let system = Path::new(&scene.path("openssl.cnf")).to_owned();
    let sections = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n";
    for (line, of_system, is_refused) in [
        ("", "", false),
        ("ssl_ciphers HIGH:@SECLEVEL=3;", "", false),
        ("ssl_ciphers HIGH:@SECLEVEL=4;", "", true),
        ("", "CipherString = DEFAULT@SECLEVEL=4", true),
        ("ssl_ciphers HIGH:@SECLEVEL=2;", "CipherString = DEFAULT@SECLEVEL=4", false),
    ] {
        let main = scene.write(line);
        fs::write(&system, format!("{sections}{of_system}\n")).unwrap();
        let theirs = scene.theirs_with(&system);
        assert_eq!(theirs.is_some(), is_refused, "nginx: {line} {of_system}: {theirs:?}");
        let found = found(&audit(&main, &["--openssl-conf", system.to_str().unwrap()]));
        match theirs {
            Some(theirs) => {
                let [(rule, words, at)] = &found[..] else { panic!("{line}: {found:?}") };
                assert_eq!((rule.as_str(), *at), ("file-refused", 7), "{line}");
                assert_eq!(head(words), head(&theirs), "{line}");
            }
            None => assert_eq!(found, [], "{line} {of_system}"),
        }
    }
}

#[test]
fn a_level_that_a_command_sets_is_too_late_for_nginx_and_fails_every_handshake() {
    let scene = Scene { pki: Pki::rsa(), ..Scene::new() };
    for (line, is_found) in [
        ("ssl_conf_command CipherString HIGH:@SECLEVEL=2;", false),
        ("ssl_conf_command CipherString HIGH:@SECLEVEL=3;", true),
        ("ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;", false),
    ] {
        let main = scene.write(line);
        assert_eq!(scene.theirs(), None, "{line}");
        let found = in_group(&audit(&main, &["--static"]), "configuration-doubtful");
        let rules: Vec<_> = found.iter().map(|(rule, _, at)| (rule.as_str(), *at)).collect();
        let expected = [("certificate-below-security-level", 9)];
        assert_eq!(rules, if is_found { &expected[..] } else { &[] }, "{line}");
        let files = scene.pki.server("served", &["a.test"]);
        let nginx = Nginx::start(&format!(
            "server {{ listen 127.0.0.1:PORT ssl; ssl_certificate {}; ssl_certificate_key {}; {line} return 200; }}",
            files.certificate.display(),
            files.key.display()
        ));
        let status = answer(nginx.port, &files);
        assert_eq!(status == "000", is_found, "{line}: {status}");
        assert_eq!(nginx.error_log().contains("ee key too small"), is_found, "{line}");
    }
}

#[test]
fn the_level_of_a_command_concerns_only_certificates_that_would_be_sent() {
    let scene = Scene { pki: Pki::rsa(), ..Scene::new() };
    let other = Pki::new();
    let strong = other.server("strong", &["a.test"]);
    let (folder, more) = (scene.folder.path(), ["-newkey", "rsa:3072", "-sha256"]);
    let large = openssl_req(folder, "large", &more);
    let pair = |files: &Files| {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        format!("ssl_certificate {certificate}; ssl_certificate_key {key};")
    };
    let level = "ssl_conf_command CipherString HIGH:@SECLEVEL=3;";
    for (line, count) in [
        // The RSA certificate of the scene is still sent to clients that choose it.
        (format!("{} {level}", pair(&strong)), 1),
        // It is replaced by the other of its type.
        (format!("{} {level}", pair(&large)), 0),
        (format!("ssl_reject_handshake on; {level}"), 0),
        ("ssl_conf_command CipherString HIGH:!RC4@SECLEVEL=3;".to_owned(), 0),
    ] {
        let main = scene.write(&line);
        assert_eq!(scene.theirs(), None, "{line}");
        let found = in_group(&audit(&main, &["--static"]), "configuration-doubtful");
        let rules = found.iter().filter(|(rule, ..)| rule == "certificate-below-security-level");
        assert_eq!(rules.count(), count, "{line}");
    }
}

#[test]
fn a_client_certificate_below_the_level_of_a_command_is_found() {
    let scene = Scene::new();
    let files = scene.pki.server("client", &["a.test"]);
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let line = format!(
        "location / {{ proxy_pass https://127.0.0.1:1; proxy_ssl_certificate {certificate}; proxy_ssl_certificate_key {key}; \
         proxy_ssl_conf_command CipherString HIGH:@SECLEVEL=4; }}"
    );
    let main = scene.write(&line);
    assert_eq!(scene.theirs(), None);
    let found = in_group(&audit(&main, &["--static"]), "configuration-doubtful");
    let [(rule, message, 9)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(rule, "certificate-below-security-level");
    assert!(message.contains("an upstream that requests a certificate"), "{message}");
}

#[test]
fn what_is_not_here_or_may_not_be_read_could_not_be_tested() {
    let scene = Scene::new();
    let check = |run: &Run, words: &str| {
        let found = found(run);
        assert!(
            found.iter().any(|one| one.0 == "configuration-untested" && one.1.contains(words)),
            "{found:?}"
        );
        assert!(run.status == 3 || run.status == 1, "{}", run.status);
        assert!(found.iter().all(|one| one.0 == "configuration-untested"), "{found:?}");
    };
    let main = scene.write("ssl_dhparam /nowhere/at/all/dh.pem;");
    check(&audit(&main, &[]), "/nowhere/at/all/dh.pem is not on this machine");
    let main = scene.write("ssl_trusted_certificate DIR/pipe;");
    let made = Command::new("mkfifo").arg(scene.path("pipe")).status().unwrap();
    assert!(made.success());
    check(&audit(&main, &[]), "pipe is a named pipe");
    let dump = format!(
        "# configuration file {main}:\n{}",
        fs::read_to_string(&main).unwrap().replace("pipe", "gone")
    );
    let run = shakedown_with(&["nginx", "-", "--format", "json"], &dump);
    check(&run, "gone is not on this machine");
}

#[test]
fn a_pipe_or_a_device_is_reported_and_no_nginx_waits_for_it() {
    let scene = Scene::new();
    let made = Command::new("mkfifo").arg(scene.path("pipe")).status().unwrap();
    assert!(made.success());
    // An nginx that leaves a mark when it is asked for more than its release.
    let (program, mark) = (scene.path("nginx"), scene.path("mark"));
    let binary = nginx_binary().display().to_string();
    let text =
        format!("#!/bin/sh\nif [ \"$*\" != -V ]; then touch {mark}; fi\nexec {binary} \"$@\"\n");
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let upstream = |line: &str| {
        format!("location / {{ proxy_pass https://127.0.0.1:1; proxy_ssl_verify on; {line} }}")
    };
    let lines = [
        "ssl_password_file DIR/pipe;".to_owned(),
        "ssl_certificate DIR/pipe; ssl_certificate_key DIR/pipe;".to_owned(),
        "ssl_crl DIR/pipe;".to_owned(),
        "ssl_trusted_certificate DIR/pipe;".to_owned(),
        "ssl_session_ticket_key DIR/pipe;".to_owned(),
        "ssl_session_ticket_key /dev/zero;".to_owned(),
        upstream("proxy_ssl_trusted_certificate DIR/pipe;"),
        upstream("proxy_ssl_password_file DIR/pipe;"),
        upstream("proxy_ssl_certificate DIR/pipe; proxy_ssl_certificate_key DIR/pipe;"),
        upstream("proxy_ssl_crl DIR/pipe;"),
    ];
    for line in lines {
        let main = scene.write(&line);
        for rehearse in [&[][..], &["--rehearse"]] {
            let form = ["nginx", &main, "--nginx-binary", &program, "--format", "json"];
            let run = shakedown(&[&form[..], rehearse].concat());
            let found = found(&run);
            let untested = found.iter().filter(|(rule, ..)| rule == "configuration-untested");
            let is_told =
                |words: &str| words.contains("is a named pipe") || words.contains("is a device");
            assert!(untested.clone().count() > 0, "{line}: {found:?}");
            assert!(untested.clone().all(|(_, words, _)| is_told(words)), "{line}: {found:?}");
            assert!(!Path::new(&mark).exists(), "{line} {rehearse:?}");
            assert_ne!(run.status, 0);
        }
    }
    // A log that is a pipe is not opened, because logs go elsewhere.
    scene.write("access_log DIR/pipe;");
    let main = scene.path("nginx.conf");
    let run = shakedown(&["nginx", &main, "--nginx-binary", &program, "--format", "json"]);
    assert_eq!(found(&run), []);
    assert!(Path::new(&mark).exists());
}

#[test]
fn nginx_itself_is_asked_on_a_copy() {
    let scene = Scene::new();
    let binary = nginx_binary().display().to_string();
    let ask = |line: &str| {
        let main = scene.write(line);
        let run = shakedown(&["nginx", &main, "--nginx-binary", &binary, "--format", "json"]);
        (found(&run), run)
    };
    // A directive that a module may define, so that only nginx can refuse it.
    fs::create_dir(scene.path("parts")).unwrap();
    fs::write(scene.path("parts/a.conf"), "gzip on;\nno_such_module_here\n  on;\n").unwrap();
    for line in ["include DIR/parts/*.conf;", "include parts/a.conf;"] {
        let (found, run) = ask(line);
        let [(rule, words, at)] = &found[..] else { panic!("{found:?}") };
        assert_eq!((rule.as_str(), *at), ("nginx-test-failed", 3), "{line}");
        assert_eq!(words, "unknown directive \"no_such_module_here\"");
        assert!(run.stdout.contains(&scene.path("parts/a.conf")), "{}", run.stdout);
        assert_eq!(run.status, 1);
    }
    // nginx's message and the equal one that was found without it are one finding.
    let (found, _) = ask("ssl_protocols TLSv1.9;");
    assert_eq!(found.len(), 1, "{found:?}");
    // Its output files are in the copy, and a directive that it accepts is not reported.
    let (found, _) = ask("access_log DIR/logs/none/a.log; client_body_temp_path DIR/temp/none;");
    assert_eq!(found, []);
    assert!(
        !Path::new(&scene.path("temp")).exists() && !Path::new(&scene.path("nginx.pid")).exists()
    );
    let (found, _) = ask("add_header X \"$no_such_variable\";");
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_tree_below_a_root_is_read_as_after_chroot() {
    let scene = Scene::new();
    let root = scene.path("root");
    let sites = Path::new(&root).join("etc/nginx/sites");
    fs::create_dir_all(&sites).unwrap();
    let main = Path::new(&root).join("etc/nginx/nginx.conf");
    fs::write(&main, "events {}\nhttp { include sites/*; }\n").unwrap();
    let site =
        "server { listen 127.0.0.1:1 ssl; ssl_reject_handshake on; ssl_protocls TLSv1.2; }\n";
    fs::write(Path::new(&root).join("etc/nginx/site"), site).unwrap();
    symlink("/etc/nginx/site", sites.join("a")).unwrap();
    for named in ["/etc/nginx/nginx.conf", main.to_str().unwrap()] {
        let run = shakedown(&["nginx", "--root", &root, named, "--format", "json"]);
        let found = found(&run);
        assert_eq!(found.len(), 1, "{found:?}{}", run.stderr);
        assert_eq!(found[0].1, "unknown directive \"ssl_protocls\"");
        assert!(run.stdout.contains("/etc/nginx/sites/a"), "{}", run.stdout);
    }
    symlink("/nowhere", sites.join("b")).unwrap();
    let run = shakedown(&["nginx", "--root", &root, "/etc/nginx/nginx.conf", "--format", "json"]);
    let words = "open() \"/etc/nginx/sites/b\" failed (2: No such file or directory)";
    assert!(found(&run).iter().any(|one| one.1 == words), "{}", run.stdout);
}

#[test]
fn stapling_without_a_responder_is_found_where_nginx_warns_of_it() {
    let scene = Scene::new();
    for (line, ignored) in [
        ("ssl_stapling on;", true),
        ("ssl_stapling on; ssl_stapling_responder http://127.0.0.1:1/;", false),
        ("ssl_stapling off;", false),
    ] {
        let main = scene.write(line);
        let mut nginx = Command::new(nginx_binary());
        nginx.arg("-p").arg(scene.folder.path()).args(["-e", "stderr", "-t", "-c", &main]);
        let said = String::from_utf8_lossy(&nginx.output().unwrap().stderr).into_owned();
        assert_eq!(said.contains("no OCSP responder URL"), ignored, "{line}: {said}");
        let run = audit(&main, &[]);
        assert_eq!(run.stdout.contains("ssl-stapling-ignored"), ignored, "{line}: {}", run.stdout);
    }
}

#[test]
fn a_key_of_another_certificate_is_found_without_connecting() {
    let scene = Scene::new();
    let (one, other) = (scene.pki.server("b", &["a.test"]), scene.pki.server("c", &["a.test"]));
    let key = other.key.display().to_string();
    let certificate = one.certificate.display();
    let main = scene.write(&format!("ssl_certificate {certificate}; ssl_certificate_key {key};"));
    let run = audit(&main, &["--static"]);
    let theirs = scene.theirs().unwrap();
    assert!(theirs.contains("key values mismatch"), "{theirs}");
    let found = found(&run);
    let [(_, message, line)] = found.as_slice() else { panic!("{found:?}") };
    assert!(message.contains(&theirs), "{message}\n{theirs}");
    assert_eq!((*line, run.status), (9, 1));
}

/// The status that nginx returns for a request with this client certificate.
fn answer(port: u16, client: &Files) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-sk", "-o", "/dev/null", "-w", "%{http_code}", "--cert"]).arg(&client.certificate);
    let output = curl.arg("--key").arg(&client.key).arg(format!("https://127.0.0.1:{port}/"));
    String::from_utf8(output.output().unwrap().stdout).unwrap()
}

#[test]
fn a_file_of_lists_is_judged_by_what_it_says_of_itself() {
    let scene = Scene::new();
    let pki = &scene.pki;
    let purpose = |params: &mut rcgen::CertificateParams| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    };
    let issued = pki.root.issue_with(&["client"], purpose).unwrap();
    let client = pki.write("client", &issued, &issued.chain());
    let server = pki.server("s", &["a.test"]);
    let of = |authority: &Authority, from: i64, to: i64| {
        let list = authority.revocation_list(|list| {
            list.this_update = pki.now + Duration::days(from);
            list.next_update = pki.now + Duration::days(to);
        });
        list.unwrap()
    };
    let root = |from, to| of(&pki.root, from, to);
    for (lists, expected, status) in [
        (vec![root(-10, 20)], "", "200"),
        (vec![root(-99, 1)], "warning crl-expiring", "200"),
        (vec![root(-99, 1), root(-9, 20)], "", "200"),
        (vec![root(-99, -1)], "error crl-expired", "400"),
        (vec![root(-99, -1), root(-9, 20)], "", "200"),
        (vec![of(&pki.intermediate, -9, 20)], "error crl-missing", "400"),
    ] {
        let file = scene.path("lists.pem");
        fs::write(&file, pem_of("X509 CRL", &lists)).unwrap();
        let block = format!(
            "server {{ listen 127.0.0.1:PORT ssl; ssl_certificate {}; ssl_certificate_key {}; ssl_verify_client on;
             ssl_client_certificate {}; ssl_crl {file}; return 200; }}",
            server.certificate.display(),
            server.key.display(),
            pki.ca_file()
        );
        let nginx = Nginx::start(&block);
        assert_eq!(answer(nginx.port, &client), status, "{expected}");
        let main = scene.path("nginx.conf");
        fs::write(&main, format!("events {{}}\nhttp {{ {} }}\n", block.replace("PORT", "1")))
            .unwrap();
        let run = audit(&main, &["--static"]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let targets = report["targets"].as_array().unwrap().iter();
        let findings = targets.flat_map(|one| one["findings"].as_array().unwrap());
        let found: Vec<String> = findings
            .filter(|one| text(&one["rule"]).starts_with("crl-"))
            .map(|one| format!("{} {}", text(&one["severity"]), text(&one["rule"])))
            .collect();
        assert_eq!(found.join(", "), expected, "{}", run.stdout);
    }
}
