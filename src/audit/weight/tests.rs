use std::sync::Arc;

use super::*;
use crate::audit::fixtures::Scene;
use crate::log::requests::Requests;
use crate::targets::behaviour::{ReportedBehaviour, ReportedHandshake};
use crate::tls::group::NamedGroup;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

const AES128_SHA: u16 = 0x002f;
const ECDHE_SHA: u16 = 0xc013;
const ECDHE_GCM: u16 = 0xc02f;
const TLS13: u16 = 0x1301;

fn client(version: ProtocolVersion, suite: u16, offered: Option<&[u16]>) -> RequestClient {
    RequestClient {
        version: Some(version),
        suite: Some(CipherSuite(suite)),
        suites: offered.map(|all| all.iter().copied().map(CipherSuite).collect()),
        ..RequestClient::default()
    }
}

/// What becomes of ten requests of a client at a server with TLS 1.2 and 1.3, which accepted these versions before.
fn weigh(client: RequestClient, before: &[&str]) -> RequestWeight {
    let mut scene = Scene::new();
    scene.scan(ProtocolVersion::TLS1_2, &[ECDHE_GCM]);
    let tls12 = scene.seen.endpoints[0].scans[0].versions[3].clone();
    scene.scan(ProtocolVersion::TLS1_3, &[TLS13]);
    scene.seen.endpoints[0].scans[0].versions[3] = tls12;
    for version in &mut scene.seen.endpoints[0].scans[0].versions {
        version.groups.accepted = vec![NamedGroup(0x001d)];
    }
    let cell = |version: &&str| ReportedHandshake {
        sni: None,
        version: (*version).to_owned(),
        engine: "rustls".to_owned(),
        outcome: "established".to_owned(),
        chain: Vec::new(),
        alpn: None,
        resumed: None,
    };
    let handshakes = before.iter().map(cell).collect();
    let behaviour =
        Some(Arc::new(ReportedBehaviour { handshakes, ..ReportedBehaviour::default() }));
    let kind = RequestKind { client, count: 10, agents: vec![("old/1".to_owned(), 10)] };
    let requests = Requests { total: 40, kinds: vec![kind], ..Requests::default() };
    let former = Former { behaviour, requests: Some(Arc::new(requests)), ..Former::default() };
    RequestWeight::of(Some(&former), &scene.seen.endpoints[0]).unwrap()
}

#[track_caller]
fn check(client: RequestClient, before: &[&str], expected: (u64, u64, u64)) -> RequestWeight {
    let weight = weigh(client, before);
    assert_eq!((weight.lost, weight.may_be_lost, weight.untold), expected, "{weight:#?}");
    weight
}

const V1: ProtocolVersion = ProtocolVersion::TLS1;
const V12: ProtocolVersion = ProtocolVersion::TLS1_2;
const V13: ProtocolVersion = ProtocolVersion::TLS1_3;

#[test]
fn what_was_negotiated_and_is_accepted_is_served() {
    check(client(V12, ECDHE_GCM, None), &[], (0, 0, 0));
    check(client(V13, TLS13, Some(&[TLS13])), &[], (0, 0, 0));
}

#[test]
fn a_client_that_offers_nothing_else_is_lost() {
    let weight = check(client(V12, AES128_SHA, Some(&[AES128_SHA, ECDHE_SHA])), &[], (10, 0, 0));
    assert_eq!(weight.share(), "10 of 40 requests (25.0 %)");
    let words = weight.sentences().concat();
    assert!(words.contains("10 by TLSv1.2 with AES128-SHA") && words.contains("old/1"), "{words}");
}

#[test]
fn a_client_that_offers_something_else_is_served() {
    check(client(V12, AES128_SHA, Some(&[AES128_SHA, ECDHE_GCM])), &[], (0, 0, 0));
    check(client(V12, AES128_SHA, Some(&[AES128_SHA, TLS13])), &[], (0, 0, 0));
    // Suites that are only for TLS 1.2 show that the client supports it.
    check(client(V1, AES128_SHA, Some(&[AES128_SHA, ECDHE_GCM])), &["TLSv1"], (0, 0, 0));
}

#[test]
fn an_old_version_is_lost_where_the_newer_ones_were_there_to_be_used() {
    check(client(V1, AES128_SHA, None), &["TLSv1.2", "TLSv1.3"], (10, 0, 0));
    check(client(V1, AES128_SHA, None), &[], (0, 10, 0));
}

#[test]
fn without_the_list_of_suites_a_client_may_be_lost() {
    let weight = check(client(V12, AES128_SHA, None), &["TLSv1.2", "TLSv1.3"], (0, 10, 0));
    assert!(weight.sentences()[0].contains("$ssl_ciphers"), "{weight:#?}");
    assert!(weight.summary().unwrap().contains("up to 10 requests (25.0 %)"), "{weight:#?}");
}

#[test]
fn a_group_that_is_gone_counts_like_a_suite() {
    let p256 = NamedGroup(0x0017);
    let with = |groups: Option<Vec<NamedGroup>>| RequestClient {
        group: Some(p256),
        groups,
        ..client(V12, ECDHE_GCM, Some(&[ECDHE_GCM]))
    };
    check(with(Some(vec![p256])), &["TLSv1.2"], (10, 0, 0));
    check(with(Some(vec![p256, NamedGroup(0x001d)])), &["TLSv1.2"], (0, 0, 0));
}

#[test]
fn what_the_log_does_not_tell_is_not_called_served() {
    let by_version = RequestClient { version: Some(V12), ..RequestClient::default() };
    check(by_version, &[], (0, 0, 10));
    let weight = check(RequestClient::default(), &[], (0, 0, 10));
    assert_eq!(weight.summary(), None);
    let agent = Some("chrome".to_owned());
    check(RequestClient { agent, ..RequestClient::default() }, &[], (0, 0, 10));
}

#[test]
fn shares_are_written_for_people() {
    assert_eq!(number(1_234_567), "1,234,567");
    assert_eq!(percent(312, 40_100), " (0.8 %)");
    assert_eq!(percent(1, 1_000_000), " (under 0.1 %)");
    assert_eq!(percent(0, 0), "");
}
