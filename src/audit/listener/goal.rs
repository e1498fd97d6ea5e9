//! The goal of a fix of a listener, derived from the finding.

use crate::audit::finding::Finding;
use crate::audit::rule::Rule;
use crate::audit::rules::{chain, client_certificate, protocol, quic, session, sni};
use crate::observation::RawChoice;
use crate::tls::profile::{self, Profile};
use crate::tls::suite::KeyExchange;
use crate::tls::version::ProtocolVersion;

/// What should be true, but is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// This client connects.
    Client(&'static Profile),
    /// This version is accepted.
    Version(ProtocolVersion),
    /// Nothing older than TLS 1.2 is accepted.
    NoLegacyVersion,
    /// No breakable suite is accepted.
    NoWeakSuite,
    /// No suite with static RSA is accepted.
    NoStaticRsa,
    /// No finite-field key exchange is used: the current key is too small.
    NoFiniteField,
    /// Every version has a suite with forward secrecy.
    ForwardSecrecy,
    /// Current clients have a suite in common with the server.
    CurrentSuite,
    /// Current clients have a group in common with the server.
    CurrentGroup,
    /// A post-quantum group is accepted.
    PostQuantum,
    /// The chain is sent in order.
    ChainOrder,
    /// The chain leads to a root.
    WholeChain,
    /// The chain contains no unneeded certificate.
    PlainChain,
    /// Sessions can be resumed.
    Resumption,
    /// HTTP/2 is selected.
    Http2,
    /// The QUIC socket speaks HTTP/3.
    Http3,
    /// The server accepts the name.
    Name,
    /// What works with a name also works without one.
    NoName,
    /// The certificate that clients present is accepted.
    ClientCertificate,
    /// Clients need no certificate.
    NoClientCertificate,
}

/// The rules whose findings can be fixed by directives. A finding about a client profile names the client, see
/// [`Goal::of`].
const GOALS: [(&Rule, Goal); 22] = [
    (&protocol::tls12_unsupported::RULE, Goal::Version(ProtocolVersion::TLS1_2)),
    (&protocol::tls13_unsupported::RULE, Goal::Version(ProtocolVersion::TLS1_3)),
    (&protocol::legacy_protocol_only::RULE, Goal::Version(ProtocolVersion::TLS1_2)),
    (&protocol::legacy_protocol_accepted::RULE, Goal::NoLegacyVersion),
    (&protocol::weak_cipher_accepted::RULE, Goal::NoWeakSuite),
    (&protocol::weak_dh::RULE, Goal::NoFiniteField),
    (&protocol::no_forward_secrecy::RULE, Goal::ForwardSecrecy),
    (&protocol::legacy_cipher_only::RULE, Goal::CurrentSuite),
    (&protocol::handshake_refused::RULE, Goal::CurrentSuite),
    (&protocol::cipher_mismatch::RULE, Goal::CurrentGroup),
    (&protocol::post_quantum_unsupported::RULE, Goal::PostQuantum),
    (&protocol::alpn_mismatch::RULE, Goal::Http2),
    (&quic::http3_refused::RULE, Goal::Http3),
    (&chain::chain_misordered::RULE, Goal::ChainOrder),
    (&chain::chain_incomplete::RULE, Goal::WholeChain),
    (&chain::chain_contains_root::RULE, Goal::PlainChain),
    (&chain::chain_duplicate_certificate::RULE, Goal::PlainChain),
    (&chain::chain_unrelated_certificate::RULE, Goal::PlainChain),
    (&session::session_resumption_unsupported::RULE, Goal::Resumption),
    (&sni::sni_name_rejected::RULE, Goal::Name),
    (&sni::sni_required::RULE, Goal::NoName),
    (&client_certificate::client_certificate_rejected::RULE, Goal::ClientCertificate),
];

impl Goal {
    /// The goal for this finding about a listener; `None` if no directive can fix it.
    pub fn of(finding: &Finding) -> Option<Self> {
        let of_clients = [&protocol::client_profile_fails::RULE, &protocol::clients_lost::RULE];
        if of_clients.iter().any(|rule| rule.id == finding.rule) {
            return profile::known()
                .find(|profile| profile.name == finding.subject)
                .map(Self::Client);
        }
        if finding.rule == client_certificate::client_certificate_required::RULE.id {
            return Some(Self::NoClientCertificate);
        }
        let (_, goal) = GOALS.iter().find(|(rule, _)| rule.id == finding.rule)?;
        let recorded = finding.subject == protocol::weak_cipher_accepted::STATIC_RSA;
        Some(if *goal == Self::NoWeakSuite && recorded { Self::NoStaticRsa } else { *goal })
    }

    /// Whether the goal implies that a client that connected like this is refused.
    pub(super) fn gives_up(self, choice: &RawChoice) -> bool {
        let suite = choice.cipher_suite;
        match self {
            Self::NoLegacyVersion => choice.version < ProtocolVersion::TLS1_2,
            Self::NoWeakSuite => suite.weakness().is_some(),
            Self::NoStaticRsa => suite.key_exchange() == Some(KeyExchange::Rsa),
            Self::NoFiniteField => suite.key_exchange() == Some(KeyExchange::Dhe),
            _ => false,
        }
    }
}
