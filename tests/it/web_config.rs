//! Which web configurations `serve` accepts, at the start as promtool does, and when it reads them again.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::serve::Exporter;
use crate::serve_attacked::wait_until;
use crate::serve_protected::{curl, hash, s_client, started, tls, written};
use crate::support::pki::Pki;
use crate::support::program::shakedown;

/// Whether promtool accepts a web configuration.
fn accepted_by_promtool(path: &Path) -> bool {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "web-config"]).arg(path).output().unwrap().status.success()
}

#[test]
fn a_file_is_accepted_where_prometheus_accepts_it() {
    let pki = Pki::new();
    let files = pki.server("web", &["a.test"]);
    let other = pki.server("other", &["a.test"]);
    let with = |rest: &str| tls(&files, rest);
    let client = "  client_ca_file: ca.pem\n";
    let mismatch =
        format!("tls_server_config:\n  cert_file: web.pem\n  key_file: {}\n", other.key.display());
    let users = |hash: &str| format!("basic_auth_users:\n  ali: {hash}\n");
    let texts = [
        String::new(),
        "{}".to_owned(),
        with(""),
        with("  min_version: TLS13\n  max_version: TLS13\n"),
        with("  min_version: TLS10\n"),
        with("  min_version: SSL30\n"),
        with("  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA]\n"),
        with("  cipher_suites: [TLS_AES_128_GCM_SHA256]\n"),
        with("  cipher_suites: [ECDHE-RSA-AES128-GCM-SHA256]\n"),
        with("  cipher_suites: []\n"),
        with("  curve_preferences: [X25519, CurveP256, CurveP521]\n"),
        with("  curve_preferences: [P-256]\n"),
        with("  prefer_server_cipher_suites: no\n"),
        with("  prefer_server_cipher_suites: never\n"),
        with("  client_auth_type: RequestClientCert\n"),
        with("  client_auth_type: RequireAnyClientCert\n"),
        with("  client_auth_type: RequireClientCert\n"),
        with("  client_auth_type: NoClientCert\n"),
        with("  client_auth_type: ''\n"),
        with("  client_auth_type: Always\n"),
        with(&format!("  client_auth_type: VerifyClientCertIfGiven\n{client}")),
        with(&format!("  client_auth_type: RequireAndVerifyClientCert\n{client}")),
        with("  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: none.pem\n"),
        with(client),
        with("  certificate: web.pem\n"),
        with("  key_file: web.key\n"),
        "tls_server_config:\n  cert_file: web.pem\n".to_owned(),
        "tls_server_config:\n  key_file: web.key\n".to_owned(),
        "tls_server_config:\n  cert_file: none.pem\n  key_file: web.key\n".to_owned(),
        "tls_server_config: web.pem\n".to_owned(),
        mismatch,
        users(&hash(4)),
        users(&hash(10).replace("$2b$", "$2y$")),
        users(&hash(4).replace("$2b$", "$2a$")),
        users("open"),
        users("$2y$03$abcdefghijklmnopqrstuuIJKLMNOPQRSTUVWXYZabcdefghijklm"),
        users("$2y$32$abcdefghijklmnopqrstuuIJKLMNOPQRSTUVWXYZabcdefghijklm"),
        users("''"),
        format!("{}  ali: {}\n", users(&hash(4)), hash(4)),
        "basic_auth_users: [ali]\n".to_owned(),
        "basic_auth_users:\n".to_owned(),
        "http_server_config:\n  http2: false\n".to_owned(),
        "http_server_config:\n  http2: 'x'\n".to_owned(),
        "http_server_config:\n  http3: false\n".to_owned(),
        "http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n    X-XSS-Protection: '0'\n".to_owned(),
        "http_server_config:\n  headers:\n    X-Frame-Options: all\n".to_owned(),
        "http_server_config:\n  headers:\n    X-Content-Type-Options: nosniff\n".to_owned(),
        "http_server_config:\n  headers:\n    X-Content-Type-Options: sniff\n".to_owned(),
        "http_server_config:\n  headers:\n    Server: a\n".to_owned(),
        "basic_auth_user:\n".to_owned(),
        "[]\n".to_owned(),
        "a: b: c\n".to_owned(),
    ];
    let mut accepted = 0;
    for text in &texts {
        let web = written(&pki, text);
        let ours = shakedown(&[
            "serve",
            "192.0.2.1:1",
            "--listen",
            "192.0.2.1:1",
            "--trust",
            "mozilla",
            "--web-config",
            &web,
        ]);
        // An accepted file is followed by an address that cannot be had.
        let is_accepted = ours.stderr.contains("cannot listen on");
        assert!(is_accepted || ours.stderr.contains("web.yml: "), "{text}: {}", ours.stderr);
        assert_eq!(ours.status, 2, "{}", ours.stderr);
        assert_eq!(is_accepted, accepted_by_promtool(Path::new(&web)), "{text}\n{}", ours.stderr);
        accepted += usize::from(is_accepted);
    }
    assert!(accepted > 15 && texts.len() - accepted > 15, "{accepted} of {}", texts.len());
}

#[test]
fn the_example_is_accepted() {
    let pki = Pki::new();
    pki.client("exporter");
    fs::copy(pki.path("exporter.pem"), pki.path("prometheus-ca.pem")).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/prometheus/web-config.yml");
    let example = fs::read_to_string(example).unwrap();
    let users = example.replace("#basic", "basic").replace("#  prom", "  prom");
    assert_ne!(users, example);
    for text in [example, users.replace("$2y$10$...", &hash(10))] {
        let web = written(&pki, &text);
        assert!(accepted_by_promtool(Path::new(&web)), "{text}");
        started(&web);
    }
}

