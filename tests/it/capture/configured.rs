//! With nginx's configuration, a failure leads to the directive that decides, where it stands.

use super::*;
use crate::rehearse::pair;

/// What is said of each failed handshake, by the name that the client asked for: the class, the directive's name, the text of its
/// line, and whether the default server decides.
fn judged(report: &Value, text: &str) -> Vec<(String, String, String, String, bool)> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let handshakes = report["handshakes"].as_array().unwrap().iter();
    let failed = handshakes.filter(|it| it["result"] == "failed");
    let row = |it: &Value| {
        let directive = &it["failure"]["directives"][0];
        let line = directive["line"].as_u64().unwrap_or_default();
        let line = text.lines().nth(usize::try_from(line).unwrap().saturating_sub(1)).unwrap();
        (
            word(&it["hello"]["server_name"]),
            word(&it["failure"]["class"]),
            word(&directive["name"]),
            line.trim().to_owned(),
            directive["of_default_server"].as_bool().unwrap_or_default(),
        )
    };
    failed.map(row).collect()
}

/// A configuration of several servers on one socket.
fn blocks(pki: &Pki, listen: &str) -> String {
    let [a, b] = ["a", "b"].map(|name| pair(&pki.server(name, &[&format!("{name}.test")])));
    format!(
        "http {{
         server {{ listen {listen} ssl default_server; server_name a.test; {a}
         ssl_protocols TLSv1.2 TLSv1.3;
         ssl_ecdh_curve prime256v1;
         ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;
         return 200; }}
         server {{ listen {listen} ssl; server_name b.test; {b}
         ssl_protocols TLSv1.2 TLSv1.3;
         ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256;
         return 200; }}
         server {{ listen {listen} ssl; server_name c.test;
         ssl_reject_handshake on; }} }}"
    )
}

#[test]
fn the_directive_and_its_place_are_named() {
    let pki = Pki::new();
    let nginx = Nginx::start_with(|port| blocks(&pki, &format!("127.0.0.1:{port}")));
    let text = format!("events {{}}\n{}\n", blocks(&pki, "192.0.2.1:443"));
    let main = pki.path("judged.conf");
    fs::write(&main, &text).unwrap();
    let recorder = Recorder::before(nginx.port);
    let client = |options: &[&str]| s_client(recorder.port, options);
    let suite = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256", "-servername"];
    client(&[&suite[..], &["a.test"]].concat());
    client(&[&suite[..], &["b.test"]].concat());
    client(&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-servername", "b.test"]);
    client(&["-tls1_3", "-groups", "X448", "-servername", "b.test"]);
    client(&["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0", "-servername", "b.test"]);
    client(&["-servername", "c.test"]);
    client(&["-noservername", "-verify_return_error"]);
    client(&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384", "-servername", "a.test"]);
    let packets = frames(&all_packets(&recorder.connections(8)), Link::Ethernet, false);
    let main = main.display().to_string();
    let (report, status) = report(&plain_pcap(&packets, Link::Ethernet), &["--nginx", &main]);
    assert_eq!(status, 1, "{report:#}");
    let ecdsa = "server { listen 192.0.2.1:443 ssl; server_name b.test;";
    let found = judged(&report, &text);
    let expected = [
        ("a.test", "no-shared-cipher", "ssl_ciphers", "ssl_ciphers ECDHE-ECDSA-AES256", false),
        ("b.test", "no-shared-cipher", "ssl_ciphers", "ssl_ciphers ECDHE-ECDSA-CHACHA20", false),
        ("b.test", "no-shared-cipher", "ssl_certificate", ecdsa, false),
        ("b.test", "no-suitable-key-share", "ssl_ecdh_curve", "ssl_ecdh_curve prime256v1;", true),
        ("b.test", "unsupported-protocol", "ssl_protocols", "ssl_protocols TLSv1.2", true),
        ("c.test", "handshake-rejected", "ssl_reject_handshake", "ssl_reject_handshake on;", false),
    ];
    for (found, expected) in found.iter().zip(&expected) {
        let (name, class, directive, line, of_default) = expected;
        assert_eq!((&*found.0, &*found.1, &*found.2), (*name, *class, *directive), "{found:?}");
        assert!(found.3.starts_with(line), "{found:?}");
        assert_eq!(found.4, *of_default, "{found:?}");
    }
    let last = &found[6];
    assert_eq!((&*last.0, &*last.2), ("", "ssl_certificate"), "{last:?}");
    assert_eq!(found.len(), 7, "{found:#?}");
    let served: Vec<&Value> =
        report["handshakes"].as_array().unwrap().iter().map(|it| &it["served_by"]).collect();
    assert!(served.iter().all(|block| block["listen"] == "192.0.2.1:443"), "{served:#?}");
    assert_eq!(served[6]["is_default"], true, "{served:#?}");
    assert_eq!(served[1]["server_name"], "b.test", "{served:#?}");
}

#[test]
fn servers_that_the_configuration_does_not_have_are_not_judged_by_it() {
    let pki = Pki::new();
    let nginx = listener(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.3;");
    let main = pki.path("other.conf");
    let other = format!("events {{}}\n{}\n", blocks(&pki, "192.0.2.1:8443"));
    fs::write(&main, other).unwrap();
    let recorder = Recorder::before(nginx.port);
    s_client(recorder.port, &["-tls1_2"]);
    let packets = frames(&all_packets(&recorder.connections(1)), Link::Ethernet, false);
    let main = main.display().to_string();
    let (report, _) = report(&plain_pcap(&packets, Link::Ethernet), &["--nginx", &main]);
    assert_eq!(report["failures"][0]["directives"], serde_json::json!([]), "{report:#}");
    assert_eq!(report["handshakes"][0]["served_by"], Value::Null, "{report:#}");
    assert!(report["notes"].to_string().contains("no server for 1 failed handshake"), "{report:#}");
}
