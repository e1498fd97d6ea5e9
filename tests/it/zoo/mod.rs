//! Servers that break the protocol at every place: none is taken for a healthy one, none is lost from the report, and
//! none costs more time or memory than it may.

pub(crate) mod beasts;
mod damage;

use std::fmt::Debug;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};
use serde_json::Value;

use self::beasts::BEASTS;
use self::damage::{Damage, damaged, in_pieces};
use crate::support::pki::Pki;
use crate::support::program::{Watched, text, watched};
use crate::support::server::scripted;

/// Longer than any run here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);

/// The most memory of a run, in kilobytes.
const MEMORY: u64 = 200_000;

/// How many bytes of a flight are damaged, each by each kind of damage.
const PLACES: usize = 16;

/// By how many bytes at most the flights for some hellos are shorter than for others.
const SHORTER: usize = 24;

/// A healthy server, in one version.
struct Healthy {
    pki: Pki,
    version: &'static SupportedProtocolVersion,
    config: Arc<ServerConfig>,
}

impl Healthy {
    fn new(
        version: &'static SupportedProtocolVersion,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        // The signatures of RSA have one length, and so has the flight.
        let pki = Pki::rsa();
        let issued = pki.intermediate.issue(&["a.test"]).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(issued.chain(), issued.private_key())
            .unwrap();
        change(&mut config);
        Self { pki, version, config: Arc::new(config) }
    }

    /// Starts it; when a handshake is complete, it does this.
    fn start(
        &self,
        then: impl Fn(&mut ServerConnection, &mut TcpStream) + Send + Sync + 'static,
    ) -> SocketAddr {
        let config = Arc::clone(&self.config);
        scripted(move |mut stream| {
            let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            while tls.is_handshaking() {
                if tls.complete_io(&mut stream).is_err() {
                    return;
                }
            }
            then(&mut tls, &mut stream);
            while tls.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {}
        })
    }

    /// The bytes that it sends up to the end of the handshake.
    fn flight(&self) -> usize {
        let mut roots = RootCertStore::empty();
        roots.add(self.pki.root.certificate.clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("a.test").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(&self.config)).unwrap();
        let mut length = 0;
        while client.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut bytes.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let mut bytes = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            length += bytes.len();
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
            }
            client.process_new_packets().unwrap();
        }
        length
    }
}

/// Audits all these servers in one run; checks its time and memory, and that every one has its result.
#[track_caller]
fn audit(servers: &[SocketAddr], options: &[&str]) -> (i32, Vec<Value>) {
    let list: String = servers
        .iter()
        .flat_map(|address| ["a.test:443:".to_owned(), address.to_string(), "\n".to_owned()])
        .collect();
    let started = Instant::now();
    let args = [options, &["--format", "json", "-"]].concat();
    let Watched { run, peak } = watched(&args, &list);
    let took = started.elapsed();
    assert!(took < PATIENCE, "{took:?}");
    assert!(peak < MEMORY, "{peak} kB");
    let report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    let targets = report["targets"].as_array().unwrap().clone();
    let met: Vec<&str> = targets.iter().map(|one| text(&one["handshakes"][0]["address"])).collect();
    let expected: Vec<String> = servers.iter().map(ToString::to_string).collect();
    for (target, (met, expected)) in targets.iter().zip(met.iter().zip(&expected)) {
        assert_eq!(met, expected, "{target:#}\n{}", run.stderr);
    }
    assert_eq!(met.len(), expected.len());
    (run.status, targets)
}

/// Checks that a target is no pass, and that the reason is told.
#[track_caller]
fn check_no_pass(target: &Value, what: &impl Debug) {
    let status = text(&target["status"]);
    assert!(["fail", "untested"].contains(&status), "{what:?}: {target:#}");
    let reasons = |list: &str| target[list].as_array().unwrap().len();
    assert!(reasons("findings") + reasons("untested") > 0, "{what:?}: {target:#}");
    let handshakes = target["handshakes"].as_array().unwrap().iter();
    // A hello that is only answered is no handshake.
    let complete = |one: &&Value| one["engine"] == "rustls" && one["outcome"] == "established";
    let mut complete = handshakes.filter(complete);
    assert!(complete.next().is_none(), "{what:?}: {target:#}");
    assert_ne!(target["nginx"]["as_configured"], "pass", "{what:?}: {target:#}");
}

#[track_caller]
fn check_pass(target: &Value, what: &str) {
    assert_eq!(text(&target["status"]), "pass", "{what}: {target:#}");
}

fn quiet(_: &mut ServerConnection, _: &mut TcpStream) {}

