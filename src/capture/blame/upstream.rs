//! Why nginx could not connect to an upstream: the rows of the table for connections that nginx makes.

use super::rows::{Blame, of_late, of_side, unexplained};
use crate::capture::exchange::{Breakdown, ClientCertificate, Exchange, Party};
use crate::capture::placed::PlacedDirective;
use crate::log::direction::Direction;
use crate::log::table::{self, Likelihood, Sign, Weight};
use crate::nginx::upstream::Upstream;

/// Alerts that are about certificates.
const ABOUT_CERTIFICATES: [u8; 7] = [42, 43, 44, 45, 46, 48, 51];

/// The reason of OpenSSL for what is no TLS.
const WRONG_VERSION_NUMBER: u32 = 267;

/// Why a connection failed that nginx made by that directive.
pub(super) fn blame(exchange: &Exchange, breakdown: Breakdown, upstream: &Upstream) -> Blame {
    let row = |sign| of_side(sign, Direction::Upstream);
    let mut blame = match breakdown {
        Breakdown::Alert { by: Party::Server, description, .. } => {
            let sign = Sign::Alert(Some(description.0));
            let wanted = wanted(exchange).and_then(table::cause);
            let mut blame = wanted.and_then(|_| of_late(sign)).unwrap_or_else(|| row(sign));
            if let Some(wanted) = wanted {
                blame.causes = vec![(wanted, Likelihood::Likely)];
            }
            blame
        }
        Breakdown::Alert { by: Party::Client, description, .. }
            if ABOUT_CERTIFICATES.contains(&description.0) =>
        {
            row(Sign::Says("certificate verify failed"))
        }
        Breakdown::SealedAlert { by: Party::Client, .. } => {
            row(Sign::Says("certificate verify failed"))
        }
        Breakdown::SealedAlert { by: Party::Server, .. } => refused_late(),
        Breakdown::NotTls { .. } => row(Sign::Reason(Some(WRONG_VERSION_NUMBER))),
        Breakdown::Left { by: Party::Server, .. } => {
            row(Sign::Says("peer closed connection in SSL handshake"))
        }
        Breakdown::Unanswered { .. } => row(Sign::Says("upstream timed out while SSL handshaking")),
        _ => unexplained(),
    };
    let (pass, span) = (upstream.module.pass(), &upstream.span);
    blame.evidence.push(format!(
        "nginx makes this connection: {pass} {}, at {}:{}",
        upstream.url, span.file, span.line
    ));
    blame.directives.push(PlacedDirective {
        name: pass,
        value: Some(upstream.url.clone()),
        file: span.file.to_string(),
        line: span.line,
        server_name: upstream.server_names.first().cloned(),
        of_default_server: false,
    });
    blame
}

/// The cause where the upstream asked nginx for a certificate, and then refused.
fn wanted(exchange: &Exchange) -> Option<&'static str> {
    match exchange.client_certificate? {
        ClientCertificate::Empty => Some("upstream-mtls-required"),
        ClientCertificate::Sent => Some("upstream-rejects-client-cert"),
        ClientCertificate::None | ClientCertificate::Requested => None,
    }
}

/// The upstream refused in an alert that is encrypted.
fn refused_late() -> Blame {
    let ids = [
        ("upstream-mtls-required", Likelihood::Likely),
        ("upstream-rejects-client-cert", Likelihood::Likely),
    ];
    let causes = ids.iter().filter_map(|(id, rank)| Some((table::cause(id)?, *rank)));
    Blame {
        class: "alert-encrypted",
        meaning: "the upstream refused nginx in an encrypted alert: most likely it wants a client certificate, or another one",
        weight: Weight::Fault,
        causes: causes.collect(),
        ..unexplained()
    }
}
