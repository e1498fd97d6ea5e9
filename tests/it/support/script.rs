//! Servers with behaviour that no real one has: TLS with any bytes as chain, SMTP in front of TLS, a reset.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::crypto::aws_lc_rs as provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ConnectionTrafficSecrets, ServerConfig, ServerConnection, Stream};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::server::scripted;

/// A TLS server that sends any chain and signs with any key, matching or not.
pub(crate) fn tls(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> SocketAddr {
    let provider = Arc::new(provider::default_provider());
    let key = provider.key_provider.load_private_key(key).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(Arc::new(CertifiedKey::new(chain, key)))));
    let config = Arc::new(config);
    scripted(move |mut stream| {
        let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        // Clients often disconnect early because of this server.
        let _ = Stream::new(&mut connection, &mut stream).read_to_end(&mut Vec::new());
    })
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A TLS 1.3 server that sends this alert right after a handshake that looks complete to the client.
pub(crate) fn alerts_after_the_handshake(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    alert: u8,
) -> SocketAddr {
    let mut provider = provider::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.suite() == rustls::CipherSuite::TLS13_AES_256_GCM_SHA384);
    let provider = Arc::new(provider);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.enable_secret_extraction = true;
    let config = Arc::new(config);
    scripted(move |mut stream| {
        let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        while connection.is_handshaking() || connection.wants_write() {
            if connection.complete_io(&mut stream).is_err() {
                return;
            }
        }
        let _ = stream.write_all(&sealed_alert(connection, alert));
    })
}

/// A fatal alert in a record of TLS 1.3 (RFC 8446 section 5.2).
fn sealed_alert(connection: ServerConnection, alert: u8) -> Vec<u8> {
    let (sequence, secrets) = connection.dangerous_extract_secrets().unwrap().tx;
    let ConnectionTrafficSecrets::Aes256Gcm { key, iv } = secrets else { panic!("one suite") };
    let mut nonce: [u8; 12] = iv.as_ref().try_into().unwrap();
    for (byte, number) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
        *byte ^= number;
    }
    let (fatal, content_alert) = (2, 21);
    let mut body = vec![fatal, alert, content_alert];
    let header = [23, 3, 3, 0, 3 + 16];
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).unwrap());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(header), &mut body)
        .unwrap();
    [&header[..], &body].concat()
}

/// An SMTP server that upgrades on STARTTLS, and then passes the connection to the TLS server on that port.
pub(crate) fn smtp(port: u16) -> SocketAddr {
    scripted(move |stream| {
        let _ = talk_smtp(&stream, port);
    })
}

fn talk_smtp(mut client: &TcpStream, port: u16) -> io::Result<()> {
    client.write_all(b"220 a.test ESMTP\r\n")?;
    hear(client, "EHLO ")?;
    client.write_all(b"250-a.test\r\n250-SIZE 1000\r\n250 STARTTLS\r\n")?;
    hear(client, "STARTTLS\r\n")?;
    client.write_all(b"220 go ahead\r\n")?;
    relay(client, &TcpStream::connect(("127.0.0.1", port))?)
}

/// A MySQL server that offers TLS, and then passes the connection to the TLS server on that port.
pub(crate) fn mysql(port: u16) -> SocketAddr {
    scripted(move |mut client| {
        let body = [b"\x0a8.0.0\0\x01\0\0\0challeng\0\x00\x8a".as_slice(), &[0; 20]].concat();
        let header = [u8::try_from(body.len()).unwrap(), 0, 0, 0];
        let greeted = client.write_all(&[&header, &body[..]].concat());
        if greeted.and_then(|()| client.read_exact(&mut [0; 36])).is_ok() {
            let _ =
                TcpStream::connect(("127.0.0.1", port)).and_then(|server| relay(&client, &server));
        }
    })
}

