//! Runs changed configurations, each in a private nginx.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::rehearsal::{Player, StartOutcome, start};
use crate::audit::listener::ChainFile;
use crate::nginx::defaults::Build;
use crate::nginx::listener::listeners;
use crate::nginx::rehearsal::tcp_sockets;
use crate::nginx::tree::Tree;
use crate::probe::{Limits, Prober};
use crate::run::rehearsal::{Playing, Understudy};
use crate::targets::ClientIdentity;
use crate::targets::from_nginx::{self, Premises};
use crate::targets::options::Options;

/// What is needed to run a changed configuration.
#[derive(Debug)]
pub(super) struct Troupe {
    pub(super) binary: PathBuf,
    pub(super) build: Build,
    pub(super) scripts: bool,
    pub(super) limits: Limits,
    pub(super) options: Options,
    pub(super) identity: Option<Arc<ClientIdentity>>,
    /// The other settings of the audit, as owned values.
    pub(super) request: bool,
}

impl Understudy for Troupe {
    fn play(&self, tree: &Tree, files: &[ChainFile]) -> Option<Playing> {
        let mut changed = Vec::new();
        for file in files {
            #[expect(clippy::disallowed_methods, reason = "the configuration names the file")]
            let before = fs::read(&file.path).ok()?;
            changed.push((file.path.clone(), file.text(&before)?));
        }
        let player = Player { binary: &self.binary, build: &self.build, scripts: self.scripts };
        let Ok(StartOutcome::Serves(running)) = start(tree, player, &changed) else { return None };
        let premises = Premises {
            options: &self.options,
            identity: self.identity.clone(),
            connect: None,
            root: None,
            request: self.request,
            version: Some(self.build.version),
            library: None,
            apart: std::collections::HashSet::new(),
            sockets: tcp_sockets(tree),
        };
        let mut targets = from_nginx::targets(&listeners(tree), &[], &[], &premises).targets;
        running.mark(&mut targets);
        let network = Prober::with_stand_ins(self.limits, running.stand_ins());
        Some(Playing { network: Arc::new(network), targets, guard: Box::new(running) })
    }
}
