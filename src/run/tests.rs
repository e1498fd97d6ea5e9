//! The loop over a scripted network: what is tried for a fix, what is fetched for a chain, and what is kept when it ends.

use std::future::pending;
use std::sync::Arc;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use tokio::sync::Notify;

use super::scripted::{ScriptedNetwork, ScriptedReply, in_words, settings};
use super::{Status, TargetReport, audit, audit_all};
use crate::audit::finding::Finding;
use crate::audit::fixtures::{Scene, ended, taken};
use crate::certificate::issue::Authority;
use crate::certificate::testing::ca_issuers;
use crate::observation::nginx::{NoAnswer, RefusalSubject, Served};
use crate::observation::{Cause, Failure, Stage};
use crate::targets::nginx_client::{NginxClient, NginxRequest};
use crate::tls::alert::AlertDescription;
use crate::tls::version::ProtocolVersion;

/// The report about a scene's target, and the network that was asked.
async fn run(scene: &Scene, network: ScriptedNetwork) -> (TargetReport, Arc<ScriptedNetwork>) {
    let network = Arc::new(network);
    let settings = settings(scene, &network);
    let targets = vec![Arc::new(scene.target.clone())];
    let (mut reports, ending) = audit_all(targets, settings, pending()).await;
    assert!(!ending.stopped && ending.internal_errors == 0);
    (reports.remove(0), network)
}

/// The same for an upstream that nginx meets with these settings.
async fn meet(
    client: NginxClient,
    server: fn(&NginxClient) -> ScriptedReply,
) -> (TargetReport, Arc<ScriptedNetwork>) {
    let mut scene = Scene::upstream();
    scene.target.nginx = Some(Arc::new(client));
    let network = ScriptedNetwork::new(&mut scene, server);
    run(&scene, network).await
}

fn refuses(alert: AlertDescription) -> ScriptedReply {
    (ended(Cause::Alert(alert)), Served::NotAsked)
}

fn serves(status: u16) -> ScriptedReply {
    (taken(), Served::Answer { status, subject: RefusalSubject::None })
}

fn finding<'r>(report: &'r TargetReport, rule: &str) -> &'r Finding {
    let found = report.judgement.findings.iter().find(|finding| finding.rule == rule);
    found.unwrap_or_else(|| panic!("no {rule}: {:#?}", report.judgement.findings))
}

/// What the attempts added to the observation changed.
fn kept(report: &TargetReport) -> Vec<String> {
    let attempts = &report.observation.endpoints[0].nginx;
    attempts.iter().map(|attempt| in_words(&attempt.changes)).collect()
}

#[tokio::test]
async fn of_what_led_to_a_fix_only_what_it_needs_is_left() {
    // A name gets nginx further, but TLS 1.3 alone would have been enough.
    let server = |client: &NginxClient| {
        if client.versions().contains(&ProtocolVersion::TLS1_3) {
            (taken(), Served::NotAsked)
        } else if client.sni().is_some() {
            refuses(AlertDescription::HANDSHAKE_FAILURE)
        } else {
            refuses(AlertDescription::UNRECOGNIZED_NAME)
        }
    };
    let protocols = Some(vec![ProtocolVersion::TLS1_2]);
    let (report, network) =
        meet(NginxClient { protocols, ..NginxClient::new("a.test") }, server).await;
    let tried = network.tried();
    assert!(tried.iter().any(|changes| changes.contains("server_name on; protocols")), "{tried:?}");
    assert_eq!(kept(&report).last().unwrap(), "protocols TLSv1.2 TLSv1.3;");
    let failing = report.judgement.findings.first().unwrap();
    let fix = failing.fix.as_ref().unwrap();
    assert_eq!((fix.verified, fix.directives.len()), (Some(true), 1), "{failing:#?}");
}

#[tokio::test]
async fn a_candidate_whose_request_is_answered_worse_is_dropped() {
    let request = NginxRequest::get("backend", "/");
    let client = NginxClient { request: Some(request), ..NginxClient::new("backend") };
    let worse = |client: &NginxClient| serves(if client.sni().is_some() { 500 } else { 404 });
    let (report, network) = meet(client.clone(), worse).await;
    assert!(!network.tried().is_empty());
    assert_eq!(kept(&report), [""], "nothing was better");
    let better = |client: &NginxClient| serves(if client.sni().is_some() { 200 } else { 404 });
    let (report, _) = meet(client, better).await;
    assert_eq!(kept(&report), ["", "server_name on;"]);
}

#[tokio::test]
async fn a_candidate_that_could_not_be_tested_is_not_verified() {
    let server = |client: &NginxClient| {
        if client.sni().is_none() {
            return refuses(AlertDescription::UNRECOGNIZED_NAME);
        }
        let failure = Failure { stage: Stage::Connect, cause: Cause::TimedOut };
        (Err(NoAnswer::Failed(failure)), Served::NotAsked)
    };
    let (report, network) = meet(NginxClient::new("a.test"), server).await;
    assert!(!network.tried().is_empty());
    let fix = finding(&report, "upstream-sni-missing").fix.as_ref().unwrap();
    assert_eq!(fix.verified, None);
    assert_eq!(report.status, Status::Fail);
}

