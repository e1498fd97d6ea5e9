//! What `scan` lists equals what real servers were told, exactly; and what another scanner lists of them.

use std::fmt::Write;
use std::process::Command;

use serde_json::Value;
use shakedown::tls::suite::CipherSuite;

use crate::support::pki::{Files, Pki};
use crate::support::program::{Audit, audit, shakedown, text};
use crate::support::server::{Nginx, OpenSsl};

/// Suites that need what these servers do not have: a shared key, a password, a DSA certificate.
const UNSERVED: [&str; 4] = ["PSK", "SRP", "DSS", "GOST"];

/// OpenSSL's own names of the suites that a cipher string stands for, in its order.
fn openssl_suites(version: &str, list: &str) -> Vec<String> {
    let output = Command::new("openssl").args(["ciphers", "-s", version, list]).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let served = |name: &&str| !UNSERVED.iter().any(|part| name.contains(part));
    let old = |name: &&str| !name.starts_with("TLS_");
    names.trim().split(':').filter(served).filter(old).map(ToOwned::to_owned).collect()
}

/// One server's directives for its certificates, RSA and ECDSA, and its finite field.
struct Material {
    rsa: Pki,
    ecdsa: Pki,
    certificates: String,
}

impl Material {
    fn new() -> Self {
        let (rsa, ecdsa) = (Pki::rsa(), Pki::new());
        let (first, second) = (rsa.server("a", &["a.test"]), ecdsa.server("a", &["a.test"]));
        let pair = |files: &Files| {
            format!(
                "ssl_certificate {}; ssl_certificate_key {};",
                files.certificate.display(),
                files.key.display()
            )
        };
        let field = rsa.path("dh.pem");
        let made = Command::new("openssl")
            .args(["genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"])
            .args(["-out", field.to_str().unwrap()])
            .status();
        assert!(made.unwrap().success());
        let certificates =
            format!("{}{}ssl_dhparam {};", pair(&first), pair(&second), field.display());
        Self { rsa, ecdsa, certificates }
    }

    /// nginx with one server for each set of directives, each at a loopback address of its own.
    fn serve(&self, each: &[String]) -> Nginx {
        let mut servers = String::new();
        for (index, directives) in each.iter().enumerate() {
            let (address, certificates) = (address(index), &self.certificates);
            write!(servers, "server {{ listen {address}:PORT ssl; {certificates} {directives} }}")
                .unwrap();
        }
        Nginx::start(&servers)
    }

    /// What is listed of every server, in their order.
    fn scan(&self, nginx: &Nginx, servers: usize, more: &[&str]) -> Vec<Value> {
        let targets: Vec<String> = (0..servers)
            .map(|index| format!("a.test:443:{}:{}", address(index), nginx.port))
            .collect();
        let (first, second) = (self.rsa.ca_file(), self.ecdsa.ca_file());
        let mut args =
            vec!["scan", "--format", "json", "--ca-file", &first, "--add-ca-file", &second];
        args.extend(more);
        args.extend(targets.iter().map(String::as_str));
        let run = shakedown(&args);
        let report: Value = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
        report["targets"].as_array().unwrap().clone()
    }
}

fn address(index: usize) -> String {
    format!("127.0.{}.{}", 2 + index / 200, 1 + index % 200)
}

/// One version of a target's first scan.
fn version<'a>(target: &'a Value, name: &str) -> &'a Value {
    let versions = target["scans"][0]["versions"].as_array().unwrap();
    versions.iter().find(|version| version["version"] == name).unwrap()
}

fn suites(target: &Value, version_name: &str) -> Vec<String> {
    let suites = version(target, version_name)["cipher_suites"].as_array().unwrap();
    suites.iter().map(|suite| text(&suite["openssl_name"]).to_owned()).collect()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(text).collect()
}

