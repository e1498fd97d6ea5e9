//! What a run asks of the network, so that something else can answer: recorded observations, or a test.

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

/// Answers what a run asks of the network.
pub trait Network: Debug + Send + Sync {
    /// How many targets may be under way at once.
    fn targets_at_once(&self) -> usize;

    /// Everything that is to be seen of a target.
    fn observe<'a>(&'a self, target: &'a Target, depth: &'a Depth) -> BoxFuture<'a, Observation>;

    /// One handshake as nginx makes it, with these changes to its configuration.
    fn as_nginx<'a>(
        &'a self,
        target: &'a Target,
        address: SocketAddr,
        configured: &'a NginxClient,
        changes: Vec<SettingChange>,
    ) -> BoxFuture<'a, NginxAttempt>;

    /// What lies at an `http://` address; private networks only where `private` allows them.
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
