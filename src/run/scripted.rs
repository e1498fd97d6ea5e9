//! A network that exists in a test alone: the server is a function of nginx's settings.

use std::collections::HashMap;
use std::fmt;
use std::future::{pending, ready};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;

use super::network::Network;
use super::{FetchIssuers, Settings};
use crate::audit::fixtures::{NOW, Scene};
use crate::certificate::trust::Purpose;
use crate::observation::Observation;
use crate::observation::nginx::{NginxAnswer, NginxAttempt, NoAnswer, Served};
use crate::probe::fetch::FetchError;
use crate::probe::scan::Depth;
use crate::targets::Target;
use crate::targets::nginx_client::{NginxClient, SettingChange};

/// What the server does with nginx's hello, and with its request behind it.
pub(super) type ScriptedReply = (Result<NginxAnswer, NoAnswer>, Served);

/// Answers as its script says, and remembers what it was asked.
pub(super) struct ScriptedNetwork {
    seen: Observation,
    server: fn(&NginxClient) -> ScriptedReply,
    /// What lies at which address.
    pub(super) files: HashMap<String, Vec<u8>>,
    /// A target of this name never comes to an end.
    pub(super) endless: Option<&'static str>,
    tried: Mutex<Vec<Vec<SettingChange>>>,
    fetched: Mutex<Vec<String>>,
}

impl ScriptedNetwork {
    /// What a scene saw, and a server for nginx; as configured it has met that already.
    pub(super) fn new(scene: &mut Scene, server: fn(&NginxClient) -> ScriptedReply) -> Self {
        let network = Self {
            seen: scene.seen.clone(),
            server,
            files: HashMap::new(),
            endless: None,
            tried: Mutex::default(),
            fetched: Mutex::default(),
        };
        let Some(client) = scene.target.nginx.clone() else { return network };
        let configured = network.attempt(&client, Vec::new());
        let mut seen = network.seen.clone();
        seen.endpoints[0].nginx = vec![configured];
        Self { seen, ..network }
    }

    fn attempt(&self, configured: &NginxClient, changes: Vec<SettingChange>) -> NginxAttempt {
        let client = configured.with_all(&changes);
        let (answer, served) = (self.server)(&client);
        let chain = self.seen.endpoints[0].handshakes[0].chain.clone();
        let answer = answer.map(|answer| NginxAnswer { chain, ..answer });
        NginxAttempt { served, ..NginxAttempt::answered(client, changes, answer) }
    }

    /// The changes that were tried, in their order, as nginx's directives.
    pub(super) fn tried(&self) -> Vec<String> {
        self.tried.lock().unwrap().iter().map(|changes| in_words(changes)).collect()
    }

    /// The addresses that were fetched, in their order.
    pub(super) fn fetched(&self) -> Vec<String> {
        self.fetched.lock().unwrap().clone()
    }
}

/// Changes as the directives that they are.
pub(super) fn in_words(changes: &[SettingChange]) -> String {
    SettingChange::all_directives(changes)
        .map(|(name, value)| format!("{name} {value};"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Settings for a scene's target that use this network.
pub(super) fn settings(scene: &Scene, network: &Arc<ScriptedNetwork>) -> Settings {
    let assessor = Arc::new(scene.assessor(Purpose::Server));
    let assessors = HashMap::from([(scene.target.trust.clone(), assessor)]);
    let network: Arc<dyn Network> = Arc::clone(network) as _;
    Settings {
        fetch_issuers: FetchIssuers::Anywhere,
        ..Settings::with_assessors(assessors, network, NOW)
    }
}

impl fmt::Debug for ScriptedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedNetwork").field("tried", &self.tried).finish_non_exhaustive()
    }
}

impl Network for ScriptedNetwork {
    fn targets_at_once(&self) -> usize {
        2
    }

    fn observe<'a>(&'a self, target: &'a Target, _: &'a Depth) -> BoxFuture<'a, Observation> {
        if self.endless == Some(&*target.name) {
            return Box::pin(pending());
        }
        Box::pin(ready(self.seen.clone()))
    }

    fn as_nginx<'a>(
        &'a self,
        _: &'a Target,
        _: SocketAddr,
        configured: &'a NginxClient,
        changes: Vec<SettingChange>,
    ) -> BoxFuture<'a, NginxAttempt> {
        self.tried.lock().unwrap().push(changes.clone());
        Box::pin(ready(self.attempt(configured, changes)))
    }

    fn fetch<'a>(&'a self, url: &'a str, _: bool) -> BoxFuture<'a, Result<Vec<u8>, FetchError>> {
        self.fetched.lock().unwrap().push(url.to_owned());
        let found = self.files.get(url).cloned();
        Box::pin(ready(found.ok_or_else(|| FetchError::Status("404".to_owned()))))
    }
}
