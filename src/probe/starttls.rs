//! From plain text to the point where TLS starts: one dialogue for each protocol.
//!
//! Everything read is bounded. Nothing is read beyond the reply that starts TLS, so what someone in between appends to it
//! reaches the TLS engine as the garbage that it is.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::observation::{Cause, Failure, Stage};
use crate::targets::StartTls;

/// Longest line of a server.
const MAX_LINE: usize = 4096;

/// Longest reply of a server.
const MAX_REPLY: usize = 64 * 1024;

/// A server's words that are kept when it refuses.
const MAX_WORDS: usize = 200;

/// Talks to the server until TLS can start. `name` is the domain that XMPP asks for. The deadline is the caller's.
pub async fn upgrade<S>(stream: &mut S, protocol: StartTls, name: &str) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut dialogue = Dialogue { stream };
    let talked = match protocol {
        StartTls::Ftp => dialogue.lines(&[(None, "220"), (Some("AUTH TLS\r\n"), "234")]).await,
        StartTls::Imap => dialogue.imap().await,
        StartTls::Ldap => dialogue.ldap().await,
        StartTls::Mysql => dialogue.mysql().await,
        StartTls::Pop3 => dialogue.lines(&[(None, "+OK"), (Some("STLS\r\n"), "+OK")]).await,
        StartTls::Postgres => dialogue.postgres().await,
        StartTls::Smtp => {
            let steps =
                [(None, "220"), (Some("EHLO shakedown\r\n"), "250"), (Some("STARTTLS\r\n"), "220")];
            dialogue.lines(&steps).await
        }
        StartTls::Xmpp => dialogue.xmpp(name).await,
    };
    talked.map_err(|cause| Failure { stage: Stage::Starttls, cause })
}

struct Dialogue<'s, S> {
    stream: &'s mut S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<'_, S> {
    /// Line protocols: what to say (nothing before a greeting), and how the reply must start.
    async fn lines(&mut self, steps: &[(Option<&str>, &str)]) -> Result<(), Cause> {
        for (say, expected) in steps {
            if let Some(say) = say {
                self.say(say.as_bytes()).await?;
            }
            let reply = self.reply().await?;
            if !reply.starts_with(expected) {
                return Err(refused(&reply));
            }
        }
        Ok(())
    }

    /// One reply: `250-more` lines up to the one that has no hyphen behind its number.
    async fn reply(&mut self) -> Result<String, Cause> {
        let mut size = 0;
        loop {
            let line = self.line().await?;
            size += line.len();
            let more = line.as_bytes().get(3) == Some(&b'-')
                && line.as_bytes().iter().take(3).all(u8::is_ascii_digit);
            if !more {
                return Ok(line);
            }
            if size > MAX_REPLY {
                return Err(Cause::TooMuchData);
            }
        }
    }

    async fn imap(&mut self) -> Result<(), Cause> {
        let greeting = self.line().await?;
        if !greeting.starts_with("* OK") {
            return Err(refused(&greeting));
        }
        self.say(b"a STARTTLS\r\n").await?;
        let mut size = 0;
        loop {
            let line = self.line().await?;
            if line.starts_with("a OK") {
                return Ok(());
            }
            if !line.starts_with('*') {
                return Err(refused(&line));
            }
            size += line.len();
            if size > MAX_REPLY {
                return Err(Cause::TooMuchData);
            }
        }
    }

    /// The SSLRequest message and its one-byte answer (PostgreSQL protocol 3.0).
    async fn postgres(&mut self) -> Result<(), Cause> {
        self.say(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
        match self.exactly::<1>().await? {
            [b'S'] => Ok(()),
            [b'N'] => Err(Cause::StarttlsRefused("N: the server has TLS switched off".to_owned())),
            [b'E'] => {
                Err(Cause::StarttlsRefused("E: the server does not know SSLRequest".to_owned()))
            }
            other => Err(Cause::StarttlsRefused(format!("unexpected byte {:#04x}", other[0]))),
        }
    }

    /// The StartTLS extended operation (RFC 4511 section 4.14) and its result code.
    async fn ldap(&mut self) -> Result<(), Cause> {
        let mut request = vec![0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16];
        request.extend_from_slice(b"1.3.6.1.4.1.1466.20037");
        self.say(&request).await?;
        let [tag, length] = self.exactly::<2>().await?;
        if tag != 0x30 {
            return Err(Cause::StarttlsRefused("the answer is no LDAP message".to_owned()));
        }
        let length = match length {
            0..=0x7f => usize::from(length),
            0x81 => usize::from(self.exactly::<1>().await?[0]),
            0x82 => usize::from(u16::from_be_bytes(self.exactly::<2>().await?)),
            0x84 => usize::try_from(u32::from_be_bytes(self.exactly::<4>().await?))
                .unwrap_or(usize::MAX),
            _ => {
                return Err(Cause::StarttlsRefused("the answer is no LDAP message".to_owned()));
            }
        };
        let body = self.bytes(length).await?;
        match ldap_result(&body) {
            Some(0) => Ok(()),
            Some(code) => Err(Cause::StarttlsRefused(format!("LDAP result code {code}"))),
            None => Err(Cause::StarttlsRefused("the answer is no extended response".to_owned())),
        }
    }

    /// The greeting says whether the server has `CLIENT_SSL`; the answer is a handshake response cut off after its header.
    async fn mysql(&mut self) -> Result<(), Cause> {
        let [a, b, c, sequence] = self.exactly::<4>().await?;
        let greeting =
            self.bytes(usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16).await?;
        if greeting.first() != Some(&10) {
            let words = greeting.get(3..).unwrap_or_default();
            return Err(refused(&String::from_utf8_lossy(words)));
        }
        if !mysql_has_tls(&greeting) {
            return Err(Cause::StarttlsRefused("the server has TLS switched off".to_owned()));
        }
        // CLIENT_PROTOCOL_41, CLIENT_SSL, CLIENT_SECURE_CONNECTION; packets of 16 MiB; utf8; 23 bytes of filler.
        let mut request =
            vec![32, 0, 0, sequence.wrapping_add(1), 0x00, 0x8a, 0x00, 0x00, 0, 0, 0, 1, 33];
        request.resize(36, 0);
        self.say(&request).await
    }

    async fn xmpp(&mut self, name: &str) -> Result<(), Cause> {
        let open = format!(
            "<?xml version='1.0'?><stream:stream to='{name}' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
        );
        self.say(open.as_bytes()).await?;
        let features = self.until(&["</stream:features>", "</stream:stream>"]).await?;
        if !features.contains("urn:ietf:params:xml:ns:xmpp-tls") {
            return Err(refused(&features));
        }
        self.say(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
        let answer = self.until(&[">"]).await?;
        if answer.trim_start().starts_with("<proceed") { Ok(()) } else { Err(refused(&answer)) }
    }

    async fn say(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        self.stream.write_all(bytes).await.map_err(|error| ended(&error))?;
        self.stream.flush().await.map_err(|error| ended(&error))
    }

    /// One line. It is read byte by byte: what follows it may already be TLS.
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

    /// Text up to the first of these ends.
    async fn until(&mut self, ends: &[&str]) -> Result<String, Cause> {
        let mut text = Vec::new();
        loop {
            text.push(self.exactly::<1>().await?[0]);
            if ends.iter().any(|end| text.ends_with(end.as_bytes())) {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            if text.len() > MAX_REPLY {
                return Err(Cause::TooMuchData);
            }
        }
    }

    async fn bytes(&mut self, count: usize) -> Result<Vec<u8>, Cause> {
        if count > MAX_REPLY {
            return Err(Cause::TooMuchData);
        }
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).await.map_err(|error| ended(&error))?;
        Ok(bytes)
    }

    async fn exactly<const N: usize>(&mut self) -> Result<[u8; N], Cause> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).await.map_err(|error| ended(&error))?;
        Ok(bytes)
    }
}

