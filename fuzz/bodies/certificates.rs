//! Certificates, to verdicts, findings and every format; staples and revocation lists.

use std::sync::{Arc, LazyLock};

use clap::ValueEnum;
use shakedown::audit::finding::Severity;
use shakedown::audit::judge::{Standard, judge_file};
use shakedown::certificate::chain::Chain;
use shakedown::certificate::crl::{RevocationList, RevocationLists};
use shakedown::certificate::file::{self, FileChain};
use shakedown::certificate::signature::Verifier;
use shakedown::certificate::trust::openssl::{Question, VerifyProfile, list_faults, verify};
use shakedown::certificate::trust::{Assessor, Purpose};
use shakedown::certificate::{Certificate, ocsp};
use shakedown::observation::{Observation, Untried};
use shakedown::report::{Format, Look, Report, ReportKind, ReportOptions};
use shakedown::run::TargetReport;
use shakedown::targets::options::Options;
use shakedown::targets::{FilePart, Host, TargetKind};

use super::seeds::{NOW, PUBLIC};

/// The certificates of a file, judged as a server's and as a client's.
pub(super) fn findings(input: &[u8]) {
    for purpose in [Purpose::Server, Purpose::Client] {
        drop(judged(input, purpose));
    }
}

/// The same, written in every format.
pub(super) fn formats(input: &[u8]) {
    let report = Report {
        started_at: NOW,
        finished_at: NOW,
        targets: judged(input, Purpose::Server),
        interrupted: false,
        kind: ReportKind::Files,
        options: ReportOptions::default(),
    };
    let look = Look { width: 80, colour: false, show_chain: true };
    for format in Format::value_variants() {
        let mut out = Vec::new();
        report.render(*format, look, &mut out).expect("memory can be written");
        let text = String::from_utf8(out).expect("a report is text");
        let line_ends = if *format == Format::Csv { "\r\n" } else { "\n" };
        let control = |c: char| c.is_control() && c != '\n' && c != '\t';
        let text = text.replace(line_ends, "\n");
        assert!(!text.contains(control), "{} holds a control character", format.name());
    }
}

fn judged(input: &[u8], purpose: Purpose) -> Vec<TargetReport> {
    let (certificates, _) = file::read(input);
    let parsed = certificates.iter().filter_map(|der| Certificate::parse(der).ok());
    let parsed: Vec<Arc<Certificate>> = parsed.map(Arc::new).collect();
    let assessor = Assessor::of(purpose, Arc::clone(&PUBLIC.store), NOW);
    let files = file::chains("a.pem", &parsed, None);
    files.into_iter().map(|file| judge(&file, &assessor)).collect()
}

fn judge(file: &FileChain, assessor: &Assessor) -> TargetReport {
    let name = file.chain.leaf().and_then(|leaf| leaf.dns_names().first().cloned());
    let kind =
        TargetKind::File { host: Host::Name(name.unwrap_or_default()), part: FilePart::Chain };
    let target = Arc::new(Options::default().target_of(kind, file.path.clone(), None));
    let standard = Standard { assessor, policy: None, now: NOW };
    let judgement = judge_file(&target, file, standard);
    let observation = Observation::not_tried(Untried::TextOnly);
    TargetReport::new(target, observation, judgement, Severity::Error)
}

/// A certificate of the public authority of the seeds.
static LEAF: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::parse(&PUBLIC.leaf).expect("it was just made"));

/// A stapled response about a certificate.
pub(super) fn staple(input: &[u8]) {
    let issuer = Certificate::parse(&PUBLIC.root).expect("it was just made");
    let _ = ocsp::check(input, &LEAF, Some(&issuer), NOW);
}

/// A revocation list in DER, or lists in PEM, that a chain is verified with.
pub(super) fn revocation_list(input: &[u8]) {
    let lists = match RevocationList::parse(input) {
        Ok(list) => RevocationLists(vec![list]),
        Err(_) => match RevocationLists::read(input) {
            Ok(lists) => lists,
            Err(_) => return,
        },
    };
    for list in &lists.0 {
        let _ = (list.is_current(NOW), list.replaces(list));
    }
    let chain = Chain::from_der(&[&PUBLIC.leaf]);
    let question = Question { chain: &chain, store: &PUBLIC.store, lists: Some(&lists), now: NOW };
    let verifier = Verifier::default();
    let _ = verify(question, VerifyProfile::default(), &verifier);
    let _ = list_faults(question, VerifyProfile::default(), &verifier);
}
