//! The server's flight: its answer to a `ClientHello`, parsed as it arrives, until it ends or is encrypted.
//!
//! Feed bytes in pieces of any size; the result depends only on the bytes. Memory is bounded, whatever is sent.

use super::alert::AlertDescription;
use super::codec::{ByteReader, DecodeError};
use super::group::NamedGroup;
use super::message::{
    self, Alert, CertificateRequest, MessageType, ServerHello, ServerKeyExchange,
};
use super::record::{self, ContentType, Record, RecordError};

/// The longest flight, in bytes; real ones are shorter.
pub const MAX_FLIGHT: usize = 256 * 1024;
/// The longest handshake message, in bytes; real ones are shorter.
pub const MAX_MESSAGE: usize = 128 * 1024;
/// The most warning alerts; real servers send fewer.
const MAX_WARNINGS: usize = 16;
/// How many of the first bytes are kept.
const MAX_FIRST_BYTES: usize = 512;

/// What a server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flight {
    /// What it chose.
    pub server_hello: Option<ServerHello>,
    /// Its certificates in DER, in the order sent; only up to TLS 1.2, like the fields below.
    pub certificates: Option<Vec<Vec<u8>>>,
    /// Its ephemeral key.
    pub key_exchange: Option<ServerKeyExchange>,
    /// Its request for a client certificate.
    pub certificate_request: Option<CertificateRequest>,
    /// The stapled OCSP response, in DER.
    pub ocsp_staple: Option<Vec<u8>>,
    /// Alerts that did not end the connection, in the order sent.
    pub warnings: Vec<AlertDescription>,
    /// The first bytes, at most 512.
    pub first_bytes: Vec<u8>,
    /// How it ended; `None` while it is not complete.
    pub end: Option<FlightEnd>,
}

impl Flight {
    /// The group of the key exchange, if it has one.
    pub fn group(&self) -> Option<NamedGroup> {
        let hello = self.server_hello.as_ref()?;
        hello.group.or_else(|| self.key_exchange.as_ref()?.parameters.group())
    }

    /// Size of the server's finite-field or export RSA key in bits, if it has one.
    pub fn key_bits(&self) -> Option<usize> {
        self.key_exchange.as_ref()?.parameters.bits()
    }
}

/// How a flight ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlightEnd {
    /// Everything that is not encrypted was read.
    Complete,
    /// The server ended the connection with that alert.
    Alert(AlertDescription),
    /// The first bytes are not a TLS record.
    NotTls,
    /// The server sent more than the limit.
    TooMuch,
    /// The server broke the protocol.
    Malformed(Malformed),
}

/// How a server broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A later record is invalid.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record of an unexpected type.
    #[error("a record of type {0} amid the handshake")]
    Content(u8),
    /// An unexpected handshake message.
    #[error("handshake message {0} out of place")]
    Message(u8),
    /// An alert with an unknown level.
    #[error("an alert of level {0}")]
    AlertLevel(u8),
    /// A message that cannot be read.
    #[error("handshake message {0} cannot be read: {1}")]
    Body(u8, DecodeError),
}

/// Whether to go on reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum FlightStep {
    /// The flight is not complete.
    NeedMore,
    /// The flight has ended.
    Done,
}

/// Reads a flight.
#[derive(Clone, Debug, Default)]
pub struct FlightReader {
    received: usize,
    unsplit: Vec<u8>,
    handshake: Vec<u8>,
    alerts: Vec<u8>,
    in_tls: bool,
    flight: Flight,
}

impl FlightReader {
    /// Starts before the first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they arrive; after the end they are only added to [`Flight::first_bytes`].
    pub fn feed(&mut self, bytes: &[u8]) -> FlightStep {
        let first_bytes = &mut self.flight.first_bytes;
        let missing = MAX_FIRST_BYTES - first_bytes.len();
        first_bytes.extend(bytes.iter().take(missing));
        if self.flight.end.is_none() {
            let allowed = bytes.len().min(MAX_FLIGHT - self.received);
            self.received += allowed;
            self.unsplit.extend(bytes.iter().take(allowed));
            let mut end = self.records();
            if allowed < bytes.len() {
                end = end.or(Some(FlightEnd::TooMuch));
            }
            self.flight.end = end;
        }
        if self.flight.end.is_some() { FlightStep::Done } else { FlightStep::NeedMore }
    }

    /// What was read so far.
    pub fn flight(&self) -> &Flight {
        &self.flight
    }

    /// What was read.
    pub fn finish(self) -> Flight {
        self.flight
    }

