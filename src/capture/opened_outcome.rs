//! How a handshake ended whose records were opened with the keys of a key log.

use super::exchange::Party;
use super::opened::OpenedTls;
use super::shown::{CaptureMoment, ShownTls};
use crate::tls::alert::AlertDescription;

/// How a handshake ended, as opened records show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenedOutcome {
    /// Both sides finished it, and neither complained.
    Established,
    /// A side said that it does not go on.
    Refused(Party, AlertDescription),
}

/// How the handshake between these two ended; `None` where what was opened does not tell.
pub(super) fn outcome(client: &ShownTls, server: &ShownTls) -> Option<OpenedOutcome> {
    let (of_client, of_server) = (client.opened.as_deref(), server.opened.as_deref());
    let end = of_client.and_then(|it| it.finished);
    // Whether the server had all of the client's handshake by then.
    let knew = |moment: CaptureMoment| end.is_some_and(|end| moment.received >= end.end);
    // What is wrong later, after data, is no failure of the handshake.
    let by_client = of_client.and_then(OpenedTls::refusal).filter(|alert| alert.after.is_none());
    let by_server = of_server.and_then(OpenedTls::refusal);
    let by_server = by_server.filter(|alert| !alert.after.is_some_and(knew));
    let refusals = [(Party::Client, by_client), (Party::Server, by_server)];
    let refusals = refusals.into_iter().filter_map(|(by, alert)| Some((by, alert?)));
    // A goodbye that answers a complaint may have been captured first.
    let first = refusals.min_by_key(|(_, alert)| (alert.is_goodbye(), alert.at.time));
    if let Some((by, alert)) = first {
        return Some(OpenedOutcome::Refused(by, alert.description));
    }
    let (_, of_server) = (end?, of_server?);
    let sent = [Some(of_server.finished?), of_server.last_sent];
    let said = of_server.alerts.iter().map(|alert| alert.at);
    let taken = sent.into_iter().flatten().chain(said).any(knew);
    (taken || !server.clear().asks_certificate).then_some(OpenedOutcome::Established)
}
