//! What the clients of a target could do before a change, to be held against what they can do after it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::behaviour::ReportedBehaviour;
use crate::log::requests::Requests;
use crate::tls::profile::Profile;

/// What is known of a target before a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// What it is known from: `live`, or the path that the user named.
    #[serde(default)]
    pub old: String,
    /// The clients that connected at every address.
    pub clients: Vec<&'static Profile>,
    /// The clients that were tried.
    #[serde(default)]
    pub tried: Vec<&'static Profile>,
    /// The clients that the operator named one by one.
    pub named: Vec<&'static Profile>,
    /// Why it is not known who connected.
    pub unknown: Option<String>,
    /// How it behaved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Arc<ReportedBehaviour>>,
    /// The requests of an access log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Arc<Requests>>,
}

impl Former {
    /// Whether a client connected before the change.
    pub fn connected(&self, client: &Profile) -> bool {
        self.clients.iter().any(|one| one.name == client.name)
    }
}

impl Former {
    /// What the clients of two targets could do that are one now.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.clients.extend(other.clients);
        self.tried.extend(other.tried);
        for clients in [&mut self.clients, &mut self.tried] {
            clients.sort_by(|one, next| one.name.cmp(&next.name));
            clients.dedup_by(|one, next| one.name == next.name);
        }
        let behaviour = match (self.behaviour, other.behaviour) {
            (Some(mut own), Some(other)) => {
                Arc::make_mut(&mut own).extend(Arc::unwrap_or_clone(other));
                Some(own)
            }
            (own, other) => own.or(other),
        };
        Self { unknown: self.unknown.or(other.unknown), behaviour, ..self }
    }
}
