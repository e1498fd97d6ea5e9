//! The findings of each rule for a target with its defect, recorded in `testdata/findings.txt`; and a check that no
//! rule reports anything for a healthy target.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};

use super::finding::Finding;
use super::fixtures::{
    Judgement, Scene, client_file, named_findings, public_policy, server_file, taken,
};
use super::policy::Policy;
use super::registry::RULES;
use super::rule::{Check, Rule};
use super::rules::reachability::addresses_untested;
use crate::certificate::Certificate;
use crate::certificate::file::{FileChain, FileKey};
use crate::certificate::testing::staple;
use crate::observation::nginx::{NoAnswer, RefusalSubject, Served};
use crate::observation::scan::{BrowserHello, Features, SizedHello};
use crate::observation::{ClientAuth, ClientCertificateRequest, Observed, RawChoice};
use crate::targets::ClientCertificatePolicy;
use crate::targets::former::Former;
use crate::targets::nginx_client::{NginxClient, PlainPass};
use crate::tls::group::NamedGroup;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

#[test]
fn what_every_rule_says_was_read() {
    let mut fresh = String::from(
        "What each rule says of something that has its defect. A test writes this (UPDATE=1 cargo test --lib specimens)\n\
         and fails where it is not up to date: read what changes here before it is committed.\n",
    );
    for rule in RULES {
        let all = (rule.specimen)();
        let own: Vec<&Finding> = all.iter().filter(|finding| finding.rule == rule.id).collect();
        assert!(!own.is_empty(), "{}: {all:#?}", rule.id);
        for finding in own {
            show(rule, finding, &mut fresh);
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/findings.txt");
    #[expect(clippy::disallowed_methods, reason = "a test may read and write its file")]
    let kept = {
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &fresh).unwrap();
        }
        std::fs::read_to_string(&path).unwrap_or_default()
    };
    for (kept, fresh) in kept.split("\n\n").zip(fresh.split("\n\n")) {
        assert_eq!(kept, fresh, "UPDATE=1 cargo test --lib specimens, then read what has changed");
    }
    assert_eq!(kept.len(), fresh.len());
}

/// A finding with every text that a user may read.
fn show(rule: &Rule, finding: &Finding, out: &mut String) {
    let fix = finding.fix.as_ref().unwrap();
    assert!(!finding.message.is_empty() && !finding.evidence.is_empty(), "{finding:#?}");
    write!(out, "\n{} ({})\n  {}\n", rule.id, finding.severity, finding.message).unwrap();
    for fact in &finding.evidence {
        writeln!(out, "  - {}", without_hashes(fact)).unwrap();
    }
    let tried = match fix.verified {
        Some(true) => " (tried, it works)",
        Some(false) => " (tried, it does not work)",
        None => "",
    };
    writeln!(out, "  fix{tried}: {}", fix.text).unwrap();
    if let Some(assumption) = &fix.assumes {
        writeln!(out, "    if {assumption}").unwrap();
    }
    for one in &fix.directives {
        writeln!(out, "    {} {{ {} {}; }}", one.context, one.name, one.value).unwrap();
    }
    for command in &finding.reproduce {
        writeln!(out, "  $ {command}").unwrap();
    }
}