/// The result code of an ExtendedResponse: message id, then `[APPLICATION 24]` that starts with an enumerated.
fn ldap_result(body: &[u8]) -> Option<u8> {
    let (2, rest) = body.split_first().map(|(tag, rest)| (*tag, rest))? else {
        return None;
    };
    let (length, rest) = rest.split_first()?;
    let rest = rest.get(usize::from(*length)..)?;
    match rest {
        [0x78, _, 0x0a, 1, code, ..]
        | [0x78, 0x81, _, 0x0a, 1, code, ..]
        | [0x78, 0x84, _, _, _, _, 0x0a, 1, code, ..] => Some(*code),
        _ => None,
    }
}

/// Capability bit 11 stands in the two bytes behind version text, thread id, eight bytes of challenge and a zero.
fn mysql_has_tls(greeting: &[u8]) -> bool {
    let version_end = greeting.iter().skip(1).position(|byte| *byte == 0).map(|at| at + 2);
    version_end.and_then(|at| greeting.get(at + 4 + 8 + 1..at + 4 + 8 + 3)).is_some_and(
        |capabilities| u16::from_le_bytes([capabilities[0], capabilities[1]]) & 0x0800 != 0,
    )
}

fn refused(words: &str) -> Cause {
    Cause::StarttlsRefused(words.chars().take(MAX_WORDS).collect())
}

