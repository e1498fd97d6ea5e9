//! Targets from other programs' output, ranges, and curl's options, with a real server.

use serde_json::Value;

use crate::support::pki::Pki;
use crate::support::program::{shakedown_with, text};
use crate::support::server::Nginx;

fn server(pki: &Pki) -> Nginx {
    Nginx::with_tls(&pki.server("www", &["www.test"]), "")
}

/// The names and the statuses of the targets.
fn targets(pki: &Pki, args: &[&str], input: &str) -> Vec<(String, String)> {
    let ca = pki.ca_file();
    let run =
        shakedown_with(&[&["probe", "--ca-file", &ca, "--format", "json"], args].concat(), input);
    let report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    let all = report["targets"].as_array().unwrap().iter();
    all.map(|one| (text(&one["name"]).to_owned(), text(&one["status"]).to_owned())).collect()
}

#[test]
fn output_of_scanners_and_of_service_discovery_names_targets() {
    let pki = Pki::new();
    let server = server(&pki);
    let port = server.port;
    let nmap = format!(
        "<?xml version=\"1.0\"?><nmaprun><host><address addr=\"127.0.0.1\" addrtype=\"ipv4\"/><hostnames><hostname name=\"www.test\" type=\"user\"/></hostnames><ports><port protocol=\"tcp\" portid=\"{port}\"><state state=\"open\"/><service name=\"http\" tunnel=\"ssl\" method=\"probed\"/></port></ports></host></nmaprun>"
    );
    let found = targets(&pki, &["-"], &nmap);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1, "pass", "{found:?}");
    let masscan = format!(
        "[\n{{ \"ip\": \"127.0.0.1\", \"ports\": [ {{\"port\": {port}, \"proto\": \"tcp\", \"status\": \"open\"}} ] }}\n]\n"
    );
    assert_eq!(targets(&pki, &["-"], &masscan).len(), 1);
    let discovery = format!("[{{\"targets\": [\"www.test:{port}\"], \"labels\": {{}}}}]");
    let resolve = format!("www.test:{port}:127.0.0.1");
    let found = targets(&pki, &["-", "--resolve", &resolve], &discovery);
    assert_eq!(found[0].1, "pass", "{found:?}");
}

#[test]
fn curls_options_lead_to_another_address() {
    let pki = Pki::new();
    let server = server(&pki);
    let to = format!("www.test:443:127.0.0.1:{}", server.port);
    let found = targets(&pki, &["www.test", "--connect-to", &to], "");
    assert_eq!(found[0].1, "pass", "{found:?}");
    let other = format!("ww.test:{}:127.0.0.1", server.port);
    let own = format!("www.test:{0}:127.0.0.1:{0}", server.port);
    let run = shakedown_with(&["probe", &own, "--resolve", &other], "");
    let said = format!(
        "shakedown: warning: --resolve {other} has no effect: it is for none of the targets; did you mean www.test:{}?\n",
        server.port
    );
    assert_eq!(run.stderr, said);
    let wrong = shakedown_with(&["probe", "www.test", "--resolve", "www.test"], "");
    assert_eq!(wrong.status, 2, "{}", wrong.stderr);
}

#[test]
fn a_range_is_every_address_of_it() {
    let pki = Pki::new();
    let server = server(&pki);
    let range = format!("127.0.0.0/30:{}", server.port);
    let found = targets(&pki, &[&range, "--server-name", "www.test"], "");
    assert_eq!(found.len(), 2);
    let large = shakedown_with(&["probe", "127.0.0.0/8:1"], "");
    assert_eq!(large.status, 2);
    assert!(large.stderr.contains("at most 4096 addresses"), "{}", large.stderr);
}
