//! The network as a run sees it, so that recorded observations or a test can replace it.

use std::fmt::Debug;
use std::net::SocketAddr;

use futures::future::BoxFuture;

use crate::observation::Observation;
use crate::observation::nginx::NginxAttempt;
use crate::probe::Prober;
use crate::probe::fetch::FetchError;
use crate::probe::scan::Depth;
use crate::targets::Target;
use crate::targets::nginx_client::{NginxClient, SettingChange};

/// Answers the requests of a run.
pub trait Network: Debug + Send + Sync {
    /// The number of targets to test concurrently.
    fn targets_at_once(&self) -> usize;

    /// Observes everything about a target.
    fn observe<'a>(&'a self, target: &'a Target, depth: &'a Depth) -> BoxFuture<'a, Observation>;

    /// One handshake of nginx with these changes to its configuration.
    fn as_nginx<'a>(
        &'a self,
        target: &'a Target,
        address: SocketAddr,
        configured: &'a NginxClient,
        changes: Vec<SettingChange>,
    ) -> BoxFuture<'a, NginxAttempt>;

    /// The contents of an `http://` URL; private networks only if `private` allows them.
    fn fetch<'a>(
        &'a self,
        url: &'a str,
        private: bool,
    ) -> BoxFuture<'a, Result<Vec<u8>, FetchError>>;
}

impl Network for Prober {
    fn targets_at_once(&self) -> usize {
        self.limits().targets_at_once()
    }

    fn observe<'a>(&'a self, target: &'a Target, depth: &'a Depth) -> BoxFuture<'a, Observation> {
        Box::pin(Self::observe(self, target, depth))
    }

    fn as_nginx<'a>(
        &'a self,
        target: &'a Target,
        address: SocketAddr,
        configured: &'a NginxClient,
        changes: Vec<SettingChange>,
    ) -> BoxFuture<'a, NginxAttempt> {
        Box::pin(Self::as_nginx(self, target, address, configured, changes))
    }

    fn fetch<'a>(
        &'a self,
        url: &'a str,
        private: bool,
    ) -> BoxFuture<'a, Result<Vec<u8>, FetchError>> {
        Box::pin(Self::fetch(self, url, private))
    }
}
