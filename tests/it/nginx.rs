//! Findings for real nginx: the existing fault, and nothing else.

use time::Duration;

use crate::support::pki::{Files, Pki};
use crate::support::program::{Audit, probe, text};
use crate::support::server::{Nginx, free_port};

/// One TLS server block with additional directives.
fn block(files: &Files, more: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {}; ssl_certificate_key {};
         {more} }}",
        files.certificate.display(),
        files.key.display()
    )
}

/// Audits nginx under the name a.test, trusting the test's root.
fn audit(pki: &Pki, nginx: &Nginx, more: &[&str]) -> Audit {
    let (target, ca_file) = (format!("a.test:443:127.0.0.1:{}", nginx.port), pki.ca_file());
    let args: Vec<&str> = [&*target, "--ca-file", &ca_file].iter().chain(more).copied().collect();
    probe(&args)
}

const CACHE: &str = "ssl_session_cache shared:s:1m;";

#[test]
fn a_healthy_server_is_clean_with_either_kind_of_key() {
    for pki in [Pki::new(), Pki::rsa()] {
        let nginx = Nginx::start(&block(&pki.server("a", &["a.test"]), CACHE));
        let audit = audit(&pki, &nginx, &[]);
        audit.check(&[]).ends(0, "pass");
        assert_eq!(audit.handshakes().len(), 4);
        assert!(audit.handshakes().iter().all(|cell| text(&cell["outcome"]) == "established"));
        let resumed = audit.handshakes().iter().filter(|cell| cell["resumed"] == true).count();
        assert_eq!(resumed, 2, "{:#}", audit.target);
    }
}

#[test]
fn nginx_that_rejects_hellos_without_a_name_needs_sni() {
    let pki = Pki::new();
    let named = block(&pki.server("a", &["a.test"]), "server_name a.test;");
    let nginx = Nginx::start(&format!(
        "{CACHE} server {{ listen 127.0.0.1:PORT ssl default_server; ssl_protocols TLSv1.2 TLSv1.3; ssl_reject_handshake on; }} {named}"
    ));
    audit(&pki, &nginx, &[]).check(&["note sni-required"]).ends(0, "pass");
    let upstream = audit(&pki, &nginx, &["--role", "upstream"]);
    upstream.check(&["error sni-required"]).ends(1, "fail");
    let finding = upstream.findings().next().unwrap();
    assert_eq!(finding["fix"]["verified"], true);
    assert_eq!(finding["fix"]["directives"][1]["value"], "a.test");
    assert!(text(&finding["evidence"][0]).contains("alert 112 (unrecognized_name)"));
    let args = ["--server-name", "b.test"];
    audit(&pki, &nginx, &args).check(&["error sni-name-rejected"]).ends(1, "fail");
    let (bare, ca_file) = (format!("127.0.0.1:{}", nginx.port), pki.ca_file());
    probe(&[&bare, "--ca-file", &ca_file]).check(&["error sni-required"]).ends(1, "fail");
    assert!(nginx.error_log().contains("rejected"), "{}", nginx.error_log());
}

#[test]
fn virtual_hosts_differ_without_a_name() {
    let pki = Pki::new();
    let default = block(&pki.server("default", &["default.test"]), "");
    let named = block(&pki.server("a", &["a.test"]), "server_name a.test;");
    let nginx = Nginx::start(&format!("{CACHE} {default} {named}"));
    audit(&pki, &nginx, &[]).check(&["note sni-different-certificate"]);
    audit(&pki, &nginx, &["--role", "upstream"]).check(&["warning sni-different-certificate"]);
}

#[test]
fn dates_are_judged() {
    let pki = Pki::new();
    let check = |name: &str, from: i64, to: i64, expected: &str| {
        let dates = (pki.now + Duration::days(from), pki.now + Duration::days(to));
        let change =
            |params: &mut rcgen::CertificateParams| (params.not_before, params.not_after) = dates;
        let issued = pki.intermediate.issue_with(&["a.test"], change).unwrap();
        let nginx = Nginx::start(&block(&pki.write(name, &issued, &issued.chain()), CACHE));
        audit(&pki, &nginx, &[]).check(&[expected]);
    };
    check("expired", -90, -1, "error certificate-expired");
    check("future", 1, 90, "error certificate-not-yet-valid");
    check("expiring", -80, 10, "warning certificate-expiring");
}

#[test]
fn names_are_judged() {
    let pki = Pki::new();
    let check = |name: &str, names: &[&str], more: &[&str], expected: &[&str]| {
        let nginx = Nginx::start(&block(&pki.server(name, names), CACHE));
        audit(&pki, &nginx, more).check(expected);
    };
    let useless = ["error hostname-mismatch", "note wildcard-unusable"];
    check("wild", &["*.test"], &[], &useless);
    check("deep", &["*.a.test"], &["--server-name", "b.a.test"], &[]);
    check("deeper", &["*.a.test"], &["--server-name", "c.b.a.test"], &["error hostname-mismatch"]);
    check("idna", &["xn--bcher-kva.test"], &["--server-name", "bücher.test"], &[]);
    let nginx = Nginx::start(&block(&pki.server("ip", &["127.0.0.1"]), CACHE));
    let (bare, ca_file) = (format!("127.0.0.1:{}", nginx.port), pki.ca_file());
    probe(&[&bare, "--ca-file", &ca_file]).check(&[]).ends(0, "pass");
}

