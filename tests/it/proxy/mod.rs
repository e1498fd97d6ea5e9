//! Compares our verdict with nginx: generated proxies in front of generated upstreams. nginx's answers and log lines
//! must be as predicted, and with the proposed directives it must answer 200.

mod case;
mod material;

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::Value;
use shakedown::nginx::build::Build;
use shakedown::nginx::defaults::NginxRelease;

use self::case::Case;
use self::material::Material;
use crate::support::dice::Dice;
use crate::support::program::{shakedown, text};
use crate::support::server::{Nginx, proxy_command};

/// The number of configurations.
const CASES: usize = 320;

/// nginx's release and library, from `-V`.
fn nginx_release() -> (String, String) {
    let output = proxy_command().arg("-V").output().unwrap();
    let build = Build::read(&String::from_utf8_lossy(&output.stderr)).unwrap();
    let library = build.library.unwrap();
    (build.version.to_string(), library.split(' ').nth(1).unwrap().to_owned())
}

/// Whether nginx has `proxy_ssl_conf_command`.
fn has_commands() -> bool {
    nginx_release().0.parse::<NginxRelease>().unwrap() >= NginxRelease::new(1, 19, 4)
}

/// Generated upstreams, the files of their certificates, and what OpenSSL is configured to do.
struct Held {
    cases: Vec<Case>,
    material: Material,
    openssl_conf: Option<PathBuf>,
}

/// A proxy with one location for each case.
fn proxy(held: &Held, upstream: u16, changed: &[Vec<(String, String)>]) -> Nginx {
    let Held { cases, openssl_conf, .. } = held;
    let (mut blocks, mut locations) = (String::new(), String::new());
    for (index, (case, changed)) in cases.iter().zip(changed).enumerate() {
        let (block, location) = case.location(index, upstream, changed);
        blocks.push_str(&block);
        locations.push_str(&location);
    }
    let http = format!(
        "proxy_ssl_session_reuse off; proxy_next_upstream off; proxy_set_header Host a.test; {blocks}
         server {{ listen 127.0.0.1:PORT; {locations} }}"
    );
    match openssl_conf {
        Some(file) => Nginx::start_proxy_with(&http, file),
        None => Nginx::start_proxy(&http),
    }
}

/// The status that nginx returns for a case.
fn status(port: u16, index: usize) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET /{index} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0)
}

/// nginx's log message for a case, up to the clause with its context.
fn logged(log: &str, index: usize) -> Option<String> {
    let mark = format!("request: \"GET /{index} ");
    let line = log.lines().find(|line| {
        line.contains(&mark) && line.contains(" to upstream")
            || line.contains(&mark) && line.contains(" from upstream")
    })?;
    let from = line.find('*').and_then(|at| Some(at + line[at..].find(' ')? + 1))?;
    let to = line.find(", client: ")?;
    Some(line[from..to].to_owned())
}

fn audit(held: &Held, port: u16) -> Vec<Value> {
    let Held { cases, material, openssl_conf } = held;
    let file = openssl_conf.iter().map(|file| format!("openssl_conf = '{}'\n", file.display()));
    let file: String = file.collect();
    let (version, library) = nginx_release();
    let client = &material.client;
    let mut config = format!(
        "[defaults]\nca_file = '{}'\nclient_cert = '{}'\nclient_key = '{}'\n",
        material.pki.ca_file(),
        client.certificate.display(),
        client.key.display()
    );
    for (index, case) in cases.iter().enumerate() {
        write!(
            config,
            "{}nginx_version = '{version}'\nopenssl_version = '{library}'\n{file}",
            case.target(index, port)
        )
        .unwrap();
    }
    let path = material.pki.path("targets.toml");
    std::fs::write(&path, config).unwrap();
    // A single process with few connections runs all upstreams.
    let path = path.to_str().unwrap();
    let run = shakedown(&["probe", "--format", "json", "--concurrency", "64", "--config", path]);
    let report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    report["targets"].as_array().unwrap().clone()
}

