//! Every alert that either side can send.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use shakedown::log::classify::classify;
use shakedown::log::direction::Direction;
use shakedown::log::line;
use shakedown::log::table::{Sign, mechanisms};

use super::wire::*;
use super::*;
use crate::support::pki::Pki;
use crate::support::server::{Nginx, scripted};

#[test]
fn every_alert_of_an_upstream_is_understood() {
    let numbers: Vec<u8> = (0..=255).filter(|number| known_alert(UP, *number)).collect();
    let (next, sent) = (AtomicUsize::new(0), numbers.clone());
    let upstream = scripted(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let number = sent[next.fetch_add(1, Ordering::SeqCst) % sent.len()];
        let _ = stream.write_all(&alert(number));
        let _ = stream.read(&mut [0; 4096]);
    });
    let nginx = proxy(upstream.port(), "");
    for number in numbers {
        assert!(ask(&nginx).contains("502 Bad Gateway"));
        let words = format!("SSL alert number {number})");
        assert!(nginx.logs(&words), "{words} is not in\n{}", nginx.error_log());
        check_alert(&nginx, UP, number);
    }
}

#[test]
fn every_alert_of_a_client_is_understood() {
    let pki = Pki::new();
    let nginx = listener(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.2;");
    for number in (0..=255).filter(|number| known_alert(CLIENT, *number)) {
        raw(&nginx, &hello(0x0303, &[0xc02b], USUAL), &alert(number));
        let words = format!("SSL alert number {number})");
        assert!(nginx.logs(&words), "{words} is not in\n{}", nginx.error_log());
        check_alert(&nginx, CLIENT, number);
    }
}

/// Whether the table contains this alert; close_notify is not an error for OpenSSL.
fn known_alert(side: Direction, number: u8) -> bool {
    let row = |sign| {
        mechanisms().iter().any(|row| row.about_nginx() && row.side == side && row.sign == sign)
    };
    number > 0 && row(Sign::Alert(Some(number)))
}

#[track_caller]
fn check_alert(nginx: &Nginx, side: Direction, number: u8) {
    let log = nginx.error_log();
    let words = format!("SSL alert number {number})");
    let found = log.lines().find(|line| line.contains(&words)).unwrap();
    let parsed = line::parse(found.as_bytes());
    let diagnosis = classify(&parsed);
    assert_eq!(diagnosis.direction, side, "{found}");
    assert_eq!(diagnosis.codes[0].alert().map(|alert| alert.0), Some(number), "{found}");
    let row = diagnosis.mechanism.unwrap();
    assert_eq!(row.sign, Sign::Alert(Some(number)), "{found}");
}