fn outcomes(target: &Value) -> String {
    let versions = target["scans"][0]["versions"].as_array().unwrap();
    let spoken = versions.iter().filter(|version| version["outcome"] == "accepted");
    assert!(versions.iter().all(|version| version["outcome"] != "untested"), "{target:#}");
    spoken.map(|version| text(&version["version"])).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_set_of_versions_is_listed_as_configured() {
    let told = [
        "TLSv1",
        "TLSv1.1",
        "TLSv1.2",
        "TLSv1.3",
        "TLSv1 TLSv1.2",
        "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3",
    ];
    let material = Material::new();
    let directives: Vec<String> = told
        .iter()
        .map(|versions| format!("ssl_protocols {versions}; ssl_ciphers ALL:@SECLEVEL=0;"))
        .collect();
    let nginx = material.serve(&directives);
    let scans = material.scan(&nginx, told.len(), &[]);
    assert_eq!(scans.iter().map(outcomes).collect::<Vec<_>>(), told);
}

#[test]
fn each_suite_alone_is_listed_alone() {
    let material = Material::new();
    for (name, flag) in [("TLSv1.2", "-tls1_2"), ("TLSv1", "-tls1")] {
        let told = openssl_suites(flag, "ALL:COMPLEMENTOFALL:@SECLEVEL=0");
        assert!(told.len() > 15, "{told:?}");
        let directives: Vec<String> = told
            .iter()
            .map(|suite| format!("ssl_protocols {name}; ssl_ciphers {suite}:@SECLEVEL=0;"))
            .collect();
        let nginx = material.serve(&directives);
        let scans = material.scan(&nginx, told.len(), &[]);
        let listed: Vec<Vec<String>> = scans.iter().map(|target| suites(target, name)).collect();
        let expected: Vec<Vec<String>> = told.into_iter().map(|suite| vec![suite]).collect();
        assert_eq!(listed, expected);
    }
}

#[test]
fn suites_of_tls13_are_listed_as_configured() {
    let told = [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    ];
    let material = Material::new();
    let directives: Vec<String> = told
        .iter()
        .map(|suite| {
            format!("ssl_protocols TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0; ssl_conf_command Ciphersuites {suite};")
        })
        .collect();
    let nginx = material.serve(&directives);
    let scans = material.scan(&nginx, told.len(), &[]);
    let listed: Vec<Vec<String>> = scans.iter().map(|target| suites(target, "TLSv1.3")).collect();
    assert_eq!(listed.concat(), told);
}

#[test]
fn the_whole_list_is_in_the_servers_order_or_the_client_decides() {
    let material = Material::new();
    let list = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";
    let common = format!("ssl_protocols TLSv1.2; ssl_ciphers {list};");
    let directives = [
        format!("{common} ssl_prefer_server_ciphers on;"),
        format!("{common} ssl_prefer_server_ciphers off;"),
    ];
    let nginx = material.serve(&directives);
    let scans = material.scan(&nginx, 2, &[]);
    let mut expected = openssl_suites("-tls1_2", list);
    assert_eq!(version(&scans[0], "TLSv1.2")["preference"], "server");
    assert_eq!(suites(&scans[0], "TLSv1.2"), expected);
    assert_eq!(version(&scans[1], "TLSv1.2")["preference"], "client");
    let mut listed = suites(&scans[1], "TLSv1.2");
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
}

#[test]
fn each_group_alone_is_listed_alone() {
    let told =
        ["X25519", "prime256v1", "secp384r1", "secp521r1", "X448", "secp384r1:X25519:prime256v1"];
    let material = Material::new();
    let directives: Vec<String> = told
        .iter()
        .map(|groups| {
            format!(
                "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+kRSA:ECDHE+aRSA; ssl_ecdh_curve {groups};
                 ssl_prefer_server_ciphers on;"
            )
        })
        .collect();
    let nginx = material.serve(&directives);
    let scans = material.scan(&nginx, told.len(), &[]);
    for (target, told) in scans.iter().zip(told) {
        for name in ["TLSv1.2", "TLSv1.3"] {
            assert_eq!(strings(&version(target, name)["groups"]).join(":"), told, "{name}");
        }
    }
}

#[test]
fn an_ecdsa_certificate_does_not_hide_groups() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2; ssl_certificate {}; ssl_certificate_key {};
         ssl_ecdh_curve X25519:secp521r1:prime256v1; }}",
        files.certificate.display(),
        files.key.display()
    ));
    let audit = scan(&pki, nginx.port, &[]);
    let mut groups = strings(&version(&audit.target, "TLSv1.2")["groups"]);
    groups.sort_unstable();
    assert_eq!(groups, ["X25519", "prime256v1", "secp521r1"]);
}

/// nginx with one certificate, a cache of sessions, and these directives.
fn serve(files: &Files, directives: &str) -> Nginx {
    Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_session_cache shared:s:1m; ssl_certificate {}; ssl_certificate_key {};
         {directives} }}",
        files.certificate.display(),
        files.key.display()
    ))
}

/// Scans one server under the name a.test.
fn scan(pki: &Pki, port: u16, more: &[&str]) -> Audit {
    let (target, ca_file) = (format!("a.test:443:127.0.0.1:{port}"), pki.ca_file());
    let args: Vec<&str> = [&*target, "--ca-file", &ca_file].iter().chain(more).copied().collect();
    audit("scan", &args)
}

