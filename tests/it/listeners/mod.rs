//! What is proposed for listeners, held against nginx: generated sockets, the clients that fail there, and each proposal run by nginx
//! itself until one lets the client in and turns nobody away.

mod case;
mod material;
mod reasons;
mod rehearsed;

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use shakedown::audit::listener::{Candidate, Effect, Goal, Sight, Site, candidates, effect, site};
use shakedown::certificate::file::FileChain;
use shakedown::nginx::build::Build;
use shakedown::nginx::defaults::NginxRelease;
use shakedown::nginx::edit;
use shakedown::nginx::listener::{Listener, listeners};
use shakedown::nginx::source::MemoryFiles;
use shakedown::nginx::tree::Tree;
use shakedown::openssl::release::OpensslRelease;
use shakedown::probe::scan::Depth;
use shakedown::probe::{AddressFamily, Deadlines, Limits, Prober};
use shakedown::run::{Settings, TargetReport, audit_all};
use shakedown::targets::from_nginx::{self, Premises};
use shakedown::targets::opened_files::OpenedFiles;
use shakedown::targets::options::Options;
use shakedown::targets::{Roots, Target};
use shakedown::tls::profile::{Profile, select};
use time::OffsetDateTime;

use self::case::{Case, Module};
use self::material::Material;
use crate::support::dice::Dice;
use crate::support::server::{Nginx, nginx_binary};

/// Sockets that are generated, unless the environment asks for another number.
const CASES: usize = 24;

/// Sockets of one nginx, which must start within the patience of the tests on a busy machine.
const BATCH: usize = 60;

/// Clients of many times, each unlike the others in what it offers.
const CLIENTS: [&str; 8] = [
    "chrome",
    "java-7",
    "java-8",
    "ie-11-win7",
    "openssl-3.0",
    "android-4.4",
    "gnutls",
    "safari-9",
];

const MAIN: &str = "/etc/nginx/nginx.conf";

fn clients() -> Vec<&'static Profile> {
    CLIENTS.iter().map(|name| select(name).unwrap()[0]).collect()
}

fn nginx_release() -> (NginxRelease, OpensslRelease) {
    let output = Command::new(nginx_binary()).arg("-V").output().unwrap();
    let build = Build::read(&String::from_utf8_lossy(&output.stderr)).unwrap();
    (build.version, OpensslRelease::of(&build.library.unwrap()).unwrap())
}

/// Whether nginx has `ssl_conf_command` and `ssl_reject_handshake`, which came together.
fn has_commands() -> bool {
    static HAS: LazyLock<bool> = LazyLock::new(|| nginx_release().0 >= NginxRelease::new(1, 19, 4));
    *HAS
}

/// A configuration of one socket, as it is read.
struct Read {
    tree: Tree,
    sockets: Vec<Listener>,
    targets: Vec<Arc<Target>>,
}

impl Read {
    fn of(text: &str, material: &Material) -> Self {
        let (version, library) = nginx_release();
        let tree = Tree::read(&MemoryFiles::of([(MAIN, text.as_bytes())]), MAIN);
        assert_eq!(tree.problems, [], "{text}");
        let sockets = listeners(&tree);
        let options = Options {
            roots: Some(Roots::File(material.pki.ca_file().into())),
            timeout: Some(Duration::from_secs(5)),
            ..Options::default()
        };
        let premises = Premises {
            options: &options,
            identity: None,
            connect: None,
            root: None,
            request: true,
            version: Some(version),
            library: Some(library),
            foreign: None,
            system: material.system.clone(),
            apart: HashSet::new(),
            sockets: Vec::new(),
            is_live: false,
            rehearsed: false,
            opened: OpenedFiles::default(),
        };
        let mut targets = from_nginx::targets(&sockets, &[], &[], &premises).targets;
        for target in &mut targets {
            Arc::make_mut(target).expect.clients = clients();
        }
        Self { tree, sockets, targets }
    }

    fn files(&self) -> Vec<FileChain> {
        self.targets.iter().flat_map(|target| target.files.iter().cloned()).collect()
    }
}

