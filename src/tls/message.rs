//! Bodies of the handshake messages in a server's answer, as far as they are not encrypted.

use super::alert::AlertDescription;
use super::codec::{ByteReader, DecodeError};
use super::extension::ExtensionType;
use super::group::NamedGroup;
use super::scheme::SignatureScheme;
use super::suite::{Authentication, CipherSuite, KeyExchange};
use super::version::ProtocolVersion;

/// The random that marks a `ServerHello` as a `HelloRetryRequest` (RFC 8446 section 4.1.3).
pub(super) const HELLO_RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A `HandshakeType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageType(pub u8);

impl MessageType {
    /// Asks for renegotiation.
    pub const HELLO_REQUEST: Self = Self(0);
    /// The client's offer.
    pub const CLIENT_HELLO: Self = Self(1);
    /// The server's choice.
    pub const SERVER_HELLO: Self = Self(2);
    /// A ticket to resume with.
    pub const NEW_SESSION_TICKET: Self = Self(4);
    /// What TLS 1.3 says behind the server's hello.
    pub const ENCRYPTED_EXTENSIONS: Self = Self(8);
    /// The server's chain.
    pub const CERTIFICATE: Self = Self(11);
    /// The server's ephemeral key.
    pub const SERVER_KEY_EXCHANGE: Self = Self(12);
    /// Asks for the client's certificate.
    pub const CERTIFICATE_REQUEST: Self = Self(13);
    /// The flight's end.
    pub const SERVER_HELLO_DONE: Self = Self(14);
    /// The proof that the sender has its certificate's key.
    pub const CERTIFICATE_VERIFY: Self = Self(15);
    /// The end of a handshake.
    pub const FINISHED: Self = Self(20);
    /// The stapled OCSP response.
    pub const CERTIFICATE_STATUS: Self = Self(22);
    /// Supplemental data, which is not used in practice (RFC 4680).
    pub const SUPPLEMENTAL_DATA: Self = Self(23);
    /// Other keys from here on (RFC 8446 section 4.6.3).
    pub const KEY_UPDATE: Self = Self(24);
}

/// What the server chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The negotiated version, from `supported_versions` if that is present.
    pub version: ProtocolVersion,
    /// The server's random; its last bytes signal a downgrade (RFC 8446 section 4.1.3).
    pub random: [u8; 32],
    /// The session's id; empty if the session cannot be resumed by id.
    pub session_id: Vec<u8>,
    /// The suite.
    pub cipher_suite: CipherSuite,
    /// The compression method by number; 0 is none.
    pub compression: u8,
    /// Whether it asks for another hello, with a key for [`ServerHello::group`].
    pub hello_retry: bool,
    /// The group of TLS 1.3, from `key_share`.
    pub group: Option<NamedGroup>,
    /// The application protocol up to TLS 1.2; TLS 1.3 encrypts it in another message.
    pub alpn: Option<Vec<u8>>,
    /// Every extension, undecoded.
    pub extensions: Vec<(ExtensionType, Vec<u8>)>,
}

impl ServerHello {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = ByteReader::new(body);
        let legacy_version = ProtocolVersion(reader.u16()?);
        let random = reader.array()?;
        // Before the 22nd draft of TLS 1.3 its version stood here, and neither a session nor compression followed.
        let is_early_draft = legacy_version.0 >> 8 == 0x7f;
        let mut hello = Self {
            version: legacy_version,
            random,
            session_id: if is_early_draft { Vec::new() } else { reader.vec8()?.to_vec() },
            cipher_suite: CipherSuite(reader.u16()?),
            compression: if is_early_draft { 0 } else { reader.u8()? },
            hello_retry: random == HELLO_RETRY_RANDOM,
            group: None,
            alpn: None,
            extensions: extensions(reader)?,
        };
        hello.read_extensions()?;
        Ok(hello)
    }

    /// Whether an extension is present.
    pub fn has(&self, kind: ExtensionType) -> bool {
        self.extension(kind).is_some()
    }

    /// An extension's body.
    pub fn extension(&self, kind: ExtensionType) -> Option<&[u8]> {
        self.extensions.iter().find(|(known, _)| *known == kind).map(|(_, body)| body.as_slice())
    }

    /// Whether all that follows is encrypted.
    pub fn hides_the_rest(&self) -> bool {
        self.hello_retry || self.version >= ProtocolVersion::TLS1_3
    }

    fn read_extensions(&mut self) -> Result<(), DecodeError> {
        if let Some(body) = self.extension(ExtensionType::SUPPORTED_VERSIONS) {
            self.version = ProtocolVersion(ByteReader::new(body).u16()?);
        }
        if let Some(body) = self.extension(ExtensionType::KEY_SHARE) {
            self.group = Some(NamedGroup(ByteReader::new(body).u16()?));
        }
        if let Some(body) = self.extension(ExtensionType::ALPN) {
            let list = ByteReader::new(body).vec16()?;
            self.alpn = Some(ByteReader::new(list).vec8()?.to_vec());
        }
        Ok(())
    }
}

/// The block of extensions, which a server may omit.
fn extensions(mut reader: ByteReader<'_>) -> Result<Vec<(ExtensionType, Vec<u8>)>, DecodeError> {
    if reader.is_empty() {
        return Ok(Vec::new());
    }
    let block = reader.vec16()?;
    reader.finish()?;
    ByteReader::new(block).list(|item| Ok((ExtensionType(item.u16()?), item.vec16()?.to_vec())))
}

/// The certificates of a Certificate message up to TLS 1.2, each in DER, in the order sent.
pub fn certificates(body: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut reader = ByteReader::new(body);
    let list = reader.vec24()?;
    reader.finish()?;
    ByteReader::new(list).list(|item| item.vec24().map(<[u8]>::to_vec))
}

/// The same of a Certificate message of TLS 1.3.
pub fn certificates_tls13(body: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut reader = ByteReader::new(body);
    let _context = reader.vec8()?;
    let list = reader.vec24()?;
    reader.finish()?;
    ByteReader::new(list).list(|item| {
        let der = item.vec24()?.to_vec();
        item.vec16().map(|_extensions| der)
    })
}

/// The application protocol that an `EncryptedExtensions` message names.
pub fn encrypted_alpn(body: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
    let extensions = extensions(ByteReader::new(body))?;
    let alpn = extensions.iter().find(|(kind, _)| *kind == ExtensionType::ALPN);
    let first = |body: &[u8]| {
        let list = ByteReader::new(body).vec16()?;
        ByteReader::new(list).vec8().map(<[u8]>::to_vec)
    };
    alpn.map(|(_, body)| first(body)).transpose()
}

/// The OCSP response of a `CertificateStatus` message, in DER; `None` for another kind of status.
pub fn ocsp_response(body: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
    const OCSP: u8 = 1;
    let mut reader = ByteReader::new(body);
    match reader.u8()? {
        OCSP => reader.vec24().map(|response| Some(response.to_vec())),
        _ => Ok(None),
    }
}

/// What a server that asks for a client certificate accepts (RFC 5246 section 7.4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    /// Types of certificate by number.
    pub certificate_types: Vec<u8>,
    /// Signature schemes; only in TLS 1.2.
    pub schemes: Vec<SignatureScheme>,
    /// Names of authorities, each in DER; none means any.
    pub authorities: Vec<Vec<u8>>,
}

impl CertificateRequest {
    /// Reads a body of that version, up to TLS 1.2.
    pub fn parse(body: &[u8], version: ProtocolVersion) -> Result<Self, DecodeError> {
        let mut reader = ByteReader::new(body);
        let certificate_types = reader.vec8()?.to_vec();
        let schemes = match version {
            ProtocolVersion::TLS1_2 => ByteReader::new(reader.vec16()?).list(ByteReader::u16)?,
            _ => Vec::new(),
        };
        let authorities = ByteReader::new(reader.vec16()?);
        reader.finish()?;
        Ok(Self {
            certificate_types,
            schemes: schemes.into_iter().map(SignatureScheme).collect(),
            authorities: authorities.list(|item| item.vec16().map(<[u8]>::to_vec))?,
        })
    }
}

/// The names of authorities in a CertificateRequest message of TLS 1.3, each in DER; none means any.
pub fn authorities_tls13(body: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut reader = ByteReader::new(body);
    let _context = reader.vec8()?;
    let extensions = extensions(reader)?;
    let mut named = extensions.iter();
    let named = named.find(|(kind, _)| *kind == ExtensionType::CERTIFICATE_AUTHORITIES);
    let Some((_, body)) = named else { return Ok(Vec::new()) };
    let list = ByteReader::new(body).vec16()?;
    ByteReader::new(list).list(|item| item.vec16().map(<[u8]>::to_vec))
}

/// The server's ephemeral key and the scheme of its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKeyExchange {
    /// The group or size of the key.
    pub parameters: KeyParameters,
    /// How it is signed; only in TLS 1.2.
    pub scheme: Option<SignatureScheme>,
}

/// The group or size of an ephemeral key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyParameters {
    /// A group by its number.
    Group(NamedGroup),
    /// A curve with explicit parameters, which current clients do not accept.
    ExplicitCurve,
    /// A finite field; its prime, big-endian, without leading zeros.
    FiniteField(Vec<u8>),
    /// A short-lived RSA key (export suites); its modulus, big-endian, without leading zeros.
    Rsa(Vec<u8>),
    /// An unknown suite, or one whose key exchange is not parsed here.
    Unread,
}

impl KeyParameters {
    /// The group, if it is one with a number.
    pub fn group(&self) -> Option<NamedGroup> {
        match self {
            Self::Group(group) => Some(*group),
            _ => None,
        }
    }

    /// Size of the prime or modulus in bits.
    pub fn bits(&self) -> Option<usize> {
        match self {
            Self::FiniteField(number) | Self::Rsa(number) => {
                let spare = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
                Some(number.len() * 8 - spare)
            }
            Self::Group(_) | Self::ExplicitCurve | Self::Unread => None,
        }
    }
}

impl ServerKeyExchange {
    /// Reads a body that follows a `ServerHello` with that version and suite, up to TLS 1.2.
    pub fn parse(
        body: &[u8],
        version: ProtocolVersion,
        suite: CipherSuite,
    ) -> Result<Self, DecodeError> {
        let authentication = suite.authentication();
        let mut reader = ByteReader::new(body);
        if authentication == Some(Authentication::SharedSecret) {
            let _identity_hint = reader.vec16()?;
        }
        let parameters = match suite.key_exchange() {
            Some(KeyExchange::Ecdhe) => curve(&mut reader)?,
            Some(KeyExchange::Dhe) => finite_field(&mut reader)?,
            Some(KeyExchange::Rsa) if authentication == Some(Authentication::Rsa) => {
                export_rsa(&mut reader)?
            }
            _ => KeyParameters::Unread,
        };
        let signed = matches!(
            authentication,
            Some(Authentication::Rsa | Authentication::Dss | Authentication::Ecdsa)
        );
        let legible = !matches!(parameters, KeyParameters::Unread | KeyParameters::ExplicitCurve);
        let scheme = if signed && legible && version == ProtocolVersion::TLS1_2 {
            Some(SignatureScheme(reader.u16()?))
        } else {
            None
        };
        Ok(Self { parameters, scheme })
    }
}

/// `ServerECDHParams` (RFC 8422 section 5.4).
fn curve(reader: &mut ByteReader<'_>) -> Result<KeyParameters, DecodeError> {
    const NAMED_CURVE: u8 = 3;
    if reader.u8()? != NAMED_CURVE {
        return Ok(KeyParameters::ExplicitCurve);
    }
    let group = NamedGroup(reader.u16()?);
    let _point = reader.vec8()?;
    Ok(KeyParameters::Group(group))
}

/// `ServerDHParams` (RFC 5246 section 7.4.3).
fn finite_field(reader: &mut ByteReader<'_>) -> Result<KeyParameters, DecodeError> {
    let prime = integer(reader)?;
    let _generator = reader.vec16()?;
    let _public = reader.vec16()?;
    Ok(KeyParameters::FiniteField(prime))
}

/// `ServerRSAParams` (RFC 2246 section 7.4.3).
fn export_rsa(reader: &mut ByteReader<'_>) -> Result<KeyParameters, DecodeError> {
    let modulus = integer(reader)?;
    let _exponent = reader.vec16()?;
    Ok(KeyParameters::Rsa(modulus))
}

fn integer(reader: &mut ByteReader<'_>) -> Result<Vec<u8>, DecodeError> {
    let bytes = reader.vec16()?;
    Ok(bytes.iter().copied().skip_while(|byte| *byte == 0).collect())
}

/// One alert: its level and description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The level: 1 is a warning, 2 ends the connection.
    pub level: u8,
    /// The description.
    pub description: AlertDescription,
}

impl Alert {
    /// Reads one alert, two bytes.
    pub fn parse(reader: &mut ByteReader<'_>) -> Result<Self, DecodeError> {
        let [level, description] = reader.array()?;
        Ok(Self { level, description: AlertDescription(description) })
    }
}