#[test]
fn openssls_server_is_listed_as_configured() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    for (flag, version_name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let (certificate, key) = (files.certificate.to_str().unwrap(), files.key.to_str().unwrap());
        let server = OpenSsl::start(&[
            flag,
            "-cert",
            certificate,
            "-key",
            key,
            "-cipher",
            "AES128-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
            "-ciphersuites",
            "TLS_AES_256_GCM_SHA384",
            "-sigalgs",
            "RSA-PSS+SHA256:RSA+SHA384",
            "-groups",
            "P-384",
        ]);
        let audit = scan(&pki, server.port, &[]);
        assert_eq!(outcomes(&audit.target), version_name);
        let listed = version(&audit.target, version_name);
        let (mut found, mut schemes) =
            (suites(&audit.target, version_name), strings(&listed["signature_schemes"]));
        found.sort();
        schemes.sort_unstable();
        assert_eq!(strings(&listed["groups"]), ["secp384r1"]);
        if version_name == "TLSv1.2" {
            assert_eq!(found, ["AES128-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]);
            assert_eq!(schemes, ["rsa_pkcs1_sha384", "rsa_pss_rsae_sha256"]);
        } else {
            assert_eq!(found, ["TLS_AES_256_GCM_SHA384"]);
            assert_eq!(schemes, ["rsa_pss_rsae_sha256"]);
        }
    }
}

#[test]
fn what_is_weak_is_found() {
    let material = Material::new();
    let directives = [
        "ssl_protocols TLSv1.2; ssl_ciphers ECDHE+AESGCM:aNULL:eNULL:kRSA+AESGCM:@SECLEVEL=0;"
            .to_owned(),
        "ssl_protocols TLSv1.2; ssl_ciphers kRSA+AESGCM;".to_owned(),
        "ssl_protocols TLSv1 TLSv1.2; ssl_ciphers ECDHE:!aNULL:!eNULL:@SECLEVEL=0;".to_owned(),
    ];
    let nginx = material.serve(&directives);
    let scans = material.scan(&nginx, directives.len(), &[]);
    let found: Vec<Vec<String>> = scans
        .iter()
        .map(|target| {
            let findings = target["findings"].as_array().unwrap();
            let name = |it: &Value| format!("{} {}", text(&it["severity"]), text(&it["rule"]));
            let mut names: Vec<String> = findings.iter().map(name).collect();
            names.retain(|name| !name.contains("tls13") && !name.contains("resumption"));
            names
        })
        .collect();
    assert_eq!(found[0], ["warning weak-cipher-accepted", "note weak-cipher-accepted"]);
    assert_eq!(found[1].iter().filter(|name| name.contains("no-forward-secrecy")).count(), 1);
    assert_eq!(found[2], ["warning legacy-protocol-accepted"]);
    let evidence = scans.iter().flat_map(|target| target["findings"].as_array().unwrap());
    let about = |finding: &&Value| {
        ["weak-cipher-accepted", "legacy-protocol-accepted", "no-forward-secrecy"]
            .contains(&text(&finding["rule"]))
    };
    for finding in evidence.filter(about) {
        assert!(
            finding["evidence"].to_string().contains("no complete handshake confirmed it"),
            "{finding:#}"
        );
    }
    let confirmed = |target: &Value, name: &str| -> Vec<bool> {
        let suites = version(target, name)["cipher_suites"].as_array().unwrap();
        suites.iter().map(|suite| suite["confirmed"] == true).collect()
    };
    assert!(confirmed(&scans[0], "TLSv1.2").contains(&true));
    assert!(
        confirmed(&scans[1], "TLSv1.2").iter().chain(&confirmed(&scans[2], "TLSv1")).all(|it| !it)
    );
}

#[test]
fn a_small_finite_field_is_found() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let field = pki.path("small.pem");
    let made = Command::new("openssl")
        .args(["dhparam", "-dsaparam", "-out", field.to_str().unwrap(), "1024"])
        .output();
    assert!(made.unwrap().status.success());
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2; ssl_certificate {}; ssl_certificate_key {};
         ssl_ciphers ECDHE+AESGCM:DHE+AESGCM:@SECLEVEL=0; ssl_dhparam {}; ssl_session_cache shared:s:1m; }}",
        files.certificate.display(),
        files.key.display(),
        field.display()
    ));
    scan(&pki, nginx.port, &[]).check(&["note tls13-unsupported", "warning weak-dh"]);
}

