//! Identical connections that end differently: a limit on connections, a ban, or several servers that share one address.
//!
//! The handshakes of the matrix are made at once. If some of them end without an answer in TLS, or an unexpected one is
//! refused, they are made again, slowly and one at a time. Only a failure that then repeats is the server's answer, and
//! only as long as a handshake that worked before (the control) still works.

use super::complete::Caller;
use super::plan::{Cell, Resume};
use crate::observation::{Cause, Endpoint, Failure, Handshake, Stage, Steadiness};
use crate::tls::alert::AlertDescription;

/// More tries of a handshake that failed twice while the control worked.
const MORE_TRIES: usize = 2;

/// Attempts of the control once everything works: several servers behind one address may show in one of them.
const CONTROLS: usize = 2;

/// Repeats handshakes that a limit may have cut off. `cells` is the plan of the endpoint's handshakes.
pub(super) async fn settle(caller: &Caller<'_>, cells: &[Cell], endpoint: &mut Endpoint) {
    let handshakes = &mut endpoint.handshakes;
    let doubtful: Vec<usize> =
        (0..handshakes.len()).filter(|index| is_doubtful(&handshakes[*index])).collect();
    let control = handshakes.iter().position(is_answered).and_then(|index| cells.get(index));
    let hopeless = control.is_none() && !handshakes.iter().any(may_be_busy);
    if doubtful.is_empty() || hopeless {
        return;
    }
    caller.slow_down();
    let mut retrial = Retrial { caller, control: control.map(alone), met: None, unsteady: false };
    let mut recovered = false;
    for index in doubtful {
        let Some(cell) = cells.get(index) else { continue };
        match retrial.again(cell, &handshakes[index]).await {
            Again::Answered(answer) => {
                handshakes[index] = *answer;
                recovered = true;
            }
            Again::Failed => {}
            Again::Shut(cause) => {
                let before = "earlier connections succeeded, and now an identical one fails";
                let cause = Cause::TurnedAway(format!("{before} ({cause})"));
                let shut = handshakes.iter_mut().filter(|handshake| is_doubtful(handshake));
                shut.for_each(|handshake| turn_away(handshake, &cause));
                return;
            }
        }
        if retrial.control.is_none() {
            return;
        }
    }
    if recovered {
        endpoint.steadiness = retrial.verdict().await;
    }
}

/// Repeats a refused handshake if others work: an alert that comes only sometimes is not the server's answer.
pub(super) async fn recheck(caller: &Caller<'_>, cells: &[Cell], endpoint: &mut Endpoint) {
    if !endpoint.handshakes.iter().any(Handshake::established) {
        return;
    }
    for (handshake, cell) in endpoint.handshakes.iter_mut().zip(cells) {
        let Some(failure) = handshake.failure().filter(|failure| is_refusal(failure)).cloned()
        else {
            continue;
        };
        let again = caller.cell(alone(cell)).await;
        if again.established() {
            *handshake = again;
            endpoint.steadiness = Steadiness::Unsteady(failure);
        }
    }
}

/// The result of a repeated handshake.
enum Again {
    /// It was answered.
    Answered(Box<Handshake>),
    /// It failed again.
    Failed,
    /// The control failed too: the server no longer answers us.
    Shut(Cause),
}

/// The repeated attempts.
struct Retrial<'a> {
    caller: &'a Caller<'a>,
    /// A handshake that was answered before.
    control: Option<Cell>,
    /// The first failure that did not repeat.
    met: Option<Failure>,
    /// Identical connections ended differently, one at a time.
    unsteady: bool,
}

impl Retrial<'_> {
    async fn again(&mut self, cell: &Cell, before: &Handshake) -> Again {
        let slow = self.caller.cell(cell.clone()).await;
        if is_answered(&slow) {
            self.control.get_or_insert_with(|| alone(cell));
            return self.answered(slow, before);
        }
        let Some(control) = &self.control else { return Again::Failed };
        if timed_out(&slow) {
            return Again::Failed;
        }
        let control = self.caller.cell(control.clone()).await;
        if let Some(failure) = control.failure().filter(|_| is_doubtful(&control)) {
            return Again::Shut(failure.cause.clone());
        }
        for _ in 0..MORE_TRIES {
            let more = self.caller.cell(cell.clone()).await;
            if is_answered(&more) {
                self.unsteady = true;
                return self.answered(more, before);
            }
        }
        Again::Failed
    }

    fn answered(&mut self, handshake: Handshake, before: &Handshake) -> Again {
        if self.met.is_none() {
            self.met = before.failure().cloned();
        }
        Again::Answered(Box::new(handshake))
    }

    /// A limit on concurrent connections, unless single connections sometimes fail as well.
    async fn verdict(mut self) -> Steadiness {
        let (Some(met), Some(control)) = (self.met.take(), self.control.take()) else {
            return Steadiness::Steady;
        };
        for _ in 0..CONTROLS {
            self.unsteady |= is_doubtful(&self.caller.cell(control.clone()).await);
        }
        if self.unsteady { Steadiness::Unsteady(met) } else { Steadiness::OneAtATime(met) }
    }
}

fn alone(cell: &Cell) -> Cell {
    Cell { resume: Resume::No, ..cell.clone() }
}

/// Whether it ended without an answer in TLS, as connections beyond a limit do.
fn is_doubtful(handshake: &Handshake) -> bool {
    let ended = handshake.failure().is_some_and(|failure| match failure.cause {
        Cause::Reset | Cause::Closed => failure.stage != Stage::PostHandshake,
        Cause::ConnectionRefused | Cause::TurnedAway(_) | Cause::TimedOut => true,
        _ => false,
    });
    ended && handshake.chain.is_none() && handshake.client_auth.request().is_none()
}

/// Whether the server answered in TLS, with success or a failure.
fn is_answered(handshake: &Handshake) -> bool {
    handshake.failure().is_none_or(|failure| {
        matches!(failure.cause, Cause::Alert(_) | Cause::Incompatible(_))
            || handshake.chain.is_some()
    })
}

/// Whether a server exists that may have been too busy.
fn may_be_busy(handshake: &Handshake) -> bool {
    is_doubtful(handshake)
        && handshake.failure().is_some_and(|failure| {
            matches!(failure.cause, Cause::Reset | Cause::Closed | Cause::TurnedAway(_))
        })
}

fn timed_out(handshake: &Handshake) -> bool {
    handshake.failure().is_some_and(|failure| failure.cause == Cause::TimedOut)
}

/// An alert that is not about the version; an alert about the version needs no second attempt.
fn is_refusal(failure: &Failure) -> bool {
    let version = AlertDescription::PROTOCOL_VERSION;
    failure.stage == Stage::Handshake
        && matches!(failure.cause, Cause::Alert(alert) if alert != version)
}

fn turn_away(handshake: &mut Handshake, cause: &Cause) {
    if let Err(failure) = &mut handshake.outcome {
        failure.cause = cause.clone();
    }
}
