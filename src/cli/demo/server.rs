//! Misconfigured servers, each on its own loopback port, until the runtime ends.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::server::{Acceptor, ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::cli::tls_clock::TlsClock;
use crate::tls::codec::{TooLong, Writer};
use crate::tls::message::MessageType;
use crate::tls::record::ContentType;
use crate::tls::version::ProtocolVersion;

/// A fatal unrecognized_name alert.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// A fatal protocol_version alert.
const PROTOCOL_VERSION: [u8; 7] = [21, 3, 1, 0, 2, 2, 70];

/// Both versions.
pub(super) const BOTH: &[&SupportedProtocolVersion] =
    &[&rustls::version::TLS12, &rustls::version::TLS13];

/// A certificate chain and its key, ready to be served.
pub(super) type ServedCertificate = Arc<CertifiedKey>;

/// The behaviour of a TLS server.
#[derive(Clone)]
pub(super) struct Behaviour {
    /// The certificate for a hello with the right name.
    pub(super) named: ServedCertificate,
    /// The certificate for any other hello; `None` refuses it.
    pub(super) default: Option<ServedCertificate>,
    /// The name for which `named` is sent.
    pub(super) name: &'static str,
    /// The versions it accepts.
    pub(super) versions: &'static [&'static SupportedProtocolVersion],
    /// The CA of the client certificates that are required; `None` if none are.
    pub(super) client_authority: Option<CertificateDer<'static>>,
    /// Whether a missing client certificate is answered as nginx does, with HTTP 400 after the handshake.
    pub(super) answers_400: bool,
}

/// Starts a TLS server.
pub(super) async fn tls(behaviour: Behaviour) -> anyhow::Result<SocketAddr> {
    let config = Arc::new(config(&behaviour)?);
    let behaviour = Arc::new(behaviour);
    Ok(serve(move |stream| answer(stream, Arc::clone(&behaviour), Arc::clone(&config))).await?)
}

async fn answer(
    stream: TcpStream,
    behaviour: Arc<Behaviour>,
    config: Arc<ServerConfig>,
) -> io::Result<()> {
    if behaviour.default.is_some() {
        return talk(TlsAcceptor::from(config).accept(stream).await?, behaviour.answers_400).await;
    }
    let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    if start.client_hello().server_name() == Some(behaviour.name) {
        return talk(start.into_stream(config).await?, behaviour.answers_400).await;
    }
    start.io.write_all(&UNRECOGNIZED_NAME).await
}

/// Answers requests as nginx would, then waits until the client disconnects.
async fn talk(
    mut stream: tokio_rustls::server::TlsStream<TcpStream>,
    answers_400: bool,
) -> io::Result<()> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await? > 0 {
        let answer: &[u8] = if answers_400 {
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<title>400 No required SSL certificate was sent</title>"
        } else {
            b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
        };
        stream.write_all(answer).await?;
        stream.shutdown().await?;
    }
    Ok(())
}

fn config(behaviour: &Behaviour) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::new(TlsClock))
        .with_protocol_versions(behaviour.versions)?;
    let builder = match &behaviour.client_authority {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.clone())?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier =
                if behaviour.answers_400 { verifier.allow_unauthenticated() } else { verifier };
            builder.with_client_cert_verifier(verifier.build()?)
        }
    };
    let names = CertificateByName {
        name: behaviour.name,
        named: Arc::clone(&behaviour.named),
        default: behaviour.default.clone().unwrap_or_else(|| Arc::clone(&behaviour.named)),
    };
    Ok(builder.with_cert_resolver(Arc::new(names)))
}

/// Chooses the certificate by name, as virtual hosts do.
#[derive(Debug)]
struct CertificateByName {
    name: &'static str,
    named: ServedCertificate,
    default: ServedCertificate,
}

impl ResolvesServerCert for CertificateByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<ServedCertificate> {
        let wanted = hello.server_name() == Some(self.name);
        Some(Arc::clone(if wanted { &self.named } else { &self.default }))
    }
}

/// Starts a server that answers every connection with plain HTTP.
pub(super) async fn plain_http() -> io::Result<SocketAddr> {
    serve(|mut stream| async move {
        let _request = stream.read(&mut [0; 1024]).await?;
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nServer: demo\r\nConnection: close\r\n\r\n")
            .await
    })
    .await
}

/// Starts a server that accepts connections and sends nothing.
pub(super) async fn silent() -> io::Result<SocketAddr> {
    serve(|mut stream| async move { stream.read_to_end(&mut Vec::new()).await.map(|_| ()) }).await
}

/// Starts a server that closes the connection after the hello.
pub(super) async fn hangs_up() -> io::Result<SocketAddr> {
    serve(|mut stream| async move { stream.read(&mut [0; 4096]).await.map(|_| ()) }).await
}

/// Starts a server that only accepts TLS 1.0, and only sends its first flight.
pub(super) async fn tls10(chain: &[CertificateDer<'_>]) -> anyhow::Result<SocketAddr> {
    let flight: Arc<[u8]> = tls10_flight(chain)?.into();
    let address = serve(move |mut stream| {
        let flight = Arc::clone(&flight);
        async move {
            let mut hello = [0; 4096];
            let count = stream.read(&mut hello).await?;
            // The hello's version comes after five bytes of record header and four of message header.
            let version = hello.get(9..11).filter(|_| count > 10);
            let answer = if version == Some(&[3, 1]) { &flight } else { &PROTOCOL_VERSION[..] };
            stream.write_all(answer).await
        }
    })
    .await?;
    Ok(address)
}

/// A TLS 1.0 flight that selects `TLS_RSA_WITH_AES_128_CBC_SHA`.
fn tls10_flight(chain: &[CertificateDer<'_>]) -> Result<Vec<u8>, TooLong> {
    let mut flight = Writer::new();
    flight.u8(ContentType::HANDSHAKE.0);
    flight.u16(ProtocolVersion::TLS1.0);
    flight.vec16(|record| {
        record.u8(MessageType::SERVER_HELLO.0);
        record.vec24(|hello| {
            hello.u16(ProtocolVersion::TLS1.0);
            hello.bytes(&[0x5d; 32]);
            hello.bytes(&[0, 0, 0x2f, 0]);
        });
        record.u8(MessageType::CERTIFICATE.0);
        record.vec24(|body| {
            body.vec24(|list| chain.iter().for_each(|der| list.vec24(|w| w.bytes(der))));
        });
        record.bytes(&[MessageType::SERVER_HELLO_DONE.0, 0, 0, 0]);
    });
    flight.finish()
}

/// A port on which nothing listens. It stays bound, so that no other process can listen on it.
pub(super) fn closed_port() -> io::Result<SocketAddr> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = socket.local_addr()?;
    spawn(async move {
        let _bound = socket;
        std::future::pending::<()>().await;
    });
    Ok(address)
}

async fn listener() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// Accepts connections, and serves each in its own task.
async fn serve<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> io::Result<SocketAddr>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = listener().await?;
    let address = listener.local_addr()?;
    spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer(stream);
            spawn(async move {
                // Clients often disconnect early; several of these servers cause that.
                let _ = answer.await;
            });
        }
    });
    Ok(address)
}

#[expect(clippy::disallowed_methods, reason = "the demo's servers run beside the probe, not in it")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
