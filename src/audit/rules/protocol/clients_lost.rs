//! `clients-lost`: a client that connected before a change cannot connect after it.

use crate::audit::client_fix::{client_fix, must_connect};
use crate::audit::finding::{Finding, Section, Severity};
use crate::audit::missing::Missing;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::weight::RequestWeight;
use crate::observation::Endpoint;
use crate::observation::scan::{Replay, ReplayFailure};
use crate::targets::former::Former;
use crate::tls::profile::Profile;

/// The most clients that the message names.
const MAX_NAMED: usize = 6;

pub(crate) const RULE: Rule = Rule {
    id: "clients-lost",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "clients that connected before a change cannot connect after it",
    why: "The same hellos were sent to the configuration before the change (nginx --rehearse --against) and to the one \
          after it. Whoever uses these clients is turned away from the next reload on, and the default error_log may \
          show nothing of it. It is an error for current browsers and for clients that were named one by one. With \
          --access-log, the evidence says how many requests such clients made.",
    fix: "If these clients still matter, take back the change that excludes them: the evidence says what each one \
          lacks. Otherwise go ahead: the finding is gone once the change is in service.",
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
    let Some(former) = &cx.target.former else { return Verdict::NotApplicable };
    if let Some(reason) = &former.unknown {
        return Verdict::Untested(reason.clone());
    }
    let now = |name: &str| endpoint.replays.iter().find(|replay| replay.profile.name == name);
    let again: Vec<_> = former.clients.iter().map(|profile| now(&profile.name)).collect();
    let failed = again.iter().flatten().filter(|replay| replay.outcome.is_err());
    let (lost, unclear): (Vec<&Replay>, Vec<&Replay>) =
        failed.partition(|replay| replay.outcome.as_ref().is_err_and(ReplayFailure::is_refusal));
    let weight = RequestWeight::of(Some(former), endpoint);
    let found = match finding(&lost, former, endpoint, cx) {
        Some(found) => Some(weighed(found, weight.as_ref())),
        None => weight.as_ref().filter(|weight| weight.lost > 0).map(by_requests),
    };
    if let Some(finding) = found {
        return finding.into();
    }
    // An access log alone does not tell who connected, only who would be lost.
    if former.tried.is_empty() && former.clients.is_empty() {
        return Verdict::NotApplicable;
    }
    if unclear.is_empty() && again.iter().all(Option::is_some) {
        return Verdict::Pass;
    }
    Verdict::Untested(format!(
        "not every client that connected before could be tried at {}",
        endpoint.address
    ))
}

fn finding(
    lost: &[&Replay],
    former: &Former,
    endpoint: &Endpoint,
    cx: &Context<'_>,
) -> Option<Finding> {
    let is_named = |profile: &Profile| former.named.iter().any(|named| named.name == profile.name);
    let mut wanted = lost
        .iter()
        .filter(|replay| is_named(replay.profile) || must_connect(replay.profile, cx.target));
    let wanted = wanted.next();
    let first = wanted.or_else(|| lost.first())?;
    let missing =
        |replay: &Replay| Missing::of(replay, endpoint).unwrap_or(Missing::NotListed).to_string();
    let because = |replay: &Replay| {
        format!("{}: {}: {}", endpoint.address, replay.profile.title, missing(replay))
    };
    let named = listed(lost, missing);
    let finding = RULE
        .finds(format!("clients that connected before cannot connect: {named}"))
        .severity(if wanted.is_some() { Severity::Error } else { Severity::Warning })
        .evidence_from(lost.iter().map(|replay| because(replay)))
        .subject(first.profile.name.clone());
    let Some(mut fix) = client_fix(first, endpoint) else { return Some(finding) };
    fix.text = format!("For {}: {}", first.profile.title, fix.text);
    Some(fix.propose(finding))
}

/// The first of them, each reason once, beside the clients that it is about.
fn listed(lost: &[&Replay], missing: impl Fn(&Replay) -> String) -> String {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for replay in lost.iter().take(MAX_NAMED) {
        let (reason, title) = (missing(replay), replay.profile.title.as_str());
        match groups.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, titles)) => titles.push(title),
            None => groups.push((reason, vec![title])),
        }
    }
    let groups =
        groups.into_iter().map(|(reason, titles)| format!("{}: {reason}", titles.join(", ")));
    let mut words: Vec<String> = groups.collect();
    if lost.len() > MAX_NAMED {
        words.push(format!("{} more", lost.len() - MAX_NAMED));
    }
    words.join("; ")
}

/// Adds the share of requests.
fn weighed(mut finding: Finding, weight: Option<&RequestWeight>) -> Finding {
    let Some(weight) = weight else { return finding };
    if let Some(share) = weight.summary() {
        finding.message = format!("{}; {share}", finding.message);
    }
    finding.evidence_from(weight.sentences())
}

/// Clients that are none of those that were tried, and that the access log shows.
fn by_requests(weight: &RequestWeight) -> Finding {
    let share = weight.share();
    RULE.finds(format!("clients that connected before cannot connect: they made {share}"))
        .evidence_from(weight.sentences())
        .subject("requests")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fixtures::Scene;
    use crate::observation::Cause;
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    const REFUSED: Cause = Cause::Alert(AlertDescription::PROTOCOL_VERSION);

    /// A server of TLS 1.3 only, at which Java 7 connected before.
    fn scene(now: Result<u16, Cause>) -> Scene {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_3, &[0x1301]);
        scene.replay("java-7", now);
        let clients = std::mem::take(&mut scene.target.expect.clients);
        scene.target.former = Some(Former { clients, ..Former::default() });
        scene
    }

    pub(super) fn specimen() -> Vec<Finding> {
        scene(Err(REFUSED)).judge().findings
    }

    #[test]
    fn a_client_that_connected_before_is_lost_with_the_reason() {
        let findings = scene(Err(REFUSED)).check(&["warning clients-lost"]);
        assert!(findings[0].evidence[0].contains("no common version"), "{findings:#?}");
        scene(Ok(0x002f)).check(&[]);
    }

    #[test]
    fn a_client_that_the_operator_named_is_an_error() {
        let mut named = scene(Err(REFUSED));
        let former = named.target.former.as_mut().unwrap();
        former.named = former.clients.clone();
        named.check(&["error clients-lost"]);
    }

    #[test]
    fn a_current_browser_is_an_error_and_is_reported_once() {
        let mut scene = scene(Ok(0x002f));
        scene.replay("firefox", Err(REFUSED));
        let clients = std::mem::take(&mut scene.target.expect.clients);
        scene.target.former = Some(Former { clients, ..Former::default() });
        scene.check(&["error clients-lost"]);
        scene.target.former = None;
        scene.check(&["error client-profile-fails"]);
    }

    #[test]
    fn who_did_not_connect_before_is_not_lost() {
        let mut scene = scene(Err(REFUSED));
        scene.target.former = Some(Former::default());
        scene.check(&[]);
    }

    #[test]
    fn what_was_not_known_before_or_not_tried_again_is_not_a_pass() {
        let untested = |scene: &Scene| {
            let untested = scene.judge().untested;
            assert_eq!(untested.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), [RULE.id]);
        };
        untested(&scene(Err(Cause::TimedOut)));
        let mut unknown = scene(Ok(0x002f));
        unknown.target.former.as_mut().unwrap().unknown = Some("it did not answer".to_owned());
        untested(&unknown);
    }
}
