#!/usr/bin/env bash
# tokio-rustls: over a stream that wraps another one and forwards only `poll_write`, every TLS record is a write, and so a packet, of
# its own. A TLS 1.2 client then answers the server's flight with three segments (key exchange, change_cipher_spec, Finished)
# and not with one.
#
# rustls collects the records of a flight and writes them together with `write_vectored`. The default of tokio's `AsyncWrite` for
# that writes only the first part, without a warning; the wrapper must forward `poll_write_vectored`. Nothing fails: handshakes
# only cost more packets and wake-ups on both sides, and with TCP_NODELAY off they wait for each other (Nagle).
#
# Seen with: tokio-rustls 0.26.6, rustls 0.23.46, tokio 1.54.1. Needs cargo and a C compiler.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "writes"
version = "0.0.0"
edition = "2024"

[dependencies]
rcgen = "=0.14.10"
rustls = { version = "=0.23.46", default-features = false, features = ["ring", "std", "tls12"] }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt"] }
tokio-rustls = { version = "=0.26.6", default-features = false, features = ["ring", "tls12"] }

[workspace]
TOML
cat >src/main.rs <<'RUST'
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A stream that counts its writes.
struct Counted {
    stream: TcpStream,
    writes: usize,
    forwards_vectored: bool,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.writes += 1;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        if self.forwards_vectored {
            self.writes += 1;
            return Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        }
        // The default of the trait.
        let first = parts.iter().find(|part| !part.is_empty()).map_or(&[][..], |part| &**part);
        self.poll_write(cx, first)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The client's writes in one handshake.
async fn writes(version: &'static SupportedProtocolVersion, forwards_vectored: bool) -> usize {
    let own = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_protocol_versions(&[version]);
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let stream = Counted { stream, writes: 0, forwards_vectored };
    let name = ServerName::try_from("a.test").unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    let (client, server) =
        tokio::join!(connector.connect(name, stream), TlsAcceptor::from(Arc::new(server)).accept(accepted));
    server.unwrap();
    client.unwrap().get_ref().0.writes
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for (name, version) in [("TLS 1.2", &version::TLS12), ("TLS 1.3", &version::TLS13)] {
        let (plain, vectored) = (writes(version, false).await, writes(version, true).await);
        println!("{name}: {plain} writes with poll_write alone, {vectored} with poll_write_vectored");
    }
}
RUST
cargo run --quiet --target-dir target | tee seen
diff seen - <<'SEEN'
TLS 1.2: 4 writes with poll_write alone, 2 with poll_write_vectored
TLS 1.3: 3 writes with poll_write alone, 2 with poll_write_vectored
SEEN
echo "as described"
