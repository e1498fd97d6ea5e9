//! The `explain` subcommand.

use serde_json::Value;

use crate::support::program::{shakedown, shakedown_with, text};

#[test]
fn a_line_is_explained_from_an_argument_and_from_stdin() {
    let line = "2024/10/21 08:41:45 [crit] 1#1: *1 SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: 192.0.2.1, server: a.test, request: \"GET / HTTP/1.1\", upstream: \"https://192.0.2.2:8443/\", host: \"a.test\"";
    let typed = shakedown(&["explain", "--format", "json", line]);
    let piped = shakedown_with(&["explain", "--format", "json", "-"], line);
    assert_eq!((typed.status, &typed.stdout), (0, &piped.stdout));
    let answer: Value = serde_json::from_str(&typed.stdout).unwrap();
    assert_eq!(answer["direction"], "upstream");
    assert_eq!(answer["codes"][0]["alert"], 112);
    assert_eq!(answer["codes"][0]["sent_by"], "peer");
    assert_eq!(answer["causes"][0]["id"], "upstream-sni-missing");
    assert_eq!(answer["next"][0], "shakedown probe --as-nginx 192.0.2.2:8443");
    for cause in answer["causes"].as_array().unwrap() {
        for key in ["id", "likelihood", "why", "how_to_tell", "fix"] {
            assert!(!text(&cause[key]).is_empty(), "{key}: {cause}");
        }
    }
    let several = shakedown_with(&["explain", "--format", "json"], &format!("{line}\n{line}\n"));
    assert_eq!(several.stdout.lines().count(), 2);
}

#[test]
fn more_input_than_is_read_is_an_error_and_not_cut_off() {
    let run = shakedown_with(&["explain", "-"], &"a".repeat(1024 * 1024 + 1));
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("stdin is larger than 1 MiB"), "{}", run.stderr);
}

#[test]
fn the_requested_port_is_in_the_next_command() {
    let line = "2026/01/31 10:00:00 [info] 7#7: *1 client sent no required SSL certificate while reading client request \
                headers, client: 192.0.2.1, server: a.test, request: \"GET / HTTP/1.1\", host: \"a.test:8443\"";
    let run = shakedown(&["explain", "--format", "json", line]);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["next"][0], "shakedown probe a.test:8443", "{answer:#}");
}

#[test]
fn codes_alerts_and_verification_errors_are_explained_for_both_sides() {
    for subject in [
        "112",
        "unrecognized_name",
        "0A000458",
        "error:14094458:SSL routines:ssl3_read_bytes:tlsv1 unrecognized name",
    ] {
        let run = shakedown(&["explain", "--format", "json", subject]);
        let answer: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(answer["codes"][0]["alert"], 112, "{subject}");
        assert_eq!(answer["causes"][0]["id"], "upstream-sni-missing", "{subject}");
        assert_eq!(answer["direction"], "unknown", "{subject}");
    }
    for subject in [
        "20",
        "X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
        "unable to get local issuer certificate",
    ] {
        let run = shakedown(&["explain", "--format", "json", subject]);
        let answer: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(answer["codes"][0]["reason"], 20, "{subject}");
        assert_eq!(answer["causes"][0]["id"], "upstream-untrusted-ca", "{subject}");
    }
    let words = shakedown(&["explain", "no shared cipher"]).stdout;
    assert!(words.contains("client-no-shared-cipher"), "{words}");
}

#[test]
fn every_command_that_is_proposed_can_be_typed() {
    let cases = include_str!("../../../testdata/logs/error-lines.jsonl");
    for case in cases.lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let run = shakedown_with(&["explain", "--format", "json", "-"], text(&case["line"]));
        let answer: Value = serde_json::from_str(&run.stdout).unwrap();
        for command in answer["next"].as_array().unwrap() {
            let words: Vec<&str> = text(command).split(' ').collect();
            assert!(!text(command).contains('\''), "{command} has to be quoted");
            let parsed = <shakedown::cli::args::Args as clap::Parser>::try_parse_from(&words);
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn a_number_means_one_thing_and_the_other_is_named() {
    let alert = shakedown(&["explain", "40"]).stdout;
    assert!(alert.contains("alert 40 (handshake_failure)"), "{alert}");
    assert!(alert.contains("shakedown explain X509_V_ERR_"), "{alert}");
    assert!(!alert.contains("Verification ended"), "{alert}");
    let verification = shakedown(&["explain", "20"]).stdout;
    assert!(verification.contains("Verification ended with error 20"), "{verification}");
    assert!(verification.contains("shakedown explain 'alert 20'"), "{verification}");
    assert!(!verification.contains("The other side sent"), "{verification}");
}

#[test]
fn a_truncated_or_unknown_code_is_an_error() {
    for word in ["0A00045", "error:0A00045", "0AFFFFFF", "0a0004580"] {
        let run = shakedown(&["explain", word]);
        assert_eq!(run.status, 2, "{word}: {}", run.stdout);
        assert!(run.stderr.contains("eight hexadecimal digits"), "{word}: {}", run.stderr);
    }
}

#[test]
fn the_next_command_carries_what_the_line_proves() {
    let line = "2026/01/31 10:00:00 [error] 7#7: *1 upstream SSL certificate does not match \"backend.test\" while SSL handshaking to upstream, client: 192.0.2.1, server: a.test, request: \"GET / HTTP/1.1\", upstream: \"https://192.0.2.2:8443/\", host: \"a.test\"";
    let run = shakedown(&["explain", "--format", "json", line]);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        answer["next"][0],
        "shakedown probe --as-nginx --proxy-ssl-verify on --proxy-ssl-trusted-certificate TRUSTED.pem \
         --proxy-ssl-name backend.test 192.0.2.2:8443"
    );
    let line = line.replace(
        "does not match \"backend.test\"",
        "verify error: (20:unable to get local issuer certificate)",
    );
    let run =
        shakedown(&["explain", "--format", "json", &line.replace("192.0.2.2", "[2001:db8::2]")]);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        answer["next"][0],
        "shakedown probe --as-nginx --proxy-ssl-verify on --proxy-ssl-trusted-certificate TRUSTED.pem \
         --proxy-ssl-name NAME '[2001:db8::2]:8443'"
    );
}
