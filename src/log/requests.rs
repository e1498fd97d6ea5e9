//! The requests of access logs, counted by what their clients negotiated and offered.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use super::access::{Access, Variable};
use crate::tls::group::NamedGroup;
use crate::tls::profile::Profile;
use crate::tls::suite::CipherSuite;
use crate::tls::user_agent;
use crate::tls::version::ProtocolVersion;

/// The most kinds of requests that are kept apart.
const MAX_KINDS: usize = 8192;

/// The most bytes of values whose kind is remembered as written.
const MAX_REMEMBERED: usize = 16 * 1024 * 1024;

/// The most bytes of a value; longer ones count as absent.
const MAX_VALUE: usize = 4096;

/// The most user agents of a kind, and the most characters of one.
const MAX_AGENTS: usize = 8;
const MAX_AGENT: usize = 80;

/// The variables that tell something about a client, as nginx names them.
const TELLING: [(Variable, &str); 6] = [
    (Variable::SslProtocol, "$ssl_protocol"),
    (Variable::SslCipher, "$ssl_cipher"),
    (Variable::SslCurve, "$ssl_curve"),
    (Variable::SslCiphers, "$ssl_ciphers"),
    (Variable::SslCurves, "$ssl_curves"),
    (Variable::HttpUserAgent, "$http_user_agent"),
];

/// Requests, by what their clients negotiated and offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// The names of the files.
    pub files: Vec<String>,
    /// The requests over TLS; all, if the log does not tell them apart.
    pub total: u64,
    /// Those of them that belong to no kind, because there were too many kinds.
    pub uncounted: u64,
    /// The variables of the lines that it is derived from.
    pub told_by: Vec<String>,
    /// Whether the requests may be for other names, because the log does not tell.
    pub of_all_names: bool,
    /// The kinds, in the order of the log.
    pub kinds: Vec<RequestKind>,
}

/// Requests whose clients do not differ, and their number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestKind {
    /// What the clients have in common.
    pub client: RequestClient,
    /// The requests.
    pub count: u64,
    /// Some user agents, with their numbers of requests.
    pub agents: Vec<(String, u64)>,
}

/// What a line tells about a client. What it does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestClient {
    /// The name that it asked for.
    pub name: Option<String>,
    /// The port that it connected to.
    pub port: Option<u16>,
    /// The version that was negotiated.
    pub version: Option<ProtocolVersion>,
    /// The suite that was negotiated.
    pub suite: Option<CipherSuite>,
    /// The group that was negotiated.
    pub group: Option<NamedGroup>,
    /// The suites that it offered, without those that have no name.
    pub suites: Option<Vec<CipherSuite>>,
    /// The groups that it offered.
    pub groups: Option<Vec<NamedGroup>>,
    /// The profile that its user agent names, where the log has no suite.
    pub agent: Option<String>,
}

impl RequestClient {
    /// The profile that its user agent names.
    pub fn profile(&self) -> Option<&'static Profile> {
        let name = self.agent.as_ref()?;
        crate::tls::profile::all().iter().find(|profile| profile.name == *name)
    }
}

impl Requests {
    /// The requests of these clients, without the names and ports that they asked for.
    #[must_use]
    pub fn only(&self, own: impl Fn(&RequestClient) -> bool) -> Self {
        let mut places: HashMap<RequestClient, usize, FixedState> = HashMap::default();
        let mut kinds: Vec<RequestKind> = Vec::new();
        for kind in self.kinds.iter().filter(|kind| own(&kind.client)) {
            let client = RequestClient { name: None, port: None, ..kind.client.clone() };
            let place = *places.entry(client.clone()).or_insert(kinds.len());
            match kinds.get_mut(place) {
                Some(known) => known.join(kind),
                None => kinds.push(RequestKind { client, ..kind.clone() }),
            }
        }
        let counted: u64 = kinds.iter().map(|kind| kind.count).sum();
        Self { total: counted + self.uncounted, kinds, ..self.without_kinds() }
    }

    fn without_kinds(&self) -> Self {
        Self {
            files: self.files.clone(),
            total: self.total,
            uncounted: self.uncounted,
            told_by: self.told_by.clone(),
            of_all_names: self.of_all_names,
            kinds: Vec::new(),
        }
    }
}

