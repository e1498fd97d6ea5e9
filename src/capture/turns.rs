//! Requests and answers on a connection, by their times alone: when a client asked, and when its server last said something.

/// Turns that are kept of one connection, the latest ones.
const MAX_TURNS: usize = 16;

/// One request, as far as times tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestTurn {
    /// When the client first sent something after the server's last word, in nanoseconds since 1970.
    pub asked: i64,
    /// When the server last answered before the client sent something again; `None` so far.
    pub answered: Option<i64>,
}

/// The turns of a connection.
#[derive(Clone, Debug, Default)]
pub struct RequestTurns(Vec<RequestTurn>);

impl RequestTurns {
    /// The client sent something.
    pub(super) fn ask(&mut self, time: i64) {
        if self.0.last().is_some_and(|last| last.answered.is_none()) {
            return;
        }
        if self.0.len() >= MAX_TURNS {
            self.0.remove(0);
        }
        self.0.push(RequestTurn { asked: time, answered: None });
    }

    /// The server sent something.
    pub(super) fn answer(&mut self, time: i64) {
        if let Some(last) = self.0.last_mut() {
            last.answered = Some(time);
        }
    }

    /// All of them.
    pub fn all(&self) -> &[RequestTurn] {
        &self.0
    }
}
