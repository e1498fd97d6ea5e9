//! Likely mistakes in a configuration: settings that nginx refuses or ignores, or that probably do not do what was
//! intended. Each follows from the configuration alone.

mod listener;
mod refusal;
mod running;
mod text;
mod tree;
mod unused;
mod upstream;

use time::Date;

pub use self::running::Unloaded;
use super::defaults::NginxRelease;
use super::directives::intended;
use super::listener::Listener;
use super::problem::{Fault, Span};
use super::tree::Tree;
use super::upstream::Upstream;

/// One such fact and its directive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// The directive, or the block if it is missing.
    pub span: Span,
    /// The kind of fact.
    pub kind: FactKind,
}

/// The kind of a fact; printed as one sentence without a full stop. Each kind belongs to one rule
/// (`audit::rules::configuration::rule`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactKind {
    /// nginx refuses the configuration with this fault.
    Refused(Fault),
    /// The directive does not exist yet in this release.
    TooNew {
        /// The directive.
        directive: String,
        /// The first release that has it in this block.
        since: NginxRelease,
        /// Whether this release has it in other blocks.
        elsewhere: bool,
    },
    /// The directive no longer exists in this release.
    Removed {
        /// The directive.
        directive: String,
        /// The first release without it.
        since: NginxRelease,
    },
    /// A file is missing, or is not what the directive needs.
    FileRefused {
        /// nginx's message.
        words: String,
    },
    /// The key is of another type than its certificate, which nginx does not notice.
    KeyUnfit {
        /// The key's file.
        path: String,
    },
    /// A command of OpenSSL sets a security level that a certificate or its chain does not reach: nginx loads it, and OpenSSL
    /// does not send it.
    CertificateBelowLevel {
        /// The file of certificates.
        file: String,
        /// The level.
        level: u8,
        /// The reason of OpenSSL's error in the handshake.
        reason: &'static str,
        /// Whether nginx is the client.
        is_client: bool,
    },
    /// A revocation list has ended, so OpenSSL refuses every certificate of its issuer.
    ListExpired {
        /// The file of lists.
        file: String,
        /// The authority.
        issuer: String,
        /// When it ended.
        ends: Date,
    },
    /// A revocation list ends soon.
    ListExpiring {
        /// The file of lists.
        file: String,
        /// The authority.
        issuer: String,
        /// When it ends.
        ends: Date,
    },
    /// Authorities of the trusted files have no revocation list.
    ListMissing {
        /// The file of lists.
        file: String,
        /// Some of the authorities.
        authorities: Vec<String>,
        /// How many more there are.
        more: usize,
        /// How many of the trusted authorities have one.
        listed: usize,
    },
    /// OpenSSL does not accept a value.
    LibraryRefuses {
        /// nginx's message.
        words: String,
    },
    /// The default server of a socket, or a server whose default server rejects handshakes, has no certificate.
    CertificateMissing,
    /// There is no `ssl_certificate_key` for an `ssl_certificate`, or no key for a client certificate.
    KeyMissing,
    /// Clients are verified without CA certificates.
    ClientCaMissing {
        /// The first release in which `ssl_trusted_certificate` is enough, if any.
        trusted_since: Option<NginxRelease>,
    },
    /// Upstreams are verified without CA certificates.
    TrustMissing,
    /// `nginx -t` refuses the configuration.
    TestFailed {
        /// nginx's message.
        words: String,
    },
    /// Whether nginx accepts it depends on something that is unknown here.
    Untested {
        /// The reason.
        reason: String,
    },
    /// A setting of a server that is not the default of its socket; the default server's setting applies.
    DefaultServerDecides {
        /// The directive.
        directive: &'static str,
        /// The default server's directive, or its block if it has none.
        default: Span,
        /// The setting applies from this release on; `None` if it never does.
        until: Option<NginxRelease>,
    },
    /// TLS settings of a server without a certificate; the default server's apply instead.
    DefaultCertificate,
    /// A setting of verification, which is off: the file is not even opened.
    VerifySettingUnused {
        /// The directive.
        directive: String,
    },
    /// A TLS setting for an upstream that nginx connects to without TLS.
    ProxySslUnused {
        /// The directive.
        directive: String,
        /// Why TLS is not used.
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
    /// An annotation or a field of a Kubernetes object that the controller does not apply.
    AnnotationIgnored {
        /// The annotation, without the prefix of ingress-nginx, or the field.
        annotation: String,
        /// The reason.
        reason: String,
    },
    /// What another controller would do with an Ingress.
    ControllerDiffers {
        /// The other controller.
        controller: &'static str,
        /// What it is about: a host, or a host and a path.
        subject: String,
        /// What it does.
        change: String,
    },
    /// nginx drops the name, because a server of the socket already has it or one of its forms.
    NameTaken {
        /// The name.
        name: String,
        /// The name that comes first.
        first: Span,
    },
    /// An HTTP socket on port 443 without `ssl`.
    PlainOn443,
    /// A server without `ssl` or a certificate, on a socket that another server makes a TLS socket.
    PlainBesideTls {
        /// The `listen` with `ssl`.
        other: Span,
    },
    /// A URL without TLS to port 443.
    PlainTo443,
    /// `*_ssl_name` although no name is sent.
    NameNotSent {
        /// Whether the name is verified.
        is_verified: bool,
    },
    /// The name of an `upstream` block, which is probably not a host, is sent or verified.
    GroupName {
        /// The name.
        name: String,
    },
    /// A `server` without a port in an `upstream` block that is used with TLS: nginx uses port 80.
    Port80,
    /// A host that is only known at run time, without a `resolver`: nginx answers 502.
    ResolverMissing {
        /// The host.
        host: String,
    },
    /// Sessions are shared with a place that verifies less, or with other files: what it accepted is accepted here.
    SharedSession {
        /// The other place.
        other: Span,
    },
    /// What runs is not what is written.
    NotRunning(Unloaded),
    /// Sessions are shared with a place that presents another client certificate, or none.
    SharedIdentity {
        /// The other place.
        other: Span,
    },
}

impl FactKind {
    /// Whether it only reports that something could not be tested.
    pub fn is_untested(&self) -> bool {
        match self {
            Self::Refused(fault) => fault.is_limit(),
            Self::Untested { .. } => true,
            _ => false,
        }
    }

    /// The directive that is missing. If it is there, but misspelt, the spelling is the fault.
    fn lacks(&self) -> Option<&'static str> {
        match self {
            Self::CertificateMissing => Some("ssl_certificate"),
            Self::KeyMissing => Some("ssl_certificate_key"),
            Self::ClientCaMissing { .. } => Some("ssl_client_certificate"),
            _ => None,
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

/// All facts, by place; `version` is nginx's release, if known.
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
    let misspelt: Vec<&str> =
        tree.problems.iter().filter_map(|problem| intended(&problem.fault)).collect();
    facts.retain(|fact| fact.kind.lacks().is_none_or(|name| !misspelt.contains(&name)));
    facts.sort();
    facts.dedup();
    facts
}

#[cfg(test)]
mod tests;
