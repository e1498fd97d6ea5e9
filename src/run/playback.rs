//! A network that answers from recorded observations and never connects.

use std::collections::HashMap;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::network::Network;
use super::recorder::place;
use super::recording::RecordedTarget;
use crate::certificate::stored::StoredBytes;
use crate::observation::nginx::{NginxAttempt, NoAnswer};
use crate::observation::{Cause, Failure, Observation, Stage, Untried};
use crate::probe::fetch::FetchError;
use crate::probe::scan::Depth;
use crate::targets::Target;
use crate::targets::nginx_client::{NginxClient, SettingChange};

/// The number of targets that are judged concurrently.
const AT_ONCE: usize = 8;

/// The recorded answers.
#[derive(Debug)]
pub struct Playback {
    answers: HashMap<usize, RecordedAnswers>,
    fetched: HashMap<String, Result<StoredBytes, FetchError>>,
}

#[derive(Debug)]
struct RecordedAnswers {
    /// Keeps the target alive, because its memory address identifies it.
    _target: Arc<Target>,
    observation: Observation,
    attempts: Vec<(SocketAddr, NginxAttempt)>,
}

impl Playback {
    /// The recorded targets in order, and a network that answers for them.
    pub fn new(
        recorded: Vec<RecordedTarget>,
        fetched: HashMap<String, Result<StoredBytes, FetchError>>,
    ) -> (Vec<Arc<Target>>, Self) {
        let (mut targets, mut answers) = (Vec::new(), HashMap::new());
        for RecordedTarget { target, observation, attempts, .. } in recorded {
            let target = Arc::new(target);
            let answer = RecordedAnswers { _target: Arc::clone(&target), observation, attempts };
            answers.insert(place(&target), answer);
            targets.push(target);
        }
        (targets, Self { answers, fetched })
    }

    /// The attempt at this address with these changes.
    fn attempt(
        &self,
        target: &Target,
        address: SocketAddr,
        changes: &[SettingChange],
    ) -> Option<&NginxAttempt> {
        let made = |(at, attempt): &&(SocketAddr, NginxAttempt)| {
            let directives = SettingChange::all_directives(&attempt.changes);
            *at == address && directives.eq(SettingChange::all_directives(changes))
        };
        let answers = self.answers.get(&place(target))?;
        answers.attempts.iter().find(made).map(|(_, attempt)| attempt)
    }
}

impl Network for Playback {
    fn targets_at_once(&self) -> usize {
        AT_ONCE
    }

    fn observe<'a>(&'a self, target: &'a Target, _: &'a Depth) -> BoxFuture<'a, Observation> {
        let seen = self.answers.get(&place(target)).map(|answers| answers.observation.clone());
        let nothing = || Observation::not_tried(Untried::Impossible(NOT_RECORDED.to_owned()));
        Box::pin(ready(seen.unwrap_or_else(nothing)))
    }

    fn as_nginx<'a>(
        &'a self,
        target: &'a Target,
        address: SocketAddr,
        configured: &'a NginxClient,
        changes: Vec<SettingChange>,
    ) -> BoxFuture<'a, NginxAttempt> {
        let attempt = self.attempt(target, address, &changes).cloned().unwrap_or_else(|| {
            let cause = Cause::Local(NOT_RECORDED.to_owned());
            let failure = Failure { stage: Stage::Connect, cause };
            let client = configured.with_all(&changes);
            NginxAttempt::answered(client, changes, Err(NoAnswer::Failed(failure)))
        });
        Box::pin(ready(attempt))
    }

    fn fetch<'a>(&'a self, url: &'a str, _: bool) -> BoxFuture<'a, Result<Vec<u8>, FetchError>> {
        let answer = self.fetched.get(url).cloned();
        let answer = answer.map(|answer| answer.map(|StoredBytes(bytes)| bytes));
        Box::pin(ready(answer.unwrap_or_else(|| Err(FetchError::Status(NOT_RECORDED.to_owned())))))
    }
}

/// The reason for a missing recording.
const NOT_RECORDED: &str = "not recorded";
