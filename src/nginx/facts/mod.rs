//! What a configuration says without meaning it: settings that nginx ignores, that belong to another socket's server, or
//! that it refuses. Each can be told from the configuration alone.

mod listener;
mod text;
mod tree;
mod upstream;

use super::defaults::Version;
use super::listener::Listener;
use super::problem::Span;
use super::tree::Tree;
use super::upstream::Upstream;

/// One such fact and the directive that it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// The directive, or the block where one is missing.
    pub span: Span,
    /// What is to be said of it.
    pub kind: FactKind,
}

/// What is to be said; it prints as one sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactKind {
    /// A setting of a server that is not the default one of its socket, where the default server's applies.
    DefaultServerDecides {
        /// The directive.
        directive: &'static str,
        /// The default server's directive, or its block where it has none.
        default: Span,
        /// From this release on it does apply; `None` where it never does.
        until: Option<Version>,
    },
    /// TLS settings of a server that has no certificate: the default server's apply in its place.
    NoCertificate {
        /// Whether nginx refuses that: where it is the default server, or where that one rejects handshakes.
        is_refused: bool,
    },
    /// There is not one `ssl_certificate_key` for each `ssl_certificate`, or none for a client certificate.
    KeyMissing,
    /// Clients are to be verified and no CA certificates say by whom.
    ClientCaMissing {
        /// The release from which `ssl_trusted_certificate` would be enough, where there is one.
        trusted_since: Option<Version>,
    },
    /// nginx drops the name, as a server of the socket has it already, or one form of it.
    NameTaken {
        /// The name.
        name: String,
        /// The name that comes first.
        first: Span,
    },
    /// An HTTP socket on port 443 without `ssl`.
    PlainOn443,
    /// A URL without TLS to port 443.
    PlainTo443,
    /// An upstream's certificate is not verified.
    VerifyOff {
        /// Whether that is written down.
        is_explicit: bool,
    },
    /// Verification without CA certificates, which nginx refuses.
    TrustMissing,
    /// A setting of the verification while that is off: the file is not even opened.
    VerifySettingUnused {
        /// The directive.
        directive: String,
    },
    /// `*_ssl_name` while no name is sent.
    NameNotSent {
        /// Whether it is at least verified.
        is_verified: bool,
    },
    /// The name that is sent or verified is that of an `upstream` block, which is hardly a host.
    GroupName {
        /// The name.
        name: String,
    },
    /// A `server` in an `upstream` block for TLS that names no port: nginx takes 80.
    Port80,
    /// A host that is only known while nginx runs, and no `resolver` to ask for its address: nginx answers 502.
    ResolverMissing {
        /// The host.
        host: String,
    },
    /// Sessions are shared with another place that verifies less, or by other files: what it let through passes here.
    SharedSession {
        /// The other place.
        other: Span,
    },
    /// Sessions are shared with another place that presents another client certificate, or none.
    SharedIdentity {
        /// The other place.
        other: Span,
    },
    /// TLS 1.3 suites in a list that is for TLS 1.2 and older.
    SuitesIgnored {
        /// The suites.
        suites: Vec<String>,
    },
    /// An OpenSSL command that wins over the directive.
    CommandWins {
        /// The directive that is overruled.
        directive: String,
        /// The command.
        command: String,
    },
    /// A setting of a module that does not make the connection.
    OtherModule {
        /// The directive.
        directive: String,
        /// What its name begins with where it counts: `grpc_ssl_`.
        meant: &'static str,
    },
    /// The directive does not exist yet in this release.
    TooNew {
        /// The directive.
        directive: String,
        /// The first release that has it.
        since: Version,
    },
    /// The directive is gone in this release.
    Removed {
        /// The directive.
        directive: &'static str,
        /// The first release without it.
        since: Version,
    },
    /// nginx does not start: what it says.
    Refused {
        /// Its words.
        words: String,
    },
    /// An annotation of an Ingress that the controller does not apply.
    AnnotationIgnored {
        /// The annotation, without its prefix.
        annotation: String,
        /// Why.
        reason: &'static str,
    },
}

/// All facts, by their place; `version` is the release of nginx where that is known.
pub fn facts(
    tree: &Tree,
    listeners: &[Listener],
    upstreams: &[Upstream],
    version: Option<Version>,
) -> Vec<Fact> {
    let mut facts = tree::facts(tree, version);
    facts.extend(tree::plain_sockets(tree, listeners));
    facts.extend(listeners.iter().flat_map(|one| listener::facts(one, version)));
    facts.extend(upstream::facts(upstreams));
    facts.extend(upstream::shared_sessions(upstreams));
    facts.sort();
    facts.dedup();
    facts
}

#[cfg(test)]
mod tests;
