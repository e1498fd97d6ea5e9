//! How many requests of an access log come from clients that a changed configuration turns away.

mod outcome;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use self::outcome::{RequestJudge, RequestOutcome};
use crate::log::requests::{RequestClient, RequestKind};
use crate::observation::Endpoint;
use crate::targets::former::Former;

/// The most user agents of a kind that are named.
const MAX_AGENTS: usize = 3;

/// The requests of a log, by what becomes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestWeight {
    /// All of them.
    pub requests: u64,
    /// Those that would be lost.
    pub lost: u64,
    /// Those that may be lost: what was negotiated is no longer accepted, and the log does not tell what else the
    /// client offers.
    pub may_be_lost: u64,
    /// Those of which the log does not tell enough.
    pub untold: u64,
    /// The files.
    pub files: Vec<String>,
    /// Whether they may be requests for other names, because the log does not tell.
    pub of_all_names: bool,
    /// What it is derived from.
    pub derived_from: Vec<String>,
    /// The lost ones and those that may be lost, by client, most requests first.
    pub clients: Vec<WeighedClient>,
    /// Why the rest could not be told.
    pub untold_because: Vec<String>,
}

/// Requests of clients that do not differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeighedClient {
    /// What they negotiated, or the client that their user agent names.
    pub client: String,
    /// The requests.
    pub requests: u64,
    /// Whether they would certainly be lost.
    pub lost: bool,
    /// Why.
    pub reason: String,
    /// Some of their user agents.
    pub user_agents: Vec<String>,
}

impl RequestWeight {
    /// Weighs the requests of this target; `None` if there is no access log, or nothing is known of the address.
    pub fn of(former: Option<&Former>, endpoint: &Endpoint) -> Option<Self> {
        let former = former?;
        let requests = former.requests.as_deref()?;
        let judge = RequestJudge { former, endpoint, scan: endpoint.scans.first() };
        let mut weight = Self {
            requests: requests.total,
            lost: 0,
            may_be_lost: 0,
            untold: requests.uncounted,
            files: requests.files.clone(),
            of_all_names: requests.of_all_names,
            derived_from: requests.told_by.clone(),
            clients: Vec::new(),
            untold_because: Vec::new(),
        };
        let mut why: BTreeMap<&str, u64> = BTreeMap::new();
        if requests.uncounted > 0 {
            why.insert("there are too many kinds of clients in the log", requests.uncounted);
        }
        for kind in &requests.kinds {
            match judge.outcome(&kind.client) {
                RequestOutcome::Served => {}
                RequestOutcome::Lost(reason) => weight.add(kind, true, reason),
                RequestOutcome::MayBeLost(reason) => weight.add(kind, false, reason),
                RequestOutcome::Untold(reason) => *why.entry(reason).or_default() += kind.count,
            }
        }
        weight.untold = why.values().sum();
        weight.untold_because = why.into_keys().map(str::to_owned).collect();
        weight.clients.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.client.cmp(&b.client)));
        Some(weight)
    }

    fn add(&mut self, kind: &RequestKind, lost: bool, reason: String) {
        *(if lost { &mut self.lost } else { &mut self.may_be_lost }) += kind.count;
        let client = in_words(&kind.client);
        let mut agents = kind.agents.clone();
        agents.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let known =
            |one: &WeighedClient| (&one.client, one.lost, &one.reason) == (&client, lost, &reason);
        let place = self.clients.iter().position(known).unwrap_or(self.clients.len());
        if place == self.clients.len() {
            let (requests, user_agents) = (0, Vec::new());
            self.clients.push(WeighedClient { client, requests, lost, reason, user_agents });
        }
        let known = &mut self.clients[place];
        known.requests += kind.count;
        for (agent, _) in agents {
            if known.user_agents.len() < MAX_AGENTS && !known.user_agents.contains(&agent) {
                known.user_agents.push(agent);
            }
        }
    }

    /// `312 of 40,100 requests (0.8 %)`.
    pub fn share(&self) -> String {
        format!(
            "{} of {} requests{}",
            number(self.lost),
            number(self.requests),
            percent(self.lost, self.requests)
        )
    }

    /// The share in half a sentence, where the log tells enough.
    pub fn summary(&self) -> Option<String> {
        let known = self.requests > 0 && (self.lost > 0 || self.may_be_lost + self.untold == 0);
        if self.lost == 0 && self.may_be_lost > 0 {
            let most = part(self.may_be_lost, self.requests);
            return Some(format!("clients like these made up to {most}"));
        }
        known.then(|| match self.lost {
            0 => format!("clients like these made none of {} requests", number(self.requests)),
            _ => format!("clients like these made {}", self.share()),
        })
    }

    /// What was found, one sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let log = self.files.join(", ");
        let any = if self.of_all_names { " (which does not tell for which name)" } else { "" };
        let from = format!("{any}, derived from {}", self.derived_from.join(", "));
        let mut all = Vec::new();
        if self.requests == 0 {
            return vec![format!(
                "{log} has no requests over TLS for this name, so nothing is weighed"
            )];
        }
        if self.lost > 0 {
            all.push(format!(
                "clients like these made {} in {log}{from}: {}",
                self.share(),
                self.listed(true)
            ));
        }
        if self.may_be_lost > 0 {
            all.push(format!(
                "{} {} may be lost: {}",
                if self.lost > 0 { "a further" } else { "up to" },
                part(self.may_be_lost, self.requests),
                self.listed(false)
            ));
        }
        if self.untold > 0 {
            all.push(format!(
                "{} could not be weighed: {}",
                part(self.untold, self.requests),
                self.untold_because.join("; ")
            ));
        }
        if all.is_empty() {
            all.push(format!(
                "of {} requests in {log} none would be lost{from}",
                number(self.requests)
            ));
        }
        all
    }

    fn listed(&self, lost: bool) -> String {
        let all: Vec<&WeighedClient> = self.clients.iter().filter(|one| one.lost == lost).collect();
        let shown = all.iter().take(MAX_CLIENTS).map(ToString::to_string);
        let mut words: Vec<String> = shown.collect();
        if all.len() > MAX_CLIENTS {
            words.push(format!("{} more kinds of clients", all.len() - MAX_CLIENTS));
        }
        words.join("; ")
    }
}

