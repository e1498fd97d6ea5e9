//! Line-based protocols: mail, news, file transfer, chat.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Dialogue, MAX_REPLY, refused, turned_away};
use crate::observation::Cause;

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<'_, S> {
    /// SMTP (RFC 3207) and LMTP (RFC 2033), which differ in the greeting command.
    pub(super) async fn mail(&mut self, hello: &str, client: &str) -> Result<(), Cause> {
        self.greeting(&["220"]).await?;
        self.asks(&format!("{hello} {client}\r\n"), "250").await?;
        self.asks("STARTTLS\r\n", "220").await
    }

    /// RFC 4217.
    pub(super) async fn ftp(&mut self) -> Result<(), Cause> {
        let greeting = self.reply().await?;
        // RFC 959 section 4.2: 120 announces a delay, and the greeting follows.
        if greeting.starts_with("120") {
            self.greeting(&["220"]).await?;
        } else {
            greets(&greeting, &["220"])?;
        }
        self.asks("AUTH TLS\r\n", "234").await
    }

    /// RFC 4642.
    pub(super) async fn nntp(&mut self) -> Result<(), Cause> {
        self.greeting(&["200", "201"]).await?;
        self.asks("STARTTLS\r\n", "382").await
    }

    /// RFC 2595.
    pub(super) async fn pop3(&mut self) -> Result<(), Cause> {
        greets(&self.line().await?, &["+OK"])?;
        self.say(b"STLS\r\n").await?;
        accepts(&self.line().await?, "+OK")
    }

    /// RFC 3501 section 6.2.1.
    pub(super) async fn imap(&mut self) -> Result<(), Cause> {
        greets(&self.line().await?, &["* OK"])?;
        self.say(b"a STARTTLS\r\n").await?;
        let reply =
            self.line_that(|line| !line.starts_with('*') || line.starts_with("* BYE")).await?;
        if reply.starts_with("* BYE") { Err(turned_away(&reply)) } else { accepts(&reply, "a OK") }
    }

    /// ManageSieve (RFC 5804): capabilities up to a line that starts with OK, NO or BYE.
    pub(super) async fn sieve(&mut self) -> Result<(), Cause> {
        let decides = |line: &str| {
            let word = line.split_ascii_whitespace().next().unwrap_or_default();
            ["OK", "NO", "BYE"].iter().any(|known| word.eq_ignore_ascii_case(known))
        };
        let greeting = self.line_that(decides).await?;
        greets(&greeting.to_ascii_uppercase(), &["OK"]).map_err(|_| turned_away(&greeting))?;
        self.say(b"STARTTLS\r\n").await?;
        let reply = self.line_that(decides).await?;
        if reply.to_ascii_uppercase().starts_with("OK") { Ok(()) } else { Err(refused(&reply)) }
    }

    /// STARTTLS before registration, as in UnrealIRCd and InspIRCd: 670 accepts, 691 refuses.
    pub(super) async fn irc(&mut self) -> Result<(), Cause> {
        self.say(b"STARTTLS\r\n").await?;
        let mut size = 0;
        while size <= MAX_REPLY {
            let line = self.line().await?;
            size += line.len() + 1;
            let unnamed = line.split_once(' ').filter(|(name, _)| name.starts_with(':'));
            let reply = unnamed.map_or(line.as_str(), |(_, reply)| reply);
            let mut words = reply.split(' ');
            match words.next() {
                Some("670") => return Ok(()),
                // An unknown command (421) or one that comes too early (451) is also a refusal.
                Some("691" | "421" | "451") => return Err(refused(reply)),
                Some("ERROR") => return Err(turned_away(reply)),
                Some("PING") => {
                    let token: Vec<&str> = words.collect();
                    self.say(format!("PONG {}\r\n", token.join(" ")).as_bytes()).await?;
                }
                _ => {}
            }
        }
        Err(Cause::TooMuchData)
    }

    /// A greeting that starts with one of these codes.
    async fn greeting(&mut self, codes: &[&str]) -> Result<(), Cause> {
        greets(&self.reply().await?, codes)
    }

    /// Sends a command that must be answered with this code.
    async fn asks(&mut self, say: &str, code: &str) -> Result<(), Cause> {
        self.say(say.as_bytes()).await?;
        accepts(&self.reply().await?, code)
    }

    /// Reads one reply. A multi-line reply starts with `250-` and ends with a line that starts with the same number and
    /// a space; FTP allows any text in between (RFC 959 section 4.2), SMTP repeats the number.
    async fn reply(&mut self) -> Result<String, Cause> {
        let first = self.line().await?;
        let Some((code, b'-')) = first.as_bytes().get(..3).zip(first.as_bytes().get(3).copied())
        else {
            return Ok(first);
        };
        if !code.iter().all(u8::is_ascii_digit) {
            return Ok(first);
        }
        let ends = |line: &str| {
            let line = line.as_bytes();
            line.get(..3) == Some(code) && matches!(line.get(3), None | Some(b' '))
        };
        self.line_that(ends).await
    }
}

/// A greeting that refuses the client shows nothing about TLS.
fn greets(line: &str, starts: &[&str]) -> Result<(), Cause> {
    if starts.iter().any(|start| line.starts_with(start)) { Ok(()) } else { Err(turned_away(line)) }
}

/// With 421, a server ends the session: too many connections, or a shutdown.
fn accepts(line: &str, start: &str) -> Result<(), Cause> {
    match () {
        () if line.starts_with(start) => Ok(()),
        () if line.starts_with("421") => Err(turned_away(line)),
        () => Err(refused(line)),
    }
}