#[tokio::test]
async fn the_search_for_a_fix_comes_to_an_end() {
    let server = |_: &NginxClient| refuses(AlertDescription::HANDSHAKE_FAILURE);
    let mut scene = Scene::upstream();
    scene.target.likely_names = (0..40).map(|number| format!("n{number}.test")).collect();
    scene.target.client_identity = Some(scene.identity(ExtendedKeyUsagePurpose::ClientAuth));
    scene.raw(ProtocolVersion::TLS1, Ok(0x002f));
    scene.target.nginx = Some(Arc::new(NginxClient::new("backend")));
    let network = ScriptedNetwork::new(&mut scene, server);
    let (report, network) = run(&scene, network).await;
    assert_eq!(network.tried().len(), 24);
    assert_eq!(kept(&report), [""]);
}

#[tokio::test]
async fn a_run_that_is_stopped_keeps_what_it_has() {
    let mut scene = Scene::new();
    let mut network = ScriptedNetwork::new(&mut scene, |_| serves(200));
    network.endless = Some("endless");
    let settings = Arc::new(settings(&scene, &Arc::new(network)));
    let mut endless = scene.target.clone();
    endless.name = "endless".to_owned();
    let targets = vec![Arc::new(endless), Arc::new(scene.target.clone())];
    let stop = Notify::new();
    let mut reports = Vec::new();
    let ending = audit(targets.into(), settings, stop.notified(), |index, report| {
        reports.push((index, report.status, report.is_cancelled()));
        stop.notify_one();
    })
    .await;
    assert!(ending.stopped);
    assert_eq!(reports, [(1, Status::Pass, false), (0, Status::Untested, true)]);
}

/// A listener that sends its leaf alone, which names this address for its issuer's certificate.
fn incomplete(issuer: &Authority, root: Authority, url: &str) -> Scene {
    let mut scene = Scene::new();
    let named = |params: &mut CertificateParams| params.custom_extensions = vec![ca_issuers(url)];
    let leaf = issuer.issue_with(&["a.test"], named).unwrap();
    scene.root = root;
    scene.present(&[leaf.certificate]);
    scene
}

fn url(number: usize) -> String {
    format!("http://ca.test/{number}")
}

/// So many intermediates below a root, each of which names the address of the one above it; the lowest, and the files.
fn ladder(root: &Authority, height: usize) -> (Authority, Vec<(String, Vec<u8>)>) {
    let mut lowest = root.intermediate("intermediate 0").unwrap();
    let mut files = vec![(url(0), lowest.certificate.to_vec())];
    for number in 1..height {
        let above = ca_issuers(&url(number - 1));
        let name = format!("intermediate {number}");
        lowest = lowest.intermediate_with(&name, |it| it.custom_extensions = vec![above]).unwrap();
        files.push((url(number), lowest.certificate.to_vec()));
    }
    (lowest, files)
}

async fn climb(height: usize) -> (TargetReport, Arc<ScriptedNetwork>) {
    let root = Authority::root("test root", crate::audit::fixtures::NOW).unwrap();
    let (lowest, files) = ladder(&root, height);
    let mut scene = incomplete(&lowest, root, &url(height - 1));
    let mut network = ScriptedNetwork::new(&mut scene, |_| serves(200));
    network.files = files.into_iter().collect();
    run(&scene, network).await
}

#[tokio::test]
async fn issuers_are_fetched_until_the_chain_is_complete() {
    for height in 1..=3 {
        let (report, network) = climb(height).await;
        assert_eq!(network.fetched().len(), height);
        let incomplete = finding(&report, "chain-incomplete");
        assert_eq!(incomplete.fix.as_ref().unwrap().verified, Some(true), "{incomplete:#?}");
    }
}

#[tokio::test]
async fn no_chain_is_followed_beyond_three_issuers() {
    let (report, network) = climb(6).await;
    assert_eq!(network.fetched(), [url(5), url(4), url(3)]);
    let incomplete = finding(&report, "chain-incomplete");
    assert_eq!(incomplete.fix.as_ref().unwrap().verified, None);
    assert!(incomplete.evidence.last().unwrap().contains("still incomplete"), "{incomplete:#?}");
}

#[tokio::test]
async fn what_stands_in_the_way_of_an_issuer_is_told() {
    let root = || Authority::root("test root", crate::audit::fixtures::NOW).unwrap();
    let foreign = Authority::root("foreign root", crate::audit::fixtures::NOW).unwrap();
    let cases = [
        (None, "the server answered 404"),
        (Some(b"<html>".to_vec()), "is not a certificate"),
        (Some(foreign.certificate.to_vec()), "is a root that is not trusted here"),
    ];
    for (file, expected) in cases {
        let root = root();
        let issuer = root.intermediate("intermediate").unwrap();
        let mut scene = incomplete(&issuer, root, &url(0));
        let mut network = ScriptedNetwork::new(&mut scene, |_| serves(200));
        network.files = file.map(|file| (url(0), file)).into_iter().collect();
        let (report, network) = run(&scene, network).await;
        assert_eq!(network.fetched(), [url(0)]);
        let incomplete = finding(&report, "chain-incomplete");
        assert!(incomplete.evidence.last().unwrap().contains(expected), "{incomplete:#?}");
        assert_eq!(incomplete.fix.as_ref().unwrap().verified, None);
    }
}
