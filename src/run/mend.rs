//! The fix, tried: changes to nginx's settings, each on the wire, until its handshake works or nothing gets further.

use std::net::SocketAddr;

use super::network::Network;
use crate::audit::upstream::mend::{Hints, candidates};
use crate::audit::upstream::verdict::{Breakage, Verdict, verdict};
use crate::observation::Endpoint;
use crate::observation::nginx::NginxAttempt;
use crate::targets::Target;
use crate::targets::nginx_client::{Change, NginxClient, Trusted};
use time::OffsetDateTime;

/// Handshakes that are made for one address at the most.
const MAX_ATTEMPTS: usize = 16;

/// Makes the attempts of one address.
pub(super) struct Mender<'a> {
    pub(super) network: &'a dyn Network,
    pub(super) target: &'a Target,
    pub(super) trusted: &'a [Trusted],
    pub(super) now: OffsetDateTime,
}

impl Mender<'_> {
    /// Tries to mend what fails as configured; what works without verification is tried with it. The attempts are added
    /// to the endpoint, one that works last.
    pub(super) async fn mend(&self, endpoint: &mut Endpoint) {
        let Some(client) = &self.target.nginx else { return };
        let Some(configured) = endpoint.nginx.first().cloned() else { return };
        let start = match verdict(&configured, self.now) {
            Verdict::CannotTell(_) => return,
            Verdict::Fails(_) => Vec::new(),
            Verdict::Works if client.verify => return,
            Verdict::Works => match self.trusted.first() {
                None => return,
                Some(trusted) => vec![Change::Verify, Change::Trusted(trusted.clone())],
            },
        };
        let mut search = Search {
            mender: self,
            client,
            address: endpoint.address,
            seen: endpoint,
            left: MAX_ATTEMPTS,
        };
        let attempts = search.run(configured, start).await;
        endpoint.nginx.extend(attempts);
    }
}

struct Search<'a> {
    mender: &'a Mender<'a>,
    client: &'a NginxClient,
    address: SocketAddr,
    seen: &'a Endpoint,
    left: usize,
}

impl Search<'_> {
    /// From the attempt as configured, or with changes to start from, to one that works.
    async fn run(&mut self, configured: NginxAttempt, start: Vec<Change>) -> Vec<NginxAttempt> {
        let mut attempts = Vec::new();
        let mut present = configured;
        if !start.is_empty() {
            let Some(attempt) = self.attempt(start).await else { return attempts };
            attempts.push(attempt.clone());
            present = attempt;
        }
        while let Verdict::Fails(breakage) = verdict(&present, self.mender.now) {
            let Some(better) = self.step(&present, &breakage).await else { return attempts };
            attempts.push(better.clone());
            present = better;
        }
        if verdict(&present, self.mender.now) == Verdict::Works && !present.changes.is_empty() {
            attempts.push(self.least(present).await);
        }
        attempts
    }

    /// The first candidate that gets further.
    async fn step(&mut self, present: &NginxAttempt, breakage: &Breakage) -> Option<NginxAttempt> {
        let Mender { target, trusted, now, .. } = *self.mender;
        let hints = Hints { target, endpoint: self.seen, trusted, now };
        for more in candidates(present, breakage, hints) {
            let attempt = self.attempt(merged(&present.changes, more)).await?;
            let further = match verdict(&attempt, now) {
                Verdict::Works => true,
                Verdict::Fails(next) => next.stage() > breakage.stage(),
                Verdict::CannotTell(_) => false,
            };
            if further {
                return Some(attempt);
            }
        }
        None
    }

    /// The attempt without the changes that it does not need.
    async fn least(&mut self, works: NginxAttempt) -> NginxAttempt {
        let mut least = works;
        let mut index = 0;
        while least.changes.len() > 1 && index < least.changes.len() {
            let mut fewer = least.changes.clone();
            let dropped = fewer.remove(index);
            if matches!(dropped, Change::Verify) {
                index += 1;
                continue;
            }
            match self.attempt(fewer).await {
                Some(attempt) if verdict(&attempt, self.mender.now) == Verdict::Works => {
                    least = attempt;
                }
                _ => index += 1,
            }
        }
        least
    }

    async fn attempt(&mut self, changes: Vec<Change>) -> Option<NginxAttempt> {
        self.left = self.left.checked_sub(1)?;
        let Mender { network, target, .. } = *self.mender;
        Some(network.as_nginx(target, self.address, self.client, changes).await)
    }
}

/// The changes with more of them, the later of two of one kind in the place of the earlier.
fn merged(present: &[Change], more: Vec<Change>) -> Vec<Change> {
    let replaced = |old: &&Change| {
        more.iter().any(|new| std::mem::discriminant(*old) == std::mem::discriminant(new))
    };
    let kept: Vec<Change> = present.iter().filter(|old| !replaced(old)).cloned().collect();
    kept.into_iter().chain(more).collect()
}
