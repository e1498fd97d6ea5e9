//! Scenes for the rules' tests: one healthy endpoint, and a way to spoil each part of it. A scene is judged by all rules
//! at once, so that a test also holds that nothing false is said beside the finding that it wants.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::CertificateParams;
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use time::macros::datetime;

use super::finding::Finding;
use super::judge::{Judgement, judge};
use crate::certificate::Chain;
use crate::certificate::issue::{Authority, Issued};
use crate::certificate::trust::{Assessor, TrustStore};
use crate::observation::{
    Cause, ClientAuth, Endpoint, Engine, Failure, Handshake, Observation, Observed, RawChoice,
    RawHello, Session, Stage,
};
use crate::target::options::Options;
use crate::target::{Role, Target};
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// The time of every scene.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-06-15 12:00 UTC);

/// One target, what was seen of it, and the roots it is held against.
pub(crate) struct Scene {
    pub(crate) target: Target,
    pub(crate) seen: Observation,
    pub(crate) root: Authority,
    pub(crate) intermediate: Authority,
}

impl Scene {
    /// A healthy listener called a.test, whose chain has one intermediate.
    pub(crate) fn new() -> Self {
        Self::of("a.test")
    }

    /// A healthy upstream called a.test.
    pub(crate) fn upstream() -> Self {
        let mut scene = Self::new();
        scene.target.role = Role::Upstream;
        scene
    }

    /// A healthy endpoint at an address that was typed like this; its certificate is for a.test and 192.0.2.1.
    pub(crate) fn of(address: &str) -> Self {
        let root = Authority::root("test root", NOW).unwrap();
        let intermediate = root.intermediate("test intermediate").unwrap();
        let target = Options::default().target(address.parse().unwrap(), None, None);
        let endpoint = endpoint(&target, "192.0.2.1:443");
        let addresses = Ok(vec![endpoint.address.ip()]);
        let mut scene = Self {
            target,
            seen: Observation { addresses, endpoints: vec![endpoint] },
            root,
            intermediate,
        };
        let issued = scene.intermediate.issue(&["a.test", "192.0.2.1"]).unwrap();
        scene.present(&issued.chain());
        scene
    }

    /// Adds a second, healthy address.
    pub(crate) fn second_address(&mut self) {
        let mut second = endpoint(&self.target, "192.0.2.2:443");
        for cell in &mut second.handshakes {
            cell.chain = self.seen.endpoints[0].handshakes[0].chain.clone();
        }
        if let Ok(addresses) = &mut self.seen.addresses {
            addresses.push(second.address.ip());
        }
        self.seen.endpoints.push(second);
    }

    /// Has every handshake present this chain.
    pub(crate) fn present(&mut self, chain: &[CertificateDer<'_>]) {
        let chain = chain_of(chain);
        self.each(|cell| cell.chain = Some(Arc::clone(&chain)));
    }

    /// Has every handshake present a certificate from the intermediate, with something about it changed.
    pub(crate) fn issue(&mut self, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let issued = self.intermediate.issue_with(&["a.test"], change).unwrap();
        self.present(&issued.chain());
        issued
    }

    /// Changes every handshake of the first address.
    pub(crate) fn each(&mut self, change: impl FnMut(&mut Handshake)) {
        self.seen.endpoints[0].handshakes.iter_mut().for_each(change);
    }

    /// Fails the handshakes of the first address that `which` picks.
    pub(crate) fn fail(&mut self, which: impl Fn(&Handshake) -> bool, stage: Stage, cause: &Cause) {
        self.each(|cell| {
            if which(cell) {
                cell.outcome = Err(Failure { stage, cause: cause.clone() });
                cell.chain = None;
                cell.resumption = Observed::NotTried;
            }
        });
    }

    /// Adds the answer to a raw hello at the first address.
    pub(crate) fn raw(&mut self, version: ProtocolVersion, answer: Result<u16, Cause>) {
        let outcome = answer
            .map(|suite| RawChoice { version, cipher_suite: CipherSuite(suite), group: None })
            .map_err(|cause| Failure { stage: Stage::Handshake, cause });
        self.seen.endpoints[0].raw.push(RawHello {
            sni: self.target.server_name.clone(),
            version,
            outcome,
        });
    }

    pub(crate) fn judge(&self) -> Judgement {
        let (store, _) = TrustStore::from_certificates(
            "test".to_owned(),
            vec![self.root.certificate.clone()],
            false,
        );
        judge(&self.target, &self.seen, &Assessor::new(Arc::new(store), NOW), NOW)
    }

    /// Holds that exactly these findings are made, each given as `severity rule-id`.
    #[track_caller]
    pub(crate) fn check(&self, expected: &[&str]) -> Vec<Finding> {
        let findings = self.judge().findings;
        let found: Vec<String> =
            findings.iter().map(|found| format!("{} {}", found.severity, found.rule)).collect();
        assert_eq!(found, expected, "{findings:#?}");
        findings
    }
}

/// A chain of these certificates.
pub(crate) fn chain_of(certificates: &[CertificateDer<'_>]) -> Arc<Chain> {
    let sent: Vec<&[u8]> = certificates.iter().map(AsRef::as_ref).collect();
    Arc::new(Chain::from_der(&sent))
}

/// Whether a cell carries a name.
pub(crate) fn named(cell: &Handshake) -> bool {
    cell.sni.is_some()
}

/// Whether a cell carries no name.
pub(crate) fn bare(cell: &Handshake) -> bool {
    cell.sni.is_none()
}

/// Every cell.
pub(crate) fn any(_: &Handshake) -> bool {
    true
}

fn endpoint(target: &Target, address: &str) -> Endpoint {
    let address: SocketAddr = address.parse().unwrap();
    let names = std::iter::once(None).chain(target.server_name.clone().map(Some));
    let handshakes = names
        .flat_map(|sni| {
            [ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3]
                .map(|version| established(sni.clone(), version))
        })
        .collect();
    Endpoint { address, handshakes, raw: Vec::new() }
}

fn established(sni: Option<String>, version: ProtocolVersion) -> Handshake {
    Handshake {
        resumption: if sni.is_some() { Observed::Seen(()) } else { Observed::NotTried },
        sni,
        version,
        engine: Engine::Rustls,
        outcome: Ok(Session {
            cipher_suite: CipherSuite(0x1301),
            group: None,
            alpn: None,
            ocsp_staple: None,
        }),
        chain: None,
        client_auth: ClientAuth::NotRequested,
        connect_time: Some(Duration::from_millis(1)),
        handshake_time: Some(Duration::from_millis(2)),
        bad_signature: false,
    }
}