#[test]
fn chains_are_judged_as_sent() {
    let pki = Pki::new();
    let lower = pki.intermediate.intermediate("it lower").unwrap();
    let issued = lower.issue(&["a.test"]).unwrap();
    let [leaf, low, high] = <[_; 3]>::try_from(issued.chain()).unwrap();
    let root = pki.root.certificate.clone();
    let check = |name: &str, chain: &[_], expected: &[&str]| {
        let nginx = Nginx::start(&block(&pki.write(name, &issued, chain), CACHE));
        audit(&pki, &nginx, &[]).check(expected);
    };
    check("whole", &[leaf.clone(), low.clone(), high.clone()], &[]);
    check("alone", std::slice::from_ref(&leaf), &["error chain-incomplete"]);
    check("swapped", &[leaf.clone(), high.clone(), low.clone()], &["warning chain-misordered"]);
    check("root", &[leaf.clone(), low.clone(), high.clone(), root], &["note chain-contains-root"]);
    check(
        "twice",
        &[leaf.clone(), low.clone(), high.clone(), low.clone()],
        &["note chain-duplicate-certificate"],
    );
    let foreign = Pki::new();
    let stranger = foreign.intermediate.certificate.clone();
    check("stranger", &[leaf, low, high, stranger], &["note chain-unrelated-certificate"]);
    let nginx = Nginx::start(&block(&foreign.server("a", &["a.test"]), CACHE));
    audit(&pki, &nginx, &[]).check(&["error untrusted-issuer"]).ends(1, "fail");
}

#[test]
fn one_version_alone_is_worth_a_word() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let only =
        |version: &str| Nginx::start(&block(&files, CACHE).replace("TLSv1.2 TLSv1.3", version));
    let (old, new) = (only("TLSv1.2"), only("TLSv1.3"));
    audit(&pki, &old, &[]).check(&["note tls13-unsupported"]).ends(0, "pass");
    audit(&pki, &new, &[]).check(&["note tls12-unsupported"]).ends(0, "pass");
    audit(&pki, &new, &["--role", "upstream"])
        .check(&["warning tls12-unsupported"])
        .ends(0, "pass");
    audit(&pki, &new, &["--role", "upstream", "--fail-on", "warning"]).ends(1, "fail");
}

#[test]
fn client_certificates_are_refused_as_nginx_does_it() {
    let pki = Pki::new();
    let ours = pki.client("client");
    let foreign = Pki::new();
    let theirs = foreign.client("client");
    let verify = |mode: &str| {
        let more = format!(
            "{CACHE} ssl_verify_client {mode}; ssl_client_certificate {}; ssl_verify_depth 3; location / {{ return 204; }}",
            pki.ca_file()
        );
        Nginx::start(&block(&pki.server("a", &["a.test"]), &more))
    };
    let with =
        |files: &Files| [files.certificate.display().to_string(), files.key.display().to_string()];
    let (required, optional) = (verify("on"), verify("optional"));
    let refused = audit(&pki, &required, &[]);
    refused.check(&["error client-certificate-required"]).ends(1, "fail");
    assert!(
        refused.handshakes().iter().all(|cell| text(&cell["client_certificate"]) == "required")
    );
    audit(&pki, &optional, &[]).check(&["note client-certificate-requested"]).ends(0, "pass");
    let [certificate, key] = with(&ours);
    audit(&pki, &required, &["--client-cert", &certificate, "--client-key", &key])
        .check(&[])
        .ends(0, "pass");
    let [certificate, key] = with(&theirs);
    audit(&pki, &required, &["--client-cert", &certificate, "--client-key", &key])
        .check(&["error client-certificate-rejected"])
        .ends(1, "fail");
}

#[test]
fn sessions_that_are_never_resumed_are_noted() {
    let pki = Pki::new();
    let more = "ssl_session_cache off; ssl_session_tickets off;";
    let nginx = Nginx::start(&block(&pki.server("a", &["a.test"]), more));
    audit(&pki, &nginx, &[]).check(&["note session-resumption-unsupported"]).ends(0, "pass");
}

#[test]
fn a_plain_port_is_not_tls() {
    let pki = Pki::new();
    let nginx = Nginx::start("server { listen 127.0.0.1:PORT; }");
    audit(&pki, &nginx, &[]).check(&["error not-tls"]).ends(1, "fail");
}

#[test]
fn expectations_are_held() {
    let pki = Pki::new();
    let nginx = Nginx::start(&block(&pki.server("a", &["a.test"]), CACHE));
    let config = pki.path("targets.toml");
    let target = format!("a.test:443:127.0.0.1:{}", nginx.port);
    let check = |expect: &str, expected: &[&str]| {
        let text = format!(
            "[[target]]\naddress = '{target}'\nca_file = 'ca.pem'\nexpect = {{ {expect} }}\n"
        );
        std::fs::write(&config, text).unwrap();
        probe(&["--config", &config.display().to_string()]).check(expected);
    };
    check("protocols = ['TLSv1.2', 'TLSv1.3'], client_certificate = 'none'", &[]);
    check("protocols = ['TLSv1.3']", &["error protocol-unexpected"]);
    check("client_certificate = 'required'", &["error client-certificate-not-requested"]);
    check("warning_days = 400", &["warning certificate-expiring"]);
    check("alpn = ['h2']", &["error alpn-mismatch"]);
    check("alpn = ['http/1.1']", &[]);
}

#[test]
fn what_cannot_be_reached_is_never_a_pass() {
    let closed = format!("127.0.0.1:{}", free_port());
    probe(&[&closed, "--trust", "mozilla"])
        .check(&["warning connection-refused"])
        .ends(3, "untested");
    // Resolvers resolve this to 127.0.0.1 without a query, and it has no IPv6 address.
    probe(&["0x7f000001", "--trust", "mozilla", "--ipv6"])
        .check(&["warning dns-failure"])
        .ends(3, "untested");
}
