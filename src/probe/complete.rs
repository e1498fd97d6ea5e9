//! The complete engine: full rustls handshakes that record everything and judge nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustls::client::{Resumption, Tls12Resumption};
use rustls::crypto::hash::HashAlgorithm;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, HandshakeKind, SupportedCipherSuite, SupportedProtocolVersion};
use rustls_pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::byte_stream::ByteStream;
use super::cause::cause;
use super::connect::{Connection, Connector, DatagramConnection, Permits};
use super::follow_up::{self, Aftermath, Waits};
use super::offer::Offer;
use super::plan::{Cell, Resume};
use super::raw;
use super::recorder::HandshakeRecorder;
use super::session_clock::SessionClock;
use super::sessions::Sessions;
use super::starttls::goodbye::Goodbye;
use super::starttls::{self, Introduction};
use crate::certificate::Chain;
use crate::certificate::cache::ChainCache;
use crate::observation::{
    Cause, ClientAuth, ClientCertificateRequest, ClientRefusal, Engine, Failure, Handshake,
    Observed, RawChoice, RawHello, Session, Stage,
};
use crate::targets::Target;
use crate::targets::identity::certified;
use crate::tls::extension::Extension;
use crate::tls::flight::Flight;
use crate::tls::group::NamedGroup;
use crate::tls::hello::ClientHello;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// The application protocol of HTTP/3 (RFC 9114).
pub(super) const HTTP3: &[u8] = b"h3";

/// The state that all complete handshakes of a run share.
#[derive(Debug)]
pub(super) struct Handshaker {
    provider: Arc<CryptoProvider>,
    chains: Arc<ChainCache>,
}

/// Makes the handshakes for one address of one target.
pub(super) struct Caller<'a> {
    handshaker: &'a Handshaker,
    connector: &'a Connector,
    target: &'a Target,
    address: SocketAddr,
    identity: Result<Option<Arc<CertifiedKey>>, rustls::Error>,
    opened: AtomicU32,
    /// Whether to send an HTTP request after a certificate request, because nginx refuses clients in its response.
    pub(super) asks_http: bool,
}

fn hashes_with_sha384(suite: SupportedCipherSuite) -> bool {
    let common = match &suite {
        SupportedCipherSuite::Tls12(suite) => &suite.common,
        SupportedCipherSuite::Tls13(suite) => &suite.common,
    };
    common.hash_provider.algorithm() == HashAlgorithm::SHA384
}

/// The parts that the handshakes of one cell are made with.
pub(super) struct Kit {
    pub(super) config: Arc<ClientConfig>,
    pub(super) recorder: Arc<HandshakeRecorder>,
    sessions: Arc<Sessions>,
}

impl Handshaker {
    pub(super) fn new() -> Self {
        let mut provider = aws_lc_rs::default_provider();
        // As browsers do; SHA-384 also costs more where the processor has no instructions for it.
        provider.cipher_suites.sort_by_key(|suite| hashes_with_sha384(*suite));
        Self { provider: Arc::new(provider), chains: Arc::default() }
    }

    pub(super) fn caller<'a>(
        &'a self,
        connector: &'a Connector,
        target: &'a Target,
        address: SocketAddr,
    ) -> Caller<'a> {
        let identity = target
            .client_identity
            .as_ref()
            .and_then(|identity| Some((&identity.chain, identity.key.as_ref()?)))
            .map(|(chain, key)| certified(chain, key.clone_key(), &self.provider).map(Arc::new))
            .transpose();
        let asks_http = target.starttls.is_none();
        let opened = AtomicU32::new(0);
        Caller { handshaker: self, connector, target, address, identity, opened, asks_http }
    }
}