/// The differences between the prediction and nginx, or the target's status.
fn disagreement(target: &Value, status: u16, log: Option<&str>) -> Option<String> {
    let predicted = text(&target["nginx"]["as_configured"]);
    if (predicted == "fail" && target["status"] != "fail")
        || (predicted == "pass" && target["status"] == "fail")
    {
        return Some(format!("predicted {predicted}, but the target is {}", target["status"]));
    }
    let line = target["nginx"]["error_log_line"].as_str();
    let line = line.map(|line| line.split(", upstream: ").next().unwrap());
    let agrees = match predicted {
        "pass" => status == 200,
        "fail" => status != 200 && line == log,
        // What is unknown is not predicted; the number of such cases is counted.
        _ => true,
    };
    (!agrees).then(|| {
        format!("predicted {predicted} and {line:?}; nginx answered {status} and logged {log:?}")
    })
}

/// The directives in a target's findings that are proposed as tried.
fn proposed(target: &Value) -> Vec<(String, String)> {
    let findings = target["findings"].as_array().unwrap().iter();
    let verified = findings.filter(|finding| {
        text(&finding["rule"]).starts_with("upstream-")
            && finding["fix"]["verified"] == true
            && finding["rule"] != "upstream-verify-off"
    });
    let directives = verified.flat_map(|finding| finding["fix"]["directives"].as_array().unwrap());
    directives.map(|one| (text(&one["name"]).to_owned(), text(&one["value"]).to_owned())).collect()
}

/// The failing cases that some directives fix, found by giving nginx everything that may help.
fn fixable(held: &Held, port: u16, statuses: &[u16]) -> Vec<usize> {
    let Held { cases, material, .. } = held;
    let client = &material.client;
    let all = |name: &str, versions: &str| -> Vec<(String, String)> {
        let pairs = [
            ("server_name", "on".to_owned()),
            ("name", name.to_owned()),
            ("protocols", versions.to_owned()),
            ("ciphers", "ALL:@SECLEVEL=0".to_owned()),
            ("trusted_certificate", material.pki.ca_file()),
            ("verify_depth", "9".to_owned()),
            ("certificate", client.certificate.display().to_string()),
            ("certificate_key", client.key.display().to_string()),
        ];
        pairs.map(|(suffix, value)| (format!("proxy_ssl_{suffix}"), value)).to_vec()
    };
    let mut found = std::collections::BTreeSet::new();
    for name in ["a.test", "other.test", "up.test"] {
        let changed = vec![all(name, "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"); cases.len()];
        let nginx = proxy(held, port, &changed);
        let failing = (0..cases.len()).filter(|index| statuses[*index] != 200);
        found.extend(failing.filter(|index| status(nginx.port, *index) == 200));
    }
    found.into_iter().collect()
}

#[test]
fn nginx_does_what_was_predicted_and_the_proposed_directives_mend_it() {
    hold(None, CASES, 20_261_121);
}

/// Configurations of OpenSSL, each by what it sets for every connection.
const SYSTEMS: [&str; 4] = [
    "MinProtocol = TLSv1.3\nCipherString = DEFAULT@SECLEVEL=0\nGroups = P-384:P-256\n",
    "CipherString = DEFAULT@SECLEVEL=3\nMaxProtocol = TLSv1.2\nOptions = -SessionTicket\n",
    "SignatureAlgorithms = RSA+SHA256:RSA-PSS+SHA256:RSA+SHA384\nCiphersuites = TLS_AES_128_GCM_SHA256\nGroups = nosuch\n",
    "CipherString = AES128-SHA\nProtocol = -TLSv1.2\nTLS.Groups = X25519\nOptions = UnsafeLegacyServerConnect\n",
];

#[test]
fn the_configuration_of_openssl_is_followed() {
    for (index, system) in SYSTEMS.iter().enumerate() {
        hold(Some(system), CASES / 8, 20_261_200 + u64::try_from(index).unwrap());
    }
}

