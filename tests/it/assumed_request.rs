//! nginx's request where its Host and path are only assumed: `probe --as-nginx`, `targets.toml` and `log --probe`. What
//! does not depend on them counts, and nothing else does.

use serde_json::Value;

use crate::support::pki::{Files, Pki};
use crate::support::program::{Audit, probe, shakedown, shakedown_with, text};
use crate::support::server::{Apache, Nginx};

fn pair(files: &Files) -> String {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    format!("ssl_certificate {certificate}; ssl_certificate_key {key};")
}

fn as_nginx(pki: &Pki, port: u16, options: &[&str]) -> Audit {
    let (address, ca_file) = (format!("127.0.0.1:{port}"), pki.ca_file());
    let release = ["--nginx-version", "1.28.0", "--openssl-version", "3.0"];
    let fixed = ["--as-nginx", "--ca-file", &ca_file, &address];
    probe(&[&fixed, &release[..], options].concat())
}

/// Checks that nginx's handshake works and no rule about nginx reports a fault; returns what may come of its request.
#[track_caller]
fn works(audit: &Audit) -> &str {
    assert_eq!(audit.target["nginx"]["as_configured"], "pass", "{:#}", audit.target);
    let faults = audit.findings().filter(|one| one["severity"] == "error");
    let faults: Vec<&Value> = faults.collect();
    assert!(faults.is_empty(), "{faults:#?}");
    text(&audit.target["nginx"]["possibly"])
}

/// Apache with two hosts that have different TLS settings, and these lines in both.
fn hosts(pki: &Pki, more: &str) -> Apache {
    let files = pki.server("apache", &["a.test", "b.test"]);
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let host = |name: &str, more: &str| {
        format!(
            "<VirtualHost ADDRESS>\nServerName {name}\nSSLEngine on\nSSLCertificateFile {certificate}\n\
             SSLCertificateKeyFile {key}\nSSLCACertificateFile {}\n{more}\n</VirtualHost>\n",
            pki.ca_file()
        )
    };
    let other = format!("SSLProtocol -all +TLSv1.2 +TLSv1.3\n{more}");
    Apache::start(&(host("a.test", more) + &host("b.test", &other)))
}

const NAMED: [&str; 4] = ["--proxy-ssl-server-name", "on", "--proxy-ssl-name", "b.test"];

#[test]
fn a_name_that_does_not_go_with_the_assumed_host_is_no_fault() {
    let pki = Pki::rsa();
    let apache = hosts(&pki, "");
    let audit = as_nginx(&pki, apache.port, &[&NAMED[..], &["--proxy-pass", "a.test"]].concat());
    assert!(
        works(&audit).contains("with Host a.test, which is assumed, is answered with HTTP 421")
    );
    let audit = as_nginx(&pki, apache.port, &[&NAMED[..], &["--proxy-pass", "b.test"]].concat());
    assert_eq!(works(&audit), "");
    let address = format!("127.0.0.1:{}", apache.port);
    let usual = ["probe", "--as-nginx", "--ca-file", &pki.ca_file(), &address];
    let table = shakedown(&[&usual[..], &["--proxy-pass", "b.test"]].concat()).stdout;
    let table = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(table.contains("works as configured; possibly: GET / with Host b.test"), "{table}");
}

#[test]
fn a_certificate_that_is_asked_for_behind_an_assumed_path_is_no_fault() {
    let pki = Pki::rsa();
    let apache =
        hosts(&pki, "<Location />\nSSLVerifyClient require\nSSLVerifyDepth 5\n</Location>");
    let with = |version: &str| {
        let options = ["--proxy-pass", "b.test", "--proxy-ssl-protocols", version];
        as_nginx(&pki, apache.port, &[&NAMED[..], &options].concat())
    };
    assert!(works(&with("TLSv1.2")).contains("another handshake, probably to ask for a client"));
    assert!(
        works(&with("TLSv1.3")).contains("HTTP 403: it asks for a client certificate only after")
    );
}

#[test]
fn a_server_that_hangs_up_on_an_unknown_host_is_no_fault() {
    let pki = Pki::rsa();
    let files = pair(&pki.server("a", &["a.test"]));
    let ca_file = pki.ca_file();
    let optional = format!("{files} ssl_verify_client optional; ssl_client_certificate {ca_file};");
    let nginx = Nginx::start(&format!(
        "ssl_protocols TLSv1.2 TLSv1.3;
         server {{ listen 127.0.0.1:PORT ssl default_server; {optional} return 444; }}
         server {{ listen 127.0.0.1:PORT ssl; server_name a.test; {optional} return 200; }}"
    ));
    for version in ["TLSv1.2", "TLSv1.3"] {
        let audit = as_nginx(&pki, nginx.port, &["--proxy-ssl-protocols", version]);
        assert_eq!(works(&audit), "", "{version}");
    }
}

