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

/// The finding for connections to one address that failed like this: all of them, or some (`said` has a phrase for
/// each). It is "could not test" if the server did not answer, or answered other connections.
fn report(
    rule: &Rule,
    (endpoint, cx): (&Endpoint, &Context<'_>),
    trouble: Trouble,
    phrases: (&str, &str),
) -> Option<Finding> {
    let matrix = Matrix::new(endpoint, cx.target);
    let cells = matrix.with(trouble);
    let (met, all) = (cells.len(), endpoint.handshakes.len());
    if met == 0 {
        return None;
    }
    let message =
        if met == all { phrases.0.to_owned() } else { format!("{met} of {all} {}", phrases.1) };
    let finding = rule
        .finds(message)
        .evidence_from(evidence(endpoint, &cells, met == all))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)));
    if rule.severity < Severity::Error {
        return Some(finding.could_not_test());
    }
    if matrix.answers_in_tls() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fixtures::{Scene, any, named};
    use crate::observation::{Cause, Stage};
    use crate::tls::version::ProtocolVersion;

    fn text() -> String {
        "x".to_owned()
    }

    #[test]
    fn where_nobody_answers_nothing_passes() {
        for (rule, stage, cause) in [
            (&connect_timeout::RULE, Stage::Connect, Cause::TimedOut),
            (&connection_refused::RULE, Stage::Connect, Cause::ConnectionRefused),
            (&handshake_timeout::RULE, Stage::Handshake, Cause::TimedOut),
            (&network_unreachable::RULE, Stage::Connect, Cause::Unreachable(text())),
            (&not_tested::RULE, Stage::Connect, Cause::Local(text())),
            (&turned_away::RULE, Stage::Starttls, Cause::TurnedAway(text())),
        ] {
            let expected = format!("warning {}", rule.id);
            let mut scene = Scene::new();
            scene.second_address();
            scene.fail(any, stage, &cause);
            scene.check(&[&expected]);
            assert!(!scene.judge().untested.is_empty(), "{}", rule.id);
            let mut scene = Scene::new();
            let one = |cell: &Handshake| named(cell) && cell.version == ProtocolVersion::TLS1_2;
            scene.fail(one, stage, &cause);
            scene.check(&[&expected]);
        }
    }

    #[test]
    fn where_every_connection_is_ended_every_client_fails() {
        for (rule, stage, cause) in [
            (&connection_closed::RULE, Stage::Handshake, Cause::Closed),
            (&connection_reset::RULE, Stage::Handshake, Cause::Reset),
            (&protocol_error::RULE, Stage::Handshake, Cause::ProtocolError(text())),
            (&starttls_refused::RULE, Stage::Starttls, Cause::StarttlsRefused(text())),
        ] {
            let mut scene = Scene::new();
            scene.fail(any, stage, &cause);
            scene.check(&[&format!("error {}", rule.id)]);
        }
    }

    #[test]
    fn what_says_that_something_could_not_be_tested_is_no_pass() {
        for rule in [&scan_withheld::RULE, &unsteady_answers::RULE, &dns_failure::RULE] {
            assert!((rule.specimen)().iter().all(|finding| finding.could_not_test), "{}", rule.id);
        }
    }
}
