//! A ServerHello as a server sent it: what is told of it, without what differs from one handshake to the next.

use crate::tls::codec::DecodeError;
use crate::tls::extension::ExtensionType;
use crate::tls::group::NamedGroup;
use crate::tls::message::ServerHello;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// What a server chose, or which other hello it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeenAnswer {
    /// The version.
    pub version: ProtocolVersion,
    /// The suite.
    pub cipher_suite: CipherSuite,
    /// Whether it asks for another hello.
    pub hello_retry: bool,
    /// The group of TLS 1.3.
    pub group: Option<NamedGroup>,
    /// The application protocol up to TLS 1.2.
    pub alpn: Option<Vec<u8>>,
    /// Its extensions.
    pub extensions: Vec<ExtensionType>,
}

impl SeenAnswer {
    /// Reads a message's body.
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let answer = ServerHello::parse(body)?;
        Ok(Self {
            version: answer.version,
            cipher_suite: answer.cipher_suite,
            hello_retry: answer.hello_retry,
            group: answer.group,
            alpn: answer.alpn,
            extensions: answer.extensions.into_iter().map(|(kind, _)| kind).collect(),
        })
    }

    /// Whether it has that extension.
    pub fn has(&self, kind: ExtensionType) -> bool {
        self.extensions.contains(&kind)
    }
}