/// A socket to start and to audit.
struct Job {
    module: Module,
    /// The text of its module's block.
    block: String,
    targets: Vec<Arc<Target>>,
}

/// The configuration's block with the address in place of its own.
fn job(case: &Case, text: &str, old: &str, new: &str, material: &Material) -> Job {
    let text = text.replace(old, new);
    let (_, block) = text.split_once("{\n").unwrap();
    let block = block.trim_end().strip_suffix('}').unwrap().to_owned();
    let targets = Read::of(&case.configuration(new), material).targets;
    Job { module: case.module, block, targets }
}

/// Runs all of them and audits what is there; the reports of each.
fn run(jobs: &[Job], depth: &Depth, material: &Material) -> Vec<Vec<TargetReport>> {
    let mut all = Vec::new();
    for batch in jobs.chunks(BATCH) {
        let mut blocks = String::new();
        for module in Module::ALL {
            let inside = batch.iter().filter(|job| job.module == module);
            let inside: String = inside.map(|job| job.block.as_str()).collect();
            let quiet = if module == Module::Http { "access_log off;\n" } else { "" };
            write!(blocks, "{} {{\n{quiet}{inside}}}\n", module.name()).unwrap();
        }
        let text = |_| format!("worker_rlimit_nofile 4096;\n{blocks}");
        let _nginx = Nginx::start_configured(text, material.openssl_conf.as_deref());
        let targets: Vec<Arc<Target>> =
            batch.iter().flat_map(|job| job.targets.iter().cloned()).collect();
        let network = Arc::new(Prober::new(limits()));
        let settings = Settings {
            depth: depth.clone(),
            ..Settings::new(&targets, network, OffsetDateTime::now_utc()).unwrap()
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (reports, _) = runtime.block_on(audit_all(targets, settings, std::future::pending()));
        let mut reports = reports.into_iter();
        all.extend(
            batch.iter().map(|job| reports.by_ref().take(job.targets.len()).collect::<Vec<_>>()),
        );
    }
    all
}

fn limits() -> Limits {
    let patience = Duration::from_secs(5);
    Limits {
        deadlines: Deadlines {
            dns: patience,
            connect: patience,
            starttls: patience,
            handshake: patience,
            read: Duration::from_secs(1),
        },
        connections: 64,
        per_address: 4,
        rate: None,
        family: AddressFamily::Any,
    }
}

/// One client that fails at one target of a case, and what is proposed for it.
struct FailingClient {
    case: usize,
    target: usize,
    client: &'static Profile,
    proposals: Vec<(Candidate, String)>,
    fixed: Option<String>,
}

fn address(row: usize, index: usize, module: Module) -> String {
    // Clients offer HTTP behind TLS unless the port speaks against it.
    address_with(if module == Module::Mail { 8883 } else { 8443 }, row, index)
}

fn address_with(port: u16, row: usize, index: usize) -> String {
    // Another run may be under way.
    let own = 1 + std::process::id() % 200;
    format!("127.{own}.{}.{}:{port}", 60 * row + index / 250, 1 + index % 250)
}

fn sight(report: &TargetReport) -> Sight<'_> {
    Sight { target: &report.target, seen: &report.observation, judgement: &report.judgement }
}

fn sights(reports: &[TargetReport]) -> Vec<Sight<'_>> {
    reports.iter().map(sight).collect()
}

fn failures(
    (index, read): (usize, &Read),
    reports: &[TargetReport],
    system: &[String],
) -> Vec<FailingClient> {
    let (release, library) = nginx_release();
    let files = read.files();
    let mut all = Vec::new();
    for (target, report) in reports.iter().enumerate() {
        let (listener, server) = site::place(&read.sockets, &report.target).unwrap();
        let (tree, files) = (&read.tree, files.as_slice());
        let place = Site { tree, listener, server, release, library, system, files };
        let Some(seen) = report.observation.endpoints.first() else { continue };
        for finding in &report.judgement.findings {
            let Some(goal @ Goal::Client(client)) = Goal::of(finding) else { continue };
            let proposals = candidates(goal, place, seen).into_iter().filter_map(|candidate| {
                let patch = edit::patch(&read.tree, &candidate.edits).unwrap();
                assert_eq!(patch.fault(&read.tree), None, "{candidate}");
                let file = patch.files.first()?;
                Some((candidate, String::from_utf8(file.after.clone()).unwrap()))
            });
            let proposals = proposals.collect();
            all.push(FailingClient { case: index, target, client, proposals, fixed: None });
        }
    }
    all
}

