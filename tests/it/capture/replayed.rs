//! A captured failure becomes a test: the client's hello is sent again, to the same server and to a change of its configuration.

use super::*;
use crate::rehearse::pair;
use crate::support::server::nginx_binary;

/// A run that prints JSON.
fn json(arguments: &[&str]) -> (Value, i32) {
    let run = shakedown(&[arguments, &["--format", "json", "--omit-times"]].concat());
    let report = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{arguments:?}: {}{}", run.stdout, run.stderr));
    (report, run.status)
}

/// The finding about a client.
fn finding(report: &Value) -> &Value {
    let targets = report["targets"].as_array().unwrap();
    let mut all = targets.iter().flat_map(|target| target["findings"].as_array().unwrap());
    let found = all.find(|finding| finding["rule"] == "client-profile-fails");
    found.unwrap_or_else(|| panic!("{report:#}"))
}

/// A client with these options fails at nginx with these directives, and the change of this one lets it in.
#[track_caller]
fn check(directives: &str, client: &[&str], directive: &str) {
    let pki = Pki::new();
    let main = pki.path("whole.conf");
    let certificate = pair(&pki.server("a", &["a.test"]));
    let nginx = Nginx::start_with(|port| {
        let http = format!(
            "http {{ server {{ listen 127.0.0.1:{port} ssl; server_name a.test; {certificate}\n{directives}\nreturn 200; }} }}"
        );
        fs::write(&main, format!("events {{}}\n{http}\n")).unwrap();
        http
    });
    let recorder = Recorder::before(nginx.port);
    s_client(recorder.port, &[client, &["-servername", "a.test"]].concat());
    let packets = frames(&all_packets(&recorder.connections(1)), Link::Ethernet, false);
    let (capture, clients) = (pki.path("a.pcap"), pki.path("failing.toml"));
    fs::write(&capture, plain_pcap(&packets, Link::Ethernet)).unwrap();
    let [capture, clients, main] = [capture, clients, main].map(|path| path.display().to_string());
    let run = shakedown(&["capture", &capture, "--write-clients", &clients]);
    assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
    let text = fs::read_to_string(&clients).unwrap();
    assert_eq!(text.matches("[[client]]").count(), 1, "{text}");
    assert!(text.contains("server_names = [\"a.test\"]"), "{text}");

    let (ca_file, binary) = (pki.ca_file(), nginx_binary().display().to_string());
    let target = format!("a.test:443:127.0.0.1:{}", nginx.port);
    let (report, status) = json(&["scan", &target, "--ca-file", &ca_file, "--clients", &clients]);
    assert_eq!(status, 1, "{report:#}");
    let replay = &report["targets"][0]["clients"][0];
    let failed = report_of(&recorder.connections(1)).0["handshakes"][0]["alerts"][0].clone();
    assert_eq!(replay["outcome"], "failed", "{replay:#}");
    let alert = failed["name"].as_str().unwrap();
    assert!(replay["reason"].to_string().contains(alert), "{replay:#} {failed:#}");
    assert_eq!(finding(&report)["severity"], "error", "{report:#}");

    let audit = ["nginx", &main, "--ca-file", &ca_file, "--nginx-binary", &binary, "--rehearse"];
    let (report, _) = json(&[&audit[..], &["--clients", &clients]].concat());
    let fix = &finding(&report)["fix"];
    assert_eq!(fix["verified"], true, "{report:#}");
    assert_eq!(fix["directives"][0]["name"], directive, "{report:#}");
}

#[test]
fn a_client_without_a_common_suite_is_let_in() {
    check(
        "ssl_protocols TLSv1.2;\nssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;",
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
        "ssl_ciphers",
    );
}

#[test]
fn a_client_without_a_common_group_is_let_in() {
    check(
        "ssl_protocols TLSv1.3;\nssl_ecdh_curve prime256v1;",
        &["-tls1_3", "-groups", "P-384"],
        "ssl_ecdh_curve",
    );
}

#[test]
fn a_client_of_an_older_version_is_let_in() {
    check("ssl_protocols TLSv1.3;", &["-tls1_2"], "ssl_protocols");
}

#[test]
fn all_clients_are_written_if_they_are_asked_for() {
    let pki = Pki::new();
    let packets = frames(&all_packets(&sample(&pki)), Link::Ethernet, false);
    let (capture, clients) = (pki.path("a.pcap"), pki.path("clients.toml"));
    fs::write(&capture, plain_pcap(&packets, Link::Ethernet)).unwrap();
    let [capture, clients] = [capture, clients].map(|path| path.display().to_string());
    let mut counts = Vec::new();
    for more in [&[][..], &["--all-clients"]] {
        let run = shakedown(&[&["capture", &capture, "--write-clients", &clients], more].concat());
        assert_eq!(run.stderr, "", "{}", run.stdout);
        counts.push(fs::read_to_string(&clients).unwrap().matches("[[client]]").count());
    }
    assert!(counts[0] > 1 && counts[1] > counts[0], "{counts:?}");
}

#[test]
fn what_the_target_must_serve_may_be_a_captured_client() {
    let pki = Pki::new();
    let packets = frames(&all_packets(&sample(&pki)), Link::Ethernet, false);
    let capture = pki.path("a.pcap");
    fs::write(&capture, plain_pcap(&packets, Link::Ethernet)).unwrap();
    let clients = pki.path("failing.toml").display().to_string();
    let capture = capture.display().to_string();
    shakedown(&["capture", &capture, "--write-clients", &clients]);
    let nginx = listener(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.3;");
    let config = pki.path("targets.toml");
    let target = format!(
        "[[target]]\naddress = 'a.test:443:127.0.0.1:{}'\nca_file = '{}'\nexpect.clients = ['failing.toml']\n",
        nginx.port,
        pki.ca_file()
    );
    fs::write(&config, target).unwrap();
    let saved = pki.path("saved.jsonl").display().to_string();
    let config = config.display().to_string();
    let (report, status) = json(&["probe", "--config", &config, "--save-observations", &saved]);
    assert_eq!((status, finding(&report)["severity"].as_str()), (1, Some("error")), "{report:#}");
    // Another run knows the clients from the file of observations.
    let (again, status) = json(&["replay", &saved]);
    assert_eq!((status, &again["targets"]), (1, &report["targets"]));
}