/// Reads one line, byte by byte: what follows it is for the TLS server.
fn hear(mut client: &TcpStream, start: &str) -> io::Result<()> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        line.extend(byte);
    }
    if line.starts_with(start.as_bytes()) { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A device in front of the server on that port that ends the connection of a client that offers HTTP/1.1 in ALPN, with
/// this alert or none.
pub(crate) fn refuses_http(port: u16, alert: Option<u8>) -> SocketAddr {
    scripted(move |mut client| {
        let mut hello = vec![0; 5];
        if client.read_exact(&mut hello).is_err() {
            return;
        }
        let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        hello.resize(5 + length, 0);
        if client.read_exact(&mut hello[5..]).is_err() {
            return;
        }
        if hello.windows(8).any(|part| part == b"http/1.1") {
            let alert = alert.map(|number| [0x15, 3, 3, 0, 2, 2, number]);
            let _ = client.write_all(alert.as_ref().map_or(&[], |alert| alert.as_slice()));
            return;
        }
        let _ = TcpStream::connect(("127.0.0.1", port)).and_then(|mut server| {
            server.write_all(&hello)?;
            relay(&client, &server)
        });
    })
}

/// Forwards bytes in both directions until both are closed.
fn relay(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    let one_way = |mut from: TcpStream, mut to: TcpStream| {
        thread::spawn(move || {
            // Either side may disconnect at any time; this is passed on to the other.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        })
    };
    let up = one_way(client.try_clone()?, server.try_clone()?);
    let down = one_way(server.try_clone()?, client.try_clone()?);
    let _ = (up.join(), down.join());
    Ok(())
}

/// A proxy for the server on that port that resets connections whose hello has that name.
pub(crate) fn refuses_name(port: u16, name: &'static str) -> SocketAddr {
    scripted(move |client| {
        let mut hello = vec![0; 4096];
        let count = client.peek(&mut hello).unwrap_or_default();
        if hello[..count].windows(name.len()).any(|window| window == name.as_bytes()) {
            return;
        }
        let _ = TcpStream::connect(("127.0.0.1", port)).and_then(|server| relay(&client, &server));
    })
}

/// A proxy for the server on that port that closes connections whose first record is larger than this.
pub(crate) fn refuses_size(port: u16, most: usize) -> SocketAddr {
    scripted(move |mut client| {
        let Ok(hello) = first_record(&mut client) else { return };
        if hello.len() <= most {
            let _ = TcpStream::connect(("127.0.0.1", port)).and_then(|mut server| {
                server.write_all(&hello)?;
                relay(&client, &server)
            });
        }
    })
}

/// A proxy for the server on that port that closes connections whose hello has this group first.
pub(crate) fn refuses_first_group(port: u16, group: u16) -> SocketAddr {
    let [high, low] = group.to_be_bytes();
    scripted(move |mut client| {
        let Ok(hello) = first_record(&mut client) else { return };
        // supported_groups (RFC 8446 section 4.2.7): its number, two lengths and the groups.
        let is_refused = |at: &[u8]| matches!(at, [0, 10, _, _, _, _, first, second] if [*first, *second] == [high, low]);
        if !hello.windows(8).any(is_refused) {
            let _ = TcpStream::connect(("127.0.0.1", port)).and_then(|mut server| {
                server.write_all(&hello)?;
                relay(&client, &server)
            });
        }
    })
}

/// Reads one record with its header.
pub(crate) fn first_record(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut record = vec![0; 5];
    stream.read_exact(&mut record)?;
    let size = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + size, 0);
    stream.read_exact(&mut record[5..])?;
    Ok(record)
}

/// A proxy for the server on that port that resets the connections that `admits` refuses, given the numbers of earlier
/// and of open connections.
pub(crate) fn gate(
    port: u16,
    admits: impl Fn(usize, usize) -> bool + Send + Sync + 'static,
) -> SocketAddr {
    /// What is admitted stays open for longer than a busy machine takes to notice that another has ended.
    const HELD: Duration = Duration::from_millis(150);
    const NOTICED: Duration = Duration::from_millis(50);
    let (came, open) = (AtomicUsize::new(0), AtomicUsize::new(0));
    scripted(move |client| {
        let before = came.fetch_add(1, Ordering::SeqCst);
        open.fetch_add(1, Ordering::SeqCst);
        let admitted = || admits(before, open.load(Ordering::SeqCst) - 1);
        let came = Instant::now();
        while !admitted() && came.elapsed() < NOTICED {
            thread::sleep(Duration::from_millis(1));
        }
        if admitted() {
            thread::sleep(HELD);
            let _ =
                TcpStream::connect(("127.0.0.1", port)).and_then(|server| relay(&client, &server));
        } else {
            let _ = client.peek(&mut [0]);
        }
        open.fetch_sub(1, Ordering::SeqCst);
        drop(client);
    })
}

/// A proxy for the server on that port that stops listening after so many connections.
pub(crate) fn gone_after(port: u16, connections: usize) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().take(connections).flatten() {
            thread::spawn(move || {
                let server = TcpStream::connect(("127.0.0.1", port));
                server.and_then(|server| relay(&client, &server))
            });
        }
    });
    address
}

/// Resets every connection as soon as it is accepted, before the client has sent anything.
pub(crate) fn resets_at_once() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(reset));
    address
}

/// Resets a connection.
pub(crate) fn reset(stream: TcpStream) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let _entered = runtime.enter();
    let _ = stream.set_nonblocking(true);
    if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
        // Closing with a linger time of zero resets the connection.
        let _ = stream.set_zero_linger();
    }
}

/// Resets every connection after the hello: closing a socket with unread bytes resets it.
pub(crate) fn resets() -> SocketAddr {
    scripted(|stream| {
        let _ = stream.peek(&mut [0]);
    })
}
