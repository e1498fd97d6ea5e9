//! The texts of facts: nginx's own message if nginx refuses.

use std::fmt;

use super::{Fact, FactKind, Plain};

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.span, self.kind)
    }
}

impl fmt::Display for FactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(fault) => fmt::Display::fmt(fault, f),
            Self::FileRefused { words }
            | Self::LibraryRefuses { words }
            | Self::TestFailed { words } => f.write_str(words),
            Self::Untested { reason } => f.write_str(reason),
            Self::NotRunning(what) => fmt::Display::fmt(what, f),
            Self::TooNew { directive, since, elsewhere: false } => {
                write!(f, "unknown directive {directive:?} (it exists from nginx {since} on)")
            }
            Self::TooNew { directive, since, elsewhere: true } => {
                write!(
                    f,
                    "{directive:?} directive is not allowed here (it is from nginx {since} on)"
                )
            }
            Self::Removed { directive, since } => {
                write!(f, "unknown directive {directive:?} (removed in nginx {since})")
            }
            Self::CertificateMissing => {
                f.write_str("no \"ssl_certificate\" is defined for a server with TLS")
            }
            Self::KeyMissing => f.write_str("the certificate has no key"),
            Self::ClientCaMissing { trusted_since } => {
                f.write_str("no ssl_client_certificate for ssl_verify_client")?;
                trusted_since.map_or(Ok(()), |version| {
                    write!(f, " (ssl_trusted_certificate is enough from nginx {version} on)")
                })
            }
            Self::TrustMissing => f.write_str("no *_ssl_trusted_certificate for *_ssl_verify"),
            Self::ListExpired { file, issuer, ends } => write!(
                f,
                "the revocation list of {issuer} in {file} ended on {ends}: OpenSSL refuses every certificate of that issuer"
            ),
            Self::ListExpiring { file, issuer, ends } => {
                write!(f, "the revocation list of {issuer} in {file} expires on {ends}")
            }
            Self::ListMissing { file, authorities, more, .. } => {
                write!(f, "{file} has no revocation list of {}", authorities.join(", nor of "))?;
                if *more > 0 {
                    write!(f, ", nor of {more} more trusted authorities")?;
                }
                f.write_str(": OpenSSL refuses every certificate that they issued")
            }
            kind => match effect(kind) {
                Some(text) => f.write_str(&text),
                None => f.write_str(&doubt(kind)),
            },
        }
    }
}

/// Settings without effect, or with another effect.
fn effect(kind: &FactKind) -> Option<String> {
    Some(match kind {
        FactKind::DefaultServerDecides { directive, default, until } => {
            let before = until.map(|version| format!(" before nginx {version}"));
            format!(
                "{directive} of the socket's default server ({default}) applies here{}",
                before.unwrap_or_default()
            )
        }
        FactKind::DefaultCertificate => {
            "the server has no ssl_certificate, so the default server's TLS settings apply"
                .to_owned()
        }
        FactKind::VerifySettingUnused { directive } => {
            format!("{directive} has no effect while verification is off")
        }
        FactKind::ProxySslUnused { directive, reason: Plain::Http } => {
            format!("{directive} has no effect: proxy_pass uses http://, without TLS")
        }
        FactKind::ProxySslUnused { directive, reason: Plain::StreamOff } => {
            format!("{directive} has no effect: proxy_ssl is off, so nginx does not start TLS here")
        }
        FactKind::ClientCaUnused => {
            "ssl_client_certificate has no effect: ssl_verify_client is off".to_owned()
        }
        FactKind::StaplingIgnored { certificate } => {
            format!(
                "ssl_stapling is ignored: no OCSP responder URL in the certificate {certificate:?}"
            )
        }
        FactKind::SuitesIgnored { suites } => {
            format!("TLS 1.3 suites cannot be set in this list: {}", suites.join(", "))
        }
        FactKind::CommandWins { directive, command } => {
            format!("the OpenSSL command {command} overrides {directive}")
        }
        FactKind::OtherModule { directive, meant } => {
            format!("{directive} has no effect here: the {meant}* directives apply")
        }
        FactKind::AnnotationIgnored { annotation, reason } => {
            format!("{annotation} is ignored: {reason}")
        }
        _ => return None,
    })
}

/// Settings that probably do not do what was intended.
fn doubt(kind: &FactKind) -> String {
    match kind {
        FactKind::ControllerDiffers { controller, subject, change } => {
            format!("{subject}: {controller} {change}")
        }
        FactKind::NameTaken { name, first } => {
            format!("conflicting server name {name:?}: {first} has it already, so it is ignored")
        }
        FactKind::KeyUnfit { path } => {
            format!("the key in {path} does not belong to the certificate: it is of another type")
        }
        FactKind::CertificateBelowLevel { file, level, reason, is_client } => format!(
            "{file} does not reach security level {level}, which is set here: nginx loads it, but OpenSSL does not send \
             it, and {} fails ({reason})",
            if *is_client {
                "the handshake with an upstream that requests a certificate"
            } else {
                "the handshake"
            }
        ),
        FactKind::PlainOn443 => "port 443 is served without TLS: listen has no ssl".to_owned(),
        FactKind::PlainBesideTls { other } => format!(
            "listen has no ssl, but {other} makes this socket a TLS socket: plain requests get 400"
        ),
        FactKind::PlainTo443 => "http:// to port 443, which is the port for TLS".to_owned(),
        FactKind::NameNotSent { is_verified: true } => {
            "the name is verified but not sent: server_name is off".to_owned()
        }
        FactKind::NameNotSent { is_verified: false } => {
            "the name is neither sent nor verified: server_name and verify are off".to_owned()
        }
        FactKind::GroupName { name } => {
            format!("the name sent or verified is {name:?}, the name of the upstream block")
        }
        FactKind::Port80 => "a server without a port: nginx uses port 80".to_owned(),
        FactKind::ResolverMissing { host } => {
            format!("no resolver is configured to look up {host:?}")
        }
        FactKind::SharedSession { other } => format!(
            "TLS sessions are shared with {other}, which verifies less: they are accepted here unverified"
        ),
        FactKind::SharedIdentity { other } => format!(
            "TLS sessions are shared with {other}, which has another client certificate or none: requests from \
             here may be sent with that one"
        ),
        _ => String::new(),
    }
}
