//! Tries fixes of listeners: a private nginx runs the changed configuration, and what failed and what worked is tested
//! again.

use std::any::Any;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::network::Network;
use super::{Settings, TargetReport, report};
use crate::audit::finding::{Finding, Severity};
use crate::audit::listener::effect::judge;
use crate::audit::listener::site::place;
use crate::audit::listener::{Candidate, ChainFile, Effect, Goal, Loss, Sight, Site, candidates};
use crate::certificate::file::FileChain;
use crate::nginx::defaults::NginxRelease;
use crate::nginx::edit::{Edit, Patch, patch};
use crate::nginx::listener::{Listener, Material, Server};
use crate::nginx::problem::Span;
use crate::nginx::tree::{Directive, Tree};
use crate::openssl::release::OpensslRelease;
use crate::targets::{Role, Target};

/// The most changed configurations that are started in total.
const MAX_TRIALS: usize = 200;

/// Time limit for all fixes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time from the start within which fixes are tried for findings that are only notes, such as an old client.
const PATIENCE_FOR_NOTES: Duration = Duration::from_secs(3);

/// Runs changed configurations.
pub trait CandidateRunner: Debug + Send + Sync {
    /// Runs this configuration, with these certificate files instead of those with the same names; `None` if nginx does
    /// not start.
    fn run(&self, tree: &Tree, files: &[ChainFile]) -> Option<CandidateRun>;
}

/// A running changed configuration.
pub struct CandidateRun {
    /// The network to probe it.
    pub network: Arc<dyn Network>,
    /// Its targets.
    pub targets: Vec<Arc<Target>>,
    /// Ends it when dropped.
    pub guard: Box<dyn Any + Send>,
}

/// The configuration that is rehearsed, and what runs it.
#[derive(Clone, Debug)]
pub struct RunnableConfiguration {
    /// The configuration.
    pub tree: Arc<Tree>,
    /// Its sockets.
    pub listeners: Arc<[Listener]>,
    /// nginx's release.
    pub release: NginxRelease,
    /// Its OpenSSL.
    pub library: OpensslRelease,
    /// What the configuration of that OpenSSL sets for every connection, each `NAME VALUE`.
    pub system: Vec<String>,
    /// Runs changed configurations.
    pub runner: Arc<dyn CandidateRunner>,
}

/// A finding with the change that fixes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerFix {
    /// The index of the target.
    pub index: usize,
    /// The rule.
    pub rule: &'static str,
    /// Distinguishes the finding from others of the rule.
    pub subject: String,
    /// The change.
    pub candidate: Candidate,
}

/// The changes that fix listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenerFixes {
    /// Each finding with its change.
    pub all: Vec<ListenerFix>,
    /// Whether those of warnings and errors work together as well.
    pub together: bool,
    /// Whether there was no time to try every candidate.
    pub cut_short: bool,
}

/// Tries possible fixes of the findings about listeners, the most severe first; a change that works becomes the fix.
pub async fn find_fixes(
    reports: &mut [(usize, TargetReport)],
    runnable: &RunnableConfiguration,
    settings: &Settings,
) -> ListenerFixes {
    let files = files(reports);
    let mut wanted: Vec<(usize, Finding)> = Vec::new();
    for (at, (_, one)) in reports.iter().enumerate() {
        let listener = one.target.role == Role::Listener;
        let findings = one.judgement.findings.iter().filter(|_| listener);
        wanted.extend(findings.filter(|one| Goal::of(one).is_some()).map(|one| (at, one.clone())));
    }
    wanted.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.severity));
    let mut search = Search {
        runnable,
        settings,
        files: &files,
        known: HashMap::new(),
        until: Instant::now() + PATIENCE,
        cut_short: false,
    };
    let (mut verified, mut severe) = (Vec::new(), Vec::new());
    let notes_until = Instant::now() + PATIENCE_FOR_NOTES;
    for (at, finding) in wanted {
        if finding.severity == Severity::Note && Instant::now() > notes_until {
            break;
        }
        let Some(candidate) = search.first_fix(reports, at, &finding).await else {
            continue;
        };
        let (index, report) = &mut reports[at];
        let same =
            |one: &&mut Finding| (one.rule, &one.subject) == (finding.rule, &finding.subject);
        if let Some(own) = report.judgement.findings.iter_mut().find(same) {
            own.fix = Some(candidate.fix(&runnable.tree));
        }
        if finding.severity > Severity::Note {
            severe.push((at, finding.clone(), candidate.clone()));
        }
        let (rule, subject) = (finding.rule, finding.subject);
        verified.push(ListenerFix { index: *index, rule, subject, candidate });
    }
    let together = search.work_together(reports, &severe).await;
    ListenerFixes { all: verified, together, cut_short: search.cut_short }
}