/// Counts requests.
#[derive(Debug, Default)]
pub struct RequestCounter {
    requests: Requests,
    /// The place of each kind.
    places: HashMap<RequestClient, usize, FixedState>,
    /// The same by the values as written, which saves taking them apart again.
    written: HashMap<Box<[u8]>, usize, FixedState>,
    remembered: usize,
    /// Which of the telling variables the lines have.
    met: [bool; TELLING.len()],
}

impl RequestCounter {
    /// Counts the request of a line.
    pub fn add(&mut self, access: &Access<'_>) {
        for (met, (variable, _)) in self.met.iter_mut().zip(TELLING) {
            *met |= access.has(variable);
        }
        let tells_tls = [Variable::SslProtocol, Variable::SslCipher];
        let is_plain = tells_tls.iter().any(|variable| access.has(*variable))
            && tells_tls.iter().all(|variable| access.get(*variable).is_none());
        if is_plain {
            return;
        }
        self.requests.total += 1;
        let Some(place) = self.place(access) else {
            self.requests.uncounted += 1;
            return;
        };
        let kind = &mut self.requests.kinds[place];
        kind.count += 1;
        if let Some(agent) = access.get(Variable::HttpUserAgent) {
            kind.meet(agent);
        }
    }

    /// The place of the kind that the line belongs to; `None` if there are too many kinds.
    fn place(&mut self, access: &Access<'_>) -> Option<usize> {
        let written = written(access);
        if let Some(place) = self.written.get(written.as_slice()) {
            return Some(*place);
        }
        let client = client(access);
        let place = match self.places.get(&client) {
            Some(place) => *place,
            None if self.requests.kinds.len() >= MAX_KINDS => return None,
            None => {
                let place = self.requests.kinds.len();
                self.places.insert(client.clone(), place);
                self.requests.kinds.push(RequestKind { client, ..RequestKind::default() });
                place
            }
        };
        if self.remembered + written.len() <= MAX_REMEMBERED {
            self.remembered += written.len();
            self.written.insert(written.into(), place);
        }
        Some(place)
    }

    /// What was counted.
    pub fn finish(self, files: Vec<String>) -> Requests {
        let told = TELLING.into_iter().zip(self.met).filter(|(_, met)| *met);
        let told: Vec<String> = told.map(|((_, name), _)| name.to_owned()).collect();
        // A user agent only counts where the suite is not known.
        let by_suite = told.iter().any(|name| name == "$ssl_cipher");
        let is_used = |name: &String| name != "$http_user_agent" || !by_suite;
        Requests { files, told_by: told.into_iter().filter(is_used).collect(), ..self.requests }
    }
}

impl RequestKind {
    /// Adds requests of the same client.
    fn join(&mut self, other: &Self) {
        self.count += other.count;
        for (agent, count) in &other.agents {
            match self.agents.iter().position(|(known, _)| known == agent) {
                Some(place) => self.agents[place].1 += count,
                None => self.agents.push((agent.clone(), *count)),
            }
        }
        self.agents.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        self.agents.truncate(MAX_AGENTS);
    }

    fn meet(&mut self, agent: &[u8]) {
        let text = String::from_utf8_lossy(agent);
        let text: String = text.chars().take(MAX_AGENT).collect();
        match self.agents.iter().position(|(known, _)| *known == text) {
            Some(place) => self.agents[place].1 += 1,
            None if self.agents.len() < MAX_AGENTS => self.agents.push((text, 1)),
            None => {}
        }
    }
}

/// The values that decide about the kind of a line.
const DECIDING: [Variable; 8] = [
    Variable::SslProtocol,
    Variable::SslCipher,
    Variable::SslCurve,
    Variable::SslCiphers,
    Variable::SslCurves,
    Variable::SslServerName,
    Variable::Host,
    Variable::ServerPort,
];

fn written(access: &Access<'_>) -> Vec<u8> {
    let mut written = Vec::with_capacity(256);
    for variable in DECIDING {
        written.extend_from_slice(access.get(variable).unwrap_or_default());
        written.push(b'\n');
    }
    written.extend_from_slice(agent(access).unwrap_or_default().as_bytes());
    written
}

