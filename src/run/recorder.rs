//! A network that records its answers.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;

use super::TargetReport;
use super::network::Network;
use super::recording::{RecordedFetch, RecordedTarget};
use crate::certificate::stored::StoredBytes;
use crate::observation::Observation;
use crate::observation::nginx::NginxAttempt;
use crate::probe::fetch::FetchError;
use crate::probe::scan::Depth;
use crate::targets::Target;
use crate::targets::nginx_client::{NginxClient, SettingChange};

/// Records the answers of another network.
#[derive(Debug)]
pub struct RunRecorder {
    network: Arc<dyn Network>,
    tape: Mutex<Tape>,
}

/// Answers that are not written yet.
#[derive(Debug, Default)]
struct Tape {
    /// By the target's memory address, which distinguishes equal targets of one run.
    targets: HashMap<usize, CollectedAnswers>,
    fetched: BTreeMap<String, Result<Vec<u8>, FetchError>>,
}

#[derive(Debug, Default)]
struct CollectedAnswers {
    observation: Option<Observation>,
    attempts: Vec<(SocketAddr, NginxAttempt)>,
}

impl RunRecorder {
    /// Records the answers of this network.
    pub fn new(network: Arc<dyn Network>) -> Self {
        Self { network, tape: Mutex::default() }
    }

    /// All answers about a target, which are then removed.
    pub fn take(&self, index: usize, report: &TargetReport) -> RecordedTarget {
        let answers = self.tape().targets.remove(&place(&report.target)).unwrap_or_default();
        RecordedTarget {
            index,
            target: Target::clone(&report.target),
            // An unfinished target is saved as unfinished, whatever was seen of it.
            observation: answers.observation.unwrap_or_else(|| report.observation.clone()),
            attempts: answers.attempts,
        }
    }

    /// Everything that was fetched, which is then removed.
    pub fn take_fetched(&self) -> Vec<RecordedFetch> {
        let fetched = mem::take(&mut self.tape().fetched).into_iter();
        fetched
            .map(|(url, answer)| RecordedFetch { url, answer: answer.map(StoredBytes) })
            .collect()
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Identifies a target within a run.
pub(super) fn place(target: &Target) -> usize {
    std::ptr::from_ref(target).addr()
}

impl Network for RunRecorder {
    fn targets_at_once(&self) -> usize {
        self.network.targets_at_once()
    }

    fn observe<'a>(&'a self, target: &'a Target, depth: &'a Depth) -> BoxFuture<'a, Observation> {
        Box::pin(async move {
            let observation = self.network.observe(target, depth).await;
            let answers = CollectedAnswers {
                observation: Some(observation.clone()),
                ..CollectedAnswers::default()
            };
            self.tape().targets.insert(place(target), answers);
            observation
        })
    }

    fn as_nginx<'a>(
        &'a self,
        target: &'a Target,
        address: SocketAddr,
        configured: &'a NginxClient,
        changes: Vec<SettingChange>,
    ) -> BoxFuture<'a, NginxAttempt> {
        Box::pin(async move {
            let attempt = self.network.as_nginx(target, address, configured, changes).await;
            let mut tape = self.tape();
            let answers = tape.targets.entry(place(target)).or_default();
            answers.attempts.push((address, attempt.clone()));
            attempt
        })
    }

    fn fetch<'a>(
        &'a self,
        url: &'a str,
        private: bool,
    ) -> BoxFuture<'a, Result<Vec<u8>, FetchError>> {
        Box::pin(async move {
            let answer = self.network.fetch(url, private).await;
            self.tape().fetched.insert(url.to_owned(), answer.clone());
            answer
        })
    }
}
