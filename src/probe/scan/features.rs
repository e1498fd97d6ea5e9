//! Features that the answers to hellos show: renegotiation, extended master secret, tickets, session ids, compression,
//! fallback.

use super::exhaust::Reply;
use super::groups::GroupsOnTheWay;
use super::{FoundSuites, Opening, Scanner};
use crate::observation::scan::Features;
use crate::observation::{Cause, Failure, Observed, Stage};
use crate::probe::raw::RawAnswer;
use crate::tls::alert::AlertDescription;
use crate::tls::extension::ExtensionType;
use crate::tls::flight::Flight;
use crate::tls::hello::ClientHello;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// The extensions in a `ServerHello`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    secure_renegotiation: bool,
    extended_master_secret: bool,
    session_ticket: bool,
}

impl Marks {
    pub(super) fn of(flight: &Flight) -> Self {
        let has = |kind| flight.server_hello.as_ref().is_some_and(|hello| hello.has(kind));
        Self {
            secure_renegotiation: has(ExtensionType::RENEGOTIATION_INFO),
            extended_master_secret: has(ExtensionType::EXTENDED_MASTER_SECRET),
            session_ticket: has(ExtensionType::SESSION_TICKET),
        }
    }
}

impl Scanner<'_> {
    pub(super) async fn features(
        &self,
        version: ProtocolVersion,
        openings: &[Opening],
        groups: &GroupsOnTheWay,
    ) -> Features {
        let marks = openings.first().map(|opening| opening.marks).unwrap_or_default();
        let hello = self.cheap_hello(version, openings);
        let (compression, session_id) = self.compression_and_id(version, hello, groups).await;
        let marked = |mark: bool| if mark { Observed::Seen(()) } else { Observed::Absent };
        let only_with_extensions = |mark| {
            if version > ProtocolVersion::SSL3 { marked(mark) } else { Observed::NotTried }
        };
        Features {
            secure_renegotiation: only_with_extensions(marks.secure_renegotiation),
            extended_master_secret: only_with_extensions(marks.extended_master_secret),
            session_ticket: only_with_extensions(marks.session_ticket),
            session_id,
            compression,
            fallback_scsv: Observed::NotTried,
        }
    }

    /// One hello tests both: it offers compression, and no ticket, so that a server with a cache sends a session id.
    /// Only a second connection shows whether the server keeps the session.
    async fn compression_and_id(
        &self,
        version: ProtocolVersion,
        hello: ClientHello,
        groups: &GroupsOnTheWay,
    ) -> (Observed<()>, Observed<()>) {
        let hello = ClientHello { compression: vec![1, 0], ..hello };
        let hello = hello.without(ExtensionType::SESSION_TICKET);
        let read = |answer: &RawAnswer| {
            let hello = answer.flight.server_hello.as_ref()?;
            Some((hello.compression != 0, !hello.session_id.is_empty()))
        };
        match self.ask_on_the_way(hello, groups, read).await {
            Reply::Chose((compresses, has_id)) => {
                let id = match has_id {
                    false => Observed::Absent,
                    true if version == ProtocolVersion::TLS1_2 => {
                        self.caller.resumes_by_id(self.sni).await
                    }
                    true => Observed::NotTried,
                };
                (if compresses { Observed::Seen(()) } else { Observed::Absent }, id)
            }
            Reply::Passed => (Observed::Absent, Observed::Absent),
            Reply::Refused(cause) => {
                let failed = Observed::Failed(Failure { stage: Stage::Handshake, cause });
                (failed.clone(), failed)
            }
            Reply::Unclear(failure) => {
                (Observed::Failed(failure.clone()), Observed::Failed(failure))
            }
        }
    }

    /// A hello for the second newest version that claims to be a fallback must be refused (RFC 7507).
    pub(super) async fn fallback(&self, versions: &[FoundSuites]) -> Observed<()> {
        let mut accepted = versions.iter().rev().filter(|one| !one.suites.accepted.is_empty());
        let (Some(_), Some(older)) = (accepted.next(), accepted.next()) else {
            return Observed::NotTried;
        };
        let mut hello = self.hello(older.version);
        hello.cipher_suites.push(CipherSuite::FALLBACK_SCSV);
        match self.ask(hello, |_| Some(())).await {
            Reply::Chose(()) | Reply::Passed => Observed::Absent,
            Reply::Refused(Cause::Alert(AlertDescription::INAPPROPRIATE_FALLBACK)) => {
                Observed::Seen(())
            }
            Reply::Refused(cause) => Observed::Failed(Failure { stage: Stage::Handshake, cause }),
            Reply::Unclear(failure) => Observed::Failed(failure),
        }
    }
}
