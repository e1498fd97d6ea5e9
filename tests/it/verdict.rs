//! Compares our verdict for nginx with nginx: several hundred chains, each behind its own server, with one nginx as the
//! proxy and as the servers.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateDer;
use shakedown::certificate::issue::{Authority, self_signed};
use shakedown::certificate::signature::Verifier;
use shakedown::certificate::trust::TrustStore;
use shakedown::certificate::trust::openssl::{OpensslVerdict, Question, VerifyProfile, verify};
use shakedown::certificate::{Chain, file};
use time::{Duration, OffsetDateTime};

use crate::odd_chains;
use crate::support::dice::Dice;
use crate::support::pki::{OpenSslAuthority, pem};
use crate::support::server::Nginx;

/// The number of chains.
const CASES: usize = 400;

/// One upstream: what it sends, and how nginx verifies it.
struct Case {
    what: String,
    key: String,
    sent: Vec<CertificateDer<'static>>,
    trusted: Vec<CertificateDer<'static>>,
    depth: usize,
    level: u8,
    name: &'static str,
}

/// Faults of a CA.
fn spoil_authority(
    params: &mut CertificateParams,
    fault: u64,
    now: OffsetDateTime,
) -> &'static str {
    match fault {
        0 => {
            params.not_after = now - Duration::days(1);
            "expired"
        }
        1 => {
            params.not_before = now + Duration::days(1);
            "future"
        }
        2 => {
            params.is_ca = IsCa::ExplicitNoCa;
            "no CA"
        }
        3 => {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            "no keyCertSign"
        }
        4 => {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            "clientAuth only"
        }
        5 => {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            "pathlen 0"
        }
        6 => {
            params.is_ca = IsCa::NoCa;
            "no basicConstraints"
        }
        _ => "sound",
    }
}

/// Faults and peculiarities of a leaf.
fn spoil_leaf(params: &mut CertificateParams, fault: u64, now: OffsetDateTime) -> &'static str {
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let common_name = |params: &mut CertificateParams, name: &str| {
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
    };
    match fault {
        0 => params.not_after = now - Duration::days(1),
        1 => params.not_before = now + Duration::days(1),
        2 => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
        3 => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
        4 => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any],
        5 => params.key_usages = vec![KeyUsagePurpose::KeyCertSign],
        6 => params.subject_alt_names.clear(),
        7 => params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())],
        8 => params.subject_alt_names = vec![dns("*.test")],
        9 => params.subject_alt_names = vec![dns("*.b.test")],
        10 => params.subject_alt_names = vec![dns("x*.b.test")],
        11 => {
            params.subject_alt_names.clear();
            common_name(params, "*.b.test");
        }
        12 => {
            params.subject_alt_names = vec![dns("other.test")];
            common_name(params, "a.test");
        }
        _ => return "sound leaf",
    }
    [
        "expired leaf",
        "future leaf",
        "CA leaf",
        "clientAuth leaf",
        "anyEKU leaf",
        "keyCertSign leaf",
        "CN only",
        "IP SAN",
        "*.test",
        "*.b.test",
        "x*.b.test",
        "CN *.b.test",
        "SAN beats CN",
    ][usize::try_from(fault).unwrap()]
}