#[test]
fn sessions_and_extensions_are_reported() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let with = |more: &str| {
        let nginx = Nginx::start(&format!(
            "server {{ listen 127.0.0.1:PORT ssl http2; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {};
             ssl_certificate_key {}; {more} }}",
            files.certificate.display(),
            files.key.display()
        ));
        let audit = scan(&pki, nginx.port, &[]);
        let scan = &audit.target["scans"][0];
        assert!(strings(&scan["gaps"]).is_empty(), "{scan:#}");
        scan.clone()
    };
    let cached = with("ssl_session_cache shared:s:1m; ssl_session_tickets off; ssl_early_data on;");
    assert_eq!(strings(&cached["alpn"])[..2], ["h2", "http/1.1"]);
    let features = &cached["features"];
    for (name, expected) in [
        ("secure_renegotiation", true),
        ("extended_master_secret", true),
        ("session_id", true),
        ("session_ticket", false),
        ("tls13_resumption", true),
        ("early_data", true),
        ("compression", false),
        ("fallback_scsv", true),
    ] {
        assert_eq!(features[name], expected, "{name}: {features:#}");
    }
    let plain = with("ssl_session_cache none;");
    let features = &plain["features"];
    assert_eq!(features["session_id"], false, "{features:#}");
    assert_eq!(features["session_ticket"], true);
    assert_eq!(features["early_data"], false);
}

#[test]
fn another_server_behind_no_name_is_listed_as_well() {
    let pki = Pki::new();
    let (default, named) = (pki.server("b", &["b.test"]), pki.server("a", &["a.test"]));
    let block = |files: &Files, more: &str| {
        format!(
            "server {{ listen 127.0.0.1:PORT ssl; {more} ssl_protocols TLSv1.2; ssl_certificate {}; ssl_certificate_key {}; }}",
            files.certificate.display(),
            files.key.display()
        )
    };
    let nginx = Nginx::start(
        &(block(&default, "server_name b.test; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;")
            + &block(&named, "server_name a.test; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;")),
    );
    let audit = scan(&pki, nginx.port, &[]);
    let scans = audit.target["scans"].as_array().unwrap();
    let names: Vec<&Value> = scans.iter().map(|scan| &scan["sni"]).collect();
    assert_eq!(names, [&Value::from("a.test"), &Value::Null]);
}

/// What `openssl s_client` makes of a server: version and suite, or `None`.
fn s_client(port: u16) -> Option<(String, String)> {
    let output = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &format!("127.0.0.1:{port}"),
            "-servername",
            "a.test",
            "-brief",
        ])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let after = |label: &str| {
        said.lines().find_map(|line| line.strip_prefix(label)).map(|text| text.trim().to_owned())
    };
    Some((after("Protocol version:")?, after("Ciphersuite:")?))
}

#[test]
fn a_replayed_client_fares_as_the_real_one() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    for directives in [
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "ssl_protocols TLSv1.2;",
        "ssl_protocols TLSv1.2; ssl_ciphers AES128-SHA;",
        "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256;",
        "ssl_protocols TLSv1.2; ssl_ciphers ARIA128-GCM-SHA256:ECDHE-ARIA128-GCM-SHA256;",
        "ssl_protocols TLSv1.3; ssl_ecdh_curve secp384r1;",
        "ssl_protocols TLSv1; ssl_ciphers ALL:@SECLEVEL=0;",
    ] {
        let nginx = serve(&files, directives);
        let audit = scan(&pki, nginx.port, &["--clients", "openssl-3.0"]);
        let replay = &audit.target["clients"][0];
        let replayed = (replay["outcome"] == "established").then(|| {
            (text(&replay["version"]).to_owned(), openssl_name(text(&replay["cipher_suite"])))
        });
        assert_eq!(replayed, s_client(nginx.port), "{directives}: {replay:#}");
    }
}

fn openssl_name(suite: &str) -> String {
    let suite = CipherSuite::from_name(suite).unwrap();
    suite.openssl_name().unwrap().to_owned()
}