/// The certificates that candidates may use: those of the configuration, and those that were fetched.
fn files(reports: &[(usize, TargetReport)]) -> Vec<FileChain> {
    let own = reports.iter().flat_map(|(_, one)| one.target.files.iter().cloned());
    let fetched = reports.iter().filter_map(|(_, one)| one.completed.clone());
    let fetched = fetched.map(|chain| FileChain {
        path: String::new(),
        chain,
        leaf_at: 0,
        key: None,
        is_plain: true,
        at_handshake: false,
    });
    own.chain(fetched).collect()
}

/// What was seen with a changed configuration, by the indices of the targets that it affects.
type SeenAgain = Arc<Vec<(usize, TargetReport)>>;

struct Search<'a> {
    runnable: &'a RunnableConfiguration,
    settings: &'a Settings,
    files: &'a [FileChain],
    /// The configurations that were tried; `None` if nginx did not run one.
    known: HashMap<String, Option<SeenAgain>>,
    until: Instant,
    /// Whether a limit was met.
    cut_short: bool,
}

impl Search<'_> {
    /// Whether changes that work one by one do so together.
    async fn work_together(
        &self,
        reports: &[(usize, TargetReport)],
        severe: &[FixedFinding],
    ) -> bool {
        let (whole, kept) = combined(severe);
        let is_whole = |(_, _, one): &&&FixedFinding| {
            (one.edits.len(), one.files.len()) == (whole.edits.len(), whole.files.len())
        };
        if kept.iter().filter(is_whole).count() == kept.len() {
            return true;
        }
        let Some(after) = self.try_anew(reports, None, &whole).await else { return false };
        let before: Vec<Sight<'_>> = after.iter().map(|(at, _)| sight(&reports[*at].1)).collect();
        let now: Vec<Sight<'_>> = after.iter().map(|(_, one)| sight(one)).collect();
        let mut lost: Option<Vec<Loss>> = None;
        for (at, finding, _) in kept {
            let Some(here) = after.iter().position(|(index, _)| index == at) else { return false };
            let same = |one: &Finding| (one.rule, &one.subject) == (finding.rule, &finding.subject);
            if after[here].1.judgement.findings.iter().any(same) {
                return false;
            }
            let new = match judge(finding, here, &before, &now) {
                Effect::Worse(losses) => losses,
                Effect::Improved | Effect::Same => Vec::new(),
            };
            // What one of them gives up on purpose is no loss.
            let both = |one: &Loss| new.contains(one);
            let old = lost.unwrap_or_else(|| new.clone());
            lost = Some(old.into_iter().filter(both).collect());
        }
        lost.is_none_or(|lost| lost.is_empty())
    }

    async fn first_fix(
        &mut self,
        reports: &[(usize, TargetReport)],
        at: usize,
        finding: &Finding,
    ) -> Option<Candidate> {
        let goal = Goal::of(finding)?;
        let target = &reports[at].1;
        let (listener, server) = place(&self.runnable.listeners, &target.target)?;
        let site = Site {
            tree: &self.runnable.tree,
            listener,
            server,
            release: self.runnable.release,
            library: self.runnable.library,
            system: &self.runnable.system,
            files: self.files,
        };
        let seen = target.observation.endpoints.first()?;
        for candidate in candidates(goal, site, seen) {
            let Some(after) = self.tried(reports, listener, &candidate).await else { continue };
            let before: Vec<Sight<'_>> =
                after.iter().map(|(at, _)| sight(&reports[*at].1)).collect();
            let now: Vec<Sight<'_>> = after.iter().map(|(_, one)| sight(one)).collect();
            let Some(here) = after.iter().position(|(index, _)| *index == at) else { continue };
            if judge(finding, here, &before, &now) == Effect::Improved {
                return Some(candidate);
            }
        }
        None
    }

    /// What is seen with a candidate, of every target that it may affect.
    async fn tried(
        &mut self,
        reports: &[(usize, TargetReport)],
        listener: &Listener,
        candidate: &Candidate,
    ) -> Option<SeenAgain> {
        let key = format!("{} {:?} {:?}", listener.address, candidate.edits, candidate.files);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        if self.known.len() >= MAX_TRIALS || Instant::now() > self.until {
            self.cut_short = true;
            return None;
        }
        let seen = self.try_anew(reports, Some(listener), candidate).await.map(Arc::new);
        self.known.insert(key, seen.clone());
        seen
    }

    async fn try_anew(
        &self,
        reports: &[(usize, TargetReport)],
        listener: Option<&Listener>,
        candidate: &Candidate,
    ) -> Option<Vec<(usize, TargetReport)>> {
        let tree = &self.runnable.tree;
        let patch = patch(tree, &candidate.edits).ok()?;
        if patch.fault(tree).is_some() {
            return None;
        }
        let reach = ChangeReach::of(tree, candidate, &patch);
        let reached: Vec<usize> = (0..reports.len())
            .filter(|at| {
                let target = &reports[*at].1.target;
                let found = place(&self.runnable.listeners, target);
                found.is_some_and(|(one, _)| {
                    listener.is_some_and(|own| own.address == one.address) || reach.takes_in(one)
                })
            })
            .collect();
        let runner = &self.runnable.runner;
        // This starts a program and waits for it.
        let run = tokio::task::block_in_place(|| runner.run(&patch.apply(tree), &candidate.files))?;
        let known: HashMap<String, &Arc<Target>> =
            run.targets.iter().map(|target| (target.id(), target)).collect();
        let again = reached.into_iter().map(|at| {
            let target = known.get(&reports[at].1.target.id()).copied();
            let network = &run.network;
            async move {
                let target = with_wishes(Arc::clone(target?), &reports[at].1.target);
                let seen = network.observe(&target, &self.settings.depth).await;
                Some((at, report(target, seen, self.settings)))
            }
        });
        let seen = join_all(again).await.into_iter().collect();
        tokio::task::block_in_place(|| drop(run.guard));
        seen
    }
}