fn case(dice: &mut Dice, now: OffsetDateTime) -> Case {
    let mut what = String::new();
    let root_fault = if dice.one_in(12) { dice.roll(2) } else { 99 };
    let mut note = |word: &str| write!(what, "{word}, ").unwrap();
    let root = Authority::root_changed("root", now, |params| {
        note(spoil_authority(params, root_fault, now));
    })
    .unwrap();
    let mut authorities = vec![root];
    let count = dice.roll(4);
    for index in 0..count {
        let fault = if dice.one_in(6) { dice.roll(7) } else { 99 };
        let above = authorities.last().unwrap();
        let name = format!("intermediate {index}");
        let next = above
            .intermediate_with(&name, |params| note(spoil_authority(params, fault, now)))
            .unwrap();
        authorities.push(next);
    }
    let leaf_fault = if dice.one_in(2) { dice.roll(13) } else { 99 };
    let issuer = authorities.last().unwrap();
    let mut issued =
        issuer.issue_with(&["a.test"], |params| note(spoil_leaf(params, leaf_fault, now))).unwrap();
    if dice.one_in(20) {
        issued = self_signed(&["a.test"], now).unwrap();
        note("self-signed");
    }
    let mut sent = issued.chain();
    match dice.roll(8) {
        0 => {
            sent.truncate(1);
            note("leaf alone");
        }
        1 => {
            sent.push(authorities[0].certificate.clone());
            note("root sent");
        }
        2 if sent.len() > 2 => {
            sent.swap(1, 2);
            note("swapped");
        }
        3 if sent.len() > 2 => {
            sent.remove(1);
            note("gap");
        }
        _ => {}
    }
    let trusted = match dice.roll(10) {
        0 => {
            note("other root");
            vec![Authority::root("other", now).unwrap().certificate]
        }
        1 => {
            note("last authority as anchor");
            vec![issuer.certificate.clone()]
        }
        2 => {
            note("leaf as anchor");
            vec![issued.certificate.clone()]
        }
        3 => {
            note("every authority as anchor");
            authorities.iter().map(|authority| authority.certificate.clone()).collect()
        }
        4 => {
            note("namesake of the root");
            vec![Authority::root("root", now).unwrap().certificate]
        }
        _ => vec![authorities[0].certificate.clone()],
    };
    let depth =
        usize::try_from([1, 1, 1, 0, 2, 3][usize::try_from(dice.roll(6)).unwrap()]).unwrap();
    let name = ["a.test", "a.test", "a.test", "A.TEST", "xy.b.test", "127.0.0.1"]
        [usize::try_from(dice.roll(6)).unwrap()];
    write!(what, "depth {depth}, name {name}").unwrap();
    Case { what, key: issued.key.serialize_pem(), sent, trusted, depth, level: 2, name }
}

/// What rcgen cannot make: short keys, old hashes, certificates of version 1; at two security levels.
fn weak_cases() -> Vec<Case> {
    let authority = OpenSslAuthority::new();
    let read = |path: &std::path::Path| fs::read(path).unwrap();
    let root = file::read(&read(authority.ca_file().as_ref())).0;
    let mut cases = Vec::new();
    for (key, digest, names) in [
        ("rsa:2048", "-sha256", Some("DNS:a.test")),
        ("rsa:1024", "-sha256", Some("DNS:a.test")),
        ("rsa:2048", "-sha1", Some("DNS:a.test")),
        ("rsa:1024", "-sha1", Some("DNS:a.test")),
        ("rsa:2048", "-sha256", None),
        ("rsa:2047", "-sha256", Some("DNS:a.test")),
        ("rsa:2048", "-sha224", Some("DNS:a.test")),
    ] {
        let files = authority.issue(key, digest, names);
        for level in [0, 1, 2] {
            cases.push(Case {
                what: format!("{key} {digest} {names:?}, level {level}"),
                key: String::from_utf8(read(&files.key)).unwrap(),
                sent: file::read(&read(&files.certificate)).0,
                trusted: root.clone(),
                depth: 1,
                level,
                name: "a.test",
            });
        }
    }
    cases
}

/// Chains that rcgen can make but no usual CA would.
fn odd_cases(now: OffsetDateTime) -> Vec<Case> {
    let case = |odd: odd_chains::OddChain| Case {
        what: odd.what.to_owned(),
        key: odd.leaf.key.serialize_pem(),
        sent: odd.leaf.chain(),
        trusted: odd.trusted,
        depth: 2,
        level: 2,
        name: "a.test",
    };
    odd_chains::all(now).into_iter().map(case).collect()
}

/// Our verdict: accepted, an error number, or a wrong name.
fn predict(case: &Case, now: OffsetDateTime) -> String {
    let sent: Vec<&[u8]> = case.sent.iter().map(AsRef::as_ref).collect();
    let chain = Arc::new(Chain::from_der(&sent));
    let (store, unreadable) =
        TrustStore::from_certificates("file".to_owned(), case.trusted.clone(), false);
    assert_eq!(unreadable, 0);
    let profile =
        VerifyProfile { depth: case.depth, security_level: case.level, ..VerifyProfile::default() };
    let question = Question { chain: &chain, store: &store, lists: None, now };
    match verify(question, profile, &Verifier::default()) {
        OpensslVerdict::Accepted if chain.leaf().unwrap().check_host(case.name) => {
            "accepted".to_owned()
        }
        OpensslVerdict::Accepted => "does not match".to_owned(),
        OpensslVerdict::Refused(error) => error.to_string(),
        OpensslVerdict::Unreadable(_) => "unreadable".to_owned(),
        OpensslVerdict::CannotCheck(why) => panic!("{}: {why}", case.what),
    }
}