#[test]
fn a_client_that_must_connect_and_cannot_is_an_error_with_the_change_that_helps() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let modern = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305;";
    let nginx = serve(&files, modern);
    let config = pki.path("targets.toml");
    let expecting = |client: &str| {
        let (port, ca_file) = (nginx.port, pki.ca_file());
        let target = format!(
            "[[target]]\naddress = 'a.test:443:127.0.0.1:{port}'\nca_file = '{ca_file}'\nexpect.clients = ['{client}']\n"
        );
        std::fs::write(&config, target).unwrap();
        audit("probe", &["--config", config.to_str().unwrap()])
    };
    expecting("openssl-3.0").check(&[]).ends(0, "pass");
    let refused = expecting("android-4.4");
    let finding = refused.findings().find(|it| it["rule"] == "client-profile-fails").unwrap();
    let directive = &finding["fix"]["directives"][0];
    assert_eq!(directive["name"], "ssl_ciphers", "{finding:#}");
    let changed = serve(
        &files,
        &format!("ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers {};", text(&directive["value"])),
    );
    let again = scan(&pki, changed.port, &["--clients", "android-4.4"]);
    assert_eq!(
        again.target["clients"][0]["outcome"], "established",
        "{:#}",
        again.target["clients"]
    );
}

#[test]
fn a_policy_is_met_by_the_lines_that_its_deviations_name() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let held = |nginx: &Nginx| scan(&pki, nginx.port, &["--policy", "mozilla-intermediate"]);
    let before =
        held(&serve(&files, "ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;"));
    let deviations: Vec<&Value> =
        before.findings().filter(|it| it["rule"] == "policy-deviation").collect();
    assert_eq!(deviations.len(), 3, "{deviations:#?}");
    let directives: Vec<String> = deviations
        .iter()
        .flat_map(|it| it["fix"]["directives"].as_array().unwrap())
        .map(|it| format!("{} {};", text(&it["name"]), text(&it["value"])))
        .collect();
    held(&serve(&files, &directives.join(" ")))
        .check(&["note post-quantum-unsupported"])
        .ends(0, "pass");
}

#[test]
fn the_list_is_the_same_as_another_scanners() {
    let material = Material::new();
    let list = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";
    let directives = [format!(
        "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers {list}; ssl_prefer_server_ciphers on;"
    )];
    let nginx = material.serve(&directives);
    let ours = &material.scan(&nginx, 1, &[])[0];
    let output = Command::new("sslscan")
        .args([
            "--no-colour",
            "--xml=-",
            "--sni-name=a.test",
            &format!("{}:{}", address(0), nginx.port),
        ])
        .output()
        .expect("sslscan is needed: install the package sslscan");
    let xml = String::from_utf8(output.stdout).unwrap();
    for name in ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] {
        let label = if name == "TLSv1" { "TLSv1.0" } else { name };
        let theirs: Vec<&str> = xml
            .lines()
            .filter(|line| {
                line.contains("<cipher ") && attribute(line, "sslversion") == Some(label)
            })
            .filter_map(|line| attribute(line, "cipher"))
            .collect();
        assert!(!theirs.is_empty(), "{xml}");
        assert_eq!(suites(ours, name), theirs, "{name}");
    }
}

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

#[test]
fn a_client_without_a_common_application_protocol_is_told_so() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = Nginx::start_with(|port| {
        format!(
            "stream {{ server {{ listen 127.0.0.1:{port} ssl; ssl_alpn h2c; return x; ssl_protocols TLSv1.2 TLSv1.3;
             ssl_certificate {}; ssl_certificate_key {}; }} }}",
            files.certificate.display(),
            files.key.display()
        )
    });
    let audit = scan(&pki, nginx.port, &["--clients", "chrome"]);
    let client = &audit.target["clients"][0];
    assert_eq!(client["outcome"], "failed", "{client:#}");
    let missing = text(&client["missing"]);
    assert!(missing.contains("no common application protocol (ALPN)"), "{missing}");
}

#[test]
fn a_hello_that_is_answered_in_an_older_version_is_listed_under_that() {
    let pki = Pki::rsa();
    let old = serve(
        &pki.server("a", &["a.test"]),
        "ssl_protocols TLSv1; ssl_ciphers DEFAULT:@SECLEVEL=0;",
    );
    let target = format!("a.test:443:127.0.0.1:{}", old.port);
    let audit = audit("probe", &[&target, "--ca-file", &pki.ca_file()]);
    let raw = audit.handshakes().iter().filter(|row| row["engine"] == "raw");
    let answered: Vec<_> = raw
        .filter(|row| row["outcome"] == "established")
        .map(|row| (text(&row["version"]), text(&row["offered_version"])))
        .collect();
    assert!(answered.contains(&("TLSv1", "TLSv1.2")), "{:#}", audit.target);
    assert!(answered.iter().all(|(version, _)| *version == "TLSv1"), "{answered:?}");
}
