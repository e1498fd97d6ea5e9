//! `shakedown nginx --rehearse`, held against nginx: generated configurations show rehearsed what they show live, and every
//! fix that is called verified, applied to the original, lets its client in and turns nobody away.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::Value;
use shakedown::probe::scan::Depth;
use shakedown::run::TargetReport;
use shakedown::tls::profile::select;

use super::case::{Case, Module};
use super::material::Material;
use super::{BATCH, CLIENTS, Job, SYSTEMS, address_with, connects, count, job, opened_system, run};
use crate::support::dice::Dice;
use crate::support::program::{shakedown, text};
use crate::support::server::{Nginx, nginx_binary};

/// Configurations that are generated, unless the environment asks for another number.
const CASES: usize = 16;

/// Runs of the program at once.
const AT_ONCE: usize = 2;

/// Whether a client connects, by the index of the target and the client's name.
type Connected = BTreeMap<(usize, String), bool>;

/// An address that no other test takes; clients offer HTTP behind TLS unless the port speaks against it.
fn address(row: usize, index: usize, module: Module) -> String {
    address_with(if module == Module::Mail { 5671 } else { 8444 }, row, index)
}

/// A configuration on disk.
struct Written {
    case: Case,
    text: String,
    address: String,
    main: PathBuf,
}

impl Written {
    fn new(index: usize, case: Case, material: &Material) -> Self {
        let address = address(0, index, case.module);
        let file = format!("/usr/lib/nginx/modules/ngx_{}_module.so", case.module.name());
        let load = if case.module != Module::Http && Path::new(&file).exists() {
            format!("load_module {file};\n")
        } else {
            String::new()
        };
        let text = format!("{load}{}", case.configuration(&address));
        let folder = material.pki.path(&format!("case-{index}"));
        fs::create_dir(&folder).unwrap();
        let main = folder.join("nginx.conf");
        fs::write(&main, &text).unwrap();
        Self { case, text, address, main }
    }

    /// A job that runs this text at another address.
    fn job(&self, text: &str, row: usize, index: usize, material: &Material) -> Job {
        let new = address(row, index, self.case.module);
        job(&self.case, text, &self.address, &new, material)
    }
}

/// What the program reports of a configuration.
fn audit(one: &Written, material: &Material, more: &[&str]) -> Value {
    let (main, binary) = (one.main.display().to_string(), nginx_binary().display().to_string());
    let (ca_file, clients) = (material.pki.ca_file(), CLIENTS.join(","));
    let fixed = ["nginx", &main, "--ca-file", &ca_file, "--nginx-binary", &binary];
    let conf = material.openssl_conf.iter().map(|file| file.display().to_string());
    let conf: Vec<String> = conf.flat_map(|file| ["--openssl-conf".to_owned(), file]).collect();
    let conf: Vec<&str> = conf.iter().map(String::as_str).collect();
    let form = ["--clients", &clients, "--scan", "--format", "json", "--omit-times"];
    let run = shakedown(&[&fixed[..], &form, &conf, more].concat());
    serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}{}", one.text, run.stdout, run.stderr))
}

/// Calls the function for each, several at once; the results in order.
fn each<T: Sync, R: Send>(all: &[T], call: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(0..all.len());
    let results = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(at) = next.lock().unwrap().next() else { return };
                    let result = call(at, &all[at]);
                    results.lock().unwrap().insert(at, result);
                }
            });
        }
    });
    results.into_inner().unwrap().into_values().collect()
}

/// What the program reports of each configuration while nginx runs it.
fn live(all: &[Written], material: &Material) -> Vec<Value> {
    let mut reports = Vec::new();
    for batch in all.chunks(BATCH) {
        let blocks = |module: Module| {
            let inside = batch.iter().filter(|one| one.case.module == module);
            let inside: String =
                inside.map(|one| one.case.servers.replace("ADDRESS", &one.address)).collect();
            let quiet = if module == Module::Http { "access_log off;\n" } else { "" };
            format!("{} {{\n{quiet}{inside}}}\n", module.name())
        };
        let blocks = Module::ALL.map(blocks).concat();
        let text = |_| format!("worker_rlimit_nofile 4096;\n{blocks}");
        let _nginx = Nginx::start_configured(text, material.openssl_conf.as_deref());
        reports.extend(each(batch, |_, one| audit(one, material, &[])));
    }
    reports
}

