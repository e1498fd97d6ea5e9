//! `client-profile-fails`: a client that must be able to connect cannot.

use crate::audit::client_fix::{client_fix, must_connect};
use crate::audit::finding::{Finding, Section, Severity};
use crate::audit::missing::Missing;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::observation::scan::Replay;
use crate::observation::{Endpoint, Handshake};

pub(crate) const RULE: Rule = Rule {
    id: "client-profile-fails",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "a current browser, or a client that the target must serve, cannot connect",
    why: "This client's hello was replayed, and the server refused it or answered with something that the client \
          does not accept. nginx logs no shared cipher, unsupported protocol or version too low for such a client, \
          at level info or crit, so the default error_log may show nothing.",
    fix: "Let the server accept what the client offers: the message names the smallest change. Or remove the client \
          from the list of clients to serve.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ciphers",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    // A client that connected before a change and cannot connect after it has its own rule, clients-lost.
    let (lost, others): (Vec<&Replay>, Vec<&Replay>) =
        endpoint.replays.iter().partition(|replay| is_lost(replay, cx));
    let judged = others.iter().filter_map(|replay| {
        if is_expected(replay, cx) {
            finding(replay, endpoint)
        } else {
            unexpected(replay, endpoint, cx)
        }
    });
    let findings: Vec<Finding> = judged.collect();
    if !findings.is_empty() {
        return Verdict::Fail(findings);
    }
    let expected = || endpoint.replays.iter().filter(|replay| is_expected(replay, cx));
    let is_unclear = |replay: &Replay| {
        let failure = replay.outcome.as_ref().err();
        (is_expected(replay, cx) || is_asked(replay, cx))
            && failure.is_some_and(|failure| !failure.is_refusal())
    };
    let too_few = expected().count() < cx.target.expect.clients.len();
    if too_few || endpoint.replays.iter().any(is_unclear) {
        return Verdict::Untested(format!(
            "not every client could be tried at {}",
            endpoint.address
        ));
    }
    if endpoint.replays.is_empty() || !lost.is_empty() {
        return Verdict::NotApplicable;
    }
    Verdict::Pass
}

fn is_expected(replay: &Replay, cx: &Context<'_>) -> bool {
    cx.target.expect.clients.iter().any(|profile| profile.name == replay.profile.name)
}

/// Whether the operator asks about this client by name.
fn is_asked(replay: &Replay, cx: &Context<'_>) -> bool {
    cx.target.expect.asked.iter().any(|profile| profile.name == replay.profile.name)
}

fn is_lost(replay: &Replay, cx: &Context<'_>) -> bool {
    let former = cx.target.former.as_ref();
    replay.outcome.is_err() && former.is_some_and(|former| former.connected(replay.profile))
}

/// A client that was tried although the target does not list it: a current one, or one that the operator asks about by
/// name. For a listener, current browsers count as expected. Hello sizes have a rule of their own and are left out here.
fn unexpected(replay: &Replay, endpoint: &Endpoint, cx: &Context<'_>) -> Option<Finding> {
    let missing = Missing::of(replay, endpoint)?;
    let profile = replay.profile;
    let (asked, size) = (is_asked(replay, cx), matches!(missing, Missing::HelloSize { .. }));
    if !(profile.modern || profile.captured.is_some() || asked) || size {
        return None;
    }
    // Where no client connects, other rules say why.
    if !asked && !cx.own_cells(endpoint).any(Handshake::established) {
        return None;
    }
    let wanted = must_connect(profile, cx.target);
    let severity = match (wanted, asked) {
        (true, _) => Severity::Error,
        (false, true) => Severity::Warning,
        (false, false) => Severity::Note,
    };
    Some(finding(replay, endpoint)?.severity(severity))
}

fn finding(replay: &Replay, endpoint: &Endpoint) -> Option<Finding> {
    let failure = replay.outcome.as_ref().err()?;
    let fix = client_fix(replay, endpoint)?;
    let finding = RULE
        .finds(format!("{} cannot connect: {}", replay.profile.title, fix.because))
        .evidence(format!("{}: its hello fails with {failure}", endpoint.address))
        .subject(replay.profile.name.clone());
    Some(fix.propose(finding))
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::{Cause, Failure, Stage};
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_3, &[0x1301]);
        scene.replay("java-7", Err(Cause::Alert(AlertDescription::PROTOCOL_VERSION)));
        scene.judge().findings
    }

    #[test]
    fn a_wanted_client_that_is_refused_is_an_error_that_names_the_change() {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_3, &[0x1301]);
        scene.replay("java-7", Ok(0x002f));
        scene.check(&[]);
        scene.replay("java-7", Err(Cause::Alert(AlertDescription::PROTOCOL_VERSION)));
        let findings = scene.check(&["error client-profile-fails"]);
        let fix = findings[0].fix.as_ref().unwrap();
        assert_eq!(fix.directives[0].name, "ssl_protocols");
        assert!(fix.directives[0].value.starts_with("TLSv1 "), "{fix:?}");
    }

    #[test]
    fn a_current_browser_that_cannot_connect_is_an_error_whoever_expects_it() {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_1, &[0xc013]);
        scene.replay("firefox", Err(Cause::Alert(AlertDescription::PROTOCOL_VERSION)));
        scene.target.expect.clients.clear();
        let findings = scene.judge().findings;
        let found = findings.iter().find(|finding| finding.rule == "client-profile-fails").unwrap();
        assert!(found.message.contains("no common version"), "{}", found.message);
        scene.replay("java-7", Err(Cause::Alert(AlertDescription::PROTOCOL_VERSION)));
        scene.target.expect.clients.clear();
        assert!(!scene.judge().findings.iter().any(|it| it.rule == "client-profile-fails"));
    }

    #[test]
    fn a_client_that_the_operator_asks_about_is_a_warning() {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_3, &[0x1301]);
        scene.replay("java-7", Err(Cause::Alert(AlertDescription::PROTOCOL_VERSION)));
        scene.target.expect.asked = std::mem::take(&mut scene.target.expect.clients);
        scene.check(&["warning client-profile-fails"]);
    }

    #[test]
    fn a_client_that_could_not_be_tried_is_not_a_pass() {
        let mut scene = Scene::new();
        scene.replay("java-7", Err(Cause::TimedOut));
        scene.check(&[]);
        assert_eq!(scene.judge().untested[0].0, "client-profile-fails");
        scene.seen.endpoints[0].replays.clear();
        assert_eq!(scene.judge().untested[0].0, "client-profile-fails");
        let connect = Failure { stage: Stage::Connect, cause: Cause::Reset };
        scene.replay("java-7", Ok(0x002f));
        scene.seen.endpoints[0].replays[0].outcome =
            Err(crate::observation::scan::ReplayFailure::Server(connect));
        assert_eq!(scene.judge().untested.len(), 1);
    }
}
