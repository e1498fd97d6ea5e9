//! A report with every status, built in code, with hostile text wherever a peer can send text.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use shakedown::audit::finding::{Finding, Fix, Section, Severity};
use shakedown::audit::judge::Judgement;
use shakedown::certificate::parse::Fingerprint;
use shakedown::certificate::{Certificate, Chain};
use shakedown::observation::{
    Addresses, Cause, ClientAuth, ClientCertificateRequest, ClientRefusal, Endpoint, Engine,
    Failure, Handshake, Observation, Observed, RawChoice, RawHello, Session, Stage,
};
use shakedown::report::{Report, ReportKind, ReportOptions};
use shakedown::run::TargetReport;
use shakedown::targets::options::Options;
use shakedown::targets::{Origin, Role, Target};
use shakedown::tls::alert::AlertDescription;
use shakedown::tls::group::NamedGroup;
use shakedown::tls::suite::CipherSuite;
use shakedown::tls::version::ProtocolVersion;
use time::macros::datetime;

/// Controls a terminal, reorders text, breaks the line and hides characters.
pub(crate) const HOSTILE: &str = "evil\u{1b}[31m\u{7}\u{202e}gnp.exe\n::error::\u{200b}x\u{9b}2J";

const UNRECOGNIZED: Cause = Cause::Alert(AlertDescription::UNRECOGNIZED_NAME);

/// A target that passes, one that fails at two addresses in two ways, and two that could not be tested.
pub(crate) fn report() -> Report {
    Report {
        started_at: datetime!(2026-06-15 12:00:00 UTC),
        finished_at: datetime!(2026-06-15 12:00:01.5 UTC),
        targets: vec![healthy(), spoilt(), unresolved(), unreached()],
        interrupted: true,
        kind: ReportKind::Endpoints,
        options: ReportOptions::default(),
    }
}

fn healthy() -> TargetReport {
    let target = target("www.example.test:443", "www.example.test");
    let name = target.server_name.clone();
    let endpoint =
        endpoint("192.0.2.1:443", [None, None, name.clone(), name], |_, _| Ok(session()));
    told(target, vec![endpoint], Judgement::default())
}

/// The first address requires a name; the second also requires a client certificate, and a raw hello was sent to find
/// out why.
fn spoilt() -> TargetReport {
    let mut target = target("api.internal.example.test:8443", "backend of the API, blue");
    target.role = Role::Upstream;
    target.origin = Some(Origin { file: "targets.toml".to_owned(), line: 7, column: 1 });
    let name = target.server_name.clone();
    let names = [None, None, name.clone(), name];
    let mut first = endpoint("192.0.2.2:8443", names.clone(), |sni, _| match sni {
        Some(_) => Ok(session()),
        None => Err(Failure { stage: Stage::Handshake, cause: UNRECOGNIZED }),
    });
    first.handshakes[2].client_auth = ClientAuth::Requested(ClientCertificateRequest::default());
    let mut second = endpoint("[2001:db8::2]:8443", names, |_, version| {
        let stage = match version {
            ProtocolVersion::TLS1_3 => Stage::PostHandshake,
            _ => Stage::Handshake,
        };
        Err(Failure { stage, cause: Cause::Alert(AlertDescription::CERTIFICATE_REQUIRED) })
    });
    for cell in &mut second.handshakes {
        let refusal = ClientRefusal::Alert(AlertDescription::CERTIFICATE_REQUIRED);
        let request = ClientCertificateRequest {
            authorities: vec![HOSTILE.to_owned()],
            ..Default::default()
        };
        cell.client_auth = ClientAuth::Required(request, refusal);
    }
    second.raw = raw_hellos();
    let untested = vec![("session-resumption-unsupported", format!("no session: {HOSTILE}"))];
    let judgement = Judgement { findings: findings(), untested, ..Judgement::default() };
    told(target, vec![first, second], judgement)
}

fn raw_hellos() -> Vec<RawHello> {
    let choice = RawChoice {
        version: ProtocolVersion::TLS1,
        cipher_suite: CipherSuite(0x002f),
        group: None,
        scheme: None,
    };
    let garbled =
        Failure { stage: Stage::Handshake, cause: Cause::ProtocolError(HOSTILE.to_owned()) };
    [(ProtocolVersion::TLS1, Ok(choice)), (ProtocolVersion::SSL3, Err(garbled))]
        .map(|(version, outcome)| RawHello { sni: None, version, outcome, chain: None })
        .to_vec()
}