/// The targets without what is proposed: live, no change to a listener is tried.
fn without_fixes(report: &Value) -> Vec<Value> {
    let mut targets = report["targets"].as_array().unwrap().clone();
    for finding in targets.iter_mut().flat_map(|one| one["findings"].as_array_mut().unwrap()) {
        finding["fix"] = Value::Null;
    }
    targets
}

fn endpoints(report: &Value) -> Vec<&Value> {
    let targets = report["targets"].as_array().unwrap().iter();
    targets.filter(|one| one["kind"] == "endpoint").collect()
}

fn connected(report: &Value) -> Connected {
    let all = endpoints(report).into_iter().enumerate().flat_map(|(at, target)| {
        let clients = target["clients"].as_array().unwrap().iter();
        clients.map(move |one| {
            ((at, text(&one["name"]).to_owned()), text(&one["outcome"]) == "established")
        })
    });
    all.collect()
}

fn connected_now(reports: &[TargetReport]) -> Connected {
    let all = (0..reports.len()).flat_map(|at| {
        CLIENTS.map(|name| ((at, name.to_owned()), connects(reports, at, select(name).unwrap()[0])))
    });
    all.collect()
}

/// A fix that the program calls verified.
struct Verified {
    case: usize,
    target: usize,
    rule: String,
    subject: String,
    /// The original with it.
    text: String,
}

fn verified(case: usize, one: &Written, report: &Value) -> Vec<Verified> {
    let mut all = Vec::new();
    for (target, seen) in endpoints(report).into_iter().enumerate() {
        for finding in seen["findings"].as_array().unwrap() {
            if finding["fix"]["verified"] == true {
                let (rule, subject) = (text(&finding["rule"]), text(&finding["subject"]));
                let text = applied(&one.text, finding["fix"]["directives"].as_array().unwrap());
                all.push(Verified {
                    case,
                    target,
                    rule: rule.to_owned(),
                    subject: subject.to_owned(),
                    text,
                });
            }
        }
    }
    all
}

/// The text with these directives: each replaces its line, or goes into the block that begins in its line.
fn applied(text: &str, directives: &[Value]) -> String {
    assert!(!directives.is_empty(), "{text}");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for one in directives {
        let line = &mut lines[usize::try_from(one["line"].as_u64().unwrap()).unwrap() - 1];
        let (name, value) = (one["name"].as_str().unwrap(), one["value"].as_str().unwrap());
        let new = format!("{name} {value};");
        if line.starts_with("server {") {
            *line = format!("{line}\n{new}");
        } else {
            assert!(line.starts_with(name), "{line} {new}");
            *line = new;
        }
    }
    lines.join("\n") + "\n"
}

/// Who was in before a change and is not after it.
fn losses(before: &Connected, after: &Connected, text: &str) -> Option<String> {
    let lost = before.iter().filter(|(key, was)| **was && !after[*key]);
    let lost: Vec<_> = lost.map(|(key, _)| key).collect();
    (!lost.is_empty()).then(|| format!("lost: {lost:?}\n{text}"))
}

/// Ways to open a configuration for more clients: what is restricted by some of these directives, or by all of them, and with the
/// certificates of all its servers.
fn openings(text: &str, material: &Material) -> Vec<String> {
    let closed = ["ssl_protocols", "ssl_ciphers", "ssl_ecdh_curve", "ssl_conf_command"];
    let mut opened =
        vec!["ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;", "ssl_ciphers ALL:@SECLEVEL=0;"];
    opened.extend(opened_system(material));
    let certificates: Vec<&str> = text.lines().filter(|line| is_certificate(line)).collect();
    let with = |open: usize, certified: bool| {
        let is_open = |at: usize| open >> at & 1 == 1;
        let kept = |line: &&str| {
            let known = closed.iter().position(|name| line.starts_with(name));
            !(known.is_some_and(is_open) || certified && is_certificate(line))
        };
        let lines = text.lines().filter(kept).map(|line| {
            if !line.starts_with("listen") {
                return line.to_owned();
            }
            let more = opened.iter().enumerate().filter(|(at, _)| is_open(*at));
            let more = more.map(|(_, directive)| format!("\n{directive}"));
            let rejects = line.contains("default_server");
            let own = certificates.iter().filter(|_| certified && !rejects);
            let own = own.map(|line| format!("\n{line}"));
            format!("{line}{}", more.chain(own).collect::<String>())
        });
        lines.collect::<Vec<_>>().join("\n") + "\n"
    };
    let every = (1 << opened.len()) - 1;
    let some = (1..=every).rev().map(|open| with(open, false));
    some.chain([with(every, true), with(0, true)]).collect()
}