/// Certificates and their hashes are new in each run.
fn without_hashes(text: &str) -> String {
    let is_hash =
        |word: &str| word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split(' ').map(|word| {
        let bare = word.trim_end_matches([',', ':', ')']);
        if is_hash(bare) { word.replace(bare, "HASH") } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_healthy_endpoint_of_every_kind_raises_no_rule() {
    let mut passed = BTreeSet::new();
    let kinds: [fn() -> Scene; 11] = [
        Scene::new,
        Scene::upstream,
        || Scene::of("192.0.2.1"),
        two,
        scanned,
        as_expected,
        public,
        mutual,
        proxied,
        plain,
        led_to_quic,
    ];
    let judged = kinds.into_iter().map(|kind| kind().judge());
    for judgement in judged.chain([own_file(), file_of_a_client()]) {
        assert_eq!(named_findings(&judgement), [""; 0], "{judgement:#?}");
        assert_eq!(judgement.untested, [], "{judgement:#?}");
        passed.extend(judgement.passed);
    }
    let silent: Vec<&str> = RULES
        .iter()
        .filter(|rule| !matches!(rule.check, Check::Setting(_)) && !passed.contains(rule.id))
        // It only ever reports what was left out.
        .filter(|rule| rule.id != addresses_untested::RULE.id)
        .map(|rule| rule.id)
        .collect();
    assert_eq!(silent, [""; 0], "no healthy endpoint passes these rules");
}

/// A listener at two addresses.
fn two() -> Scene {
    let mut scene = Scene::new();
    scene.second_address();
    scene
}

/// A listener that was scanned, also with a browser's hello.
fn scanned() -> Scene {
    let mut scene = Scene::new();
    scene.scan(ProtocolVersion::TLS1_3, &[0x1301]);
    scene.replay("chrome", Ok(0x1301));
    let clients = scene.target.expect.clients.clone();
    scene.target.former = Some(Former { clients, ..Former::default() });
    scene.policy = Some(Policy::parse("name = 'own'\nprotocols = ['TLSv1.3']").unwrap());
    let choice = RawChoice {
        version: ProtocolVersion::TLS1_3,
        cipher_suite: CipherSuite(0x1301),
        group: None,
        scheme: None,
    };
    let endpoint = &mut scene.seen.endpoints[0];
    let scan = &mut endpoint.scans[0];
    scan.versions.last_mut().unwrap().groups.accepted = vec![NamedGroup(0x11ec)];
    scan.features = Features { compression: Observed::Absent, ..Features::default() };
    endpoint.browser = Some(BrowserHello {
        whole: SizedHello { size: 1750, outcome: Ok(choice) },
        classic: None,
        padded: None,
    });
    scene
}

/// A listener that meets its expectations.
fn as_expected() -> Scene {
    let mut scene = Scene::new();
    scene.target.expect.protocols = Some(vec![ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3]);
    scene.target.expect.client_certificate = Some(ClientCertificatePolicy::None);
    scene.target.expect.alpn = vec!["h2".to_owned()];
    scene.target.written = Some(Box::default());
    scene.each(|cell| {
        if let Ok(session) = &mut cell.outcome {
            session.alpn = Some("h2".to_owned());
        }
    });
    scene
}

/// A listener with a certificate of a public CA that requires a staple and is the one in its file.
fn public() -> Scene {
    let mut scene = Scene::new().public();
    scene.issue(|params| params.custom_extensions = vec![public_policy()]);
    scene.pretend(|leaf| {
        leaf.sct_count = 2;
        leaf.must_staple = true;
    });
    let chain = scene.seen.endpoints[0].handshakes[0].chain.clone().unwrap();
    let staple = staple(&scene.intermediate, &chain.certificates[0], b"20260601000000Z", false);
    scene.staple(&staple);
    scene.target.files = vec![FileChain {
        path: "a.pem".to_owned(),
        chain,
        leaf_at: 0,
        key: None,
        is_plain: true,
        at_handshake: false,
    }];
    scene
}

/// A listener that requires a client certificate, and gets one.
fn mutual() -> Scene {
    let mut scene = Scene::new();
    scene.target.expect.client_certificate = Some(ClientCertificatePolicy::Required);
    scene.target.client_identity = Some(scene.identity(ExtendedKeyUsagePurpose::ClientAuth));
    let authorities = vec!["CN=test intermediate".to_owned()];
    let request = ClientCertificateRequest { authorities, answered: true };
    scene.each(|cell| cell.client_auth = ClientAuth::Requested(request.clone()));
    scene
}

/// A QUIC socket that TCP leads to.
fn led_to_quic() -> Scene {
    let mut scene = Scene::quic();
    let facts = scene.seen.endpoints[0].quic.as_mut().unwrap();
    facts.advertised = Observed::Seen("h3=\":443\"".to_owned());
    scene
}

/// An upstream that nginx verifies, and sends a certificate to.
fn proxied() -> Scene {
    let mut scene = Scene::upstream();
    let identity = Some(scene.identity(ExtendedKeyUsagePurpose::ClientAuth));
    let client = NginxClient { identity, ..scene.verifying("a.test") };
    scene.behind_with(client, taken());
    scene
}

/// An upstream that expects plain text, and gets it.
fn plain() -> Scene {
    let plain =
        Some(PlainPass { url: "http://a.test".to_owned(), over_tls: None, beside_tls: false });
    let client = NginxClient { plain, ..NginxClient::new("a.test") };
    let mut scene = Scene::behind(client, Err(NoAnswer::Plain(None)));
    scene.seen.endpoints[0].nginx[0].served =
        Served::Answer { status: 200, subject: RefusalSubject::None };
    scene
}

/// A server's file with its key.
fn own_file() -> Judgement {
    let scene = Scene::new();
    let issued = scene.intermediate.issue(&["a.test"]).unwrap();
    let spki = Certificate::parse(&issued.certificate).unwrap().public_key.spki;
    let key = FileKey { path: "a.key".to_owned(), spki: Ok(spki) };
    server_file(&scene, &issued.chain(), 0, Some(key))
}

/// A client's file.
fn file_of_a_client() -> Judgement {
    let scene = Scene::new();
    let any = |params: &mut CertificateParams| params.extended_key_usages.clear();
    let issued = scene.intermediate.issue_with(&["client"], any).unwrap();
    client_file(&scene, &issued.chain(), Some("CN=test root"))
}
