//! Which failures matter: an explicit judgement of counts, rate and spread.

use serde::Serialize;

use super::direction::Direction;
use super::series::Trend;
use super::table::Weight;
use super::tally::{Class, Tally};

/// Who should act on a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Concern {
    /// The operator: requests or users are lost, and it can be fixed.
    Act,
    /// Perhaps the operator.
    Look,
    /// Nobody: scanners, old bots, users who left.
    Ignore,
    /// The cause is in other lines.
    Follows,
}

impl Concern {
    /// Its name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Act => "act",
            Self::Look => "look",
            Self::Ignore => "ignore",
            Self::Follows => "follows",
        }
    }
}

/// A judgement and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Importance {
    /// Who should act.
    pub concern: Concern,
    /// The reason.
    pub reason: Reason,
}

/// The reason of a judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Every line is a failed attempt to reach an upstream.
    Upstream,
    /// The configuration could not be used.
    Configuration,
    /// nginx started, but ignores part of the configuration.
    Ignored,
    /// Such lines are caused by the operator's settings or certificate.
    Class,
    /// It started, or increased, with a reload at this time.
    Reload(i64),
    /// It started, or increased, at this time.
    Jump(i64),
    /// Nearly all lines are from one server, although there are others.
    OneServer(String),
    /// Most lines are from one address.
    OneClient(String),
    /// Few lines from each of many addresses, at a steady rate.
    Background,
    /// Nearly all lines are from clients that failed in many ways within a minute.
    Scanner,
    /// Such lines are caused by scanners and by clients that disconnect.
    Noise,
    /// There is no evidence.
    Open,
    /// It is a consequence of what other lines report.
    Symptom,
}

/// Fewer lines show no pattern.
const ENOUGH: u64 = 20;

/// From this number on, addresses are many.
const MANY: u64 = 20;

/// Judges a class.
pub fn judge(class: &Class, tally: &Tally) -> Importance {
    let (concern, reason) = match (class.direction, class.weight()) {
        (_, Weight::Symptom) => (Concern::Follows, Reason::Symptom),
        (Direction::Upstream, Weight::Fault | Weight::Mixed) => (Concern::Act, Reason::Upstream),
        (Direction::Config, Weight::Fault) => (Concern::Act, Reason::Configuration),
        (Direction::Config, _) => (Concern::Look, Reason::Ignored),
        (_, weight) => client(class, tally, weight),
    };
    Importance { concern, reason }
}

fn client(class: &Class, tally: &Tally, weight: Weight) -> (Concern, Reason) {
    if tally.scanned(class) * 10 >= class.count * 9 {
        return (Concern::Ignore, Reason::Scanner);
    }
    if let Some(reason) = change(class, tally) {
        return (Concern::Act, reason);
    }
    if weight == Weight::Fault {
        return (Concern::Act, Reason::Class);
    }
    let enough = class.count >= ENOUGH;
    let (clients, _) = class.clients.count();
    if let Some((client, count)) = class.top_client.most()
        && enough
        && count * 2 > class.count
    {
        return (Concern::Look, Reason::OneClient(text(client)));
    }
    if weight == Weight::Noise {
        return (Concern::Ignore, Reason::Noise);
    }
    if let Some((server, count)) = class.servers.ranked().first()
        && enough
        && count * 10 >= class.count * 9
        && servers(tally) > 1
    {
        return (Concern::Act, Reason::OneServer(text(server)));
    }
    if clients >= MANY && class.count <= clients * 3 {
        return (Concern::Ignore, Reason::Background);
    }
    (Concern::Look, Reason::Open)
}

/// A jump, and the reload at the same time.
fn change(class: &Class, tally: &Tally) -> Option<Reason> {
    let grid = tally.grid?;
    let Trend::Jump(slot) = Trend::of(&class.series.counts(&grid)) else { return None };
    let begin = grid.start + grid.width * i64::try_from(slot).ok()?;
    let near = |reload: &&i64| (begin - grid.width..begin + 2 * grid.width).contains(*reload);
    Some(match tally.reloads.iter().find(near) {
        Some(reload) => Reason::Reload(*reload),
        None => Reason::Jump(begin),
    })
}

