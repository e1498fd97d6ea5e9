//! Key logs in the format of NSS (`SSLKEYLOGFILE`, RFC 9850): the secrets of sessions, with which their encrypted records are opened.

mod opener;
mod record_keys;

pub use self::opener::{Agreement, Opener};

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use crate::tls::hex;

/// Sessions of which secrets are kept.
const MAX_SESSIONS: usize = 200_000;

/// The longest secret, in bytes.
const MAX_SECRET: usize = 48;

/// The longest line that is read, in bytes; those of a key log are much shorter.
const MAX_LINE: u64 = 1024;

/// The random of a client's hello, which names its session.
pub type ClientRandom = [u8; 32];

/// The secrets of one session, as far as they are known: of the client, and of the server.
#[derive(Clone, Default)]
pub struct SessionSecrets {
    /// The master secret of TLS 1.2 and older.
    master: Option<Box<[u8]>>,
    /// What protects the handshake of TLS 1.3.
    handshake: [Option<Box<[u8]>>; 2],
    /// What protects what follows.
    traffic: [Option<Box<[u8]>>; 2],
}

/// The sessions of which secrets are known.
#[derive(Clone, Default)]
pub struct KeyLog {
    sessions: HashMap<ClientRandom, Arc<SessionSecrets>>,
    /// Secrets of further sessions, which are not kept.
    pub left_out: u64,
}

/// Secrets are never shown.
impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSecrets").finish_non_exhaustive()
    }
}

impl KeyLog {
    /// Reads a key log to its end.
    pub fn read(&mut self, source: impl Read) -> io::Result<()> {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        let mut is_rest = false;
        loop {
            line.clear();
            if source.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let is_whole = line.ends_with(b"\n");
            if !is_rest {
                self.line(&line);
            }
            is_rest = !is_whole;
        }
    }

    /// Takes the text of a key log.
    pub fn add(&mut self, text: &[u8]) {
        // Bytes in memory can be read.
        let _ = self.read(text);
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The secrets of the session with that hello.
    pub fn secrets(&self, random: &ClientRandom) -> Option<Arc<SessionSecrets>> {
        self.sessions.get(random).map(Arc::clone)
    }

    /// Takes a line: what the secret is for, the random, and the secret. Other lines are passed over.
    fn line(&mut self, line: &[u8]) -> Option<()> {
        let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let (label, random, secret) = (words.next()?, words.next()?, words.next()?);
        if !LABELS.contains(&label) {
            return None;
        }
        let random: ClientRandom = hex::bytes(random)?.try_into().ok()?;
        let secret = hex::bytes(secret)?;
        if secret.is_empty() || secret.len() > MAX_SECRET {
            return None;
        }
        if !self.sessions.contains_key(&random) && self.sessions.len() >= MAX_SESSIONS {
            self.left_out += 1;
            return None;
        }
        let session = Arc::make_mut(self.sessions.entry(random).or_default());
        *session.named(label)? = Some(secret.into());
        Some(())
    }
}

/// The names of the secrets that are used here.
const LABELS: [&str; 5] = [
    "CLIENT_RANDOM",
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
];

impl SessionSecrets {
    fn named(&mut self, label: &str) -> Option<&mut Option<Box<[u8]>>> {
        let place = LABELS.iter().position(|known| *known == label)?;
        let [of_client, of_server] = &mut self.handshake;
        let [data_of_client, data_of_server] = &mut self.traffic;
        let all = [&mut self.master, of_client, of_server, data_of_client, data_of_server];
        all.into_iter().nth(place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_found_by_the_clients_random() {
        let (one, other) = ("0a".repeat(32), "0b".repeat(32));
        let text = format!(
            "# a comment\r\nCLIENT_RANDOM {one} {}\r\nSERVER_TRAFFIC_SECRET_0 {other} {}\n\
             EXPORTER_SECRET {other} 00\nCLIENT_TRAFFIC_SECRET_0 {other} 0\nRSA 00 00\n{}\n",
            "11".repeat(48),
            "22".repeat(32),
            "7".repeat(5000)
        );
        let mut log = KeyLog::default();
        log.add(text.as_bytes());
        assert_eq!(log.sessions(), 2);
        let found = log.secrets(&[0x0a; 32]).unwrap();
        assert_eq!(found.master.as_deref(), Some([0x11; 48].as_slice()));
        let found = log.secrets(&[0x0b; 32]).unwrap();
        assert_eq!(found.traffic[1].as_deref(), Some([0x22; 32].as_slice()));
        assert!(found.traffic[0].is_none() && found.handshake.iter().all(Option::is_none));
        assert!(log.secrets(&[0; 32]).is_none());
        assert!(!format!("{log:?}{found:?}").contains("22"), "a secret is shown");
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in prop::collection::vec(any::<u8>(), 0..400)) {
            KeyLog::default().add(&text);
        }
    }
}