fn ended(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Cause::Closed,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted => Cause::Reset,
        _ => Cause::Local(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a server's part, one byte at a time, and tells what the client said.
    async fn play(protocol: StartTls, server: &[u8]) -> (Result<(), Cause>, Vec<u8>) {
        let (mut ours, theirs) = tokio::io::duplex(1);
        let (mut reads, mut writes) = tokio::io::split(theirs);
        let mut said = Vec::new();
        let (result, (), ()) = tokio::join!(
            async {
                let result = upgrade(&mut ours, protocol, "a.test").await;
                drop(ours);
                result.map_err(|failure| failure.cause)
            },
            async {
                // The client may have hung up already, which is its right.
                let _ = writes.write_all(server).await;
                let _ = writes.shutdown().await;
            },
            async {
                let _ = reads.read_to_end(&mut said).await;
            }
        );
        (result, said)
    }

    #[track_caller]
    fn refusal(result: Result<(), Cause>) -> String {
        match result {
            Err(Cause::StarttlsRefused(words)) => words,
            other => panic!("{other:?}"),
        }
    }

    fn mysql_greeting(capabilities: u16) -> Vec<u8> {
        let mut body = b"\x0a8.0.0\0\x01\0\0\0challeng\0".to_vec();
        body.extend_from_slice(&capabilities.to_le_bytes());
        body.extend_from_slice(&[0; 20]);
        let mut packet = vec![u8::try_from(body.len()).unwrap(), 0, 0, 0];
        packet.append(&mut body);
        packet
    }

    #[tokio::test]
    async fn smtp() {
        let (result, said) =
            play(StartTls::Smtp, b"220-a\r\n220 b\r\n250-x\r\n250-STARTTLS\r\n250 y\r\n220 go\r\n")
                .await;
        assert_eq!(result, Ok(()));
        assert_eq!(said, b"EHLO shakedown\r\nSTARTTLS\r\n");
        let (result, _) = play(StartTls::Smtp, b"220 a\r\n250 x\r\n454 not now\r\n").await;
        assert_eq!(refusal(result), "454 not now");
        let (result, _) = play(StartTls::Smtp, b"554 go away\r\n").await;
        assert_eq!(refusal(result), "554 go away");
    }

    #[tokio::test]
    async fn imap_pop3_and_ftp() {
        assert_eq!(
            play(StartTls::Imap, b"* OK hi\r\n* CAPABILITY x\r\na OK go\r\n").await.0,
            Ok(())
        );
        assert_eq!(refusal(play(StartTls::Imap, b"* OK hi\r\na NO tls\r\n").await.0), "a NO tls");
        assert_eq!(play(StartTls::Pop3, b"+OK hi\r\n+OK go\r\n").await.0, Ok(()));
        assert_eq!(refusal(play(StartTls::Pop3, b"+OK hi\r\n-ERR no\r\n").await.0), "-ERR no");
        assert_eq!(play(StartTls::Ftp, b"220 hi\r\n234 go\r\n").await.0, Ok(()));
        assert_eq!(refusal(play(StartTls::Ftp, b"220 hi\r\n530 no\r\n").await.0), "530 no");
    }

    #[tokio::test]
    async fn postgres_and_mysql() {
        assert_eq!(play(StartTls::Postgres, b"S").await.0, Ok(()));
        assert_eq!(
            refusal(play(StartTls::Postgres, b"N").await.0),
            "N: the server has TLS switched off"
        );
        let (result, said) = play(StartTls::Mysql, &mysql_greeting(0x0800)).await;
        assert_eq!((result, said.len(), said[3]), (Ok(()), 36, 1));
        assert_eq!(
            refusal(play(StartTls::Mysql, &mysql_greeting(0)).await.0),
            "the server has TLS switched off"
        );
        assert_eq!(
            refusal(play(StartTls::Mysql, b"\x0a\0\0\0\xff\x69\x04Blocked").await.0),
            "Blocked"
        );
    }

    #[tokio::test]
    async fn ldap() {
        let answer = |code| [0x30, 0x0c, 2, 1, 1, 0x78, 7, 0x0a, 1, code, 4, 0, 4, 0];
        assert_eq!(play(StartTls::Ldap, &answer(0)).await.0, Ok(()));
        assert_eq!(refusal(play(StartTls::Ldap, &answer(2)).await.0), "LDAP result code 2");
        assert_eq!(
            refusal(play(StartTls::Ldap, b"HTTP/1.1").await.0),
            "the answer is no LDAP message"
        );
    }

    #[tokio::test]
    async fn xmpp() {
        let features = "<stream:stream><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>";
        let good = format!("{features}<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        let (result, said) = play(StartTls::Xmpp, good.as_bytes()).await;
        assert_eq!(result, Ok(()));
        assert!(String::from_utf8(said).unwrap().contains("to='a.test'"));
        let bad = format!("{features}<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        assert!(refusal(play(StartTls::Xmpp, bad.as_bytes()).await.0).starts_with("<failure"));
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_or_floods_is_cut_off() {
        for protocol in StartTls::ALL {
            assert_eq!(play(protocol, b"").await.0, Err(Cause::Closed), "{protocol:?}");
        }
        assert_eq!(play(StartTls::Smtp, &[b'x'; 2 * MAX_LINE]).await.0, Err(Cause::TooMuchData));
        assert_eq!(
            play(StartTls::Smtp, &b"220-x\r\n".repeat(20_000)).await.0,
            Err(Cause::TooMuchData)
        );
        assert_eq!(play(StartTls::Mysql, b"\xff\xff\xff\0").await.0, Err(Cause::TooMuchData));
        assert_eq!(
            play(StartTls::Ldap, b"\x30\x84\xff\xff\xff\xff").await.0,
            Err(Cause::TooMuchData)
        );
    }
}
