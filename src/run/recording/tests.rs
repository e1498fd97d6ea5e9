use std::time::Duration;

use super::*;
use crate::audit::fixtures::Scene;
use crate::certificate::Chain;
use crate::certificate::crl::{RevocationList, RevocationLists};
use crate::nginx::defaults::NginxRelease;
use crate::nginx::upstream::ProxyModule;
use crate::observation::nginx::{NginxAnswer, RefusalSubject, Served};
use crate::observation::quic::QuicFacts;
use crate::observation::scan::{
    BrowserHello, Features, Listing, Order, Replay, ReplayFailure, Scan, SizedHello, SuiteChoice,
    VersionScan,
};
use crate::observation::{
    Addresses, Cause, ClientAuth, ClientCertificateRequest, ClientRefusal, Endpoint, Engine,
    Failure, Handshake, Observed, RawChoice, RawHello, Session, Stage, Steadiness,
};
use crate::openssl::release::OpensslRelease;
use crate::targets::nginx_client::{NginxClient, NginxRequest, PlainPass, SettingChange, Trusted};
use crate::tls::alert::AlertDescription;
use crate::tls::group::NamedGroup;
use crate::tls::profile::select;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// An observation in which no field is as it would be by default. Every field is named: a new one does not compile before
/// it is here.
fn full(chain: &Arc<Chain>, trusted: &Trusted) -> Observation {
    let address: SocketAddr = "[2001:db8::1]:8443".parse().unwrap();
    let endpoint = Endpoint {
        address,
        handshakes: vec![handshake(chain)],
        raw: vec![RawHello {
            sni: Some("a.test".to_owned()),
            version: ProtocolVersion::TLS1,
            outcome: Ok(choice()),
            chain: Some(Arc::clone(chain)),
        }],
        browser: Some(BrowserHello {
            whole: SizedHello { size: 1750, outcome: Err(failure()) },
            classic: Some(SizedHello { size: 517, outcome: Ok(choice()) }),
            padded: Some(SizedHello { size: 1751, outcome: Err(failure()) }),
        }),
        without_alpn: vec![handshake(chain)],
        classic_groups: Some(Err(failure())),
        scans: vec![scan(chain)],
        replays: vec![Replay {
            profile: select("java-7").unwrap()[0],
            outcome: Err(ReplayFailure::Late(failure())),
            size: 200,
            confirmed: true,
            fails_on_alpn: true,
        }],
        steadiness: Steadiness::Unsteady(failure()),
        scan_withheld: true,
        connections: 17,
        nginx: vec![attempt(chain, trusted)],
        quic: Some(Box::new(QuicFacts {
            retried: true,
            over_tcp: Some(handshake(chain)),
            advertised: Observed::Seen("h3=\":443\"".to_owned()),
        })),
    };
    Observation { addresses: Addresses::Found(vec![address.ip()]), endpoints: vec![endpoint] }
}

fn failure() -> Failure {
    Failure { stage: Stage::PostHandshake, cause: Cause::Alert(AlertDescription(116)) }
}

fn choice() -> RawChoice {
    RawChoice {
        version: ProtocolVersion::TLS1_2,
        cipher_suite: CipherSuite(0xc02f),
        group: Some(NamedGroup(0x001d)),
        scheme: Some(SignatureScheme(0x0804)),
    }
}

fn handshake(chain: &Arc<Chain>) -> Handshake {
    let authorities = vec!["CN=clients".to_owned()];
    let request = ClientCertificateRequest { authorities, answered: true };
    Handshake {
        sni: Some("a.test".to_owned()),
        version: ProtocolVersion::TLS1_3,
        engine: Engine::Rustls,
        outcome: Ok(Session {
            cipher_suite: CipherSuite(0x1301),
            group: Some(NamedGroup(0x11ec)),
            alpn: Some("h2".to_owned()),
            ocsp_staple: Some(vec![0x30, 0]),
        }),
        chain: Some(Arc::clone(chain)),
        client_auth: ClientAuth::Required(request, ClientRefusal::Words("no".to_owned())),
        connect_time: Some(Duration::from_micros(1500)),
        handshake_time: Some(Duration::from_micros(2500)),
        bad_signature: true,
        unchecked_signature: true,
        signature_scheme: Some(SignatureScheme(0x0403)),
        resumption: Observed::Seen(()),
        early_data: Observed::Failed(failure()),
    }
}