/// nginx's verdict in the request for one case.
fn observe(log: &str, index: usize, answer: &str) -> String {
    let mark = format!("request: \"GET /{index} ");
    match log.lines().find(|line| line.contains(&mark) && line.contains("upstream SSL certificate"))
    {
        Some(line) if line.contains("does not match") => "does not match".to_owned(),
        Some(line) => {
            let from = line.find("upstream SSL certificate verify error").unwrap();
            line[from..].split(") while").next().unwrap().to_owned() + ")"
        }
        None if answer.starts_with("HTTP/1.1 204") => "accepted".to_owned(),
        None => panic!("case {index}: {answer}\n{log}"),
    }
}

fn configuration(cases: &[Case], folder: &std::path::Path, port: u16) -> String {
    let mut upstreams = String::new();
    let mut locations = String::new();
    for (index, case) in cases.iter().enumerate() {
        let file = |kind: &str| folder.join(format!("{index}.{kind}")).display().to_string();
        fs::write(file("pem"), pem(&case.sent)).unwrap();
        fs::write(file("ca"), pem(&case.trusted)).unwrap();
        fs::write(file("key"), &case.key).unwrap();
        let address = format!("127.0.{}.{}:{port}", 1 + index / 250, 1 + index % 250);
        writeln!(
            upstreams,
            "server {{ listen {address} ssl; ssl_certificate {}; ssl_certificate_key {}; return 204; }}",
            file("pem"),
            file("key")
        )
        .unwrap();
        writeln!(
            locations,
            "location = /{index} {{ proxy_pass https://{address}; proxy_ssl_name {}; proxy_ssl_verify_depth {};
             proxy_ssl_trusted_certificate {}; proxy_ssl_ciphers DEFAULT:@SECLEVEL={}; }}",
            case.name,
            case.depth,
            file("ca"),
            case.level
        )
        .unwrap();
    }
    format!(
        "worker_rlimit_nofile 4096; http {{ access_log off; proxy_ssl_verify on; proxy_ssl_session_reuse off;
         ssl_ciphers DEFAULT:@SECLEVEL=0; proxy_ssl_protocols TLSv1.2 TLSv1.3; ssl_protocols TLSv1.2 TLSv1.3;
         {upstreams} server {{ listen 127.0.0.1:{port}; {locations} }} }}"
    )
}

fn get(port: u16, index: usize) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET /{index} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn nginx_says_of_every_chain_what_is_said_in_its_name() {
    let now = OffsetDateTime::now_utc();
    let mut dice = Dice(20_260_615);
    let mut cases: Vec<Case> = (0..CASES).map(|_| case(&mut dice, now)).collect();
    cases.extend(weak_cases());
    cases.extend(odd_cases(now));
    // The openssl command uses the current time, so the verdicts are for a time after it.
    let now = OffsetDateTime::now_utc();
    let folder = tempfile::tempdir().unwrap();
    let nginx = Nginx::start_with(|port| configuration(&cases, folder.path(), port));
    let answers: Vec<String> = (0..cases.len()).map(|index| get(nginx.port, index)).collect();
    // The last lines may come after the last answer.
    if let Some(last) = answers.iter().rposition(|answer| !answer.starts_with("HTTP/1.1 204")) {
        assert!(nginx.logs(&format!("request: \"GET /{last} ")));
    }
    let log = nginx.error_log();
    let mut accepted = 0;
    let mut disagreements = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let (ours, theirs) = (predict(case, now), observe(&log, index, &answers[index]));
        accepted += usize::from(theirs == "accepted");
        if ours != theirs {
            disagreements
                .push(format!("{index}: {}\n  we:    {ours}\n  nginx: {theirs}", case.what));
        }
    }
    assert!(
        accepted > CASES / 10 && accepted < CASES * 9 / 10,
        "{accepted} accepted: the cases are lopsided"
    );
    assert!(
        disagreements.is_empty(),
        "{} of {CASES} differ:\n{}",
        disagreements.len(),
        disagreements.join("\n")
    );
}
