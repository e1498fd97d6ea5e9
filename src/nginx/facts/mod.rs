//! What a configuration says without meaning it: settings that nginx refuses or ignores, or that probably do not do what
//! was intended. Each follows from the configuration alone.

mod listener;
mod refusal;
mod text;
mod tree;
mod unused;
mod upstream;

use super::defaults::NginxRelease;
use super::listener::Listener;
use super::problem::{Fault, Span};
use super::tree::Tree;
use super::upstream::Upstream;

/// One such fact and its directive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// The directive, or the block where one is missing.
    pub span: Span,
    /// What there is to say of it.
    pub kind: FactKind,
}

/// What there is to say; it prints as one sentence without a full stop. Each kind belongs to one rule
/// (`audit::rules::configuration::rule`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactKind {
    /// nginx does not read the configuration: what it says.
    Refused(Fault),
    /// The directive does not exist yet in this release.
    TooNew {
        /// The directive.
        directive: String,
        /// The first release that has it there.
        since: NginxRelease,
        /// Whether this release knows it from other blocks.
        elsewhere: bool,
    },
    /// The directive no longer exists in this release.
    Removed {
        /// The directive.
        directive: String,
        /// The first release without it.
        since: NginxRelease,
    },
    /// A file is missing, or is not what the directive needs: nginx's words.
    FileRefused {
        /// Its words.
        words: String,
    },
    /// OpenSSL does not accept a value: nginx's words.
    LibraryRefuses {
        /// Its words.
        words: String,
    },
    /// The default server of a socket, or a server whose default server rejects handshakes, has no certificate.
    CertificateMissing,
    /// There is no `ssl_certificate_key` for an `ssl_certificate`, or none for a client certificate.
    KeyMissing,
    /// Clients are verified, and no CA certificates say by whom.
    ClientCaMissing {
        /// The release from which `ssl_trusted_certificate` is enough, where there is one.
        trusted_since: Option<NginxRelease>,
    },
    /// Upstreams are verified without CA certificates.
    TrustMissing,
    /// nginx itself was asked (`-t`) and refuses the configuration: its words.
    TestFailed {
        /// Its words.
        words: String,
    },
    /// Something that is not known here decides what nginx makes of it.
    Untested {
        /// What, and why.
        reason: String,
    },
    /// A setting of a server that is not the default one of its socket, where the default server's applies.
    DefaultServerDecides {
        /// The directive.
        directive: &'static str,
        /// The default server's directive, or its block where it has none.
        default: Span,
        /// From this release on it does apply; `None` where it never does.
        until: Option<NginxRelease>,
    },
    /// TLS settings of a server without a certificate: the default server's apply in their place.
    DefaultCertificate,
    /// A setting of the verification while that is off: the file is not even opened.
    VerifySettingUnused {
        /// The directive.
        directive: String,
    },
    /// A setting for TLS with an upstream, in a place from which the connection does not use TLS.
    ProxySslUnused {
        /// The directive.
        directive: String,
        /// What switches TLS off there.
        reason: Plain,
    },
    /// CA certificates for clients that are never asked for a certificate.
    ClientCaUnused,
    /// `ssl_stapling` with a certificate that names no OCSP responder.
    StaplingIgnored {
        /// The certificate's file.
        certificate: String,
    },
    /// TLS 1.3 cipher suites in a list for TLS 1.2 and older.
    SuitesIgnored {
        /// The suites.
        suites: Vec<String>,
    },
    /// An OpenSSL command that overrides the directive.
    CommandWins {
        /// The directive that is overridden.
        directive: String,
        /// The command.
        command: String,
    },
    /// A setting of a module that does not make the connection.
    OtherModule {
        /// The directive.
        directive: String,
        /// The prefix of the directives that apply: `grpc_ssl_`.
        meant: &'static str,
    },
    /// An annotation of an Ingress that the controller does not apply.
    AnnotationIgnored {
        /// The annotation, without its prefix.
        annotation: String,
        /// Why.
        reason: &'static str,
    },
    /// nginx drops the name because a server of the socket has it already, or one form of it.
    NameTaken {
        /// The name.
        name: String,
        /// The name that comes first.
        first: Span,
    },
    /// An HTTP socket on port 443 without `ssl`.
    PlainOn443,
    /// A server without `ssl` on a socket that another server makes TLS, and without a certificate.
    PlainBesideTls {
        /// The `listen` with `ssl`.
        other: Span,
    },
    /// A URL without TLS to port 443.
    PlainTo443,
    /// `*_ssl_name` while no name is sent.
    NameNotSent {
        /// Whether it is at least verified.
        is_verified: bool,
    },
    /// The name that is sent or verified is that of an `upstream` block, which is probably not a host.
    GroupName {
        /// The name.
        name: String,
    },
    /// A `server` without a port in an `upstream` block for TLS: nginx uses port 80.
    Port80,
    /// A host that is only known at run time, and no `resolver` to ask for its address: nginx answers 502.
    ResolverMissing {
        /// The host.
        host: String,
    },
    /// Sessions are shared with a place that verifies less, or against other files: what it accepted passes here.
    SharedSession {
        /// The other place.
        other: Span,
    },
    /// Sessions are shared with a place that presents another client certificate, or none.
    SharedIdentity {
        /// The other place.
        other: Span,
    },
}

impl FactKind {
    /// Whether it only says that something could not be tested.
    pub fn is_untested(&self) -> bool {
        match self {
            Self::Refused(fault) => fault.is_limit(),
            Self::Untested { .. } => true,
            _ => false,
        }
    }
}

/// Why a connection to an upstream does not use TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plain {
    /// The URL has no `https://`.
    Http,
    /// `proxy_ssl` of `stream` is off.
    StreamOff,
}

/// All facts, by their place; `version` is the release of nginx where that is known.
pub fn facts(
    tree: &Tree,
    listeners: &[Listener],
    upstreams: &[Upstream],
    version: Option<NginxRelease>,
) -> Vec<Fact> {
    let mut facts = tree::facts(tree);
    facts.extend(refusal::facts(tree, version));
    facts.extend(tree::plain_sockets(tree, listeners));
    facts.extend(listeners.iter().flat_map(|one| listener::facts(one, version)));
    facts.extend(unused::proxy_ssl(tree));
    facts.extend(unused::client_ca(listeners));
    facts.extend(upstream::facts(upstreams));
    facts.extend(upstream::shared_sessions(upstreams));
    facts.sort();
    facts.dedup();
    facts
}

#[cfg(test)]
mod tests;