/// What opens, directive by directive, what OpenSSL's configuration may have closed.
const OPENED_SYSTEM: [&str; 2] = [
    "ssl_ecdh_curve X25519:prime256v1:secp384r1:secp521r1:X448;",
    "ssl_conf_command SignatureAlgorithms ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA256:RSA+SHA1:ECDSA+SHA1;\n\
     ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256;",
];

/// Those of them that nginx has, where OpenSSL is configured.
fn opened_system(material: &Material) -> Vec<&'static str> {
    let known = |line: &&str| has_commands() || !line.starts_with("ssl_conf_command");
    let lines = OPENED_SYSTEM.into_iter().filter(known);
    if material.system.is_empty() { Vec::new() } else { lines.collect() }
}

/// The configuration with everything open that a directive can open.
fn open(text: &str, material: &Material) -> String {
    let system = opened_system(material).join("\n");
    let closed = ["ssl_protocols", "ssl_ciphers", "ssl_ecdh_curve", "ssl_conf_command"];
    let kept = text.lines().filter(|line| !closed.iter().any(|name| line.starts_with(name)));
    let opened = kept.map(|line| {
        let more = "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;\nssl_ciphers ALL:@SECLEVEL=0;";
        if line.starts_with("listen") {
            format!("{line}\n{more}\n{system}")
        } else {
            line.to_owned()
        }
    });
    opened.collect::<Vec<_>>().join("\n")
}

fn connects(reports: &[TargetReport], target: usize, client: &Profile) -> bool {
    let seen = reports[target].observation.endpoints.first();
    let replay = seen.and_then(|seen| seen.replays.iter().find(|it| it.profile == client));
    replay.is_some_and(|replay| replay.outcome.is_ok())
}

/// How many cases there are, unless the environment asks for another number.
fn count(usual: usize) -> usize {
    let asked = std::env::var("SHAKEDOWN_CASES").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(usual)
}

#[test]
fn what_is_proposed_lets_the_client_in_and_turns_nobody_away() {
    hold(&Material::new(), 20_261_128, count(CASES));
}

/// Configurations of OpenSSL, each by what it sets for every connection.
const SYSTEMS: [&str; 4] = [
    "MinProtocol = TLSv1.3\nCipherString = DEFAULT@SECLEVEL=0\nGroups = P-384:P-521\n",
    "CipherString = DEFAULT@SECLEVEL=3\nMaxProtocol = TLSv1.2\nOptions = -SessionTicket\n",
    "SignatureAlgorithms = RSA+SHA256:RSA-PSS+SHA256:RSA+SHA384\nCiphersuites = TLS_AES_128_GCM_SHA256\nGroups = nosuch\n",
    "CipherString = AES128-SHA\nProtocol = -TLSv1.2\nTLS.Groups = X448\n",
];

#[test]
fn what_is_proposed_follows_the_configuration_of_openssl() {
    for (system, seed) in SYSTEMS.iter().zip(20_261_300..) {
        hold(&Material::with_system(system), seed, count(CASES / 3));
    }
}

/// The addresses of the generated sockets belong to one test at a time.
static ADDRESSES: Mutex<()> = Mutex::new(());

