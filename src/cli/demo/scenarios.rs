//! The servers of the demo: the fault of each, and the rules that must find it.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};

use super::server::{self, BOTH, Behaviour, ServedCertificate};
use crate::certificate::issue::{Authority, Issued, self_signed};
use crate::certificate::trust::TrustStore;
use crate::nginx::defaults::NginxRelease;
use crate::targets::address::Address;
use crate::targets::nginx_client::{NginxClient, Trusted};
use crate::targets::options::Options;
use crate::targets::{Host, Role, Target};

/// One server.
pub(super) struct Scenario {
    /// Its name in the report.
    pub(super) name: &'static str,
    /// The fault, in a phrase.
    pub(super) fault: &'static str,
    /// The rules that must have findings.
    pub(super) expected: &'static [&'static str],
    /// The target to audit.
    pub(super) target: Target,
}

/// TLS 1.3 only.
const TLS13_ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// The name that every certificate covers.
const NAME: &str = "app.demo.test";

/// Starts every server; returns the roots that the audit trusts.
pub(super) async fn start(now: OffsetDateTime) -> anyhow::Result<(Vec<Scenario>, TrustStore)> {
    let pki = DemoPki::new(now)?;
    let mut stage = ScenarioBuilder { pki: &pki, scenarios: Vec::new() };
    stage.names().await?;
    stage.proxies().await?;
    stage.certificates().await?;
    stage.chains().await?;
    stage.protocols().await?;
    stage.client_certificates().await?;
    stage.connections().await?;
    let scenarios = stage.scenarios;
    let (store, _) = TrustStore::from_certificates(
        "the demo's trusted roots".to_owned(),
        vec![pki.root.certificate.clone()],
        false,
    );
    Ok((scenarios, store))
}

/// The CAs of the demo.
struct DemoPki {
    now: OffsetDateTime,
    root: Authority,
    lower: Authority,
    foreign: Authority,
}

impl DemoPki {
    fn new(now: OffsetDateTime) -> anyhow::Result<Self> {
        let root = Authority::root("Demo Root", now)?;
        let upper = root.intermediate("Demo Intermediate 1")?;
        let lower = upper.intermediate("Demo Intermediate 2")?;
        let foreign = Authority::root("Unknown Root", now)?.intermediate("Unknown Intermediate")?;
        Ok(Self { now, root, lower, foreign })
    }

    fn healthy(&self) -> anyhow::Result<Issued> {
        Ok(self.lower.issue(&[NAME])?)
    }

    /// A certificate that expires in this many days.
    fn ending(&self, days: i64) -> anyhow::Result<Issued> {
        let (start, end) =
            (self.now - Duration::days(90), self.now + Duration::days(days) + Duration::hours(1));
        Ok(self
            .lower
            .issue_with(&[NAME], |params| (params.not_before, params.not_after) = (start, end))?)
    }
}

/// A certificate and the chain that a server sends with it, its own or another.
fn served(
    issued: &Issued,
    chain: Vec<CertificateDer<'static>>,
) -> anyhow::Result<ServedCertificate> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = provider.key_provider.load_private_key(issued.private_key())?;
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

fn serving(issued: &Issued) -> anyhow::Result<Behaviour> {
    sending(issued, issued.chain())
}

fn sending(issued: &Issued, chain: Vec<CertificateDer<'static>>) -> anyhow::Result<Behaviour> {
    let named = served(issued, chain)?;
    Ok(Behaviour {
        default: Some(Arc::clone(&named)),
        named,
        name: NAME,
        versions: BOTH,
        client_authority: None,
        answers_400: false,
    })
}

struct ScenarioBuilder<'p> {
    pki: &'p DemoPki,
    scenarios: Vec<Scenario>,
}

