//! The rehearsal that `explain` and `log` print for failures of clients shows why they fail, and lets them in where the
//! configuration is sound.

use std::fs;

use super::*;
use crate::support::program::{shakedown, text};
use crate::support::server::nginx_binary;

/// What is printed in both.
const COMMAND: &str = "shakedown nginx /etc/nginx/nginx.conf --rehearse --clients all";

/// Directives, the options of a client that fails with them, its line, and why it fails in the rehearsal.
struct ClientFault<'a> {
    directives: &'a str,
    options: &'a [&'a str],
    line: &'a str,
    /// A known client that fails for the same reason.
    client: &'a str,
    why: &'a str,
}

/// Runs the printed command for a configuration with these directives.
fn rehearsed(pki: &Pki, files: &Files, directives: &str) -> Value {
    let path = pki.path("nginx.conf");
    let server = format!(
        "server {{ listen 127.0.0.1:8443 ssl; server_name a.test; ssl_certificate {}; ssl_certificate_key {}; {directives} }}",
        files.certificate.display(),
        files.key.display()
    );
    fs::write(&path, format!("events {{}}\nhttp {{ access_log off; {server} }}\n")).unwrap();
    let command = COMMAND.replace("/etc/nginx/nginx.conf", &path.display().to_string());
    let words = shlex::split(&command).unwrap();
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    let binary = nginx_binary().display().to_string();
    let ca_file = pki.ca_file();
    let fixed = ["--format", "json", "--nginx-binary", &binary, "--ca-file", &ca_file];
    let run = shakedown(&[&words[..], &fixed].concat());
    let report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    report["targets"].as_array().unwrap().last().unwrap().clone()
}

/// Whether a client connects, and if not, why.
fn client<'t>(target: &'t Value, name: &str) -> (&'t str, &'t str) {
    let all = target["clients"].as_array().unwrap();
    let own = all.iter().find(|one| one["name"] == name).unwrap();
    (text(&own["outcome"]), text(&own["missing"]))
}

#[test]
fn the_rehearsal_shows_why_a_client_fails() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let fault = |directives, options, line, client, why| ClientFault {
        directives,
        options,
        line,
        client,
        why,
    };
    let faults = [
        fault(
            "ssl_protocols TLSv1.3;",
            &["-tls1_2"][..],
            "unsupported protocol",
            "openssl-1.0.2",
            "no common version",
        ),
        fault(
            "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-CHACHA20-POLY1305;",
            &["-tls1_2", "-cipher", "AES128-SHA"],
            "no shared cipher",
            "java-8",
            "offers no cipher suite that the server accepts",
        ),
        fault(
            "ssl_protocols TLSv1.3; ssl_ecdh_curve secp521r1;",
            &["-tls1_3", "-groups", "X25519"],
            "no suitable key share",
            "android-10",
            "offers no group that the server accepts",
        ),
    ];
    let sound = rehearsed(&pki, &files, "ssl_protocols TLSv1.2 TLSv1.3;");
    for ClientFault { directives, options, line, client: name, why } in faults {
        let nginx = listener(&files, directives);
        s_client(&nginx, options);
        printed(&nginx, line);
        let target = rehearsed(&pki, &files, directives);
        let (outcome, missing) = client(&target, name);
        assert_eq!(outcome, "failed", "{directives}: {target:#}");
        assert!(missing.contains(why), "{directives}: {missing}");
        assert_eq!(client(&sound, name).0, "established", "{sound:#}");
    }
    let wants = format!("ssl_verify_client on; ssl_client_certificate {};", pki.ca_file());
    let nginx = listener(&files, &wants);
    s_client(&nginx, &["-quiet", "-ign_eof"]);
    printed(&nginx, "no required SSL certificate");
    let asks = |target: &Value| {
        let mut cells = target["handshakes"].as_array().unwrap().iter();
        cells.any(|cell| cell["client_certificate"] == "required")
    };
    assert!(asks(&rehearsed(&pki, &files, &wants)));
    assert!(!asks(&sound));
}

/// Checks that the line is explained with the rehearsal, by both subcommands.
#[track_caller]
fn printed(nginx: &Nginx, words: &str) {
    assert!(nginx.logs(words), "{}", nginx.error_log());
    let log = nginx.error_log();
    let line = log.lines().find(|line| line.contains(words)).unwrap();
    let explained = shakedown(&["explain", line]).stdout;
    assert!(explained.lines().any(|line| line.trim() == COMMAND), "{explained}");
    let counted = shakedown_with(&["log", "-"], &log).stdout;
    let counted = counted.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(counted.contains(&format!("Next: {COMMAND}")), "{counted}");
}

#[test]
fn only_a_client_of_nginx_is_a_reason_for_a_rehearsal() {
    let explain = |subject: &str| shakedown(&["explain", subject]).stdout;
    assert!(explain("no shared cipher").contains(COMMAND));
    assert!(!explain("upstream prematurely closed connection").contains("--rehearse"));
    let line = "curl: (35) error:0A000102:SSL routines::unsupported protocol";
    assert!(!explain(line).contains("--rehearse"), "{}", explain(line));
}
