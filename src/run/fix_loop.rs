//! Tries fixes: connects with changes to nginx's settings until its handshake works or nothing gets further.

use std::net::SocketAddr;

use super::network::Network;
use crate::audit::upstream::candidates::{Hints, candidates, names_to_send, over_tls};
use crate::audit::upstream::verdict::{HandshakeVerdict, NginxFailure, verdict};
use crate::observation::Endpoint;
use crate::observation::nginx::NginxAttempt;
use crate::targets::Target;
use crate::targets::nginx_client::{NginxClient, SettingChange, Trusted};
use time::OffsetDateTime;

/// The most handshakes with one address.
const MAX_ATTEMPTS: usize = 24;

/// Makes the attempts of one address.
pub(super) struct FixLoop<'a> {
    pub(super) network: &'a dyn Network,
    pub(super) target: &'a Target,
    pub(super) trusted: &'a [Trusted],
    pub(super) now: OffsetDateTime,
}

impl FixLoop<'_> {
    /// Tries changes for what fails as configured. What works without verification is also tried with it; what is
    /// refused in HTTP, with another name. The attempts are added to the endpoint; if one works, it is the last.
    pub(super) async fn run(&self, endpoint: &mut Endpoint) {
        let Some(client) = &self.target.nginx else { return };
        let Some(configured) = endpoint.nginx.first().cloned() else { return };
        let mut search = FixSearch {
            fix_loop: self,
            client,
            address: endpoint.address,
            seen: endpoint,
            floor: 0,
            left: MAX_ATTEMPTS,
        };
        let attempts = match verdict(&configured, self.now) {
            HandshakeVerdict::CannotTell(_) => Vec::new(),
            HandshakeVerdict::Fails(_) => search.run(configured, Vec::new()).await,
            HandshakeVerdict::Works => search.better(configured).await,
        };
        endpoint.nginx.extend(attempts);
    }
}

struct FixSearch<'a> {
    fix_loop: &'a FixLoop<'a>,
    client: &'a NginxClient,
    address: SocketAddr,
    seen: &'a Endpoint,
    /// How well the request was answered before; a worse answer is not a fix.
    floor: u8,
    left: usize,
}

impl FixSearch<'_> {
    /// From an attempt that works to one with verification, or without a refusal.
    async fn better(&mut self, configured: NginxAttempt) -> Vec<NginxAttempt> {
        self.floor = configured.answer_rank();
        if matches!(configured.status(), Some(400 | 403 | 404 | 421)) {
            let candidates = match &configured.client.plain {
                Some(_) => over_tls(&configured.client),
                None => names_to_send(&configured, self.hints()),
            };
            for more in candidates {
                let Some(attempt) = self.attempt(more).await else { break };
                if self.works(&attempt) && attempt.answer_rank() > self.floor {
                    return vec![self.least(attempt).await];
                }
            }
        }
        match self.fix_loop.trusted.first() {
            Some(trusted) if !self.client.verify && self.client.plain.is_none() => {
                let start = vec![SettingChange::Verify, SettingChange::Trusted(trusted.clone())];
                self.run(configured, start).await
            }
            _ => Vec::new(),
        }
    }

    /// From the attempt as configured, or with initial changes, to one that works.
    async fn run(
        &mut self,
        configured: NginxAttempt,
        start: Vec<SettingChange>,
    ) -> Vec<NginxAttempt> {
        let mut attempts = Vec::new();
        let mut present = configured;
        if !start.is_empty() {
            let Some(attempt) = self.attempt(start).await else { return attempts };
            attempts.push(attempt.clone());
            present = attempt;
        }
        while let HandshakeVerdict::Fails(failure) = verdict(&present, self.fix_loop.now) {
            let Some(better) = self.step(&present, &failure).await else { return attempts };
            attempts.push(better.clone());
            present = better;
        }
        if self.works(&present) && !present.changes.is_empty() {
            let present = self.with_fitting_host(present).await;
            attempts.push(self.least(present).await);
        }
        attempts
    }

    /// The first candidate that gets further.
    async fn step(
        &mut self,
        present: &NginxAttempt,
        failure: &NginxFailure,
    ) -> Option<NginxAttempt> {
        for more in candidates(present, failure, self.hints()) {
            let attempt = self.attempt(merged(&present.changes, more)).await?;
            let further = match verdict(&attempt, self.fix_loop.now) {
                HandshakeVerdict::Works => true,
                HandshakeVerdict::Fails(next) => next.stage() > failure.stage(),
                HandshakeVerdict::CannotTell(_) => false,
            };
            if further {
                return Some(attempt);
            }
        }
        None
    }

    /// The attempt with the hello's name in the request, if the request is answered better then.
    async fn with_fitting_host(&mut self, works: NginxAttempt) -> NginxAttempt {
        let Some(name) = works.client.sni().filter(|_| works.answer_rank() < 3) else {
            return works;
        };
        let host = SettingChange::Host(name.to_owned());
        if !works.client.differs_with(&host) {
            return works;
        }
        match self.attempt(merged(&works.changes, vec![host])).await {
            Some(attempt)
                if self.works(&attempt) && attempt.answer_rank() > works.answer_rank() =>
            {
                attempt
            }
            _ => works,
        }
    }

    /// The attempt without unnecessary changes.
    async fn least(&mut self, works: NginxAttempt) -> NginxAttempt {
        let mut least = works;
        let mut index = 0;
        while least.changes.len() > 1 && index < least.changes.len() {
            let mut fewer = least.changes.clone();
            let dropped = fewer.remove(index);
            if matches!(dropped, SettingChange::Verify) {
                index += 1;
                continue;
            }
            match self.attempt(fewer).await {
                Some(attempt)
                    if self.works(&attempt) && attempt.answer_rank() >= least.answer_rank() =>
                {
                    least = attempt;
                }
                _ => index += 1,
            }
        }
        least
    }

    fn hints(&self) -> Hints<'_> {
        let FixLoop { target, trusted, now, .. } = *self.fix_loop;
        Hints { target, endpoint: self.seen, trusted, now }
    }

    fn works(&self, attempt: &NginxAttempt) -> bool {
        verdict(attempt, self.fix_loop.now) == HandshakeVerdict::Works
    }

    async fn attempt(&mut self, changes: Vec<SettingChange>) -> Option<NginxAttempt> {
        self.left = self.left.checked_sub(1)?;
        let FixLoop { network, target, .. } = *self.fix_loop;
        Some(network.as_nginx(target, self.address, self.client, changes).await)
    }
}

/// The changes with further ones; a later change replaces an earlier one of the same kind.
fn merged(present: &[SettingChange], more: Vec<SettingChange>) -> Vec<SettingChange> {
    let replaced = |old: &&SettingChange| {
        more.iter().any(|new| std::mem::discriminant(*old) == std::mem::discriminant(new))
    };
    let kept: Vec<SettingChange> = present.iter().filter(|old| !replaced(old)).cloned().collect();
    kept.into_iter().chain(more).collect()
}