#[expect(clippy::print_stdout, reason = "the figures of a run")]
fn hold(system: Option<&str>, count: usize, seed: u64) {
    let material = Material::new();
    let mut dice = Dice(seed);
    let commands = has_commands();
    let cases: Vec<Case> =
        (0..count).map(|index| Case::roll(index, &mut dice, &material, commands)).collect();
    let openssl_conf = system.map(|system| {
        let path = material.pki.path("openssl.cnf");
        let text = format!(
            "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = system\n[system]\n{system}"
        );
        std::fs::write(&path, text).unwrap();
        path
    });
    let held = Held { cases, material, openssl_conf };
    let cases = &held.cases;
    let upstreams = Nginx::start_with(|port| {
        let servers: String = cases.iter().map(|case| case.upstream(port)).collect();
        format!("worker_rlimit_nofile 4096; http {{ access_log off; {servers} }}")
    });
    let unchanged = vec![Vec::new(); cases.len()];
    let first = proxy(&held, upstreams.port, &unchanged);
    let statuses: Vec<u16> = (0..cases.len()).map(|index| status(first.port, index)).collect();
    let targets = audit(&held, upstreams.port);
    // By now even a busy machine has written the last lines.
    let log = first.error_log();
    let mut disagreements = Vec::new();
    for (index, (target, status)) in targets.iter().zip(&statuses).enumerate() {
        let line = logged(&log, index);
        if let Some(what) = disagreement(target, *status, line.as_deref()) {
            let Case { what: case, directives, .. } = &cases[index];
            disagreements.push(format!("{index}: {what}\n    {case}{directives:?}"));
        }
    }
    let changes: Vec<_> = targets.iter().map(proposed).collect();
    let second = proxy(&held, upstreams.port, &changes);
    let tried: Vec<usize> = (0..cases.len()).filter(|index| !changes[*index].is_empty()).collect();
    let unmended: Vec<String> = tried
        .iter()
        .filter_map(|index| {
            let status = status(second.port, *index);
            let log = logged(&second.error_log(), *index);
            (status != 200).then(|| {
                format!(
                    "{index}: {status} {log:?} with {:?}\n    {}",
                    changes[*index], cases[*index].what
                )
            })
        })
        .collect();
    let failing = statuses.iter().filter(|status| **status != 200).count();
    let fixable = fixable(&held, upstreams.port, &statuses);
    let fixed = fixable.iter().filter(|index| !changes[**index].is_empty()).count();
    let missed: Vec<String> = fixable
        .iter()
        .filter(|index| changes[**index].is_empty())
        .map(|index| {
            let Case { what, directives, pass, .. } = &cases[*index];
            format!("{index}: https://{pass} {what}\n    {directives:?}")
        })
        .collect();
    println!("fixed {fixed} of {} that directives can fix", fixable.len());
    println!("{}", missed.join("\n"));
    let unknown =
        targets.iter().filter(|target| target["nginx"]["as_configured"] == "untested").count();
    let told = cases.len() - unknown;
    println!("upstreams: told {told} right {} untested {unknown}", told - disagreements.len());
    println!(
        "agreement {}/{} ({failing} fail, {unknown} could not be told); fixed {}/{} proposed",
        cases.len() - disagreements.len() - unknown,
        cases.len() - unknown,
        tried.len() - unmended.len(),
        tried.len()
    );
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    assert!(unmended.is_empty(), "{}", unmended.join("\n"));
    assert!(unknown * 20 <= count, "{unknown} could not be told");
    // Of few cases, one with several faults at once is many.
    let least = if system.is_some() { 80 } else { 95 };
    assert!(fixed * 100 >= fixable.len() * least, "no fix for {}", missed.join("\n"));
    assert!(
        failing > count / 4 && tried.len() > failing / 3,
        "{failing} fail, {} fixed",
        tried.len()
    );
}