/// The number of servers with failures of clients.
fn servers(tally: &Tally) -> usize {
    let mut servers: Vec<&[u8]> = tally
        .classes()
        .filter(|class| class.direction == Direction::Client)
        .flat_map(|class| class.servers.ranked().into_iter().map(|(server, _)| server))
        .collect();
    servers.sort_unstable();
    servers.dedup();
    servers.len()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::reader::LogReader;

    const CLIENT: &str = "while SSL handshaking, client: CLIENT, server: SERVER";

    fn read(lines: impl Iterator<Item = (i64, String)>) -> LogReader {
        let mut reader = LogReader::default();
        for (at, line) in lines {
            let (hour, minute, second) = (at / 3600, at / 60 % 60, at % 60);
            let head = format!("2026/01/31 {hour:02}:{minute:02}:{second:02}");
            reader.line(format!("{head} {line}").as_bytes());
        }
        reader
    }

    fn failure(reason: &str, client: i64, server: &str) -> String {
        let place = CLIENT.replace("CLIENT", &format!("10.0.{}.{}", client / 250, client % 250));
        let place = place.replace("SERVER", server);
        format!("[info] 7#7: *{client} SSL_do_handshake() failed (SSL: error:{reason}) {place}")
    }

    const UNSUPPORTED: &str = "0A000102:SSL routines::unsupported protocol";
    const NO_CIPHER: &str = "0A0000C1:SSL routines::no shared cipher";

    #[track_caller]
    fn check(reader: &LogReader, concern: Concern, reason: &Reason) {
        let class = reader.tally.classes().next().unwrap();
        assert_eq!(judge(class, &reader.tally), Importance { concern, reason: reason.clone() });
    }

    #[test]
    fn a_low_steady_rate_from_many_addresses_is_background() {
        let lines = (0..200).map(|at| (at * 60, failure(UNSUPPORTED, at, "0.0.0.0:443")));
        check(&read(lines), Concern::Ignore, &Reason::Background);
    }

    #[test]
    fn a_jump_with_a_reload_is_ours() {
        let lines = (0..60).map(|at| (at * 120, failure(UNSUPPORTED, at, "0.0.0.0:443")));
        let reload =
            (7200, "[notice] 1#1: signal 1 (SIGHUP) received from 9, reconfiguring".to_owned());
        let after = (0..2000).map(|at| (7260 + at * 2, failure(UNSUPPORTED, at, "0.0.0.0:443")));
        let reader = read(lines.chain([reload]).chain(after));
        let reload = reader.tally.reloads[0];
        check(&reader, Concern::Act, &Reason::Reload(reload));
    }

    #[test]
    fn a_class_of_our_own_making_is_ours_however_rare() {
        let lines = (0..5).map(|at| (at * 60, failure(NO_CIPHER, at, "0.0.0.0:443")));
        check(&read(lines), Concern::Act, &Reason::Class);
    }

    #[test]
    fn one_address_and_one_server_stand_out() {
        let lines = (0..50).map(|at| (at * 60, failure(UNSUPPORTED, 1, "0.0.0.0:443")));
        check(&read(lines), Concern::Look, &Reason::OneClient("10.0.0.1".to_owned()));
        let other = "0A00010B:SSL routines::wrong version number";
        let lines = (0..50).flat_map(|at| {
            [
                (at * 60, failure(UNSUPPORTED, at, "192.0.2.1:443")),
                (at * 60, failure(other, at, "192.0.2.2:443")),
            ]
        });
        check(&read(lines), Concern::Act, &Reason::OneServer("192.0.2.1:443".to_owned()));
    }
}
