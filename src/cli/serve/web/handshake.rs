//! The TLS handshake with a client of the exporter.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::{Error, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The timeout of a handshake.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The answer to plain HTTP, which is that of Go's servers.
const PLAIN: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\nthis port speaks HTTPS\n";

/// Makes the handshake, or says why there is none.
pub(in crate::cli::serve) async fn handshake(
    stream: TcpStream,
    config: Arc<ServerConfig>,
) -> Result<TlsStream<TcpStream>, &'static str> {
    timeout(TIMEOUT, accepted(stream, config)).await.unwrap_or(Err("timeout"))
}

async fn accepted(
    mut stream: TcpStream,
    config: Arc<ServerConfig>,
) -> Result<TlsStream<TcpStream>, &'static str> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) => {}
        _ => return Err("closed"),
    }
    // No record of TLS begins with a letter, and each request with a method.
    if first[0].is_ascii_uppercase() {
        // The client may not want it.
        let _ = stream.write_all(PLAIN).await;
        let _ = stream.shutdown().await;
        return Err("plain-http");
    }
    TlsAcceptor::from(config).accept(stream).await.map_err(|error| reason(&error))
}

/// Why a handshake failed, as it is counted.
fn reason(error: &io::Error) -> &'static str {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::NoCertificatesPresented) => "no-client-certificate",
        Some(Error::InvalidCertificate(_)) => "client-certificate",
        Some(Error::AlertReceived(_)) => "alert",
        Some(_) => "other",
        None => "closed",
    }
}