fn listing<T>(accepted: T) -> Listing<T> {
    Listing {
        accepted: vec![accepted],
        order: Some(Order::Mixed),
        refusal: Some(Cause::Closed),
        cut_short: Some(failure()),
    }
}

fn scan(chain: &Arc<Chain>) -> Scan {
    let suite = SuiteChoice {
        cipher_suite: CipherSuite(0x009e),
        group: Some(NamedGroup(0x0100)),
        key_bits: Some(1024),
    };
    Scan {
        sni: Some("a.test".to_owned()),
        versions: vec![VersionScan {
            version: ProtocolVersion::TLS1_2,
            suites: listing(suite),
            groups: listing(NamedGroup(0x001d)),
            schemes: listing(SignatureScheme(0x0804)),
            complete: Observed::Seen(()),
        }],
        alpn: listing("h2".to_owned()),
        features: Features {
            secure_renegotiation: Observed::Seen(()),
            extended_master_secret: Observed::Absent,
            session_ticket: Observed::Failed(failure()),
            session_id: Observed::Seen(()),
            compression: Observed::Absent,
            fallback_scsv: Observed::Seen(()),
        },
        chains: vec![Arc::clone(chain)],
    }
}

fn attempt(chain: &Arc<Chain>, trusted: &Trusted) -> NginxAttempt {
    let changes = vec![SettingChange::Name("a.test".to_owned()), SettingChange::VerifyDepth(2)];
    NginxAttempt {
        client: Arc::new(client(trusted)),
        changes,
        answer: Ok(NginxAnswer {
            choice: choice(),
            dh_bits: Some(2048),
            secure_renegotiation: true,
            certificate_requested: true,
            chain: Some(Arc::clone(chain)),
        }),
        complete: Some(handshake(chain)),
        served: Served::Answer { status: 421, subject: RefusalSubject::Name },
        more_handshakes: 1,
    }
}

fn client(trusted: &Trusted) -> NginxClient {
    NginxClient {
        module: ProxyModule::Grpc,
        version: Some(NginxRelease::new(1, 22, 1)),
        library: OpensslRelease::V3_0,
        server_name: true,
        name: "b.test".to_owned(),
        protocols: Some(vec![ProtocolVersion::TLS1_2]),
        ciphers: "HIGH".to_owned(),
        verify: true,
        verify_depth: 3,
        trusted: Some(trusted.clone()),
        crl: Some("crl.pem".into()),
        lists: Some(Arc::new(RevocationLists(vec![
            RevocationList::parse(&Scene::new().root.revocation_list(|_| {}).unwrap()).unwrap(),
        ]))),
        lists_unread: Some("unreadable".to_owned()),
        identity: Some(Scene::new().identity(rcgen::ExtendedKeyUsagePurpose::ClientAuth)),
        alpn: vec!["h2".to_owned()],
        trusted_unread: Some("unreadable".to_owned()),
        identity_unread: Some("unreadable".to_owned()),
        place: Some(Origin { file: "nginx.conf".to_owned(), line: 7, column: 3 }),
        conf_commands: vec!["Options -SessionTicket".to_owned()],
        system_commands: vec!["Groups P-256".to_owned()],
        request: Some(NginxRequest {
            method: "HEAD".to_owned(),
            host: "b.test".to_owned(),
            path: "/x".to_owned(),
            http11: true,
            more_paths: vec!["/y".to_owned()],
            paths_left_out: 2,
            assumed: true,
        }),
        plain: Some(PlainPass {
            url: "http://b.test".to_owned(),
            over_tls: Some("https://b.test".to_owned()),
            beside_tls: true,
        }),
    }
}

#[test]
fn what_is_saved_is_read_again_to_the_last_field() {
    let scene = Scene::new();
    let chain = scene.seen.endpoints[0].handshakes[0].chain.clone().unwrap();
    let observation = full(&chain, &scene.trusting());
    let attempts = vec![("192.0.2.1:443".parse().unwrap(), attempt(&chain, &scene.trusting()))];
    let target = Target { trust: Trust::default(), ..scene.target };
    let saved = RecordedTarget { index: 3, target, observation, attempts };
    let line = RecordingLine::Target(Box::new(saved.clone())).text().unwrap();
    let RecordingLine::Target(read) = packing::unpack(line.trim_end()).unwrap() else {
        panic!("{line}");
    };
    assert_eq!(format!("{read:#?}"), format!("{saved:#?}"));
}