fn is_certificate(line: &str) -> bool {
    line.starts_with("ssl_certificate")
}

/// The failures that some opening mends, by the index of the case.
fn mendable(
    all: &[Written],
    before: &[Connected],
    material: &Material,
) -> Vec<(usize, (usize, String))> {
    let mut open: Vec<(usize, (usize, String))> = Vec::new();
    for (case, connected) in before.iter().enumerate() {
        let failing = connected.iter().filter(|(_, was)| !**was);
        open.extend(failing.map(|(key, _)| (case, key.clone())));
    }
    let mut mended = Vec::new();
    let rounds = openings("", material).len();
    for round in 0..rounds {
        let mut due: Vec<usize> = open.iter().map(|(case, _)| *case).collect();
        due.dedup();
        let jobs = due.iter().enumerate().map(|(row, case)| {
            let one = &all[*case];
            one.job(&openings(&one.text, material)[round], 1, row, material)
        });
        let seen = run(&jobs.collect::<Vec<_>>(), &quick(), material);
        let connected: Vec<Connected> = seen.iter().map(|one| connected_now(one)).collect();
        let (now, later): (Vec<_>, Vec<_>) = open.into_iter().partition(|(case, key)| {
            let row = due.iter().position(|one| one == case).unwrap();
            connected[row][key]
        });
        mended.extend(now);
        open = later;
    }
    mended
}

fn quick() -> Depth {
    Depth { unexplained: true, ..Depth::default() }
}

#[test]
fn a_rehearsal_shows_what_nginx_shows_and_its_verified_fixes_work() {
    hold(&Material::new(), 20_261_129, count(CASES));
}

#[test]
fn a_rehearsal_has_the_configuration_of_openssl_that_nginx_has() {
    for (system, seed) in SYSTEMS.iter().zip(20_261_310..) {
        hold(&Material::with_system(system), seed, count(CASES / 4));
    }
}

/// The addresses of the generated sockets belong to one test at a time.
static ADDRESSES: Mutex<()> = Mutex::new(());

