use clap::ValueEnum;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::goodbye::Goodbye;
use super::*;

const WHO: Introduction<'_> = Introduction { domain: "a.test", client: "[192.0.2.1]" };

/// Acts as a server, one byte at a time, and returns what the client sent.
async fn play(protocol: StartTls, server: &[u8]) -> (Result<(), Cause>, Vec<u8>) {
    let (mut ours, theirs) = tokio::io::duplex(1);
    let (mut reads, mut writes) = tokio::io::split(theirs);
    let mut said = Vec::new();
    let (result, (), ()) = tokio::join!(
        async {
            let result = upgrade(&mut ours, protocol, WHO).await;
            drop(ours);
            result.map_err(|failure| failure.cause)
        },
        async {
            // The client may disconnect early.
            let _ = writes.write_all(server).await;
            let _ = writes.shutdown().await;
        },
        async {
            let _ = reads.read_to_end(&mut said).await;
        }
    );
    (result, said)
}

async fn starts(protocol: StartTls, server: &str) -> String {
    let (result, said) = play(protocol, server.as_bytes()).await;
    assert_eq!(result, Ok(()), "{protocol:?} {server:?}");
    String::from_utf8(said).unwrap()
}

async fn refuses(protocol: StartTls, server: &[u8]) -> String {
    match play(protocol, server).await.0 {
        Err(Cause::StarttlsRefused(words)) => words,
        other => panic!("{protocol:?}: {other:?}"),
    }
}

