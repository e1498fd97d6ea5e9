//! The settings of a run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::network::Network;
use crate::audit::finding::Severity;
use crate::audit::policy::Policy;
use crate::certificate::trust::{Assessor, TrustStore};
use crate::probe::scan::Depth;
use crate::targets::nginx_client::Trusted;
use crate::targets::trust::{self, TrustError};
use crate::targets::{Roots, Target, Trust};

/// The file with the distribution's roots (on Debian and its derivatives; others differ).
const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The settings of a run.
#[derive(Debug)]
pub struct Settings {
    /// Makes the connections; runs that share it share its limits.
    pub network: Arc<dyn Network>,
    /// What to test besides the four handshakes.
    pub depth: Depth,
    /// Findings of this severity or above fail their target.
    pub threshold: Severity,
    /// The operator's policy, if given.
    pub policy: Option<Policy>,
    /// The time at which certificates are judged.
    pub now: OffsetDateTime,
    /// Whether to fetch missing issuers from the URLs in certificates.
    pub fetch_issuers: FetchIssuers,
    /// An assessor for each set of roots that a target uses.
    pub assessors: HashMap<Trust, Arc<Assessor>>,
    /// Properties of the machine that affect fixes.
    pub surroundings: Surroundings,
}

/// Properties of the machine that affect fixes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Surroundings {
    /// The folder that relative file names are resolved from.
    pub folder: PathBuf,
    /// The system's roots as a file for nginx, if the distribution has one and a target may need it.
    pub bundle: Option<Trusted>,
}

impl Surroundings {
    fn of(targets: &[Arc<Target>]) -> Self {
        static BUNDLE: LazyLock<Option<Trusted>> = LazyLock::new(|| {
            let roots = Roots::File(SYSTEM_BUNDLE.into());
            let store = trust::load(&Trust { roots, additional: Vec::new() }).ok()?;
            Some(Trusted { path: SYSTEM_BUNDLE.into(), store: Arc::new(store) })
        });
        let needs =
            |target: &Arc<Target>| target.nginx.is_some() && target.trust.roots == Roots::Native;
        let bundle = targets.iter().any(needs).then(|| BUNDLE.clone()).flatten();
        Self { folder: std::env::current_dir().unwrap_or_default(), bundle }
    }
}

impl Settings {
    /// The settings of an audit of these targets, with an assessor for each set of roots that they use; everything else
    /// has its default.
    pub fn new(
        targets: &[Arc<Target>],
        network: Arc<dyn Network>,
        now: OffsetDateTime,
    ) -> Result<Self, TrustError> {
        Self::with_stores(targets, network, now, &mut TrustStores::default())
    }

    /// The same, with trust stores of an earlier audit for files that currently cannot be read.
    pub fn with_stores(
        targets: &[Arc<Target>],
        network: Arc<dyn Network>,
        now: OffsetDateTime,
        stores: &mut TrustStores,
    ) -> Result<Self, TrustError> {
        let mut assessors = HashMap::new();
        for target in targets {
            if !assessors.contains_key(&target.trust) {
                let store = stores.load(&target.trust)?;
                assessors.insert(target.trust.clone(), Arc::new(Assessor::new(store, now)));
            }
        }
        let surroundings = Surroundings::of(targets);
        Ok(Self { surroundings, ..Self::with_assessors(assessors, network, now) })
    }

    /// The same, with existing assessors.
    pub fn with_assessors(
        assessors: HashMap<Trust, Arc<Assessor>>,
        network: Arc<dyn Network>,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            network,
            depth: Depth::default(),
            threshold: Severity::Error,
            policy: None,
            now,
            fetch_issuers: FetchIssuers::Never,
            assessors,
            surroundings: Surroundings::default(),
        }
    }

    /// The assessor for this set of roots.
    pub(super) fn assessor(&self, trust: &Trust) -> &Assessor {
        self.assessors.get(trust).expect("the settings hold an assessor for every trust")
    }
}

/// Trust stores that outlive an audit: while a file of roots is being replaced, the old contents are used.
#[derive(Debug, Default)]
pub struct TrustStores {
    known: HashMap<Trust, Arc<TrustStore>>,
    problems: Vec<String>,
}

impl TrustStores {
    fn load(&mut self, trust: &Trust) -> Result<Arc<TrustStore>, TrustError> {
        match (trust::load(trust), self.known.get(trust)) {
            (Ok(store), _) => {
                let store = Arc::new(store);
                self.known.insert(trust.clone(), Arc::clone(&store));
                Ok(store)
            }
            (Err(error), Some(store)) => {
                self.problems.push(format!("using the previous roots: {error}"));
                Ok(Arc::clone(store))
            }
            (Err(error), None) => Err(error),
        }
    }

    /// The errors since the last call.
    pub fn problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }
}

/// Whether to fetch missing issuers, and from where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FetchIssuers {
    /// Never.
    #[default]
    Never,
    /// From public addresses only.
    Public,
    /// From any address.
    Anywhere,
}
