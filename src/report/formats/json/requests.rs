//! The requests of an access log in the JSON document.

use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::weight::{RequestWeight, WeighedClient};

/// The requests of the access log for this target, by what would become of them.
#[derive(Serialize, JsonSchema)]
pub(super) struct RequestsView {
    /// All of them: those over TLS, where the log tells.
    total: u64,
    /// Those that would be lost.
    lost: u64,
    /// Those that may be lost: what was negotiated is no longer accepted, and the log does not tell what else the
    /// clients offer.
    may_be_lost: u64,
    /// Those of which the log does not tell enough.
    untold: u64,
    /// Why.
    untold_because: Vec<String>,
    /// The variables that it is derived from.
    derived_from: Vec<String>,
    /// The files.
    files: Vec<String>,
    /// The lost ones and those that may be lost, by client, most requests first.
    clients: Vec<WeighedClientView>,
}

#[derive(Serialize, JsonSchema)]
struct WeighedClientView {
    /// What it negotiated, or the client that its user agent names.
    client: String,
    requests: u64,
    /// Whether they would certainly be lost.
    lost: bool,
    /// Why.
    reason: String,
    /// Some of their user agents.
    user_agents: Vec<String>,
}

impl RequestsView {
    pub(super) fn of(weight: RequestWeight) -> Self {
        let client = |one: WeighedClient| WeighedClientView {
            client: one.client,
            requests: one.requests,
            lost: one.lost,
            reason: one.reason,
            user_agents: one.user_agents,
        };
        Self {
            total: weight.requests,
            lost: weight.lost,
            may_be_lost: weight.may_be_lost,
            untold: weight.untold,
            untold_because: weight.untold_because,
            derived_from: weight.derived_from,
            files: weight.files,
            clients: weight.clients.into_iter().map(client).collect(),
        }
    }
}