    /// Processes the complete records that have arrived.
    fn records(&mut self) -> Option<FlightEnd> {
        let mut bytes = std::mem::take(&mut self.unsplit);
        let mut consumed = 0;
        let end = loop {
            match record::split(bytes.get(consumed..).unwrap_or_default()) {
                Ok(Some((record, length))) => {
                    consumed += length;
                    self.in_tls = true;
                    if let Err(end) = self.record(record) {
                        break Some(end);
                    }
                }
                Ok(None) => break None,
                Err(RecordError::ContentType(_) | RecordError::MajorVersion(_)) if !self.in_tls => {
                    break Some(FlightEnd::NotTls);
                }
                Err(error) => break Some(FlightEnd::Malformed(error.into())),
            }
        };
        bytes.drain(..consumed);
        self.unsplit = bytes;
        end
    }

    fn record(&mut self, record: Record<'_>) -> Result<(), FlightEnd> {
        match record.content {
            ContentType::ALERT => {
                self.alerts.extend_from_slice(record.payload);
                self.alerts()
            }
            ContentType::HANDSHAKE => {
                self.handshake.extend_from_slice(record.payload);
                self.messages()
            }
            // A resumed session of TLS 1.2 and older continues encrypted.
            ContentType::CHANGE_CIPHER_SPEC if self.flight.server_hello.is_some() => {
                Err(FlightEnd::Complete)
            }
            ContentType(other) => Err(FlightEnd::Malformed(Malformed::Content(other))),
        }
    }

    fn alerts(&mut self) -> Result<(), FlightEnd> {
        let mut reader = ByteReader::new(&self.alerts);
        while let Ok(Alert { level, description }) = Alert::parse(&mut reader) {
            match level {
                2 => return Err(FlightEnd::Alert(description)),
                1 if description == AlertDescription::CLOSE_NOTIFY => {
                    return Err(FlightEnd::Alert(description));
                }
                1 if self.flight.warnings.len() == MAX_WARNINGS => return Err(FlightEnd::TooMuch),
                1 => self.flight.warnings.push(description),
                _ => return Err(FlightEnd::Malformed(Malformed::AlertLevel(level))),
            }
        }
        self.alerts = reader.rest().to_vec();
        Ok(())
    }

    /// Processes the complete messages of the handshake stream; they may span records.
    fn messages(&mut self) -> Result<(), FlightEnd> {
        let mut bytes = std::mem::take(&mut self.handshake);
        let mut consumed = 0;
        while let Some((kind, body)) = split_message(bytes.get(consumed..).unwrap_or_default())? {
            consumed += MESSAGE_HEADER + body.len();
            self.message(kind, body)?;
        }
        bytes.drain(..consumed);
        self.handshake = bytes;
        Ok(())
    }

    fn message(&mut self, kind: MessageType, body: &[u8]) -> Result<(), FlightEnd> {
        let broken = |error| FlightEnd::Malformed(Malformed::Body(kind.0, error));
        let misplaced = Err(FlightEnd::Malformed(Malformed::Message(kind.0)));
        let flight = &mut self.flight;
        let Some(hello) = &flight.server_hello else {
            return match kind {
                MessageType::HELLO_REQUEST => Ok(()),
                MessageType::SERVER_HELLO => {
                    let hello =
                        flight.server_hello.insert(ServerHello::parse(body).map_err(broken)?);
                    if hello.hides_the_rest() { Err(FlightEnd::Complete) } else { Ok(()) }
                }
                _ => misplaced,
            };
        };
        match kind {
            MessageType::CERTIFICATE if flight.certificates.is_none() => {
                flight.certificates = Some(message::certificates(body).map_err(broken)?);
            }
            MessageType::CERTIFICATE_STATUS if flight.ocsp_staple.is_none() => {
                flight.ocsp_staple = message::ocsp_response(body).map_err(broken)?;
            }
            MessageType::SERVER_KEY_EXCHANGE if flight.key_exchange.is_none() => {
                let parsed = ServerKeyExchange::parse(body, hello.version, hello.cipher_suite);
                flight.key_exchange = Some(parsed.map_err(broken)?);
            }
            MessageType::CERTIFICATE_REQUEST if flight.certificate_request.is_none() => {
                let request = CertificateRequest::parse(body, hello.version).map_err(broken)?;
                flight.certificate_request = Some(request);
            }
            MessageType::SERVER_HELLO_DONE => return Err(FlightEnd::Complete),
            MessageType::HELLO_REQUEST
            | MessageType::NEW_SESSION_TICKET
            | MessageType::SUPPLEMENTAL_DATA => {}
            _ => return misplaced,
        }
        Ok(())
    }
}

/// Length of a handshake message's own header, in bytes.
pub const MESSAGE_HEADER: usize = 4;

/// The first whole message; an impossible length is detected from the header.
pub fn split_message(bytes: &[u8]) -> Result<Option<(MessageType, &[u8])>, FlightEnd> {
    let mut reader = ByteReader::new(bytes);
    let (Ok(kind), Ok(length)) = (reader.u8(), reader.u24()) else {
        return Ok(None);
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_MESSAGE {
        return Err(FlightEnd::TooMuch);
    }
    Ok(reader.take(length).ok().map(|body| (MessageType(kind), body)))
}

#[cfg(test)]
mod tests;