impl Caller<'_> {
    /// One cell of the matrix: connects, completes the handshake, observes what follows, tests resumption and closes.
    pub(super) async fn cell(&self, cell: Cell) -> Handshake {
        let mut handshake = untried(&cell);
        handshake.outcome = self.attempt(&cell, &mut handshake).await;
        handshake
    }

    async fn attempt(&self, cell: &Cell, seen: &mut Handshake) -> Result<Session, Failure> {
        let everything = Offer::default();
        let kit = self.kit(cell, &everything)?;
        let (outcome, _) = self.handshake(cell, (&everything, &kit), None, seen).await;
        if cell.resume != Resume::No
            && outcome.is_ok()
            && seen.client_auth == ClientAuth::NotRequested
        {
            seen.early_data = kit.sessions.early_data();
            seen.resumption = self.resumption(cell, kit.config).await;
        }
        outcome
    }

    /// Whether a TLS 1.2 session can be resumed by its id alone.
    pub(super) async fn resumes_by_id(&self, sni: Option<&str>) -> Observed<()> {
        let sni = sni.map(ToOwned::to_owned);
        let cell = Cell { sni, version: ProtocolVersion::TLS1_2, resume: Resume::ById };
        let seen = self.cell(cell).await;
        match seen.outcome {
            Ok(_) => seen.resumption,
            Err(failure) => Observed::Failed(failure),
        }
    }

    /// A raw hello of the same shape as a cell.
    pub(super) async fn raw_hello(&self, cell: &Cell) -> RawHello {
        let mut hello = ClientHello::probe(cell.version);
        if let Some(name) = &cell.sni {
            hello = hello.with(Extension::ServerName(name.clone()));
        }
        if !self.target.expect.alpn.is_empty() {
            hello = hello.with(Extension::Alpn(self.target.expect.alpn.clone()));
        }
        let (mut outcome, mut flight) = self.answer(&hello).await;
        let others: Vec<CipherSuite> =
            CipherSuite::all(cell.version).skip(hello.cipher_suites.len()).collect();
        if matches!(&outcome, Err(Failure { cause: Cause::Alert(_), .. })) && !others.is_empty() {
            let rest = self.answer(&ClientHello { cipher_suites: others, ..hello }).await;
            if rest.0.is_ok() {
                (outcome, flight) = rest;
            }
        }
        RawHello {
            sni: cell.sni.clone(),
            version: cell.version,
            outcome,
            chain: self.chain_of(&flight),
        }
    }

    /// The answer to a hello, with all bytes that were read.
    async fn answer(&self, hello: &ClientHello) -> (Result<RawChoice, Failure>, Flight) {
        match self.exchange(hello).await {
            Ok(answer) => (answer.outcome, answer.flight),
            Err(failure) => (Err(failure), Flight::default()),
        }
    }

    /// The answer of TLS 1.3 to a hello with only the groups that TLS 1.2 can use.
    pub(super) async fn with_classic_groups(
        &self,
        sni: Option<&str>,
    ) -> Result<RawChoice, Failure> {
        let hello = ClientHello::probe(ProtocolVersion::TLS1_3);
        let groups = hello.groups().iter().copied().filter(|group| !group.is_post_quantum());
        let groups = Extension::SupportedGroups(groups.collect());
        let mut hello = hello.with(groups);
        if let Some(name) = sni {
            hello = hello.with(Extension::ServerName(name.to_owned()));
        }
        self.answer(&hello).await.0
    }

    /// Sends a hello of our own over a new connection.
    pub(super) async fn exchange(&self, hello: &ClientHello) -> Result<raw::RawAnswer, Failure> {
        let mut connection = self.open().await?;
        let deadline = tokio::time::Instant::now() + self.handshake_deadline();
        Ok(raw::exchange(&mut connection.stream, hello, deadline).await)
    }

    /// The certificates in a flight, if they were not encrypted.
    pub(super) fn chain_of(&self, flight: &Flight) -> Option<Arc<Chain>> {
        let sent = flight.certificates.as_ref().filter(|sent| !sent.is_empty())?;
        let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
        Some(self.handshaker.chains.intern(&sent))
    }

    /// Connections opened so far, including failed ones.
    pub(super) fn opened(&self) -> u32 {
        self.opened.load(Ordering::Relaxed)
    }

    /// From now on, makes one connection at a time, with a pause in between.
    pub(super) fn slow_down(&self) {
        self.connector.slow_down(self.address);
    }

    /// Where the connections go.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A socket for datagrams to the address.
    pub(super) async fn open_datagrams(&self) -> Result<DatagramConnection, Failure> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.connector.connect_datagrams(self.address).await
    }

    /// A TCP connection that is ready for TLS.
    pub(super) async fn open(&self) -> Result<Connection, Failure> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let deadlines = self.connector.deadlines();
        let connect = self.target.timeout.unwrap_or(deadlines.connect);
        let mut connection = self.connector.connect(self.address, connect).await?;
        if self.target.proxy_protocol {
            // A version 1 line without addresses. If it cannot be written, the handshake fails too.
            let _ = connection.stream.write_all(b"PROXY UNKNOWN\r\n").await;
        }
        if let Some(protocol) = self.target.starttls {
            let name = self.host_name();
            let client = client_name(&connection.stream);
            let who = Introduction { domain: &name, client: &client };
            let upgrade = starttls::upgrade(&mut connection.stream, protocol, who);
            timeout(self.target.timeout.unwrap_or(deadlines.starttls), upgrade)
                .await
                .map_err(|_| Failure { stage: Stage::Starttls, cause: Cause::TimedOut })??;
        }
        Ok(connection)
    }

    /// The name by which a client would know the server.
    fn host_name(&self) -> String {
        let name = self.target.known_as();
        name.map_or_else(|| self.address.ip().to_string(), |name| name.to_string())
    }

    fn alpn(&self) -> Vec<Vec<u8>> {
        if self.target.quic {
            return vec![HTTP3.to_vec()];
        }
        self.target.expect.alpn.iter().map(|name| name.clone().into_bytes()).collect()
    }

    pub(super) fn handshake_deadline(&self) -> Duration {
        self.target.timeout.unwrap_or(self.connector.deadlines().handshake)
    }

    /// How long to wait for what follows a handshake. It depends on the TCP connection, which shows the round-trip
    /// time; a handshake may also include waiting for other clients.
    pub(super) fn waits(&self, connecting: Duration) -> Waits {
        let answer = self.handshake_deadline();
        let read = self.connector.deadlines().read;
        Waits { event: read.max(connecting.saturating_mul(4)).min(answer), answer }
    }

    pub(super) async fn shake_hands(
        &self,
        stream: ByteStream,
        cell: &Cell,
        config: Arc<ClientConfig>,
    ) -> Result<TlsStream<ByteStream>, Failure> {
        let fails = |cause| Failure { stage: Stage::Handshake, cause };
        let name = match &cell.sni {
            None => ServerName::IpAddress(self.address.ip().into()),
            Some(name) => ServerName::try_from(name.clone()).map_err(|_| {
                fails(Cause::Local(format!("{name:?} cannot be sent as a server name")))
            })?,
        };
        match timeout(self.handshake_deadline(), TlsConnector::from(config).connect(name, stream))
            .await
        {
            Err(_) => Err(fails(Cause::TimedOut)),
            Ok(Err(error)) => Err(fails(cause(&error))),
            Ok(Ok(stream)) => Ok(stream),
        }
    }

    pub(super) fn goodbye(&self) -> Goodbye {
        Goodbye::of(self.target.starttls, self.target.port().unwrap_or(0))
    }

    /// Observes what follows the handshake, and closes the connection.
    pub(super) async fn follow_up(
        &self,
        stream: &mut TlsStream<ByteStream>,
        cell: &Cell,
        recorder: &HandshakeRecorder,
        waits: Waits,
    ) -> Aftermath {
        let mut aftermath = Aftermath::default();
        if recorder.saw_request() {
            let host = cell.sni.clone().unwrap_or_else(|| self.host_name());
            let http = self.asks_http.then_some(host);
            let listens = !self.target.awaits_request;
            aftermath = follow_up::after_request(stream, http.as_deref(), (waits, listens)).await;
        }
        if aftermath.failure.is_none() {
            let late = follow_up::part(stream, self.goodbye(), waits.event).await;
            aftermath.cut_short = late == Some(Cause::Reset) && !aftermath.served;
            aftermath.failure = late.filter(|late| *late != Cause::Reset && !aftermath.served);
        }
        aftermath
    }

    /// Repeats a handshake that ended in a reset, and reads before sending anything: data that the server has not read
    /// would turn its alert into a reset.
    pub(super) async fn look_again(&self, cell: &Cell, offer: &Offer) -> Option<Cause> {
        let kit = self.kit(cell, offer).ok()?;
        let connection = self.open().await.ok()?;
        let waits = self.waits(connection.took);
        let shaken = self.shake_hands(connection.stream, cell, kit.config).await;
        let mut stream = shaken.ok()?;
        let alert = follow_up::alert_unasked(&mut stream, waits.event).await;
        if alert.is_none() {
            let _ = follow_up::part(&mut stream, self.goodbye(), waits.event).await;
        }
        drop::<Permits>(connection.permits);
        alert
    }

    /// Whether a second connection with the same configuration resumes the first one's session.
    async fn resumption(&self, cell: &Cell, config: Arc<ClientConfig>) -> Observed<()> {
        let Connection { stream, permits, took } = match self.open().await {
            Ok(connection) => connection,
            Err(failure) => return Observed::Failed(failure),
        };
        let resumed = match self.shake_hands(stream, cell, config).await {
            Err(failure) => Observed::Failed(failure),
            Ok(mut stream) => {
                let kind = stream.get_ref().1.handshake_kind();
                // This connection has served its purpose.
                let _ = follow_up::part(&mut stream, self.goodbye(), self.waits(took).event).await;
                if kind == Some(HandshakeKind::Resumed) {
                    Observed::Seen(())
                } else {
                    Observed::Absent
                }
            }
        };
        drop::<Permits>(permits);
        resumed
    }

    /// A new configuration, recorder and session store, so that connections do not share state.
    pub(super) fn kit(&self, cell: &Cell, offer: &Offer) -> Result<Kit, Failure> {
        let local = |error: rustls::Error| Failure {
            stage: Stage::Connect,
            cause: Cause::Local(error.to_string()),
        };
        let identity = self.identity.clone().map_err(local)?;
        let provider = offer.provider(&self.handshaker.provider);
        let recorder = HandshakeRecorder::new(
            Arc::clone(&self.handshaker.chains),
            provider.signature_verification_algorithms,
            identity,
        );
        let recorder = Arc::new(match &offer.schemes {
            Some(schemes) => recorder.with_schemes(schemes),
            None if cell.version == ProtocolVersion::TLS1_3 => recorder.with_unverified(),
            None => recorder,
        });
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(SessionClock))
            .with_protocol_versions(&[rustls_version(cell.version)])
            .map_err(local)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&recorder) as _)
            .with_client_cert_resolver(Arc::clone(&recorder) as _);
        config.enable_sni = cell.sni.is_some();
        config.alpn_protocols = self.alpn();
        let sessions = Arc::new(Sessions::new());
        let resumption = || Resumption::store(Arc::clone(&sessions) as _);
        config.resumption = match cell.resume {
            Resume::No => Resumption::disabled(),
            Resume::Yes => resumption(),
            Resume::ById => resumption().tls12_resumption(Tls12Resumption::SessionIdOnly),
        };
        Ok(Kit { config: Arc::new(config), recorder, sessions })
    }
}

