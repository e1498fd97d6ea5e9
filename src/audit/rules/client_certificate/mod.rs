//! Client certificates: whether the server asks for them, requires them, refuses them.

pub mod client_auth_missing;
pub mod client_ca_unnamed;
pub mod client_certificate_not_requested;
pub mod client_certificate_rejected;
pub mod client_certificate_requested;
pub mod client_certificate_required;
pub mod client_certificate_unverifiable;
pub mod client_issuer_unacceptable;

use crate::audit::reproduce::with_what_follows;
use crate::observation::{
    ClientAuth, ClientCertificateRequest, ClientRefusal, Endpoint, Handshake,
};
use crate::targets::Target;

/// The most CAs in one line of evidence.
const MAX_NAMED: usize = 8;

/// The handshakes with the target's own name that were refused because of the client's certificate.
fn refusals<'a>(
    endpoint: &'a Endpoint,
    target: &Target,
) -> impl Iterator<Item = (&'a Handshake, &'a ClientCertificateRequest, &'a ClientRefusal)> + use<'a>
{
    endpoint.cells(target.server_name.is_some()).filter_map(|cell| match &cell.client_auth {
        ClientAuth::Required(request, refusal) => Some((cell, request, refusal)),
        _ => None,
    })
}

/// The command that shows these refusals: an HTTP status only follows a request.
fn shows(
    endpoint: &Endpoint,
    target: &Target,
    refusals: &[(&Handshake, &ClientCertificateRequest, &ClientRefusal)],
) -> String {
    let http = refusals.iter().any(|(_, _, refusal)| matches!(refusal, ClientRefusal::Http(_)));
    with_what_follows(target, Some(endpoint.address), http)
}

fn describe(endpoint: &Endpoint, cell: &Handshake, refusal: &ClientRefusal) -> String {
    let (address, version) = (endpoint.address, cell.version);
    match refusal {
        ClientRefusal::Alert(alert) => format!("{address} over {version}: alert {alert}"),
        ClientRefusal::Closed => {
            format!(
                "{address} over {version}: the server asks for a certificate and then closes the connection"
            )
        }
        ClientRefusal::Words(words) => {
            format!(
                "{address} over {version}: the handshake completes, then the server says {words:?}"
            )
        }
        ClientRefusal::Http(status) => {
            format!(
                "{address} over {version}: the handshake completes, then the server answers HTTP {status}, as nginx does"
            )
        }
    }
}

fn accepted_authorities(authorities: &[String]) -> String {
    match authorities {
        [] => "the server does not name the authorities that it accepts".to_owned(),
        named if named.len() > MAX_NAMED => {
            format!(
                "the server accepts {} authorities, including {}",
                named.len(),
                named[..MAX_NAMED].join("; ")
            )
        }
        named => format!("the server accepts certificates from {}", named.join("; ")),
    }
}