#[test]
fn a_certificate_that_is_missed_in_the_answer_is_a_fault() {
    let pki = Pki::rsa();
    let files = pair(&pki.server("a", &["a.test"]));
    let nginx = Nginx::start(&format!(
        "ssl_protocols TLSv1.2 TLSv1.3;
         server {{ listen 127.0.0.1:PORT ssl; {files} ssl_verify_client on; ssl_client_certificate {}; }}",
        pki.ca_file()
    ));
    for version in ["TLSv1.2", "TLSv1.3"] {
        let audit = as_nginx(&pki, nginx.port, &["--proxy-ssl-protocols", version]);
        assert_eq!(audit.target["nginx"]["as_configured"], "fail", "{:#}", audit.target);
        let rules: Vec<&str> = audit.findings().map(|one| text(&one["rule"])).collect();
        assert!(rules.contains(&"upstream-client-certificate"), "{rules:?}");
    }
}

#[test]
fn the_request_can_be_switched_off() {
    let pki = Pki::rsa();
    let files = pair(&pki.server("a", &["a.test"]));
    let nginx = Nginx::start(&format!(
        "log_format host 'asked for <$http_host> by \"$request\"';
         server {{ listen 127.0.0.1:PORT ssl; {files} access_log /dev/stderr host; return 200; }}"
    ));
    as_nginx(&pki, nginx.port, &["--no-request", "--proxy-pass", "first.test"]);
    let targets = pki.path("targets.toml");
    let entry = format!("[[target]]\naddress = \"127.0.0.1:{}\"\n[target.proxy_ssl]\n", nginx.port);
    let ca_file = pki.ca_file();
    let from_file = |more: &str, options: &[&str]| {
        std::fs::write(&targets, format!("{entry}{more}")).unwrap();
        probe(&[&["--config", targets.to_str().unwrap(), "--ca-file", &ca_file], options].concat())
    };
    from_file("pass = \"second.test\"\nrequest = false\n", &[]);
    from_file("pass = \"third.test\"\n", &["--no-request"]);
    from_file("pass = \"fourth.test:8443\"\n", &[]);
    assert!(
        nginx.logs("asked for <fourth.test:8443> by \"GET / HTTP/1.0\""),
        "{}",
        nginx.error_log()
    );
    for unasked in ["first.test", "second.test", "third.test"] {
        assert!(!nginx.error_log().contains(unasked), "{}", nginx.error_log());
    }
}

#[test]
fn a_request_of_the_log_is_repeated() {
    let pki = Pki::rsa();
    let apache =
        hosts(&pki, "<Location /private>\nSSLVerifyClient require\nSSLVerifyDepth 5\n</Location>");
    let location = format!(
        "location /private/ {{ proxy_pass https://127.0.0.1:{}; proxy_ssl_protocols TLSv1.2; }}",
        apache.port
    );
    let line = format!(
        "2026/01/31 10:00:00 [error] 7#7: *1 SSL_read() failed (SSL: error:0A000410:SSL routines::sslv3 alert handshake \
         failure:SSL alert number 40) while reading response header from upstream, client: 192.0.2.1, server: a.test, \
         request: \"GET /private/index?id=7 HTTP/1.1\", upstream: \"https://127.0.0.1:{}/private/index?id=7\", host: \"a.test\"\n",
        apache.port
    );
    let configuration = pki.path("nginx.conf");
    let http = format!("server {{ listen 127.0.0.1:1; {location} }}");
    std::fs::write(&configuration, format!("events {{}} http {{ {http} }}")).unwrap();
    let (configuration, ca_file) = (configuration.display().to_string(), pki.ca_file());
    let probed = |options: &[&str]| {
        let usual = ["log", "--format", "json", "--probe", "--ca-file", &ca_file, "-"];
        let release = ["--nginx-version", "1.22.1", "--openssl-version", "3.0"];
        let run = shakedown_with(&[&usual[..], &release, options].concat(), &line);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        (run.status, report["upstreams"][0]["audits"][0].clone())
    };
    let (status, audit) = probed(&[]);
    let reason = text(&audit["reason"]);
    assert_eq!(status, 3, "{audit:#}");
    assert!(reason.contains("could not be repeated"), "{audit:#}");
    assert!(reason.contains("possibly: GET /private/index with Host a.test"), "{audit:#}");
    let (status, audit) = probed(&["--no-request"]);
    assert!(status == 3 && !text(&audit["reason"]).contains("possibly"), "{audit:#}");
    let (status, audit) = probed(&["--nginx", &configuration]);
    assert_eq!(status, 1, "{audit:#}");
    assert_eq!(audit["findings"][0]["rule"], "upstream-client-certificate", "{audit:#}");
    let (status, audit) = probed(&["--nginx", &configuration, "--no-request"]);
    assert_eq!(status, 0, "{audit:#}");
}
