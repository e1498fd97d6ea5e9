//! The effect of a change: a fix removes its finding, and no client that could connect before is refused after it.

use super::goal::Goal;
use crate::audit::finding::{Finding, Severity};
use crate::audit::judge::Judgement;
use crate::audit::rule::Rule;
use crate::audit::rules::protocol;
use crate::observation::scan::Replay;
use crate::observation::{Endpoint, Handshake, Observation};
use crate::targets::Target;
use crate::tls::profile::Profile;
use crate::tls::version::ProtocolVersion;

/// Rules that hold what is seen against what the configuration said before the change.
const OF_OLD_SETTINGS: [&Rule; 2] =
    [&protocol::protocol_unexpected::RULE, &protocol::legacy_protocol_accepted::RULE];

/// One target with its observation and judgement.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The target.
    pub target: &'a Target,
    /// The observation.
    pub seen: &'a Observation,
    /// The judgement.
    pub judgement: &'a Judgement,
}

/// The effect of a change on a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The goal is reached, and nothing is lost.
    Improved,
    /// Nothing is lost, but the goal is not reached.
    Same,
    /// Something no longer works, whether or not the goal is reached.
    Worse(Vec<Loss>),
}

/// Something that worked before a change but not after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A client connected.
    Client {
        /// The target's name.
        target: String,
        /// The client.
        client: &'static Profile,
    },
    /// A complete handshake succeeded.
    Handshake {
        /// The target's name.
        target: String,
        /// Its version.
        version: ProtocolVersion,
        /// Whether it used SNI.
        named: bool,
    },
    /// What is an error now was looked at and in order.
    Finding {
        /// The target's name.
        target: String,
        /// The rule's id.
        rule: &'static str,
    },
    /// It was tested.
    Untested {
        /// The target's name.
        target: String,
    },
}

/// Compares the observations after a change with those before. Both lists contain every target that the change may
/// affect, in the same order; `at` is the index of the finding's target.
pub fn judge(finding: &Finding, at: usize, before: &[Sight<'_>], after: &[Sight<'_>]) -> Effect {
    let goal = Goal::of(finding);
    let mut losses = Vec::new();
    for (index, old) in before.iter().enumerate() {
        match after.get(index) {
            Some(new) => losses.extend(lost(goal, old, new)),
            None => losses.push(Loss::Untested { target: old.target.name.clone() }),
        }
    }
    if !losses.is_empty() {
        return Effect::Worse(losses);
    }
    match after.get(at) {
        Some(sight) if is_reached(finding, goal, sight) => Effect::Improved,
        _ => Effect::Same,
    }
}

/// Whether the finding is gone, because its subject was tested again and is in order.
fn is_reached(finding: &Finding, goal: Option<Goal>, after: &Sight<'_>) -> bool {
    let judgement = after.judgement;
    // A finding about several clients has the name of one of them, and one about every handshake one alert.
    let of_several = [&protocol::clients_lost::RULE, &protocol::handshake_refused::RULE]
        .iter()
        .any(|rule| rule.id == finding.rule);
    let same = |other: &Finding| {
        other.rule == finding.rule && (of_several || other.subject == finding.subject)
    };
    let gone = !judgement.findings.iter().any(same)
        && !judgement.untested.iter().any(|(rule, _)| *rule == finding.rule);
    let tried =
        match goal {
            Some(Goal::Client(client)) => after.seen.endpoints.iter().all(|endpoint| {
                replay(endpoint, client).is_some_and(|replay| replay.outcome.is_ok())
            }),
            _ => true,
        };
    gone && tried && !after.seen.endpoints.is_empty()
}

fn replay<'e>(endpoint: &'e Endpoint, client: &Profile) -> Option<&'e Replay> {
    endpoint.replays.iter().find(|replay| replay.profile.name == client.name)
}

