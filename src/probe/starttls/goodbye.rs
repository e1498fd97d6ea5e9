//! How to end a connection in the protocol inside TLS.
//!
//! Many servers count a client that disconnects early as an error: mail servers log a lost connection, which fail2ban
//! may count, and MariaDB and MySQL count it against the client's host until they lock it out.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::binary::mysql_response_header;
use crate::targets::StartTls;

/// The user name of the login. No account should have it, and the password is empty.
const USER: &str = "shakedown";

/// The most rounds of a login; each plugin needs one or two.
const MAX_ROUNDS: usize = 6;

/// The largest packet of a login.
const MAX_PACKET: usize = 4096;

/// How to end a connection that uses TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::probe) enum Goodbye {
    /// Nothing is sent.
    Silent,
    /// This text is sent.
    Words(&'static [u8]),
    /// This text is sent after the server's greeting: TLS starts at once, and the protocol inside it.
    AfterGreeting(&'static [u8]),
    /// A failing login: only a connection that ends before it counts as an error.
    FailedLogin,
}

impl Goodbye {
    /// The goodbye after an upgrade from this protocol, or inside TLS on this port.
    pub(in crate::probe) fn of(starttls: Option<StartTls>, port: u16) -> Self {
        match (starttls, port) {
            (Some(StartTls::Mysql), _) => Self::FailedLogin,
            (Some(protocol), _) => match words(protocol) {
                b"" => Self::Silent,
                said => Self::Words(said),
            },
            (None, 465 | 563 | 990 | 995) => Self::AfterGreeting(b"QUIT\r\n"),
            (None, 993) => Self::AfterGreeting(b"a LOGOUT\r\n"),
            (None, 636 | 3269) => Self::Words(words(StartTls::Ldap)),
            (None, _) => Self::Silent,
        }
    }

    /// Sends it. Errors are ignored, because the connection ends anyway.
    pub(in crate::probe) async fn say<S>(self, stream: &mut S) -> std::io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self {
            Self::Silent => Ok(()),
            Self::Words(words) => send(stream, words).await,
            Self::AfterGreeting(words) => {
                let _ = stream.read(&mut [0; 1024]).await?;
                send(stream, words).await
            }
            Self::FailedLogin => fail_to_log_in(stream).await,
        }
    }
}

/// The text that a client sends before it disconnects, in plain text or inside TLS.
pub(super) fn words(protocol: StartTls) -> &'static [u8] {
    match protocol {
        StartTls::Ftp
        | StartTls::Irc
        | StartTls::Lmtp
        | StartTls::Nntp
        | StartTls::Pop3
        | StartTls::Smtp => b"QUIT\r\n",
        StartTls::Imap => b"a LOGOUT\r\n",
        StartTls::Sieve => b"LOGOUT\r\n",
        // An unbind request (RFC 4511 section 4.3).
        StartTls::Ldap => &[0x30, 0x05, 0x02, 0x01, 0x02, 0x42, 0x00],
        StartTls::Xmpp | StartTls::XmppServer => b"</stream:stream>",
        // PostgreSQL needs nothing (it expects clients that refuse its TLS), and MySQL needs more than a text.
        StartTls::Postgres | StartTls::Mysql => b"",
    }
}

/// Tries a login to MariaDB or MySQL, which the server refuses.
async fn fail_to_log_in<S>(stream: &mut S) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const DENIED: u8 = 0xff;
    const LOGGED_IN: u8 = 0;
    const MORE: u8 = 1;
    const COM_QUIT: &[u8] = &[1];
    // The greeting has number 0 and the TLS request 1.
    send(stream, &packet(2, &login())).await?;
    for _ in 0..MAX_ROUNDS {
        let mut header = [0; 4];
        stream.read_exact(&mut header).await?;
        let [low, middle, high, sequence] = header;
        let size = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        if size > MAX_PACKET {
            return Ok(());
        }
        let mut body = vec![0; size];
        stream.read_exact(&mut body).await?;
        let next = sequence.wrapping_add(1);
        match body.first() {
            None | Some(&DENIED) => return Ok(()),
            Some(&LOGGED_IN) => return send(stream, &packet(0, COM_QUIT)).await,
            // caching_sha2_password requires the password itself: an empty one.
            Some(&MORE) => send(stream, &packet(next, &[0])).await?,
            // Another plugin is requested, and gets empty data.
            Some(_) => send(stream, &packet(next, &[])).await?,
        }
    }
    Ok(())
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

fn login() -> Vec<u8> {
    let password = [0];
    [&mysql_response_header()[..], USER.as_bytes(), &[0], &password, b"mysql_native_password\0"]
        .concat()
}

fn packet(sequence: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap_or(0).to_le_bytes();
    [&size[..3], &[sequence], body].concat()
}
