//! `quic-unreachable`: nothing answers at the UDP port.

use super::{facts, over_tcp};
use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::trouble::{Matrix, Trouble};
use crate::observation::{Cause, Endpoint};

pub(crate) const RULE: Rule = Rule {
    id: "quic-unreachable",
    severity: Severity::Error,
    section: Section::Reachability,
    summary: "nothing answers over QUIC",
    why: "Browsers that were led to HTTP/3 (by an Alt-Svc header or an HTTPS record) wait for the UDP port, and only then use TCP. \
          Usual reasons: a firewall, a container or a load balancer that forwards only TCP; several sockets without \
          reuseport, so that datagrams reach the wrong worker; or no listen with quic at all.",
    fix: "Open the UDP port as well (in security groups, Services and port mappings TCP and UDP are separate), check with \
          ss -lun that nginx listens, and give listen ... quic the parameter reuseport if there are several workers.",
    references: &[
        "https://nginx.org/en/docs/quic.html",
        "RFC 9000 section 6",
        "RFC 9114 section 3.1.1",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Some(facts) = facts(endpoint, cx) else { return Verdict::NotApplicable };
    let cells = Matrix::new(endpoint, cx.target).with(Trouble::QuicUnreachable);
    let (met, all) = (cells.len(), endpoint.handshakes.len());
    if met == 0 {
        return Verdict::Pass;
    }
    let is_refused = |cause: &Cause| *cause == Cause::ConnectionRefused;
    let refused = cells.iter().all(|cell| cell.failure().is_some_and(|it| is_refused(&it.cause)));
    let message = match (refused, met == all) {
        (true, true) => "nothing listens on the UDP port".to_owned(),
        (false, true) => "no answer over QUIC".to_owned(),
        (_, false) => format!("{met} of {all} handshakes over QUIC get no answer"),
    };
    let finding = RULE
        .finds(message)
        .evidence_from(cells.iter().map(|cell| at(endpoint, cell)))
        .evidence_from(over_tcp(endpoint, facts))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)));
    // A network on the way may drop datagrams, which the server cannot help.
    if refused && met == all && facts.works_over_tcp().is_some() {
        return finding.into();
    }
    finding.severity(Severity::Warning).could_not_test().into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, any, named};
    use crate::observation::{Cause, Stage};

    fn silent(cause: &Cause) -> Scene {
        let mut scene = Scene::quic();
        scene.fail(any, Stage::Handshake, cause);
        scene
    }

    pub(super) fn specimen() -> Vec<Finding> {
        silent(&Cause::ConnectionRefused).judge().findings
    }

    #[test]
    fn a_closed_port_is_an_error_where_tcp_works_and_silence_could_not_be_tested() {
        silent(&Cause::ConnectionRefused).check(&["error quic-unreachable"]);
        let scene = silent(&Cause::TimedOut);
        let findings = scene.check(&["warning quic-unreachable"]);
        assert!(findings[0].could_not_test);
        let mut scene = silent(&Cause::ConnectionRefused);
        scene.seen.endpoints[0].quic.as_mut().unwrap().over_tcp = None;
        assert!(scene.check(&["warning quic-unreachable"])[0].could_not_test);
    }

    #[test]
    fn one_answer_of_two_is_no_closed_port() {
        let mut scene = Scene::quic();
        scene.fail(named, Stage::Handshake, &Cause::TimedOut);
        assert!(scene.check(&["warning quic-unreachable"])[0].could_not_test);
    }
}