/// A target of a changed configuration with what is known and asked of the original's clients.
fn with_wishes(mut target: Arc<Target>, original: &Target) -> Arc<Target> {
    if original.former.is_some() || !original.expect.asked.is_empty() {
        let own = Arc::make_mut(&mut target);
        own.former.clone_from(&original.former);
        own.expect.asked.clone_from(&original.expect.asked);
    }
    target
}

fn sight(report: &TargetReport) -> Sight<'_> {
    Sight { target: &report.target, seen: &report.observation, judgement: &report.judgement }
}

/// A finding of the target with this index, and the change that fixes it.
type FixedFinding = (usize, Finding, Candidate);

/// All changes as one, and what it is made of: where two want different things, the first is served, as in the patch.
fn combined(severe: &[FixedFinding]) -> (Candidate, Vec<&FixedFinding>) {
    let mut whole = Candidate { edits: Vec::new(), files: Vec::new(), admits: Vec::new() };
    let mut kept = Vec::new();
    for one in severe {
        let Candidate { edits, files, .. } = &one.2;
        let clashes = |edit: &Edit| {
            let is_same = |known: &&Edit| known.at == edit.at && known.name == edit.name;
            let known = whole.edits.iter().find(is_same);
            known.is_some_and(|known| known.arguments != edit.arguments)
        };
        let is_rewritten = |file: &ChainFile| {
            whole.files.iter().any(|known| known.path == file.path && known != file)
        };
        if edits.iter().any(clashes) || files.iter().any(is_rewritten) {
            continue;
        }
        let new: Vec<Edit> =
            edits.iter().filter(|edit| !whole.edits.contains(edit)).cloned().collect();
        whole.edits.extend(new);
        let new: Vec<ChainFile> =
            files.iter().filter(|file| !whole.files.contains(file)).cloned().collect();
        whole.files.extend(new);
        kept.push(one);
    }
    (whole, kept)
}

/// The servers that a change affects.
enum ChangeReach<'a> {
    Everything,
    /// These servers, and those with these certificates.
    Some {
        servers: Vec<Span>,
        files: &'a [ChainFile],
    },
}

impl<'a> ChangeReach<'a> {
    fn of(tree: &Tree, candidate: &'a Candidate, patch: &Patch) -> Self {
        let mut servers = Vec::new();
        for edit in &candidate.edits {
            match server_of(tree, edit) {
                // A change in a file that several blocks include affects all of them.
                Some(server) if patch.files.iter().all(|file| file.path == server.span.file) => {
                    servers.push(server.span.clone());
                }
                _ => return Self::Everything,
            }
        }
        Self::Some { servers, files: &candidate.files }
    }

    fn takes_in(&self, listener: &Listener) -> bool {
        let Self::Some { servers, files } = self else { return true };
        let holds = |server: &Server| {
            server.ssl.certificates.iter().any(|pair| match &pair.certificate.value {
                Material::File(path) => files.iter().any(|file| file.path == *path),
                _ => false,
            })
        };
        listener.servers.iter().any(|server| servers.contains(&server.span) || holds(server))
    }
}

/// The server block that contains an edit.
fn server_of<'t>(tree: &'t Tree, edit: &Edit) -> Option<&'t Directive> {
    let modules = ["http", "stream", "mail"];
    let blocks =
        modules.iter().flat_map(|module| tree.blocks(module)).flat_map(Directive::children);
    let holds = |server: &&Directive| {
        server.span == edit.at || server.children().iter().any(|one| one.span == edit.at)
    };
    let mut found = blocks.filter(|one| one.name == "server").filter(holds);
    let first = found.next()?;
    // A server in a file that is included twice counts as two.
    found.next().is_none().then_some(first)
}
