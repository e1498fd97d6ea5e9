//! What becomes of the requests of one client, from what it negotiated and offered and what the server accepts now.

use crate::audit::missing::Missing;
use crate::log::requests::RequestClient;
use crate::observation::Endpoint;
use crate::observation::scan::{Scan, SuiteChoice, VersionScan};
use crate::targets::former::Former;
use crate::tls::suite::{CipherSuite, KeyExchange};
use crate::tls::version::ProtocolVersion;

/// What becomes of the requests of one kind.
pub(super) enum RequestOutcome {
    Served,
    Lost(String),
    MayBeLost(String),
    Untold(&'static str),
}

/// What an address accepts now, held against what clients negotiated before.
pub(super) struct RequestJudge<'a> {
    pub(super) former: &'a Former,
    pub(super) endpoint: &'a Endpoint,
    pub(super) scan: Option<&'a Scan>,
}

/// Whether a client could use a version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Chance {
    No,
    Perhaps,
    Yes,
}

const NOT_LISTED: &str = "what the server accepts could not be listed";
const NO_SUITES: &str =
    "the log has no $ssl_ciphers of it, which tells what else the client offers";

impl RequestJudge<'_> {
    /// What becomes of the requests of such a client.
    pub(super) fn outcome(&self, client: &RequestClient) -> RequestOutcome {
        let Some(version) = client.version else { return self.by_agent(client) };
        let Some(scan) = self.scan.filter(|scan| scan.accepted().next().is_some()) else {
            return RequestOutcome::Untold(NOT_LISTED);
        };
        let own = scan.version(version).filter(|own| own.is_supported());
        if own.is_none() && !is_refused(scan, version) {
            return RequestOutcome::Untold(NOT_LISTED);
        }
        let lack = match (own, client.suite) {
            (None, _) => "this version is not accepted any more".to_owned(),
            (Some(_), None) => return self.by_agent(client),
            (Some(own), Some(suite)) => match lacks(own, suite, client) {
                Ok(None) => return RequestOutcome::Served,
                Ok(Some(lack)) => lack,
                Err(reason) => return RequestOutcome::Untold(reason),
            },
        };
        let chances = scan.accepted().map(|other| self.chance(other, version, client));
        match chances.max().unwrap_or(Chance::No) {
            Chance::Yes => RequestOutcome::Served,
            Chance::No if client.suites.is_some() => {
                RequestOutcome::Lost(format!("{lack}, and the client offers no other that is"))
            }
            Chance::No => RequestOutcome::Lost(lack),
            Chance::Perhaps if client.suites.is_some() => RequestOutcome::MayBeLost(lack),
            Chance::Perhaps => RequestOutcome::MayBeLost(format!("{lack}; {NO_SUITES}")),
        }
    }

    /// Whether the client could use this version, which the server accepts.
    fn chance(&self, other: &VersionScan, was: ProtocolVersion, client: &RequestClient) -> Chance {
        let version = other.version;
        // It would have used a newer version where it could.
        if version > was && self.accepted_before(version) {
            return Chance::No;
        }
        let Some(offered) = &client.suites else { return Chance::Perhaps };
        let common: Vec<&SuiteChoice> = other
            .suites
            .accepted
            .iter()
            .filter(|choice| offered.contains(&choice.cipher_suite))
            .filter(|choice| shares_group(other, choice.cipher_suite, client))
            .collect();
        if common.is_empty() {
            let is_whole = other.suites.cut_short.is_none() && other.groups.cut_short.is_none();
            return if is_whole { Chance::No } else { Chance::Perhaps };
        }
        let proves = |suite: &CipherSuite| match version {
            ProtocolVersion::TLS1_3 => suite.is_tls13(),
            // Clients that offer suites of no older version support this one.
            ProtocolVersion::TLS1_2 => {
                suite.usable_with(version)
                    && (was == ProtocolVersion::TLS1_3 || !suite.usable_with(ProtocolVersion::TLS1))
            }
            _ => false,
        };
        if version == was || offered.iter().any(proves) { Chance::Yes } else { Chance::Perhaps }
    }

    /// Whether the server accepted the version before the change, which the log is from.
    fn accepted_before(&self, version: ProtocolVersion) -> bool {
        let Some(before) = &self.former.behaviour else { return false };
        let name = version.to_string();
        before.handshakes.iter().any(|cell| cell.is_established() && cell.version == name)
            || before.clients.iter().any(|one| one.version.as_ref() == Some(&name))
    }

    /// What becomes of the client that the user agent names.
    fn by_agent(&self, client: &RequestClient) -> RequestOutcome {
        let Some(profile) = client.profile() else {
            return RequestOutcome::Untold(if client.version.is_some() {
                "their version is accepted, and the log has no $ssl_cipher, which tells the rest"
            } else {
                "their $http_user_agent names no client that is known here; $ssl_protocol and $ssl_ciphers in the log_format would tell"
            });
        };
        let replay = self.endpoint.replays.iter().find(|one| one.profile.name == profile.name);
        match replay.map(|replay| (replay, &replay.outcome)) {
            Some((_, Ok(_))) => RequestOutcome::Served,
            Some((replay, Err(failure))) if failure.is_refusal() => {
                let missing = Missing::of(replay, self.endpoint).unwrap_or(Missing::NotListed);
                RequestOutcome::Lost(missing.to_string())
            }
            _ => {
                RequestOutcome::Untold("the client that their $http_user_agent names was not tried")
            }
        }
    }
}

/// What the server no longer accepts of what was negotiated in a version that it accepts.
fn lacks(
    own: &VersionScan,
    suite: CipherSuite,
    client: &RequestClient,
) -> Result<Option<String>, &'static str> {
    if !own.suites.accepted.iter().any(|choice| choice.cipher_suite == suite) {
        return match own.suites.cut_short {
            None => Ok(Some("this cipher suite is not accepted any more".to_owned())),
            Some(_) => Err(NOT_LISTED),
        };
    }
    let groups = &own.groups;
    let is_gone = |group| {
        needs_group(suite)
            && !groups.accepted.is_empty()
            && groups.cut_short.is_none()
            && !groups.accepted.contains(group)
    };
    let gone = client.group.as_ref().filter(|group| is_gone(group));
    Ok(gone.map(|group| format!("its group {group} is not accepted any more")))
}

fn shares_group(other: &VersionScan, suite: CipherSuite, client: &RequestClient) -> bool {
    let accepted = &other.groups.accepted;
    match &client.groups {
        Some(offered) if needs_group(suite) && !accepted.is_empty() => {
            offered.iter().any(|group| accepted.contains(group))
        }
        _ => true,
    }
}

fn is_refused(scan: &Scan, version: ProtocolVersion) -> bool {
    scan.version(version).is_some_and(|own| own.suites.is_refused() || own.refused_late().is_some())
}

fn needs_group(suite: CipherSuite) -> bool {
    matches!(suite.key_exchange(), Some(KeyExchange::Ecdhe | KeyExchange::Tls13))
}