async fn turns_away(protocol: StartTls, server: &[u8]) -> String {
    match play(protocol, server).await.0 {
        Err(Cause::TurnedAway(words)) => words,
        other => panic!("{protocol:?}: {other:?}"),
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
async fn smtp_and_lmtp() {
    let server = "220-a\r\n220 b\r\n250-x\r\n250-STARTTLS\r\n250 y\r\n220 go\r\n";
    assert_eq!(starts(StartTls::Smtp, server).await, "EHLO [192.0.2.1]\r\nSTARTTLS\r\n");
    assert_eq!(starts(StartTls::Lmtp, server).await, "LHLO [192.0.2.1]\r\nSTARTTLS\r\n");
    let (result, said) = play(StartTls::Smtp, b"220 a\r\n250 x\r\n454 not now\r\n").await;
    assert_eq!(result, Err(Cause::StarttlsRefused("454 not now".to_owned())));
    assert!(said.ends_with(b"STARTTLS\r\nQUIT\r\n"), "a refusal is no reason to hang up");
}

#[tokio::test]
async fn a_server_that_turns_its_client_away_says_nothing_about_tls() {
    for (protocol, server, words) in [
        (StartTls::Smtp, &b"554 go away\r\n"[..], "554 go away"),
        (StartTls::Smtp, b"421 too many\r\n", "421 too many"),
        (StartTls::Smtp, b"220 a\r\n421 too many\r\n", "421 too many"),
        (StartTls::Imap, b"* BYE busy\r\n", "* BYE busy"),
        (StartTls::Imap, b"* OK a\r\n* BYE busy\r\n", "* BYE busy"),
        (StartTls::Pop3, b"-ERR busy\r\n", "-ERR busy"),
        (StartTls::Ftp, b"421-There are\r\n too many\r\n421 of you\r\n", "421 of you"),
        (StartTls::Nntp, b"400 busy\r\n", "400 busy"),
        (StartTls::Sieve, b"BYE \"busy\"\r\n", "BYE \"busy\""),
        (StartTls::Irc, b"ERROR :Closing Link\r\n", "ERROR :Closing Link"),
        (
            StartTls::Ldap,
            &[0x30, 0x0c, 2, 1, 1, 0x78, 7, 0x0a, 1, 51, 4, 0, 4, 0],
            "LDAP result code 51 (busy)",
        ),
        (StartTls::Mysql, b"\x0a\0\0\0\xff\x69\x04Blocked", "MySQL error 1129: Blocked"),
        (StartTls::Mysql, b"\x0d\0\0\0\xff\x10\x04#08004Full", "MySQL error 1040: Full"),
    ] {
        assert_eq!(turns_away(protocol, server).await, words);
    }
}

#[tokio::test]
async fn imap_pop3_nntp_sieve_and_irc() {
    starts(StartTls::Imap, "* OK hi\r\n* CAPABILITY x\r\na OK go\r\n").await;
    assert_eq!(refuses(StartTls::Imap, b"* OK hi\r\na NO tls\r\n").await, "a NO tls");
    starts(StartTls::Pop3, "+OK hi\r\n+OK go\r\n").await;
    assert_eq!(refuses(StartTls::Pop3, b"+OK hi\r\n-ERR no\r\n").await, "-ERR no");
    starts(StartTls::Nntp, "201 no posting\r\n382 go\r\n").await;
    assert_eq!(refuses(StartTls::Nntp, b"200 hi\r\n580 no\r\n").await, "580 no");
    starts(StartTls::Sieve, "\"SIEVE\" \"x\"\r\n\"STARTTLS\"\r\nOK \"hi\"\r\nOK \"go\"\r\n").await;
    assert_eq!(refuses(StartTls::Sieve, b"OK\r\nNO \"no\"\r\n").await, "NO \"no\"");
    let said = starts(StartTls::Irc, ":i NOTICE * :hi\r\nPING :7\r\n:i 670 * :go\r\n").await;
    assert_eq!(said, "STARTTLS\r\nPONG :7\r\n");
    assert_eq!(refuses(StartTls::Irc, b":i 691 * :no\r\n").await, "691 * :no");
}

#[tokio::test]
async fn an_ftp_reply_may_contain_any_text_between_its_first_and_last_line() {
    let welcome = "220-Welcome\r\n  to us\r\n2 rules:\r\n230 is not the end\r\n220 ready\r\n";
    starts(StartTls::Ftp, &format!("{welcome}234 go\r\n")).await;
    starts(StartTls::Ftp, "120 in a minute\r\n220 hi\r\n234 go\r\n").await;
    assert_eq!(refuses(StartTls::Ftp, b"220 hi\r\n530 no\r\n").await, "530 no");
}

#[tokio::test]
async fn postgres_and_mysql() {
    assert_eq!(play(StartTls::Postgres, b"S").await.0, Ok(()));
    assert_eq!(refuses(StartTls::Postgres, b"N").await, "N: TLS is disabled in the server");
    let (result, said) = play(StartTls::Mysql, &mysql_greeting(0x0800)).await;
    assert_eq!((result, said.len(), said[3]), (Ok(()), 36, 1));
    let off = refuses(StartTls::Mysql, &mysql_greeting(0)).await;
    assert_eq!(off, "TLS is disabled in the server");
}

#[tokio::test]
async fn ldap() {
    let answer = |code| [0x30, 0x0c, 2, 1, 1, 0x78, 7, 0x0a, 1, code, 4, 0, 4, 0];
    assert_eq!(play(StartTls::Ldap, &answer(0)).await.0, Ok(()));
    let words = refuses(StartTls::Ldap, &answer(2)).await;
    assert!(words.starts_with("LDAP result code 2 (protocolError"), "{words}");
    let words = refuses(StartTls::Ldap, b"HTTP/1.1").await;
    assert_eq!(words, "the answer is not an LDAP message");
}

#[tokio::test]
async fn xmpp_for_clients_and_servers() {
    let features = "<stream:stream><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>";
    let good = format!("{features}<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    for (protocol, namespace) in
        [(StartTls::Xmpp, "jabber:client"), (StartTls::XmppServer, "jabber:server")]
    {
        let said = starts(protocol, &good).await;
        assert!(said.contains("to='a.test'") && said.contains(namespace), "{said}");
    }
    let bad = format!("{features}<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert!(refuses(StartTls::Xmpp, bad.as_bytes()).await.starts_with("<failure"));
    refuses(StartTls::Xmpp, b"<stream:stream><stream:features/>").await;
    let unknown = "<?xml version='1.0'?><stream:stream from='b.test'><stream:error><host-unknown \
                   xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xml:lang='en'>No a.test here</text></stream:error>";
    let words = turns_away(StartTls::Xmpp, unknown.as_bytes()).await;
    assert_eq!(words, "host-unknown (No a.test here), asked for the domain a.test");
}

#[test]
fn every_protocol_has_its_own_name_on_the_command_line() {
    for protocol in StartTls::all() {
        let word = protocol.to_possible_value().unwrap();
        assert_eq!(word.get_name(), protocol.name());
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_or_floods_is_cut_off() {
    for protocol in StartTls::all() {
        assert_eq!(play(protocol, b"").await.0, Err(Cause::Closed), "{protocol:?}");
    }
    for (protocol, flood) in [
        (StartTls::Smtp, vec![b'x'; 2 * MAX_LINE]),
        (StartTls::Smtp, b"220-x\r\n".repeat(20_000)),
        (StartTls::Sieve, b"\r\n".repeat(80_000)),
        (StartTls::Irc, b"x\r\n".repeat(80_000)),
        (StartTls::Mysql, b"\xff\xff\xff\0".to_vec()),
        (StartTls::Ldap, b"\x30\x84\xff\xff\xff\xff".to_vec()),
    ] {
        assert_eq!(play(protocol, &flood).await.0, Err(Cause::TooMuchData), "{protocol:?}");
    }
}

/// What a client sends to a MySQL server that answers a login with these packets.
async fn log_in(answers: &[&[u8]]) -> Vec<u8> {
    let (mut ours, mut theirs) = tokio::io::duplex(4096);
    theirs.write_all(&answers.concat()).await.unwrap();
    Goodbye::of(Some(StartTls::Mysql), 3306).say(&mut ours).await.unwrap();
    drop(ours);
    let mut said = Vec::new();
    theirs.read_to_end(&mut said).await.unwrap();
    said
}

#[tokio::test]
async fn a_login_fails_with_any_plugin_of_the_server() {
    let denied = b"\x05\0\0\x03\xff\x15\x04no";
    let said = log_in(&[denied]).await;
    assert_eq!((usize::from(said[0]) + 4, said[3]), (said.len(), 2));
    assert!(String::from_utf8_lossy(&said).contains("shakedown\0"));
    let said = log_in(&[b"\x03\0\0\x03\xfex\0", b"\x05\0\0\x05\xff\x15\x04no"]).await;
    assert!(said.ends_with(&[0, 0, 0, 4]));
    let said = log_in(&[b"\x02\0\0\x03\x01\x04", b"\x05\0\0\x05\xff\x15\x04no"]).await;
    assert!(said.ends_with(&[1, 0, 0, 4, 0]));
    let said = log_in(&[b"\x07\0\0\x03\0\0\0\x02\0\0\0"]).await;
    assert!(said.ends_with(&[1, 0, 0, 0, 1]), "whoever is let in leaves");
}

#[tokio::test]
async fn a_goodbye_waits_for_the_greeting_where_tls_came_first() {
    let (mut ours, mut theirs) = tokio::io::duplex(64);
    theirs.write_all(b"* OK hi\r\n").await.unwrap();
    Goodbye::of(None, 993).say(&mut ours).await.unwrap();
    drop(ours);
    let mut said = Vec::new();
    theirs.read_to_end(&mut said).await.unwrap();
    assert_eq!(said, b"a LOGOUT\r\n");
    assert_eq!(Goodbye::of(None, 443), Goodbye::Silent);
    assert_eq!(Goodbye::of(Some(StartTls::Postgres), 5432), Goodbye::Silent);
}