#[test]
fn what_prometheus_would_take_silently_is_refused() {
    let pki = Pki::new();
    let files = pki.server("web", &["a.test"]);
    for (text, words) in [
        // It would speak plain HTTP.
        ("tls_server_config:\n  min_version: TLS12\n".to_owned(), "neither cert_file nor cert"),
        // It would take the roots of the system, so any client with a public certificate.
        (
            tls(&files, "  client_auth_type: RequireAndVerifyClientCert\n"),
            "client_ca_file is missing",
        ),
        // It would look at no name at all.
        (tls(&files, "  client_allowed_sans: [a.test]\n"), "client_allowed_sans needs"),
        // No client could connect.
        (tls(&files, "  min_version: TLS13\n  max_version: TLS12\n"), "leave no version"),
        (tls(&files, "  max_version: TLS11\n"), "leave no version"),
        // A check would take days.
        (
            format!("basic_auth_users:\n  ali: {}\n", hash(4).replace("$04$", "$31$")),
            "a cost of 31",
        ),
        // It would refuse every request.
        ("rate_limit:\n  interval: 1s\n".to_owned(), "a burst of 0"),
    ] {
        let web = written(&pki, &text);
        let run = shakedown(&["serve", "192.0.2.1:1", "--trust", "mozilla", "--web-config", &web]);
        assert!(run.status == 2 && run.stderr.contains(words), "{text}: {}", run.stderr);
    }
}

/// The certificate that is served, as PEM.
fn served(exporter: &Exporter) -> String {
    let text = s_client(exporter, &[]);
    let start = text.find("-----BEGIN CERTIFICATE-----");
    let end = text.find("-----END CERTIFICATE-----");
    start.zip(end).map(|(start, end)| text[start..end].to_owned()).unwrap_or_default()
}

#[test]
fn the_files_are_read_again_and_never_open_what_was_closed() {
    let pki = Pki::new();
    let files = pki.server("web", &["a.test"]);
    let ca = pki.ca_file();
    let closed = tls(&files, &format!("basic_auth_users:\n  ali: {}\n", hash(4)));
    let web = written(&pki, &closed);
    let exporter = started(&web);
    let (user, cassim) = (
        ["--cacert", &ca, "--user", "ali:open sesame"],
        ["--cacert", &ca, "--user", "cassim:open sesame"],
    );
    let status = |options: &[&str]| curl(&exporter, "https://ADDRESS/-/healthy", options).status;
    assert_eq!(status(&user), "200");
    let before = served(&exporter);
    pki.server("web", &["a.test"]);
    fs::write(&web, closed.replace("ali:", "cassim:")).unwrap();
    exporter.signal(Signal::SIGHUP);
    wait_until("the new certificate is served", || served(&exporter) != before);
    assert_eq!((&*status(&cassim), &*status(&user)), ("200", "401"));
    let now = served(&exporter);
    let mut failed = 0;
    for text in [
        "",
        "tls_server_config:\n  cert_file: none.pem\n  key_file: none.key\n",
        "basic_auth_users: [ali]\n",
        &tls(&files, ""),
        &closed[closed.find("basic_auth_users").unwrap()..],
    ] {
        fs::write(&web, text).unwrap();
        exporter.signal(Signal::SIGHUP);
        failed += 1;
        let line = format!("shakedown_exporter_web_reads_failed_total {failed}");
        wait_until(&line, || {
            curl(&exporter, "https://ADDRESS/metrics", &cassim).body.contains(&line)
        });
        assert_eq!(status(&["--cacert", &ca]), "401", "{text}");
    }
    assert_eq!(served(&exporter), now);
}

#[test]
fn the_names_of_clients_are_taken_away_only_by_a_restart() {
    let pki = Pki::new();
    let files = pki.server("web", &["a.test"]);
    let ca = pki.ca_file();
    let client = |name: &str| {
        let files = pki.changed(name, &[&format!("{name}.test")], |params| {
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        });
        (files.certificate.display().to_string(), files.key.display().to_string())
    };
    let (known, other) = (client("known"), client("other"));
    let with = |names: &str| {
        let asked = format!("  client_auth_type: RequireAndVerifyClientCert\n{names}");
        written(&pki, &tls(&files, &format!("{asked}  client_ca_file: ca.pem\n")))
    };
    let exporter = started(&with("  client_allowed_sans: [known.test]\n"));
    let get = |(certificate, key): &(String, String), path: &str| {
        let options = ["--cacert", &ca, "--cert", certificate, "--key", key];
        curl(&exporter, &format!("https://ADDRESS{path}"), &options)
    };
    assert_eq!(get(&known, "/-/healthy").status, "200");
    with("");
    exporter.signal(Signal::SIGHUP);
    wait_until("the file is refused", || {
        get(&known, "/metrics").body.contains("shakedown_exporter_web_reads_failed_total 1")
    });
    assert_ne!(get(&other, "/-/healthy").exit, 0);
    with("  client_allowed_sans: [other.test]\n");
    exporter.signal(Signal::SIGHUP);
    wait_until("another name is taken", || get(&other, "/-/healthy").status == "200");
    assert_ne!(get(&known, "/-/healthy").exit, 0);
}
