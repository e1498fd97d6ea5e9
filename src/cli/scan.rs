//! `scan`: everything that targets accept, besides the audit of `probe`.

use std::fs;

use anyhow::anyhow;

use super::args::{ScanArgs, StandardArgs};
use super::errors::UsageError;
use super::exit::Exit;
use super::probe;
use crate::audit::policy::Policy;
use crate::probe::scan::Depth;
use crate::tls::profile::Profile;

/// Runs the subcommand.
pub(super) fn run(args: &ScanArgs) -> anyhow::Result<Exit> {
    let policy = args.standard.policy()?;
    let depth = Depth {
        scan: true,
        clients: args.standard.clients(),
        risk_lockout: args.risk_lockout,
        ..Depth::default()
    };
    probe::run_with(&args.probe, &depth, policy.as_ref())
}

impl StandardArgs {
    /// The named clients, without duplicates.
    pub(super) fn clients(&self) -> Vec<&'static Profile> {
        let mut clients: Vec<&Profile> = Vec::new();
        for profile in self.clients.iter().flatten() {
            if !clients.contains(profile) {
                clients.push(profile);
            }
        }
        clients
    }

    /// The named policy.
    pub(super) fn policy(&self) -> anyhow::Result<Option<Policy>> {
        self.policy.as_deref().map(policy).transpose()
    }
}

/// A built-in policy with this name, or else a file.
fn policy(named: &str) -> anyhow::Result<Policy> {
    if let Some(policy) = Policy::built_in(named) {
        return Ok(policy);
    }
    #[expect(clippy::disallowed_methods, reason = "policy files come from the command line")]
    let text = fs::read_to_string(named).map_err(|error| {
        let names: Vec<&str> = Policy::names().collect();
        UsageError::new(
            format!("cannot read the policy {named}: {error}"),
            format!("give a file, or one of {}", names.join(", ")),
        )
    })?;
    Policy::parse(&text).map_err(|error| anyhow!("invalid policy {named}: {error}"))
}
