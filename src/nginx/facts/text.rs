//! The facts in words.

use std::fmt;

use super::{Fact, FactKind};

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.span, self.kind)
    }
}

impl fmt::Display for FactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefaultServerDecides { directive, default, until: Some(version) } => write!(
                f,
                "{directive} of the socket's default server ({default}) applies here before nginx {version}"
            ),
            Self::DefaultServerDecides { directive, default, until: None } => {
                write!(f, "{directive} of the socket's default server ({default}) applies here")
            }
            Self::NoCertificate { is_refused: true } => {
                f.write_str("the server has no ssl_certificate, and none stands in for it")
            }
            Self::NoCertificate { is_refused: false } => f.write_str(
                "the server has no ssl_certificate, so the default server's TLS settings apply",
            ),
            Self::Refused { words } => f.write_str(words),
            Self::KeyMissing => f.write_str("the certificate has no key"),
            Self::ClientCaMissing { trusted_since: Some(version) } => write!(
                f,
                "ssl_verify_client needs ssl_client_certificate; ssl_trusted_certificate is enough only from nginx {version} on"
            ),
            Self::ClientCaMissing { trusted_since: None } => {
                f.write_str("ssl_verify_client needs ssl_client_certificate")
            }
            Self::NameTaken { name, first } => {
                write!(f, "the name {name:?} is dropped: {first} has it already")
            }
            Self::PlainOn443 => f.write_str("the socket on port 443 does not speak TLS: no ssl"),
            Self::PlainTo443 => f.write_str("http:// to port 443, which speaks TLS"),
            Self::VerifyOff { is_explicit: true } => {
                f.write_str("the upstream's certificate is not verified")
            }
            Self::VerifyOff { is_explicit: false } => {
                f.write_str("the upstream's certificate is not verified, which is the default")
            }
            Self::TrustMissing => {
                f.write_str("verification needs a trusted_certificate; nginx does not start")
            }
            Self::VerifySettingUnused { directive } => {
                write!(f, "{directive} has no effect while verification is off")
            }
            Self::NameNotSent { is_verified: true } => {
                f.write_str("the name is verified but not sent: server_name is off")
            }
            Self::NameNotSent { is_verified: false } => {
                f.write_str("the name is neither sent nor verified: server_name and verify are off")
            }
            Self::GroupName { name } => {
                write!(f, "the name sent or verified is {name:?}, that of the upstream block")
            }
            Self::Port80 => f.write_str("a server without a port is taken to be on port 80"),
            Self::ResolverMissing { host } => {
                write!(f, "there is no resolver to ask for the address of {host:?}")
            }
            Self::SharedSession { other } => write!(
                f,
                "TLS sessions are shared with {other}, which is not as strict, and pass here unverified"
            ),
            Self::SharedIdentity { other } => write!(
                f,
                "TLS sessions are shared with {other}, which has another client certificate or none: requests from \
                 here may go out under that one's"
            ),
            Self::SuitesIgnored { suites } => {
                write!(f, "{} of TLS 1.3 cannot be set in this list", suites.join(", "))
            }
            Self::CommandWins { directive, command } => {
                write!(f, "{command} in the conf_command wins over {directive}")
            }
            Self::OtherModule { directive, meant } => {
                write!(f, "{directive} has no effect here; directives with {meant} have")
            }
            Self::TooNew { directive, since } => {
                write!(f, "{directive} exists from nginx {since} on")
            }
            Self::Removed { directive, since } => {
                write!(f, "{directive} does not exist from nginx {since} on")
            }
            Self::AnnotationIgnored { annotation, reason } => {
                write!(f, "{annotation} is ignored: {reason}")
            }
        }
    }
}