#[expect(clippy::print_stdout, reason = "the figures of a run")]
fn hold(material: &Material, seed: u64, count: usize) {
    let _addresses = ADDRESSES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut dice = Dice(seed);
    let cases = (0..count).map(|_| Case::roll(&mut dice, material));
    let all: Vec<Written> =
        cases.enumerate().map(|(at, case)| Written::new(at, case, material)).collect();
    let live = live(&all, material);
    let rehearsed = each(&all, |_, one| {
        let folder = one.main.with_file_name("fixed").display().to_string();
        audit(one, material, &["--rehearse", "--write", &folder])
    });
    let mut faults = Vec::new();
    for (at, one) in all.iter().enumerate() {
        let (there, here) = (without_fixes(&live[at]), without_fixes(&rehearsed[at]));
        if here != there {
            faults.push(format!("rehearsed {here:#?}\nlive {there:#?}\n{}", one.text));
        }
    }
    let agreeing = all.len() - faults.len();
    let before: Vec<Connected> = live.iter().map(connected).collect();
    println!("{}", tally(&before, &rehearsed));
    let fixes: Vec<Verified> =
        (0..all.len()).flat_map(|at| verified(at, &all[at], &rehearsed[at])).collect();
    let helped = helped(&all, &fixes, &before, material, &mut faults);
    faults.extend(losses_of_written(&all, &before, material));
    let mendable = mendable(&all, &before, material);
    let missed = mendable.iter().filter(|one| !helped.contains(one));
    let missed: Vec<String> = missed
        .map(|(case, (target, client))| {
            let findings = endpoints(&rehearsed[*case])[*target]["findings"].as_array().unwrap();
            let findings: Vec<String> = findings
                .iter()
                .map(|one| format!("{} {} {}", one["rule"], one["subject"], one["fix"]["text"]))
                .collect();
            format!("{client} at target {target}:\n{}{findings:#?}", all[*case].text)
        })
        .collect();
    let failing = before.iter().flat_map(BTreeMap::values).filter(|was| !**was).count();
    println!("{}", missed.join("\n"));
    println!(
        "{agreeing} of {} configurations agree; of {} verified fixes, {} do not work; {} of {} failures that a directive \
         mends have a verified fix ({failing} fail)",
        all.len(),
        fixes.len(),
        faults.len() + agreeing - all.len(),
        mendable.len() - missed.len(),
        mendable.len()
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // Of few cases, one with several faults at once is many.
    let parts = if material.system.is_empty() { 20 } else { 5 };
    assert!(missed.len() * parts <= mendable.len(), "{} missed", missed.len());
}

/// How many clients were told from a rehearsal whether they get in, how many of these rightly, and how many were not told.
fn tally(live: &[Connected], rehearsed: &[Value]) -> String {
    let (mut told, mut right, mut untested) = (0, 0, 0);
    for (live, report) in live.iter().zip(rehearsed) {
        let all = endpoints(report).len().max(1) * CLIENTS.len();
        let predicted = connected(report);
        told += predicted.len();
        right += predicted.iter().filter(|(key, gets_in)| live.get(key) == Some(gets_in)).count();
        untested += all - predicted.len();
    }
    format!("listeners: told {told} right {right} untested {untested}")
}

/// Runs each fix by itself. Returns the failures that are mended so, and adds what is wrong with a fix to the faults.
fn helped(
    all: &[Written],
    fixes: &[Verified],
    before: &[Connected],
    material: &Material,
    faults: &mut Vec<String>,
) -> Vec<(usize, (usize, String))> {
    let mut texts: Vec<(usize, &str)> =
        fixes.iter().map(|fix| (fix.case, fix.text.as_str())).collect();
    texts.dedup();
    let jobs =
        texts.iter().enumerate().map(|(row, (case, text))| all[*case].job(text, 2, row, material));
    let depth = Depth { scan: true, ..Depth::default() };
    let seen = run(&jobs.collect::<Vec<_>>(), &depth, material);
    let mut helped = Vec::new();
    for fix in fixes {
        let row = texts.iter().position(|one| *one == (fix.case, fix.text.as_str())).unwrap();
        let (reports, before) = (&seen[row], &before[fix.case]);
        let after = connected_now(reports);
        let Verified { rule, subject, text, target, .. } = fix;
        faults.extend(losses(before, &after, text));
        if after.get(&(*target, subject.clone())) == Some(&false) {
            faults.push(format!("{subject} stays out\n{text}"));
        }
        let findings = &reports[*target].judgement.findings;
        if findings.iter().any(|one| one.rule == rule && one.subject == *subject) {
            faults.push(format!("{rule} {subject} stays\n{text}"));
        }
        let new = after.into_iter().filter(|(key, now)| *now && !before[key]);
        helped.extend(new.map(|(key, _)| (fix.case, key)));
    }
    helped
}

/// Runs what `--write` has written: all fixes together turn nobody away.
fn losses_of_written(all: &[Written], before: &[Connected], material: &Material) -> Vec<String> {
    let mut written = Vec::new();
    for (at, one) in all.iter().enumerate() {
        let copy = one.main.with_file_name("fixed");
        let copy = copy.join(one.main.display().to_string().trim_start_matches('/'));
        written.push((at, fs::read_to_string(copy).unwrap()));
    }
    let jobs = written.iter().map(|(at, text)| all[*at].job(text, 3, *at, material));
    let seen = run(&jobs.collect::<Vec<_>>(), &quick(), material);
    let both = written.iter().zip(&seen);
    both.filter_map(|((at, text), reports)| losses(&before[*at], &connected_now(reports), text))
        .collect()
}
