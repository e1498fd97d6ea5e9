//! Whether a kind of client accepts a chain: first the chain itself, then the target's names.

use super::judge::Assessed;
use crate::certificate::name::{Coverage, Name, coverage};
use crate::certificate::trust::browser::BrowserVerdict;
use crate::certificate::trust::openssl::OpensslVerdict;
use crate::certificate::trust::problem::PathProblem;
use crate::openssl::verify_error::VerifyError;
use crate::targets::{Host, Target};

/// One client's verdict on a chain and its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientVerdict {
    /// The client accepts it.
    Accepted,
    /// The client refuses it.
    Refused {
        /// The reason; for nginx as in its error log.
        reason: String,
        /// OpenSSL's error, if the client is nginx and the chain is the reason.
        error: Option<VerifyError>,
    },
    /// The verdict depends on something that cannot be checked: this.
    CannotCheck(String),
}

impl ClientVerdict {
    /// The verdict of a browser-like client (rustls-webpki).
    pub fn of_browser(assessed: &Assessed, target: &Target) -> Self {
        match (&assessed.assessment.browser, &assessed.assessment.problem) {
            (BrowserVerdict::Accepted, _) => Self::of_browser_names(assessed, target),
            (_, Some(PathProblem::MissingIntermediate)) => refused("an intermediate is missing"),
            (_, Some(PathProblem::SelfSigned)) => refused("self-signed"),
            (BrowserVerdict::UnknownIssuer, _) => refused("unknown issuer"),
            (BrowserVerdict::OutsideValidity, _) => refused("outside its validity"),
            (BrowserVerdict::Refused(reason), _) => refused(reason),
            (BrowserVerdict::NoLeaf, _) => refused("no readable certificate"),
        }
    }

    fn of_browser_names(assessed: &Assessed, target: &Target) -> Self {
        let covered = |host: &Host| {
            let name = match host {
                Host::Ip(ip) => Name::Ip(*ip),
                Host::Name(name) => Name::Dns(name),
            };
            assessed.chain.leaf().is_some_and(|leaf| coverage(leaf, name) == Coverage::Covered)
        };
        match target.required_names().find(|host| !covered(host)) {
            Some(host) => refused(&format!("does not cover {host}")),
            None => Self::Accepted,
        }
    }

    /// The verdict of nginx with `proxy_ssl_verify on` and its other defaults. It checks the chain, then only the
    /// configured name (`proxy_ssl_name`). For a client's certificate: nginx with `ssl_verify_client on`, which checks
    /// no name.
    pub fn of_nginx(assessed: &Assessed, target: &Target) -> Self {
        let name = target.known_as().map(|name| name.to_string()).unwrap_or_default();
        match &assessed.assessment.nginx {
            OpensslVerdict::Accepted
                if target.is_client_file()
                    || assessed.chain.leaf().is_some_and(|leaf| leaf.check_host(&name)) =>
            {
                Self::Accepted
            }
            OpensslVerdict::Accepted => {
                refused(&format!("upstream SSL certificate does not match \"{name}\""))
            }
            OpensslVerdict::Refused(error) => {
                Self::Refused { reason: error.to_string(), error: Some(*error) }
            }
            OpensslVerdict::Unreadable(part) => {
                refused(&format!("OpenSSL cannot read a certificate: {part}"))
            }
            OpensslVerdict::CannotCheck(why) => Self::CannotCheck(why.clone()),
        }
    }
}

fn refused(reason: &str) -> ClientVerdict {
    ClientVerdict::Refused { reason: reason.to_owned(), error: None }
}