#[test]
fn a_flight_that_is_damaged_at_any_byte_is_no_handshake() {
    for version in [&TLS12, &TLS13] {
        let healthy = Healthy::new(version, |_| {});
        let (server, last) = (healthy.start(quiet), healthy.flight() - SHORTER);
        let places: Vec<usize> = [0, 1, 4, 5, 9]
            .into_iter()
            .chain((1..=PLACES).map(|step| last * step / PLACES))
            .collect();
        let cases: Vec<(Damage, usize)> = Damage::ALL
            .iter()
            .flat_map(|damage| places.iter().map(|place| (*damage, *place)))
            .collect();
        let servers: Vec<SocketAddr> =
            cases.iter().map(|(damage, place)| damaged(server, *place, *damage)).collect();
        let ca_file = healthy.pki.ca_file();
        let options = [
            "probe",
            "--as-nginx",
            "--proxy-ssl-server-name",
            "on",
            "--proxy-ssl-name",
            "a.test",
            "--timeout",
            "1s",
            "--ca-file",
            &ca_file,
        ];
        let (status, targets) = audit(&servers, &options);
        assert_eq!(status, 1);
        for (target, case) in targets.iter().zip(&cases) {
            check_no_pass(target, &(version.version, case));
        }
    }
}

#[test]
fn a_flight_in_pieces_is_a_handshake() {
    for version in [&TLS12, &TLS13] {
        let healthy = Healthy::new(version, |_| {});
        let server = healthy.start(quiet);
        let pieces = [(1, 0), (7, 20), (400, 50)];
        let servers: Vec<SocketAddr> = pieces
            .iter()
            .map(|(size, pause)| in_pieces(server, *size, Duration::from_millis(*pause)))
            .collect();
        let (status, targets) = audit(&servers, &["probe", "--ca-file", &healthy.pki.ca_file()]);
        assert_eq!(status, 0, "{targets:#?}");
        targets
            .iter()
            .zip(pieces)
            .for_each(|(target, piece)| check_pass(target, &format!("{piece:?}")));
    }
}

#[test]
fn what_no_server_answers_is_no_handshake() {
    let servers: Vec<SocketAddr> =
        BEASTS.iter().map(|(_, answer)| beasts::start(*answer)).collect();
    for command in ["probe", "scan"] {
        let (status, targets) =
            audit(&servers, &[command, "--trust", "mozilla", "--timeout", "1s"]);
        assert_eq!(status, 1);
        for (target, (name, _)) in targets.iter().zip(BEASTS) {
            check_no_pass(target, name);
        }
    }
}

#[test]
fn what_follows_a_handshake_has_a_limit() {
    /// What a server does once its handshake is complete.
    type Deed = fn(&mut ServerConnection, &mut TcpStream);
    let deeds: [(&str, Deed); 5] = [
        ("data without end", |tls, stream| {
            while tls.writer().write_all(&[b'x'; 4096]).is_ok() && tls.write_tls(stream).is_ok() {}
        }),
        ("header lines without end", |tls, stream| {
            let _ = tls.writer().write_all(b"HTTP/1.1 200 OK\r\n");
            while tls.writer().write_all(&b"a: b\r\n".repeat(500)).is_ok()
                && tls.write_tls(stream).is_ok()
            {}
        }),
        ("garbage", |_, stream| drop(stream.write_all(&[0xa5; 64]))),
        ("a goodbye", |tls, _| tls.send_close_notify()),
        ("a reset", |_, stream| {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }),
    ];
    for version in [&TLS12, &TLS13] {
        let healthy = Healthy::new(version, |_| {});
        let many_tickets = Healthy::new(version, |config| config.send_tls13_tickets = 2000);
        let mut names: Vec<&str> = deeds.iter().map(|(name, _)| *name).collect();
        let mut servers: Vec<SocketAddr> =
            deeds.iter().map(|(_, deed)| healthy.start(*deed)).collect();
        if version.version == ProtocolVersion::TLSv1_3 {
            names.extend(["keys without end", "tickets without end"]);
            servers.push(healthy.start(|tls, stream| {
                while tls.refresh_traffic_keys().is_ok() && tls.write_tls(stream).is_ok() {}
            }));
            servers.push(many_tickets.start(quiet));
        }
        let (ca_file, other) = (healthy.pki.ca_file(), many_tickets.pki.ca_file());
        let options = ["probe", "--timeout", "3s", "--ca-file", &ca_file, "--add-ca-file", &other];
        let (_, targets) = audit(&servers, &options);
        // Garbage right behind the handshake may be read with its end, and then breaks it.
        let served = targets.iter().zip(names).filter(|(_, name)| *name != "garbage");
        served.for_each(|(target, name)| check_pass(target, name));
    }
}