impl ScenarioBuilder<'_> {
    async fn names(&mut self) -> anyhow::Result<()> {
        let issued = self.pki.healthy()?;
        self.tls("healthy", "nothing: there must be no finding", &[], serving(&issued)?).await?;
        let strict = Behaviour { default: None, ..serving(&issued)? };
        self.tls("name-wanted", "refuses hellos without SNI", &["sni-required"], strict.clone())
            .await?;
        let other = self.pki.lower.issue(&["default.demo.test"])?;
        let virtual_hosts =
            Behaviour { default: Some(served(&other, other.chain())?), ..serving(&issued)? };
        let address = server::tls(virtual_hosts).await?;
        self.add(
            "virtual-hosts",
            "presents another certificate without SNI",
            &["sni-different-certificate"],
            address,
            Role::Upstream,
        );
        let stranger = Behaviour { name: "other.demo.test", ..strict };
        self.tls(
            "unknown-name",
            "does not know the name that clients send",
            &["sni-name-rejected"],
            stranger,
        )
        .await
    }

    /// Upstreams of an nginx with known settings.
    async fn proxies(&mut self) -> anyhow::Result<()> {
        let issued = self.pki.healthy()?;
        let strict = Behaviour { default: None, ..serving(&issued)? };
        self.behind_nginx(
            "upstream-sni",
            "nginx connects to it as `backend`, and sends no name",
            &["upstream-sni-missing", "upstream-verify-off"],
            server::tls(strict).await?,
            NginxClient::new("backend"),
        );
        let (store, _) = TrustStore::from_certificates(
            "the demo's trusted roots".to_owned(),
            vec![self.pki.root.certificate.clone()],
            false,
        );
        let trusted = Trusted { path: "demo-root.pem".into(), store: Arc::new(store) };
        let verifying = NginxClient {
            server_name: true,
            verify: true,
            trusted: Some(trusted),
            ..NginxClient::new(NAME)
        };
        self.behind_nginx(
            "upstream-depth",
            "sends two intermediates, and nginx verifies to a depth of 1",
            &["upstream-verify-depth"],
            server::tls(serving(&issued)?).await?,
            verifying,
        );
        let new = Behaviour { versions: TLS13_ONLY, ..serving(&issued)? };
        let old = NginxClient {
            server_name: true,
            version: Some(NginxRelease::new(1, 22, 1)),
            ..NginxClient::new(NAME)
        };
        self.behind_nginx(
            "upstream-version",
            "accepts only TLS 1.3, which nginx 1.22 does not offer by default",
            &["upstream-protocol-mismatch", "upstream-verify-off"],
            server::tls(new).await?,
            old,
        );
        Ok(())
    }

    fn behind_nginx(
        &mut self,
        name: &'static str,
        fault: &'static str,
        expected: &'static [&'static str],
        address: SocketAddr,
        client: NginxClient,
    ) {
        self.add(name, fault, expected, address, Role::Upstream);
        if let Some(scenario) = self.scenarios.last_mut() {
            scenario.target.nginx = Some(Arc::new(client));
        }
    }

    async fn certificates(&mut self) -> anyhow::Result<()> {
        let pki = self.pki;
        let expired = serving(&pki.ending(-3)?)?;
        self.tls(
            "expired",
            "the certificate expired three days ago",
            &["certificate-expired"],
            expired,
        )
        .await?;
        let expiring = serving(&pki.ending(9)?)?;
        self.tls(
            "expiring",
            "the certificate expires in nine days",
            &["certificate-expiring"],
            expiring,
        )
        .await?;
        let start = pki.now + Duration::days(2);
        let early = pki.lower.issue_with(&[NAME], |params| params.not_before = start)?;
        self.tls(
            "not-yet-valid",
            "the certificate becomes valid in two days",
            &["certificate-not-yet-valid"],
            serving(&early)?,
        )
        .await?;
        let elsewhere = pki.lower.issue(&["www.demo.test"])?;
        self.tls(
            "wrong-name",
            "the certificate is for another name",
            &["hostname-mismatch"],
            serving(&elsewhere)?,
        )
        .await?;
        let nameless = pki.lower.issue_with(&[NAME], |params| params.subject_alt_names.clear())?;
        self.tls(
            "common-name",
            "only a common name, no SAN",
            &["certificate-without-san"],
            serving(&nameless)?,
        )
        .await?;
        let own = self_signed(&[NAME], pki.now)?;
        self.tls("self-signed", "the certificate is self-signed", &["self-signed"], serving(&own)?)
            .await
    }

    async fn chains(&mut self) -> anyhow::Result<()> {
        let pki = self.pki;
        let issued = pki.healthy()?;
        let chain = issued.chain();
        let alone = sending(&issued, vec![issued.certificate.clone()])?;
        self.tls("leaf-alone", "the intermediates are missing", &["chain-incomplete"], alone)
            .await?;
        let mut swapped = chain.clone();
        swapped.swap(1, 2);
        self.tls(
            "misordered",
            "the intermediates are in the wrong order",
            &["chain-misordered"],
            sending(&issued, swapped)?,
        )
        .await?;
        let mut longer = chain;
        longer.extend([pki.foreign.certificate.clone(), pki.root.certificate.clone()]);
        let expected = &["chain-contains-root", "chain-unrelated-certificate"];
        self.tls(
            "extra-certificates",
            "sends the root and an unrelated certificate too",
            expected,
            sending(&issued, longer)?,
        )
        .await?;
        let foreign = pki.foreign.issue(&[NAME])?;
        self.tls(
            "unknown-authority",
            "the issuer is not trusted",
            &["untrusted-issuer"],
            serving(&foreign)?,
        )
        .await?;
        let ended = pki.now - Duration::days(1);
        let old = pki
            .root
            .intermediate_with("Demo Intermediate, expired", |params| params.not_after = ended)?;
        let stale = serving(&old.issue(&[NAME])?)?;
        self.tls(
            "stale-intermediate",
            "the intermediate expired yesterday",
            &["intermediate-expired"],
            stale,
        )
        .await
    }

    async fn protocols(&mut self) -> anyhow::Result<()> {
        const TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
        let issued = self.pki.healthy()?;
        let old = Behaviour { versions: TLS12, ..serving(&issued)? };
        self.tls("tls12-only", "no TLS 1.3", &["tls13-unsupported"], old).await?;
        let new = server::tls(Behaviour { versions: TLS13_ONLY, ..serving(&issued)? }).await?;
        self.add(
            "tls13-only",
            "an upstream without TLS 1.2",
            &["tls12-unsupported"],
            new,
            Role::Upstream,
        );
        let ancient = server::tls10(&issued.chain()).await?;
        self.add("tls10-only", "only TLS 1.0", &["legacy-protocol-only"], ancient, Role::Listener);
        Ok(())
    }

    async fn client_certificates(&mut self) -> anyhow::Result<()> {
        let authority = Some(self.pki.root.certificate.clone());
        let required = Behaviour { client_authority: authority, ..serving(&self.pki.healthy()?)? };
        let expected = &["client-certificate-required"];
        self.tls(
            "mutual-tls",
            "refuses clients without a certificate during the handshake",
            expected,
            required.clone(),
        )
        .await?;
        let as_nginx = Behaviour { answers_400: true, ..required };
        self.tls(
            "mutual-tls-nginx",
            "refuses clients without a certificate with HTTP 400, as nginx does",
            expected,
            as_nginx,
        )
        .await
    }

    async fn connections(&mut self) -> anyhow::Result<()> {
        let plain = server::plain_http().await?;
        self.add("plain-http", "plain HTTP on a TLS port", &["not-tls"], plain, Role::Listener);
        let hangs_up = server::hangs_up().await?;
        self.add(
            "hangs-up",
            "closes the connection after the hello",
            &["connection-closed"],
            hangs_up,
            Role::Listener,
        );
        let silent = server::silent().await?;
        self.add(
            "silent",
            "accepts connections and never answers",
            &["handshake-timeout"],
            silent,
            Role::Listener,
        );
        let closed = server::closed_port()?;
        self.add(
            "closed",
            "nothing listens on the port",
            &["connection-refused"],
            closed,
            Role::Listener,
        );
        Ok(())
    }

    async fn tls(
        &mut self,
        name: &'static str,
        fault: &'static str,
        expected: &'static [&'static str],
        behaviour: Behaviour,
    ) -> anyhow::Result<()> {
        let address = server::tls(behaviour).await?;
        self.add(name, fault, expected, address, Role::Listener);
        Ok(())
    }

    fn add(
        &mut self,
        name: &'static str,
        fault: &'static str,
        expected: &'static [&'static str],
        address: SocketAddr,
        role: Role,
    ) {
        let (host, connect_to) =
            (Host::Name(NAME.to_owned()), (Host::Ip(address.ip()), address.port()));
        let endpoint = Address {
            host,
            port: Some(address.port()),
            connect_to: Some(connect_to),
            starttls: None,
        };
        let options =
            Options { name: Some(name.to_owned()), role: Some(role), ..Options::default() };
        self.scenarios.push(Scenario {
            name,
            fault,
            expected,
            target: options.target(endpoint, None, None),
        });
    }
}
