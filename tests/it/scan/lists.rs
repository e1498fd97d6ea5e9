//! What `scan` lists equals what real servers were told, exactly; and what another scanner lists of them.

use std::process::Command;

use serde_json::Value;

use super::{Material, address, openssl_suites, outcomes, scan, serve, strings, suites, version};
use crate::support::pki::{Files, Pki};
use crate::support::program::{audit, text};
use crate::support::script;
use crate::support::server::{Nginx, OpenSsl};

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
    // The same server answers without a name, so there is nothing more to list.
    let listed = scans.iter().map(|target| target["scans"].as_array().unwrap().len());
    assert_eq!(listed.collect::<Vec<_>>(), [1; 6]);
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
fn a_server_that_refuses_one_order_of_groups_loses_no_protocol_and_no_feature() {
    let pki = Pki::new();
    let nginx = serve(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.2;");
    let scanned = |port| scan(&pki, port, &[]).target["scans"][0].clone();
    let (direct, boxed) =
        (scanned(nginx.port), scanned(script::refuses_first_group(nginx.port, 0x0017).port()));
    assert_eq!(strings(&direct["alpn"]), ["http/1.1", "http/1.0"]);
    for part in ["alpn", "features"] {
        assert_eq!(boxed[part], direct[part], "{boxed:#}");
    }
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
