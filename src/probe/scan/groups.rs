//! The groups that a server uses for key exchange. Hellos that ask about something else show some of them on the way.

use std::sync::{Mutex, PoisonError};

use super::exhaust::{Manner, Reply, go_on};
use super::{Opening, Scanner};
use crate::observation::Cause;
use crate::observation::scan::Listing;
use crate::probe::raw::RawAnswer;
use crate::tls::alert::AlertDescription;
use crate::tls::extension::Extension;
use crate::tls::group::NamedGroup;
use crate::tls::hello::ClientHello;
use crate::tls::suite::{Authentication, CipherSuite, KeyExchange};
use crate::tls::version::ProtocolVersion;

/// The groups that answers of one version have shown so far, in the order in which they were seen.
///
/// Each hello offers every group, those that were seen last: a server that follows the client then chooses another, and one
/// that does not, as before.
#[derive(Debug, Default)]
pub(super) struct GroupsOnTheWay(Mutex<Vec<NamedGroup>>);

impl GroupsOnTheWay {
    /// The groups that the answers to hellos for suites show. Those hellos offer all groups in the usual order, because
    /// the report has the group beside each suite.
    pub(super) fn of(openings: &[Opening]) -> Self {
        let shown = Self::default();
        openings.iter().filter_map(|opening| opening.choice.group).for_each(|it| shown.note(it));
        shown
    }

    fn note(&self, group: NamedGroup) {
        // A list is whole after each push, whoever panicked.
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains(&group) {
            seen.push(group);
        }
    }

    fn seen(&self) -> Vec<NamedGroup> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The hello with the groups that were seen at the end.
    fn ask_in(&self, hello: &ClientHello) -> ClientHello {
        let mut groups = hello.groups().to_vec();
        let seen = self.seen();
        groups.sort_by_key(|group| seen.contains(group));
        hello.clone().with(Extension::SupportedGroups(groups))
    }
}

impl Scanner<'_> {
    /// Sends a hello that asks about something else, and notes the group of the answer.
    pub(super) async fn ask_on_the_way<T>(
        &self,
        hello: ClientHello,
        groups: &GroupsOnTheWay,
        read: impl Fn(&RawAnswer) -> Option<T>,
    ) -> Reply<T> {
        let asking = groups.ask_in(&hello);
        let reads = |answer: &RawAnswer| {
            let group = answer.outcome.as_ref().ok().and_then(|choice| choice.group);
            if let Some(group) = group {
                groups.note(group);
            }
            read(answer)
        };
        let reply = self.ask(asking.clone(), reads).await;
        let clear = match &reply {
            Reply::Chose(_) | Reply::Passed => true,
            Reply::Refused(cause) => is_about_alpn(cause),
            Reply::Unclear(_) => false,
        };
        if clear || asking == hello {
            return reply;
        }
        // The reason may be the group that was offered first, and not what the hello asks about.
        self.ask(hello, read).await
    }

    /// All groups that the server accepts in a version; `shown` are those that it used so far.
    pub(super) async fn groups(
        &self,
        version: ProtocolVersion,
        openings: &[Opening],
        shown: &GroupsOnTheWay,
    ) -> Listing<NamedGroup> {
        let taken = || openings.iter().map(|opening| opening.choice.cipher_suite);
        let tls13 = version == ProtocolVersion::TLS1_3;
        let ecdhe = || taken().filter(|suite| suite.key_exchange() == Some(KeyExchange::Ecdhe));
        // Up to TLS 1.2 an ECDSA certificate is only shown to clients that list its curve (RFC 8422 section 5.1), so
        // every hello must contain the curve, unless it also allows other certificates.
        let by_ecdsa = |suite: &CipherSuite| suite.authentication() == Some(Authentication::Ecdsa);
        let free: Vec<CipherSuite> = ecdhe().filter(|suite| !by_ecdsa(suite)).collect();
        let (suites, companion) = match () {
            () if tls13 => (taken().collect(), None),
            () if free.is_empty() => {
                (ecdhe().collect(), openings.iter().find_map(Opening::leaf_curve))
            }
            () => (free, None),
        };
        if suites.is_empty() {
            return Listing::default();
        }
        let hello = ClientHello { cipher_suites: suites, ..self.hello(version) };
        let offers = hello.groups().to_vec();
        let mut known = shown.seen();
        known.retain(|group| offers.contains(group));
        let manner = Manner { companion, ..Manner::at_once() };
        let found = go_on(
            known,
            offers,
            manner,
            |group| *group,
            |groups| {
                let hello = hello.clone().with(Extension::SupportedGroups(groups));
                self.ask(hello, |answer| answer.outcome.as_ref().ok()?.group)
            },
        );
        found.await
    }
}

fn is_about_alpn(cause: &Cause) -> bool {
    *cause == Cause::Alert(AlertDescription::NO_APPLICATION_PROTOCOL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_was_seen_is_offered_last_and_none_is_left_out() {
        let hello = ClientHello::probe(ProtocolVersion::TLS1_2);
        let offered = hello.groups().to_vec();
        let groups = GroupsOnTheWay::default();
        assert_eq!(groups.ask_in(&hello), hello);
        groups.note(offered[0]);
        groups.note(offered[0]);
        let asked = groups.ask_in(&hello).groups().to_vec();
        assert_eq!(asked, [&offered[1..], &offered[..1]].concat());
        assert_eq!(groups.seen(), [offered[0]]);
    }
}