/// A handshake that has not been made yet.
pub(super) fn untried(cell: &Cell) -> Handshake {
    Handshake {
        sni: cell.sni.clone(),
        version: cell.version,
        engine: Engine::Rustls,
        outcome: Err(Failure { stage: Stage::Connect, cause: Cause::Cancelled }),
        chain: None,
        client_auth: ClientAuth::NotRequested,
        connect_time: None,
        handshake_time: None,
        bad_signature: false,
        unchecked_signature: false,
        signature_scheme: None,
        resumption: Observed::NotTried,
        early_data: Observed::NotTried,
    }
}

fn rustls_version(version: ProtocolVersion) -> &'static SupportedProtocolVersion {
    if version == ProtocolVersion::TLS1_3 {
        &rustls::version::TLS13
    } else {
        &rustls::version::TLS12
    }
}

/// This machine as an address literal, which mail servers need not look up (RFC 5321 section 4.1.3).
fn client_name(stream: &ByteStream) -> String {
    match stream.local_ip() {
        Some(IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
        Some(ip) => format!("[{ip}]"),
        None => "localhost".to_owned(),
    }
}

pub(super) fn session(stream: &TlsStream<ByteStream>) -> Session {
    let connection = stream.get_ref().1;
    Session {
        cipher_suite: CipherSuite(
            connection.negotiated_cipher_suite().map_or(0, |suite| suite.suite().into()),
        ),
        group: connection
            .negotiated_key_exchange_group()
            .map(|group| NamedGroup(group.name().into())),
        alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        ocsp_staple: None,
    }
}

/// A refusal after the handshake makes it a failed one.
pub(super) fn settle(
    session: Result<Session, Failure>,
    late: Option<Cause>,
) -> Result<Session, Failure> {
    match late {
        Some(cause) if session.is_ok() => Err(Failure { stage: Stage::PostHandshake, cause }),
        _ => session,
    }
}

/// If a server asked for a certificate and then ended the connection, the certificate (or its absence) is the reason.
pub(super) fn client_auth(
    request: Option<ClientCertificateRequest>,
    outcome: &Result<Session, Failure>,
    aftermath: Aftermath,
) -> ClientAuth {
    let Some(request) = request else {
        return ClientAuth::NotRequested;
    };
    if let Some(refusal) = aftermath.refusal {
        return ClientAuth::Required(request, refusal);
    }
    match outcome.as_ref().err().map(|failure| &failure.cause) {
        Some(Cause::Alert(alert)) => ClientAuth::Required(request, ClientRefusal::Alert(*alert)),
        Some(Cause::Closed | Cause::Reset) => ClientAuth::Required(request, ClientRefusal::Closed),
        _ if aftermath.served => ClientAuth::Served(request),
        _ => ClientAuth::Requested(request),
    }
}
