//! The next commands of `explain` and `log` show the line's fault with the upstream, and none with a healthy one.

use super::*;
use crate::support::program::{shakedown, text};
use crate::support::server::says;

/// A proxy's line: the upstream's port, the proxy's directives, the text of the line, and the healthy upstream's port.
struct Fault<'a> {
    upstream: u16,
    directives: &'a str,
    line: &'a str,
    healthy: u16,
}

/// The answer of `explain` for the line, and of `log` for the whole log.
fn answers(nginx: &Nginx, words: &str) -> Vec<String> {
    assert!(nginx.logs(words), "{}", nginx.error_log());
    let log = nginx.error_log();
    let line = log.lines().find(|line| line.contains(words)).unwrap();
    let explained = shakedown(&["explain", "--format", "json", line]).stdout;
    let explained: Value = serde_json::from_str(&explained).unwrap();
    let report = shakedown_with(&["log", "--format", "json", "-"], &log).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    let first = |answer: &Value| text(&answer["next"][0]).to_owned();
    vec![first(&explained), first(&report["failures"][0])]
}

/// The exit status of a printed command, with the file that is not in the line.
fn status(command: &str, ca_file: &str) -> i32 {
    let command = command.replace("TRUSTED.pem", ca_file).replace(" NAME ", " a.test ");
    let words = shlex::split(&command).unwrap();
    let [program, subcommand, rest @ ..] = &words[..] else { panic!("{command}") };
    assert_eq!(program, "shakedown");
    // With the installed release; also with the test's CA, and warnings made to fail the run.
    let fixed = if rest.iter().any(|word| word == "--as-nginx") {
        ["--trust", "mozilla", "--nginx-version", "1.22.1"]
    } else {
        ["--ca-file", ca_file, "--fail-on", "warning"]
    };
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    shakedown(&[&[&**subcommand][..], &fixed, &rest].concat()).status
}

#[track_caller]
fn check(pki: &Pki, fault: &Fault<'_>) {
    let nginx = proxy(fault.upstream, fault.directives);
    ask(&nginx);
    for command in answers(&nginx, fault.line) {
        let (bad, good) =
            (format!("127.0.0.1:{}", fault.upstream), format!("127.0.0.1:{}", fault.healthy));
        assert!(command.contains(&bad), "{command}");
        let ca_file = pki.ca_file();
        assert_eq!(status(&command, &ca_file), 1, "{command}");
        let command = command.replace(&bad, &good);
        assert_eq!(status(&command, &ca_file), 0, "{command}");
    }
}

#[test]
fn what_comes_next_shows_the_fault_of_the_line_and_no_other() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let files = pki.server("a", &["a.test", "127.0.0.1"]);
    let healthy = listener(&files, "");
    let fault = |upstream: u16, directives: &str, line: &str| {
        check(&pki, &Fault { upstream, directives, line, healthy: healthy.port });
    };
    let rejecting = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }}
         server {{ listen 127.0.0.1:PORT ssl; server_name a.test; ssl_certificate {}; ssl_certificate_key {}; }}",
        files.certificate.display(),
        files.key.display()
    ));
    fault(rejecting.port, "", "alert number 112");
    fault(
        listener(&files, "ssl_protocols TLSv1.3;").port,
        "proxy_ssl_protocols TLSv1.2;",
        "alert number 70",
    );
    fault(
        says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").port(),
        "",
        "SSL_do_handshake() failed",
    );
    fault(says(b"").port(), "", "peer closed connection");
    let verify = format!(
        "proxy_ssl_verify on; proxy_ssl_trusted_certificate {}; proxy_ssl_name a.test;",
        pki.ca_file()
    );
    let strange = listener(&stranger.server("a", &["a.test"]), "");
    fault(strange.port, &verify, "verify error");
    let expired = pki.changed("expired", &["a.test"], |params| {
        params.not_after = pki.now - time::Duration::days(1);
    });
    fault(listener(&expired, "").port, &verify, "(10:certificate has expired)");
    let other = listener(&pki.server("b", &["b.test"]), "");
    fault(other.port, &verify, "does not match");
}
