//! The plain-text dialogues before TLS, one for each protocol.
//!
//! All reads are limited. Nothing after the reply that starts TLS is read here, so data that an attacker appends to it
//! fails in the TLS engine.

mod binary;
pub(super) mod goodbye;
mod lines;
#[cfg(test)]
mod tests;
mod xmpp;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::cause::cause;
use crate::observation::{Cause, Failure, Stage};
use crate::targets::StartTls;

/// The longest line of a server.
const MAX_LINE: usize = 4096;

/// The longest reply of a server.
const MAX_REPLY: usize = 64 * 1024;

/// The longest text of a refusal that is kept.
const MAX_WORDS: usize = 200;

/// Timeout for a goodbye to a server that refuses TLS.
const GOODBYE: Duration = Duration::from_millis(200);

/// The names used in a dialogue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Introduction<'a> {
    /// The domain to request, in protocols that name one (XMPP).
    pub(super) domain: &'a str,
    /// The client's name for mail servers: a host name, or an address literal (RFC 5321 section 4.1.3).
    pub(super) client: &'a str,
}

/// Talks to the server until TLS can start. The caller sets the deadline.
pub(super) async fn upgrade<S>(
    stream: &mut S,
    protocol: StartTls,
    who: Introduction<'_>,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut dialogue = Dialogue { stream };
    let talked = match protocol {
        StartTls::Ftp => dialogue.ftp().await,
        StartTls::Imap => dialogue.imap().await,
        StartTls::Irc => dialogue.irc().await,
        StartTls::Ldap => dialogue.ldap().await,
        StartTls::Lmtp => dialogue.mail("LHLO", who.client).await,
        StartTls::Mysql => dialogue.mysql().await,
        StartTls::Nntp => dialogue.nntp().await,
        StartTls::Pop3 => dialogue.pop3().await,
        StartTls::Postgres => dialogue.postgres().await,
        StartTls::Sieve => dialogue.sieve().await,
        StartTls::Smtp => dialogue.mail("EHLO", who.client).await,
        StartTls::Xmpp => dialogue.xmpp("jabber:client", who.domain).await,
        StartTls::XmppServer => dialogue.xmpp("jabber:server", who.domain).await,
    };
    if let Err(Cause::StarttlsRefused(_) | Cause::TurnedAway(_)) = &talked {
        // Servers log a client that disconnects without a goodbye, and may ban it. The server may already be gone.
        let _ = timeout(GOODBYE, dialogue.say(goodbye::words(protocol))).await;
    }
    talked.map_err(|cause| Failure { stage: Stage::Starttls, cause })
}

struct Dialogue<'s, S> {
    stream: &'s mut S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<'_, S> {
    async fn say(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        self.stream.write_all(bytes).await.map_err(|error| cause(&error))?;
        self.stream.flush().await.map_err(|error| cause(&error))
    }

    /// Reads one line, byte by byte: what follows may already be TLS.
    async fn line(&mut self) -> Result<String, Cause> {
        let mut line = Vec::new();
        loop {
            match self.exactly::<1>().await? {
                [b'\n'] => return Ok(String::from_utf8_lossy(line.trim_ascii_end()).into_owned()),
                [byte] => line.push(byte),
            }
            if line.len() > MAX_LINE {
                return Err(Cause::TooMuchData);
            }
        }
    }

    /// The first line that `decides`, within the limits of one reply.
    async fn line_that(&mut self, decides: impl Fn(&str) -> bool) -> Result<String, Cause> {
        let mut size = 0;
        loop {
            let line = self.line().await?;
            if decides(&line) {
                return Ok(line);
            }
            size += line.len() + 1;
            if size > MAX_REPLY {
                return Err(Cause::TooMuchData);
            }
        }
    }

    async fn bytes(&mut self, count: usize) -> Result<Vec<u8>, Cause> {
        if count > MAX_REPLY {
            return Err(Cause::TooMuchData);
        }
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).await.map_err(|error| cause(&error))?;
        Ok(bytes)
    }

    async fn exactly<const N: usize>(&mut self) -> Result<[u8; N], Cause> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).await.map_err(|error| cause(&error))?;
        Ok(bytes)
    }
}

/// The server supports the protocol, but not TLS.
fn refused(words: &str) -> Cause {
    Cause::StarttlsRefused(words.chars().take(MAX_WORDS).collect())
}

/// The server refuses this client.
fn turned_away(words: &str) -> Cause {
    Cause::TurnedAway(words.chars().take(MAX_WORDS).collect())
}