#[expect(clippy::print_stdout, reason = "the figures of a run")]
fn hold(material: &Material, seed: u64, count: usize) {
    let _addresses = ADDRESSES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut dice = Dice(seed);
    let cases: Vec<Case> = (0..count).map(|_| Case::roll(&mut dice, material)).collect();
    let own = |index: usize| address(0, index, cases[index].module);
    let texts: Vec<String> =
        cases.iter().enumerate().map(|(at, case)| case.configuration(&own(at))).collect();
    let here = |at: usize, text: &str, new: &str| job(&cases[at], text, &own(at), new, material);
    let depth = Depth { unexplained: true, ..Depth::default() };
    let jobs: Vec<Job> = (0..count).map(|at| here(at, &texts[at], &own(at))).collect();
    let before = run(&jobs, &depth, material);
    let mut failures: Vec<FailingClient> = (0..count)
        .flat_map(|at| {
            failures((at, &Read::of(&texts[at], material)), &before[at], &material.system)
        })
        .collect();
    let failing: BTreeSet<usize> = failures.iter().map(|failure| failure.case).collect();
    let failing: Vec<usize> = failing.into_iter().collect();
    let jobs: Vec<Job> = failing
        .iter()
        .map(|at| here(*at, &open(&texts[*at], material), &address(1, *at, cases[*at].module)))
        .collect();
    let opened = run(&jobs, &depth, material);
    let tries = failures.iter().map(|failure| failure.proposals.len()).max().unwrap_or(0);
    for round in 0..tries {
        let due: Vec<usize> = (0..failures.len())
            .filter(|at| failures[*at].fixed.is_none() && failures[*at].proposals.len() > round)
            .collect();
        // What several clients need is tried once.
        let mut texts: Vec<(usize, &str)> = Vec::new();
        for failure in due.iter().map(|at| &failures[*at]) {
            let trial = (failure.case, failure.proposals[round].1.as_str());
            if !texts.contains(&trial) {
                texts.push(trial);
            }
        }
        let job = |(row, (case, text)): (usize, &(usize, &str))| {
            here(*case, text, &address(2, row, cases[*case].module))
        };
        let jobs: Vec<Job> = texts.iter().enumerate().map(job).collect();
        let tried = run(&jobs, &depth, material);
        let rows: Vec<usize> = due
            .iter()
            .map(|at| {
                let failure = &failures[*at];
                let own = (failure.case, failure.proposals[round].1.as_str());
                texts.iter().position(|trial| *trial == own).unwrap()
            })
            .collect();
        for (at, row) in due.iter().zip(rows) {
            let failure = &mut failures[*at];
            let after = &tried[row];
            let old = &before[failure.case];
            let finding = old[failure.target]
                .judgement
                .findings
                .iter()
                .find(|finding| Goal::of(finding) == Some(Goal::Client(failure.client)));
            let effect =
                effect::judge(finding.unwrap(), failure.target, &sights(old), &sights(after));
            if effect == Effect::Improved {
                failure.fixed = Some(failure.proposals[round].0.to_string());
            }
        }
    }
    let fixable = |failure: &&FailingClient| {
        let at = failing.iter().position(|case| *case == failure.case).unwrap();
        connects(&opened[at], failure.target, failure.client)
    };
    let fixable: Vec<&FailingClient> = failures.iter().filter(fixable).collect();
    let missed: Vec<String> = fixable
        .iter()
        .filter(|failure| failure.fixed.is_none())
        .map(|failure| {
            let FailingClient { case, client, proposals, target, .. } = failure;
            let tried: Vec<String> =
                proposals.iter().map(|(candidate, _)| candidate.to_string()).collect();
            let name = &before[*case][*target].target.name;
            format!("{} at {name}:\n{}tried {tried:#?}", client.name, cases[*case].servers)
        })
        .collect();
    let fixed = failures.iter().filter(|failure| failure.fixed.is_some()).count();
    println!(
        "{} of {} clients that a directive can let in are let in ({} fail, {fixed} fixed)",
        fixable.len() - missed.len(),
        fixable.len(),
        failures.len(),
    );
    println!("{}", missed.join("\n"));
    assert!(failures.len() > count / 2, "{} fail", failures.len());
    // Of few cases, one with several faults at once is many.
    let parts = if material.system.is_empty() { 20 } else { 5 };
    assert!(missed.len() * parts <= fixable.len(), "{} missed", missed.len());
}
