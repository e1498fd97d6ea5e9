//! What a run needs beside its targets.

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

/// Where distributions keep their roots in one file (Debian and its kin; others differ).
const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Everything a run needs beside its targets.
#[derive(Debug)]
pub struct Settings {
    /// What makes the connections; runs that share it share its limits.
    pub network: Arc<dyn Network>,
    /// What is asked for beside the four handshakes.
    pub depth: Depth,
    /// The severity from which a finding fails its target.
    pub threshold: Severity,
    /// What the operator allows, where a policy was named.
    pub policy: Option<Policy>,
    /// The time at which certificates are judged.
    pub now: OffsetDateTime,
    /// Whether a missing issuer's certificate is fetched from where the certificate says it lies.
    pub fetch_issuers: FetchIssuers,
    /// An assessor for every trust that a target names.
    pub assessors: HashMap<Trust, Arc<Assessor>>,
    /// What the machine has that bears on fixes.
    pub surroundings: Surroundings,
}

/// What the machine has that bears on fixes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Surroundings {
    /// The folder that relative file names start from.
    pub folder: PathBuf,
    /// The system's roots as a file that nginx could be given, where the distribution has one and a target may need it.
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
    /// The settings of an audit of these targets, with an assessor for each set of roots that one of them names; everything
    /// else is as it is where nothing is asked for.
    pub fn new(
        targets: &[Arc<Target>],
        network: Arc<dyn Network>,
        now: OffsetDateTime,
    ) -> Result<Self, TrustError> {
        Self::with_stores(targets, network, now, &mut TrustStores::default())
    }

    /// The same where files of roots that cannot be read at the moment are known from an earlier audit.
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

    /// The same with assessors that are there already.
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

/// Trust stores that outlive an audit: while a file of roots is being replaced, the old one serves.
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

    /// What could not be read since this was last asked.
    pub fn problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }
}

/// Whether, and from where, missing issuers are fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FetchIssuers {
    /// Not at all.
    #[default]
    Never,
    /// From public addresses only.
    Public,
    /// From any address.
    Anywhere,
}
