//! Detects scanners, including this program: clients that fail in many ways within a minute.

/// The number of clients that are tracked, in slots by their hashes.
const WATCHED: usize = 4096;

/// The time within which a scanner is detected, in seconds.
const WINDOW: i64 = 60;

/// An ordinary client fails in one or two ways; one that fails in this many is a scanner.
const MANY_WAYS: usize = 4;

/// The most classes that are counted for one client.
const MAX_CLASSES: usize = 12;

/// Recent failures of single clients.
#[derive(Clone, Debug, Default)]
pub struct Scanners {
    watched: Vec<Watched>,
    /// For each of them, classes by their index in the tally, with their lines. Most are only written to, so they are
    /// kept apart from what is read each time.
    classes: Vec<[(usize, u64); MAX_CLASSES]>,
}

/// One client.
#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    client: u64,
    last: i64,
    /// The number of its classes.
    used: usize,
}

impl Watched {
    fn is_scanner(&self) -> bool {
        self.used >= MANY_WAYS
    }
}

impl Scanners {
    /// Records that the client with this hash failed with the class of this index.
    pub(super) fn failed(&mut self, client: u64, time: i64, class: usize) {
        if self.watched.is_empty() {
            self.watched = vec![Watched::default(); WATCHED];
            self.classes = vec![Default::default(); WATCHED];
        }
        let place = usize::try_from(client % WATCHED as u64).unwrap_or(0);
        let watched = &mut self.watched[place];
        let stale = time - watched.last > WINDOW && !watched.is_scanner();
        if watched.client != client && watched.is_scanner() {
            return;
        }
        if watched.client != client || stale {
            *watched = Watched { client, ..Watched::default() };
        }
        watched.last = time;
        let used = watched.used;
        let classes = &mut self.classes[place];
        match classes[..used].iter_mut().find(|(known, _)| *known == class) {
            Some((_, count)) => *count += 1,
            None if used < MAX_CLASSES => {
                classes[used] = (class, 1);
                watched.used += 1;
            }
            None => {}
        }
    }

    /// Lines of scanners in the class with this index.
    pub fn count(&self, class: usize) -> u64 {
        let all = self.watched.iter().zip(&self.classes);
        let scanners = all.filter(|(watched, _)| watched.is_scanner());
        let classes = scanners.flat_map(|(watched, classes)| &classes[..watched.used]);
        classes.filter(|(known, _)| *known == class).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::sketch::hash;

    #[test]
    fn who_fails_in_many_ways_within_a_minute_is_a_scanner() {
        let mut scanners = Scanners::default();
        for round in 0..10 {
            for class in 0..5 {
                scanners.failed(hash(b"192.0.2.9"), 1000 + round, class);
            }
            scanners.failed(hash(b"192.0.2.1"), 1000 + round, 0);
        }
        for class in 0..5 {
            let time = 1000 + 100 * i64::try_from(class).unwrap();
            scanners.failed(hash(b"192.0.2.2"), time, class);
        }
        assert_eq!((scanners.count(0), scanners.count(4), scanners.count(7)), (10, 10, 0));
    }
}