/// The profile that the user agent names; it only counts if the log has no suite, which tells more.
fn agent(access: &Access<'_>) -> Option<&'static str> {
    if access.has(Variable::SslCipher) {
        return None;
    }
    user_agent::profile(access.get(Variable::HttpUserAgent)?).map(|profile| &*profile.name)
}

fn client(access: &Access<'_>) -> RequestClient {
    let text = |variable| {
        let value = access.get(variable).filter(|value| value.len() <= MAX_VALUE)?;
        std::str::from_utf8(value).ok()
    };
    let name = text(Variable::SslServerName).or_else(|| text(Variable::Host));
    RequestClient {
        name: name.map(|name| without_port(name).to_ascii_lowercase()),
        port: text(Variable::ServerPort).and_then(|port| port.parse().ok()),
        version: text(Variable::SslProtocol).and_then(|name| name.parse().ok()),
        suite: text(Variable::SslCipher).and_then(suite),
        group: text(Variable::SslCurve).and_then(group),
        suites: text(Variable::SslCiphers).map(|list| listed(list, suite)),
        groups: text(Variable::SslCurves).map(|list| listed(list, group)),
        agent: agent(access).map(str::to_owned),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The values that are known; the others are GREASE.
fn listed<T: Ord>(list: &str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
    let known: BTreeSet<T> = list.split(':').filter_map(read).collect();
    known.into_iter().collect()
}

/// A suite by its name, or by its number where nginx's OpenSSL has no name for it.
fn suite(name: &str) -> Option<CipherSuite> {
    let known = |suite: &CipherSuite| suite.name().is_some();
    CipherSuite::from_name(name).or_else(|| number(name).map(CipherSuite).filter(known))
}

/// The same of a group.
fn group(name: &str) -> Option<NamedGroup> {
    let known = |group: &NamedGroup| group.name().is_some();
    NamedGroup::from_name(name).or_else(|| number(name).map(NamedGroup).filter(known))
}

fn number(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::format::AccessLogFormat;

    fn count(format: &str, lines: &[&str]) -> Requests {
        let format = AccessLogFormat::compile(format).unwrap();
        let mut counter = RequestCounter::default();
        for line in lines {
            counter.add(&format.read(line.as_bytes()).unwrap());
        }
        counter.finish(vec!["access.log".to_owned()])
    }

    #[test]
    fn clients_that_differ_in_grease_and_order_alone_are_one_kind() {
        let requests = count(
            "$ssl_protocol $ssl_cipher $ssl_curve $ssl_ciphers $ssl_curves",
            &[
                "TLSv1.3 TLS_AES_128_GCM_SHA256 X25519 0x0a0a:TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256 0xfafa:X25519:prime256v1",
                "TLSv1.3 TLS_AES_128_GCM_SHA256 X25519 0xeaea:ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256 X25519:prime256v1",
                "- - - - -",
            ],
        );
        assert_eq!((requests.total, requests.kinds.len(), requests.uncounted), (2, 1, 0));
        let kind = &requests.kinds[0];
        assert_eq!(kind.count, 2);
        assert_eq!(kind.client.suites, Some(vec![CipherSuite(0x1301), CipherSuite(0xc02f)]));
        assert_eq!(kind.client.groups, Some(vec![NamedGroup(0x17), NamedGroup(0x1d)]));
        assert_eq!(requests.told_by.len(), 5);
    }

    #[test]
    fn a_user_agent_names_a_client_only_where_the_suite_does_not() {
        let agent = "Java/1.7.0_80";
        let by_agent = count("$ssl_protocol|$http_user_agent", &[&format!("TLSv1|{agent}")]);
        assert_eq!(by_agent.kinds[0].client.profile().unwrap().name, "java-7");
        let by_suite = count(
            "$ssl_protocol|$ssl_cipher|$http_user_agent",
            &[&format!("TLSv1|AES128-SHA|{agent}"), "TLSv1|AES128-SHA|curl/7.1"],
        );
        let kind = &by_suite.kinds[0];
        assert_eq!(kind.client.agent, None);
        assert_eq!(kind.agents, [(agent.to_owned(), 1), ("curl/7.1".to_owned(), 1)]);
    }

    #[test]
    fn endless_kinds_take_no_endless_memory() {
        let format = AccessLogFormat::compile("$host $ssl_protocol $http_user_agent").unwrap();
        let mut counter = RequestCounter::default();
        for number in 0..20_000 {
            let line = format!("{number}.test TLSv1.2 agent/{number}");
            counter.add(&format.read(line.as_bytes()).unwrap());
        }
        assert!(counter.remembered <= MAX_REMEMBERED);
        let requests = counter.finish(Vec::new());
        assert_eq!(requests.kinds.len(), MAX_KINDS);
        assert_eq!(requests.total, 20_000);
        assert_eq!(requests.uncounted, 20_000 - MAX_KINDS as u64);
    }
}