fn lost(goal: Option<Goal>, old: &Sight<'_>, new: &Sight<'_>) -> Vec<Loss> {
    let target = || old.target.name.clone();
    let mut losses = Vec::new();
    if new.seen.endpoints.len() < old.seen.endpoints.len() {
        losses.push(Loss::Untested { target: target() });
    }
    for (before, after) in old.seen.endpoints.iter().zip(&new.seen.endpoints) {
        let clients = before.replays.iter().filter(|replay| {
            let given_up = replay.outcome.as_ref().is_ok_and(|choice| {
                goal.is_some_and(|goal| goal.gives_up(choice)) && !is_wanted(replay.profile, old)
            });
            let works = |replay: &Replay| replay.outcome.is_ok();
            works(replay) && !given_up && !self::replay(after, replay.profile).is_some_and(works)
        });
        losses.extend(
            clients.map(|replay| Loss::Client { target: target(), client: replay.profile }),
        );
        let cells = before.handshakes.iter().filter(|cell| cell.established());
        let cells = cells.filter(|cell| {
            let again = after.cell(cell.sni.is_some(), cell.version);
            !again.is_some_and(Handshake::established)
        });
        losses.extend(cells.map(|cell| Loss::Handshake {
            target: target(),
            version: cell.version,
            named: cell.sni.is_some(),
        }));
    }
    let errors = new.judgement.findings.iter().filter(|finding| {
        finding.severity == Severity::Error
            && old.judgement.passed.contains(&finding.rule)
            && !OF_OLD_SETTINGS.iter().any(|rule| rule.id == finding.rule)
    });
    losses.extend(errors.map(|finding| Loss::Finding { target: target(), rule: finding.rule }));
    losses
}

/// Whether a client must still be able to connect: the operator expects it or asks about it, or it is supported today.
fn is_wanted(client: &Profile, sight: &Sight<'_>) -> bool {
    let expect = &sight.target.expect;
    let mut wanted = expect.clients.iter().chain(&expect.asked);
    client.modern || wanted.any(|known| known.name == client.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fixtures::Scene;
    use crate::observation::{Cause, Stage};
    use crate::tls::alert::AlertDescription;

    const REFUSED: Cause = Cause::Alert(AlertDescription::HANDSHAKE_FAILURE);

    /// A scene in which these clients connect with that suite, or fail.
    fn scene(clients: &[(&str, Option<u16>)]) -> Scene {
        let mut scene = Scene::new();
        let mut replays = Vec::new();
        for (name, suite) in clients {
            scene.replay(name, suite.ok_or(REFUSED));
            replays.append(&mut scene.seen.endpoints[0].replays);
        }
        scene.seen.endpoints[0].replays = replays;
        scene.target.expect.clients.clear();
        scene
    }

    /// What a change from one scene to the other does for the first finding of that rule.
    fn effect(rule: &str, before: &Scene, after: &Scene) -> Effect {
        let (old, new) = (before.judge(), after.judge());
        let finding = old.findings.iter().find(|finding| finding.rule == rule).unwrap();
        let one = Sight { target: &before.target, seen: &before.seen, judgement: &old };
        let other = Sight { target: &after.target, seen: &after.seen, judgement: &new };
        judge(finding, 0, &[one], &[other])
    }

    #[test]
    fn a_client_that_gets_in_is_an_improvement_unless_another_stays_out_for_it() {
        let rule = "client-profile-fails";
        let before = scene(&[("chrome", None), ("java-8", Some(0xc02f))]);
        let both = scene(&[("chrome", Some(0x1301)), ("java-8", Some(0xc02f))]);
        assert_eq!(effect(rule, &before, &both), Effect::Improved);
        assert_eq!(effect(rule, &before, &before), Effect::Same);
        let swapped = scene(&[("chrome", Some(0x1301)), ("java-8", None)]);
        let Effect::Worse(losses) = effect(rule, &before, &swapped) else { panic!("no loss") };
        assert!(matches!(&losses[..], [Loss::Client { client, .. }] if client.name == "java-8"));
    }

    #[test]
    fn a_handshake_that_no_longer_ends_and_a_target_that_was_not_seen_are_losses() {
        let rule = "client-profile-fails";
        let before = scene(&[("chrome", None)]);
        let mut after = scene(&[("chrome", Some(0x1301))]);
        after.fail(|cell| cell.version == ProtocolVersion::TLS1_2, Stage::Handshake, &REFUSED);
        let Effect::Worse(losses) = effect(rule, &before, &after) else { panic!("no loss") };
        assert!(losses.iter().all(|loss| matches!(loss, Loss::Handshake { .. })), "{losses:?}");
        after.seen.endpoints.clear();
        assert!(matches!(effect(rule, &before, &after), Effect::Worse(_)));
    }

    #[test]
    fn who_needs_what_is_taken_away_may_be_lost_unless_wanted() {
        let rule = "legacy-protocol-accepted";
        let with = |suite: Option<u16>| {
            let mut scene = scene(&[("java-7", suite)]);
            scene.raw(ProtocolVersion::TLS1, suite.ok_or(REFUSED));
            scene
        };
        let (before, after) = (with(Some(0x002f)), with(None));
        assert_eq!(effect(rule, &before, &after), Effect::Improved);
        let mut wanted = with(Some(0x002f));
        wanted.target.expect.clients = vec![before.seen.endpoints[0].replays[0].profile];
        assert!(matches!(effect(rule, &wanted, &after), Effect::Worse(_)));
    }
}