/// The most kinds of clients that a sentence lists.
const MAX_CLIENTS: usize = 5;

impl fmt::Display for WeighedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}: {}", number(self.requests), self.client, self.reason)?;
        if !self.user_agents.is_empty() {
            write!(f, " (such as {})", self.user_agents.join(", "))?;
        }
        Ok(())
    }
}

/// What a client negotiated, or the client that its user agent names.
fn in_words(client: &RequestClient) -> String {
    let suite = client
        .suite
        .map(|suite| suite.openssl_name().map_or_else(|| suite.to_string(), str::to_owned));
    let negotiated = [client.version.map(|version| version.to_string()), suite];
    let negotiated: Vec<String> = negotiated.into_iter().flatten().collect();
    match (client.profile(), negotiated.as_slice()) {
        (Some(profile), []) => format!("{} (by its user agent)", profile.title),
        (Some(profile), [version]) => format!("{} with {version}", profile.title),
        (_, words) => words.join(" with "),
    }
}

fn part(count: u64, whole: u64) -> String {
    let noun = if count == 1 { "request" } else { "requests" };
    format!("{} {noun}{}", number(count), percent(count, whole))
}

/// `40,100`.
fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// ` (0.8 %)`; nothing of nothing.
fn percent(count: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    let tenths = (u128::from(count) * 1000 + u128::from(whole) / 2) / u128::from(whole);
    if tenths == 0 && count > 0 {
        return " (under 0.1 %)".to_owned();
    }
    format!(" ({}.{} %)", tenths / 10, tenths % 10)
}
