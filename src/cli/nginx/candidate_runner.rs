//! Runs changed configurations, each in a private nginx.

use std::fs;
use std::sync::Arc;

use super::private_nginx::{NginxProgram, StartOutcome, start};
use crate::audit::listener::ChainFile;
use crate::nginx::listener::listeners;
use crate::nginx::rehearsal::tcp_sockets;
use crate::nginx::tree::Tree;
use crate::probe::{Limits, Prober};
use crate::run::listener_fixes::{CandidateRun, CandidateRunner};
use crate::targets::ClientIdentity;
use crate::targets::from_nginx::{self, Premises};
use crate::targets::opened_files::OpenedFiles;
use crate::targets::options::Options;

/// What is needed to run a changed configuration.
#[derive(Debug)]
pub(super) struct ChangedNginx {
    pub(super) program: NginxProgram,
    pub(super) limits: Limits,
    pub(super) options: Options,
    pub(super) identity: Option<Arc<ClientIdentity>>,
    /// Whether upstreams are sent the requests that nginx sends.
    pub(super) request: bool,
    /// What the configuration of OpenSSL sets for every connection.
    pub(super) system: Vec<String>,
}

impl CandidateRunner for ChangedNginx {
    fn run(&self, tree: &Tree, files: &[ChainFile]) -> Option<CandidateRun> {
        let mut changed = Vec::new();
        for file in files {
            #[expect(clippy::disallowed_methods, reason = "the configuration names the file")]
            let before = fs::read(&file.path).ok()?;
            changed.push((file.path.clone(), file.text(&before)?));
        }
        let outcome = start(tree, &self.program, &changed);
        let Ok(StartOutcome::Serves(running)) = outcome else { return None };
        let premises = Premises {
            options: &self.options,
            identity: self.identity.clone(),
            connect: None,
            root: None,
            request: self.request,
            version: Some(self.program.build.version),
            library: None,
            foreign: None,
            system: self.system.clone(),
            apart: std::collections::HashSet::new(),
            sockets: tcp_sockets(tree),
            is_live: false,
            rehearsed: true,
            opened: OpenedFiles::default(),
        };
        let mut targets = from_nginx::targets(&listeners(tree), &[], &[], &premises).targets;
        running.mark(&mut targets);
        let network = Prober::with_stand_ins(self.limits, running.stand_ins());
        Some(CandidateRun { network: Arc::new(network), targets, guard: Box::new(running) })
    }
}