fn findings() -> Vec<Finding> {
    let finding = |rule, severity, message: &str, section| Finding {
        place: None,
        rule,
        severity,
        message: message.to_owned(),
        evidence: Vec::new(),
        section,
        fix: None,
        reproduce: Vec::new(),
        subject: String::new(),
        could_not_test: false,
        excuse: None,
    };
    let mut sni = finding(
        "sni-required",
        Severity::Error,
        "the handshake fails without a server name (SNI) and works with it",
        Section::Sni,
    )
    .evidence("192.0.2.2:8443: TLSv1.2 with no name: alert 112 (unrecognized_name)")
    .evidence(format!("the certificate with the name: CN={HOSTILE}"))
    .fix("Switch proxy_ssl_server_name on and give proxy_ssl_name the name that the certificate covers, then reload.")
    .directive("location", "proxy_ssl_server_name", "on")
    .directive("location that proxies to this upstream", "proxy_ssl_name", "api.internal.example.test")
    .reproduce("openssl s_client -connect 192.0.2.2:8443 -noservername -tls1_2 </dev/null 2>/dev/null | openssl x509 -noout -subject -issuer -dates");
    if let Some(Fix { directives, verified, .. }) = &mut sni.fix {
        (directives[0].file, directives[0].line) =
            (Some("/etc/nginx/nginx.conf".to_owned()), Some(42));
        *verified = Some(true);
    }
    let name = finding(
        "hostname-mismatch",
        Severity::Warning,
        &format!("the certificate is for {HOSTILE}"),
        Section::Certificate,
    );
    let spare = finding(
        "client-certificate-requested",
        Severity::Note,
        "asked",
        Section::ClientCertificate,
    );
    vec![sni, name, spare]
}

fn unresolved() -> TargetReport {
    let target = target("missing.example.test:443", "missing.example.test:443");
    let cause = Cause::DnsFailure(HOSTILE.to_owned());
    let observation = Observation {
        addresses: Addresses::Failed(Failure { stage: Stage::Dns, cause: cause.clone() }),
        endpoints: Vec::new(),
    };
    let untested = vec![("dns-failure", cause.to_string())];
    let judgement = Judgement { untested, ..Judgement::default() };
    TargetReport::new(Arc::new(target), observation, judgement, Severity::Error)
}

fn unreached() -> TargetReport {
    let target = target("192.0.2.9:443", "192.0.2.9:443");
    let mut endpoint = endpoint("192.0.2.9:443", [None, None, None, None], |_, version| {
        let cause = match version {
            ProtocolVersion::TLS1_2 => Cause::ConnectionRefused,
            _ => Cause::TimedOut,
        };
        Err(Failure { stage: Stage::Connect, cause })
    });
    endpoint.handshakes.truncate(2);
    for cell in &mut endpoint.handshakes {
        (cell.chain, cell.connect_time, cell.handshake_time) = (None, None, None);
    }
    let untested = vec![("connection-refused", "connection refused".to_owned())];
    told(target, vec![endpoint], Judgement { untested, ..Judgement::default() })
}

fn target(address: &str, name: &str) -> Target {
    let options = Options { name: Some(name.to_owned()), ..Options::default() };
    options.target(address.parse().unwrap(), None, None)
}

fn told(target: Target, endpoints: Vec<Endpoint>, judgement: Judgement) -> TargetReport {
    let found = endpoints.iter().map(|endpoint| endpoint.address.ip()).collect();
    let addresses = Addresses::Found(found);
    let observation = Observation { addresses, endpoints };
    TargetReport::new(Arc::new(target), observation, judgement, Severity::Error)
}

/// The matrix at one address; each cell has the chain.
fn endpoint(
    address: &str,
    names: [Option<String>; 4],
    outcome: impl Fn(Option<&str>, ProtocolVersion) -> Result<Session, Failure>,
) -> Endpoint {
    let address: SocketAddr = address.parse().unwrap();
    let chain = Arc::new(chain());
    let versions = [ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3].into_iter().cycle();
    let cell = |(sni, version): (Option<String>, ProtocolVersion)| Handshake {
        outcome: outcome(sni.as_deref(), version),
        sni,
        version,
        engine: Engine::Rustls,
        bad_signature: false,
        unchecked_signature: false,
        signature_scheme: None,
        chain: Some(Arc::clone(&chain)),
        client_auth: ClientAuth::NotRequested,
        connect_time: Some(Duration::from_micros(1250)),
        handshake_time: Some(Duration::from_millis(12)),
        early_data: Observed::NotTried,
        resumption: Observed::Seen(()),
    };
    let handshakes = names.into_iter().zip(versions).map(cell).collect();
    Endpoint::new(address, handshakes)
}

fn session() -> Session {
    Session {
        cipher_suite: CipherSuite(0x1301),
        group: Some(NamedGroup(0x001d)),
        alpn: Some("h2".to_owned()),
        ocsp_staple: None,
    }
}

/// A leaf with hostile text. What depends on the key is made constant.
fn chain() -> Chain {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["api.internal.example.test".to_owned()];
    let der = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let mut chain = Chain::from_der(&[der.der()]);
    let leaf: &mut Certificate = Arc::get_mut(&mut chain.certificates[0]).unwrap();
    leaf.sha256 = Fingerprint([0xab; 32]);
    "01:02".clone_into(&mut leaf.serial);
    leaf.public_key.spki = vec![0x30; 8];
    leaf.subject.text = format!("CN={HOSTILE}");
    "CN=sample authority".clone_into(&mut leaf.issuer.text);
    leaf.not_before = datetime!(2026-05-01 00:00 UTC);
    leaf.not_after = datetime!(2026-08-01 00:00 UTC);
    chain
}
