//! Endpoints that cannot be reached, or that end connections without a TLS alert.

pub mod addresses_untested;
pub mod connect_timeout;
pub mod connection_closed;
pub mod connection_refused;
pub mod connection_reset;
pub mod connections_limited;
pub mod dns_failure;
pub mod handshake_timeout;
pub mod network_unreachable;
pub mod not_tested;
pub mod not_tls;
pub mod protocol_error;
pub mod scan_withheld;
pub mod starttls_refused;
pub mod turned_away;
pub mod unsteady_answers;

use super::at;
use crate::audit::finding::{Finding, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Context, Rule};
use crate::audit::trouble::{Matrix, Trouble};
use crate::observation::{Endpoint, Failure, Handshake};

/// The finding for the connections to one address that ended like this: all of them, or some (`said` has a phrase for
/// each). It says "could not test" where the server did not answer, or answered other connections.
fn report(
    rule: &Rule,
    (endpoint, cx): (&Endpoint, &Context<'_>),
    trouble: Trouble,
    said: (&str, &str),
) -> Option<Finding> {
    let matrix = Matrix::new(endpoint, cx.target);
    let cells = matrix.with(trouble);
    let (met, all) = (cells.len(), endpoint.handshakes.len());
    if met == 0 {
        return None;
    }
    let message = if met == all { said.0.to_owned() } else { format!("{met} of {all} {}", said.1) };
    let finding = rule
        .finds(message)
        .evidence_from(evidence(endpoint, &cells, met == all))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)));
    if rule.severity < Severity::Error {
        return Some(finding.could_not_test());
    }
    if matrix.speaks() {
        return Some(finding.severity(Severity::Warning).could_not_test());
    }
    Some(finding)
}

/// How the connections ended: one line if all of them ended in the same way.
fn evidence(endpoint: &Endpoint, cells: &[&Handshake], whole: bool) -> Vec<String> {
    let failures: Vec<&Failure> = cells.iter().filter_map(|cell| cell.failure()).collect();
    match failures.split_first() {
        Some((first, others)) if whole && others.iter().all(|other| other == first) => {
            let (address, count) = (endpoint.address, cells.len());
            vec![format!("{address}: {} ({}), in all {count} attempts", first.cause, first.stage)]
        }
        _ => cells.iter().map(|cell| at(endpoint, cell)).collect(),
    }
}
