//! Configurations and Ingress objects, to targets and findings.

use std::collections::HashSet;

use shakedown::audit::ignore::in_text;
use shakedown::audit::judge::judge_settings;
use shakedown::nginx::dump::Dump;
use shakedown::nginx::facts::{Fact, FactKind, facts};
use shakedown::nginx::kubernetes::{self, NextController};
use shakedown::nginx::listener::{Listener, listeners};
use shakedown::nginx::source::{Single, Source};
use shakedown::nginx::tree::Tree;
use shakedown::nginx::upstream::{Upstream, plain_upstreams, upstreams};
use shakedown::nginx::variable::Variables;
use shakedown::targets::from_nginx::{Premises, startup, targets};
use shakedown::targets::opened_files::OpenedFiles;
use shakedown::targets::options::Options;

use time::OffsetDateTime;

const MAIN: &str = "/etc/nginx/nginx.conf";

/// A configuration, or the output of `nginx -T`.
pub(super) fn configuration(input: &[u8]) {
    match Dump::read(input) {
        Some(dump) => judge(&dump, &dump.main),
        None => judge(&Single { path: MAIN, text: input }, MAIN),
    }
    drop(in_text(MAIN, &String::from_utf8_lossy(input)));
}

fn judge(source: &dyn Source, main: &str) {
    let tree = Tree::read(source, main);
    let variables = Variables::new();
    let (sockets, passes) = (listeners(&tree), upstreams(&tree, &variables));
    let plain = plain_upstreams(&tree, &variables);
    let mut found = facts(&tree, &sockets, &passes, None);
    found.extend(tree.problems.iter().filter_map(|problem| {
        Some(Fact { span: problem.span.clone()?, kind: FactKind::Refused(problem.fault.clone()) })
    }));
    with_premises(|premises| {
        found.extend(
            startup::check(&tree, &passes, premises, (false, true), OffsetDateTime::UNIX_EPOCH)
                .facts,
        );
        drop(targets(&sockets, &passes, &plain, premises));
    });
    drop(judge_settings(&found));
}

/// Kubernetes objects, as `kubectl get -o json` prints them, and what another controller would make of them.
pub(super) fn ingress(input: &[u8]) {
    for next in [None, Some(NextController::Ngf), Some(NextController::Nic)] {
        let Ok(found) = kubernetes::read(input, &Variables::new(), next) else { return };
        let (sockets, passes): (&[Listener], &[Upstream]) = (&found.listeners, &found.upstreams);
        with_premises(|premises| drop(targets(sockets, passes, &found.plain_upstreams, premises)));
        drop(judge_settings(&found.facts));
    }
}

/// No file is there, so that no input can make the reader open one.
fn with_premises(work: impl FnOnce(&Premises<'_>)) {
    let options = Options::default();
    work(&Premises {
        options: &options,
        identity: None,
        connect: None,
        root: Some("/nonexistent".into()),
        request: true,
        version: None,
        library: None,
        foreign: None,
        system: Vec::new(),
        apart: HashSet::new(),
        sockets: Vec::new(),
        is_live: false,
        rehearsed: false,
        opened: OpenedFiles::default(),
    });
}
