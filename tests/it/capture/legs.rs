//! A capture of both sides of a proxy: an upstream that refuses nginx is joined to the client whose request waited.

use std::time::Instant;

use serde_json::json;

use super::packets::{Frame, Packet};
use super::recorder::Event;
use super::*;
use crate::rehearse::pair;
use crate::support::server::OpenSsl;

/// The frames with nginx, which is 192.0.2.1, as the client of 192.0.2.9.
fn of_upstream(packets: &[Packet]) -> Vec<Frame> {
    let mut frames = frames(packets, Link::Ethernet, false);
    for frame in &mut frames {
        for at in [26, 30] {
            let last = &mut frame.bytes[at + 3];
            *last = if *last == 7 { 1 } else { 9 };
        }
    }
    frames
}

#[test]
fn a_failing_upstream_is_joined_to_the_request_that_waited() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let [certificate, key] = [&files.certificate, &files.key].map(|it| it.display().to_string());
    let ca = pki.ca_file();
    let verify = ["-tls1_2", "-Verify", "3", "-verify_return_error", "-CAfile", &ca];
    let server = ["-cert", &certificate, "-key", &key];
    let upstream = OpenSsl::start(&[&server, verify.as_slice()].concat());
    let start = Instant::now();
    let behind = Recorder::since(start, upstream.port);
    let blocks = |listen: &str, upstream: &str| {
        format!(
            "http {{ server {{ listen {listen} ssl; server_name a.test; {}
             location /proxied {{
             proxy_pass https://{upstream};
             }}
             location / {{ return 200 here; }} }} }}",
            pair(&files)
        )
    };
    let nginx = Nginx::start_with(|port| {
        blocks(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", behind.port))
    });
    let before = Recorder::since(start, nginx.port);
    for path in ["before", "proxied", "after"] {
        let mut command = Command::new("curl");
        command.args(["-s", "--noproxy", "*", "--max-time", "10", "--cacert", &ca, "--resolve"]);
        command.arg(format!("a.test:{}:127.0.0.1", before.port));
        command.arg(format!("https://a.test:{}/{path}", before.port));
        let output = command.output().unwrap();
        let is_bad = String::from_utf8_lossy(&output.stdout).contains("502 Bad Gateway");
        assert_eq!(is_bad, path == "proxied");
    }
    assert!(nginx.logs("handshake failure"), "{}", nginx.error_log());
    let clients = all_packets(&before.connections(3));
    let mut all = frames(&clients, Link::Ethernet, false);
    let mut refused = behind.connections(1);
    // nginx answers its client when it has the alert, and the upstream may hang up later.
    for happened in refused.iter_mut().flatten() {
        if !matches!(happened.event, Event::Data(_)) {
            happened.time += 1_000_000;
        }
    }
    all.extend(of_upstream(&all_packets(&refused)));
    all.sort_by_key(|frame| frame.time);
    let text = format!("events {{}}\n{}\n", blocks("192.0.2.1:443", "192.0.2.9:443"));
    let main = pki.path("proxy.conf");
    fs::write(&main, &text).unwrap();
    let main = main.display().to_string();
    let file = plain_pcap(&all, Link::Ethernet);
    let (hidden, _) = report(&file, &["--nginx", &main, "--anonymize"]);
    assert!(!hidden.to_string().contains("192.0.2."), "{hidden:#}");
    assert!(hidden["failures"][0]["evidence"].to_string().contains("https://198.18.0."));
    // nginx asked for no name; what asks for one there is another program.
    let named = "proxy_ssl_server_name on; proxy_ssl_name b.test; proxy_pass https";
    fs::write(&main, text.replace("proxy_pass https", named)).unwrap();
    let (foreign, _) = report(&file, &["--nginx", &main]);
    let kind = &foreign["failures"][0];
    assert_eq!((&kind["directives"], &kind["on_behalf_of"]), (&json!([]), &json!([])), "{kind:#}");
    fs::write(&main, &text).unwrap();
    let (report, status) = report(&file, &["--nginx", &main]);
    assert_eq!((status, &report["summary"]["failed"]), (1, &1.into()), "{report:#}");
    let kind = &report["failures"][0];
    assert_eq!(kind["class"], "alert-handshake-failure", "{kind:#}");
    assert_eq!(kind["causes"][0]["id"], "upstream-mtls-required", "{kind:#}");
    assert_eq!(kind["directives"][0]["name"], "proxy_pass", "{kind:#}");
    let line = kind["directives"][0]["line"].as_u64().unwrap();
    let line = text.lines().nth(usize::try_from(line).unwrap() - 1).unwrap();
    assert!(line.contains("proxy_pass https://192.0.2.9:443;"), "{line}");
    // The second of three clients; the others were answered before, or asked afterwards.
    let waiting = kind["on_behalf_of"].as_array().unwrap();
    assert_eq!(waiting.len(), 1, "{kind:#}");
    assert_eq!(waiting[0]["client"], "192.0.2.7:40001", "{kind:#}");
    assert_eq!(waiting[0]["server_name"], "a.test", "{kind:#}");
}
