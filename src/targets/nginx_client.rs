//! nginx as the client of a target: its effective `*_ssl_*` settings, with every default resolved and every file read,
//! and the resulting hello.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ClientIdentity, Origin};
use crate::certificate::trust::{TrustStore, openssl};
use crate::nginx::defaults::NginxRelease;
use crate::nginx::upstream::ProxyModule;
use crate::openssl::cipher_string::{self, CipherStringError};
use crate::openssl::conf_command::{Commands, LeftOut};
use crate::openssl::release::OpensslRelease;
use crate::openssl::security_level;
use crate::tls::extension::Extension;
use crate::tls::hello::ClientHello;
use crate::tls::profile::Profile;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// The release that is assumed if nginx's is unknown.
pub const ASSUMED: NginxRelease = NginxRelease::new(1, 28, 0);

/// The newest release whose defaults are known.
pub const NEWEST: NginxRelease = NginxRelease::new(1, 31, 0);

/// nginx as a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NginxClient {
    /// The module that connects; it determines the prefix of the directives.
    pub module: ProxyModule,
    /// nginx's release, if known.
    pub version: Option<NginxRelease>,
    /// The TLS library.
    pub library: OpensslRelease,
    /// `_server_name`: whether the name is sent.
    pub server_name: bool,
    /// `_name`, or the host in the pass URL: the name to send and to verify.
    pub name: String,
    /// `_protocols`; `None` for the release's own.
    pub protocols: Option<Vec<ProtocolVersion>>,
    /// `_ciphers`.
    pub ciphers: String,
    /// `_verify`.
    pub verify: bool,
    /// `_verify_depth`.
    pub verify_depth: usize,
    /// `_trusted_certificate`.
    pub trusted: Option<Trusted>,
    /// `_crl`.
    pub crl: Option<PathBuf>,
    /// `_certificate` and its key.
    pub identity: Option<Arc<ClientIdentity>>,
    /// The application protocols to offer.
    pub alpn: Vec<String>,
    /// Why the trusted file could not be read.
    pub trusted_unread: Option<String>,
    /// Why the client certificate could not be read.
    pub identity_unread: Option<String>,
    /// The `*_pass` directive whose block contains the settings, if they come from a configuration.
    pub place: Option<Origin>,
    /// `_conf_command`s, each `NAME VALUE`; they are applied last and can undo any of the above.
    pub conf_commands: Vec<String>,
    /// The request that nginx sends there, if the location is known.
    pub request: Option<NginxRequest>,
    /// The plain-text connection, if nginx does not use TLS.
    #[serde(default)]
    pub plain: Option<PlainPass>,
}

/// A `*_pass` directive without TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainPass {
    /// Its URL, as written.
    pub url: String,
    /// The same with the TLS scheme, if it leads to the same port.
    pub over_tls: Option<String>,
    /// Whether the same configuration also has targets with TLS, which are what the audit is about.
    #[serde(default)]
    pub beside_tls: bool,
}

/// A request as nginx sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NginxRequest {
    /// The `Host` header.
    pub host: String,
    /// The path.
    pub path: String,
    /// Whether it is HTTP/1.1 rather than 1.0.
    pub http11: bool,
    /// The paths of other places with the same settings.
    #[serde(default)]
    pub more_paths: Vec<String>,
    /// How many of these are left out.
    #[serde(default)]
    pub paths_left_out: usize,
}

/// Further paths that are requested; each costs a connection.
const MAX_MORE_PATHS: usize = 4;

impl NginxRequest {
    /// Takes in the path of another place.
    pub fn join(&mut self, other: &Self) {
        if self.path == other.path || self.more_paths.contains(&other.path) {
            return;
        }
        if self.more_paths.len() < MAX_MORE_PATHS {
            self.more_paths.push(other.path.clone());
        } else {
            self.paths_left_out += 1;
        }
    }

    /// The request for each path.
    pub fn each(&self) -> impl Iterator<Item = Self> {
        let paths = std::iter::once(&self.path).chain(&self.more_paths);
        paths.map(|path| Self { path: path.clone(), ..self.clone() })
    }

    /// The request as it is sent.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { host, path, http11, .. } = self;
        let minor = u8::from(*http11);
        format!(
            "GET {path} HTTP/1.{minor}\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: shakedown\r\nAccept: */*\r\n\r\n"
        )
        .into_bytes()
    }
}

/// A file of trusted certificates, and its contents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trusted {
    /// The file.
    pub path: PathBuf,
    /// Its contents.
    pub store: Arc<TrustStore>,
}

/// The library that distributions ship with a release; without a release, that of the assumed one.
pub fn usual_library(version: Option<NginxRelease>) -> OpensslRelease {
    let version = version.unwrap_or(ASSUMED);
    if version < NginxRelease::new(1, 20, 0) {
        OpensslRelease::V1_1_1
    } else if version < NginxRelease::new(1, 26, 0) {
        OpensslRelease::V3_0
    } else {
        OpensslRelease::V3_5
    }
}

/// Why no hello can be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum HelloError {
    /// The cipher list.
    #[error(transparent)]
    Ciphers(#[from] CipherStringError),
    /// No version is left.
    #[error("the protocols include no version that this OpenSSL supports")]
    NoVersion,
    /// No cipher suite is left for the versions.
    #[error("none of the cipher suites can be used with the protocols")]
    NoSuite,
}

impl NginxClient {
    /// nginx with all defaults, connecting to a host with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            module: ProxyModule::Proxy,
            version: None,
            library: usual_library(None),
            server_name: false,
            name: name.into(),
            protocols: None,
            ciphers: "DEFAULT".to_owned(),
            verify: false,
            verify_depth: 1,
            trusted: None,
            crl: None,
            identity: None,
            alpn: Vec::new(),
            trusted_unread: None,
            identity_unread: None,
            place: None,
            conf_commands: Vec::new(),
            request: None,
            plain: None,
        }
    }

    /// The release, or the one that is assumed.
    pub fn release(&self) -> NginxRelease {
        self.version.unwrap_or(ASSUMED)
    }

    /// A directive's full name: `proxy_ssl_verify`.
    pub fn directive(&self, suffix: &str) -> String {
        match suffix {
            HOST => self.module.prefix().replace("ssl_", HOST),
            PASS => self.module.pass().to_owned(),
            suffix => format!("{}{suffix}", self.module.prefix()),
        }
    }

    /// The name in the hello (`ngx_http_upstream_ssl_name`).
    pub fn sni(&self) -> Option<&str> {
        (self.server_name && is_sendable(&self.name)).then_some(&*self.name)
    }

    /// The same with SNI on.
    #[must_use]
    pub fn with_name_sent(&self) -> Self {
        self.with(&SettingChange::ServerName)
    }

    /// OpenSSL's security level.
    pub fn security_level(&self) -> u8 {
        cipher_string::evaluate(&self.cipher_list(), security_level::DEFAULT)
            .ok()
            .and_then(|list| list.security_level)
            .unwrap_or(security_level::DEFAULT)
    }

    /// The cipher list in force.
    fn cipher_list(&self) -> String {
        self.commands().cipher_string.unwrap_or_else(|| self.ciphers.clone())
    }

    /// The changes by the `_conf_command`s.
    pub fn commands(&self) -> Commands {
        Commands::read(&self.conf_commands, self.library)
    }

    /// Whether it accepts servers without secure renegotiation (RFC 5746).
    pub fn accepts_legacy_servers(&self) -> bool {
        self.library < OpensslRelease::V3_0 || self.commands().legacy_servers
    }

    /// How OpenSSL verifies for it, to this depth.
    pub fn verification(&self, depth: usize) -> openssl::VerifyProfile {
        openssl::VerifyProfile {
            depth,
            security_level: self.security_level(),
            library: self.library,
            ..openssl::VerifyProfile::default()
        }
    }

    /// The versions in the hello, oldest first.
    pub fn versions(&self) -> Vec<ProtocolVersion> {
        let default = || crate::nginx::defaults::protocols(self.release()).to_vec();
        let configured = self.protocols.clone().unwrap_or_else(default);
        let commands = self.commands();
        let mut versions: Vec<ProtocolVersion> = ProtocolVersion::ALL.to_vec();
        versions.retain(|version| commands.allows(*version, configured.contains(version)));
        if !configured.contains(&ProtocolVersion::SSL3) {
            versions.retain(|version| *version > ProtocolVersion::SSL3);
        }
        if self.library >= OpensslRelease::V3_2 && self.security_level() > 0 {
            versions.retain(|version| *version >= ProtocolVersion::TLS1_2);
        }
        lowest_run(&versions)
    }

    /// The hello, byte for byte what this library sends with these settings.
    pub fn hello(&self) -> Result<ClientHello, HelloError> {
        let versions = self.versions();
        let newest = *versions.last().ok_or(HelloError::NoVersion)?;
        let list = cipher_string::evaluate(&self.cipher_list(), security_level::DEFAULT)?;
        let commands = self.commands();
        let mut cipher_suites = Vec::new();
        if newest == ProtocolVersion::TLS1_3 {
            let default = || SUITES_TLS13.map(CipherSuite).to_vec();
            cipher_suites.extend(commands.cipher_suites.clone().unwrap_or_else(default));
        }
        let offered = |suite: &CipherSuite| cipher_string::offered_with(*suite, newest);
        if versions[0] < ProtocolVersion::TLS1_3 {
            cipher_suites.extend(list.suites.into_iter().filter(offered));
        }
        if cipher_suites.is_empty() {
            return Err(HelloError::NoSuite);
        }
        let mut base = self.library.profile();
        if let Some(groups) = &commands.groups {
            base.groups.clone_from(&groups.offered);
            base.key_shares.clone_from(&groups.shares);
        }
        if let Some(schemes) = &commands.schemes {
            base.signature_schemes.clone_from(schemes);
        }
        if newest < ProtocolVersion::TLS1_3 {
            base.groups.retain(|group| !group.is_finite_field() && !group.is_post_quantum());
            base.key_shares.clear();
            if newest < ProtocolVersion::TLS1_2 {
                base.signature_schemes.clear();
            }
        } else if versions[0] == ProtocolVersion::TLS1_3 {
            base.signature_schemes.retain(|scheme| !OLDER_SCHEMES.contains(&scheme.0));
        }
        let key_shares = match base.key_shares.as_slice() {
            [] => base.groups.iter().take(1).copied().collect(),
            shares => shares.to_vec(),
        };
        let profile = Profile {
            versions,
            cipher_suites,
            key_shares,
            alpn: self.alpn.clone(),
            server_name: true,
            ..base
        };
        let mut hello = profile.hello(self.sni());
        if !commands.left_out.contains(&LeftOut::Ticket) {
            hello = hello.with(Extension::SessionTicket(Vec::new()));
        }
        if !commands.left_out.contains(&LeftOut::ExtendedMasterSecret) {
            hello = hello.with(Extension::ExtendedMasterSecret);
        }
        if commands.left_out.contains(&LeftOut::SessionId) {
            hello.session_id.clear();
        }
        Ok(hello)
    }

    /// The settings as `name=value`, one per line, without the release and the library. Equal text means equal
    /// configuration.
    pub fn settings(&self) -> String {
        let path = |path: &PathBuf| path.display().to_string();
        let identity = self.identity.as_ref();
        let protocols = self.protocols.iter().flatten().map(ToString::to_string);
        let settings = [
            ("module", self.module.name().to_owned()),
            ("server_name", self.server_name.to_string()),
            ("name", self.name.clone()),
            ("protocols", protocols.collect::<Vec<_>>().join(" ")),
            ("ciphers", self.ciphers.clone()),
            ("verify", self.verify.to_string()),
            ("verify_depth", self.verify_depth.to_string()),
            (
                "trusted_certificate",
                self.trusted.as_ref().map(|one| path(&one.path)).unwrap_or_default(),
            ),
            ("crl", self.crl.as_ref().map(path).unwrap_or_default()),
            ("certificate", identity.map(|one| path(&one.certificate_file)).unwrap_or_default()),
            ("certificate_key", identity.map(|one| path(&one.key_file)).unwrap_or_default()),
            ("alpn", self.alpn.join(" ")),
            ("conf_command", self.conf_commands.join("; ")),
        ];
        let plain = self.plain.as_ref().map(|plain| format!("plain={}\n", plain.url));
        settings.map(|(name, value)| format!("{name}={value}\n")).concat()
            + &plain.unwrap_or_default()
    }

    /// These settings with one of them changed.
    #[must_use]
    pub fn with(&self, change: &SettingChange) -> Self {
        let mut changed = self.clone();
        match change {
            SettingChange::Tls(_) => changed.plain = None,
            SettingChange::ServerName => changed.server_name = true,
            SettingChange::Name(name) => changed.name.clone_from(name),
            SettingChange::Protocols(versions) => changed.protocols = Some(versions.clone()),
            SettingChange::Ciphers(list) => changed.ciphers.clone_from(list),
            SettingChange::Verify => changed.verify = true,
            SettingChange::VerifyDepth(depth) => changed.verify_depth = *depth,
            SettingChange::Trusted(trusted) => {
                changed.trusted = Some(trusted.clone());
                changed.trusted_unread = None;
            }
            SettingChange::Identity(identity) => {
                changed.identity = Some(Arc::clone(identity));
                changed.identity_unread = None;
            }
            SettingChange::ConfCommand(name, value) => {
                let other = |command: &String| command.split(' ').next() != Some(name.text());
                changed.conf_commands.retain(other);
                changed.conf_commands.push(format!("{} {value}", name.text()));
            }
            SettingChange::Host(host) => {
                if let Some(request) = &mut changed.request {
                    request.host.clone_from(host);
                }
            }
        }
        changed
    }

    /// Whether a change changes anything.
    pub fn differs_with(&self, change: &SettingChange) -> bool {
        match change {
            SettingChange::Tls(_) => self.plain.is_some(),
            SettingChange::ServerName => !self.server_name,
            SettingChange::Name(name) => self.name != *name,
            SettingChange::Protocols(versions) => self.versions() != *versions,
            SettingChange::Ciphers(list) => self.ciphers != *list,
            SettingChange::Verify => !self.verify,
            SettingChange::VerifyDepth(depth) => self.verify_depth != *depth,
            SettingChange::Trusted(trusted) => {
                self.trusted.as_ref().is_none_or(|present| present.path != trusted.path)
            }
            SettingChange::Identity(identity) => {
                self.identity.as_ref().is_none_or(|present| present.chain != identity.chain)
            }
            SettingChange::ConfCommand(name, value) => {
                !self.conf_commands.contains(&format!("{} {value}", name.text()))
            }
            SettingChange::Host(host) => {
                self.request.as_ref().is_some_and(|request| request.host != *host)
            }
        }
    }
}

/// The schemes that TLS 1.3 alone cannot use (`tls12_sigalg_allowed`): with SHA-1, SHA-224 and DSA.
const OLDER_SCHEMES: [u16; 9] =
    [0x0201, 0x0202, 0x0203, 0x0301, 0x0302, 0x0303, 0x0402, 0x0502, 0x0602];

/// The suites of TLS 1.3 in OpenSSL's order.
const SUITES_TLS13: [u16; 3] = [0x1302, 0x1303, 0x1301];

/// One changed setting, which needs one or two directives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum SettingChange {
    /// TLS instead of plain text: the URL of `*_pass` with the other scheme.
    Tls(String),
    /// `_server_name on`.
    ServerName,
    /// `_name`.
    Name(String),
    /// `_protocols`.
    Protocols(Vec<ProtocolVersion>),
    /// `_ciphers`.
    Ciphers(String),
    /// `_verify on`.
    Verify,
    /// `_verify_depth`.
    VerifyDepth(usize),
    /// `_trusted_certificate`.
    Trusted(Trusted),
    /// `_certificate` and `_certificate_key`.
    Identity(Arc<ClientIdentity>),
    /// `_conf_command`: OpenSSL's name of the setting, and its value.
    ConfCommand(OpenSslSetting, String),
    /// `proxy_set_header Host`.
    Host(String),
}

/// A setting of OpenSSL that a fix may make through `_conf_command`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenSslSetting {
    /// The key exchange groups that are offered.
    Groups,
    /// Options of the protocol.
    Options,
}

impl OpenSslSetting {
    /// OpenSSL's name of it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Groups => "Groups",
            Self::Options => "Options",
        }
    }
}

impl SettingChange {
    /// The directives: the suffixes of their names, and their values.
    pub fn directives(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Tls(url) => vec![(PASS, url.clone())],
            Self::ServerName => vec![("server_name", "on".to_owned())],
            Self::Name(name) => vec![("name", name.clone())],
            Self::Protocols(versions) => {
                let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
                vec![("protocols", names.join(" "))]
            }
            Self::Ciphers(list) => vec![("ciphers", list.clone())],
            Self::Verify => vec![("verify", "on".to_owned())],
            Self::VerifyDepth(depth) => vec![("verify_depth", depth.to_string())],
            Self::Trusted(trusted) => {
                vec![("trusted_certificate", trusted.path.display().to_string())]
            }
            Self::Identity(identity) => vec![
                ("certificate", identity.certificate_file.display().to_string()),
                ("certificate_key", identity.key_file.display().to_string()),
            ],
            Self::ConfCommand(name, value) => {
                vec![("conf_command", format!("{} {value}", name.text()))]
            }
            Self::Host(host) => vec![(HOST, format!("Host {host}"))],
        }
    }
}

/// Represents the directive that sets headers, which is not about TLS.
pub const HOST: &str = "set_header";

/// Represents the directive that names the upstream.
pub const PASS: &str = "pass";

/// Whether nginx sends this name: it must not be empty or an IP address.
fn is_sendable(name: &str) -> bool {
    !(name.is_empty() || name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok())
}

/// The versions up to the first gap: OpenSSL ignores those after it (`ssl_get_min_max_version`).
fn lowest_run(versions: &[ProtocolVersion]) -> Vec<ProtocolVersion> {
    let mut sorted = versions.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let whole = sorted.iter().zip(sorted.iter().skip(1)).take_while(|(a, b)| b.0 == a.0 + 1);
    let length = (whole.count() + 1).min(sorted.len());
    sorted.truncate(length);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_sent_only_where_it_is_one() {
        let client = |name: &str| NginxClient { server_name: true, ..NginxClient::new(name) };
        assert_eq!(client("a.test").sni(), Some("a.test"));
        assert_eq!(client("/run/a.sock").sni(), Some("/run/a.sock"));
        for name in ["", "192.0.2.1", "[::1]"] {
            assert_eq!(client(name).sni(), None, "{name}");
        }
        assert_eq!(NginxClient::new("a.test").sni(), None);
    }

    #[test]
    fn a_gap_in_the_protocols_ends_the_offer() {
        let named = |text: &str| -> Vec<ProtocolVersion> {
            text.split(' ').map(|word| word.parse().unwrap()).collect()
        };
        let offered = |text: &str| lowest_run(&named(text));
        assert_eq!(offered("TLSv1.3 TLSv1"), named("TLSv1"));
        assert_eq!(offered("TLSv1.2 TLSv1.3"), named("TLSv1.2 TLSv1.3"));
        assert_eq!(offered("TLSv1 TLSv1.1 TLSv1.3"), named("TLSv1 TLSv1.1"));
        assert_eq!(lowest_run(&[]), []);
    }

    #[test]
    fn a_hello_follows_the_settings() {
        let mut client = NginxClient::new("a.test");
        let suites = client.hello().unwrap().cipher_suites;
        assert_eq!(suites[0], CipherSuite(0x1302));
        client.protocols = Some(vec![ProtocolVersion::TLS1_2]);
        client.ciphers = "ECDHE-RSA-AES128-GCM-SHA256".to_owned();
        let hello = client.hello().unwrap();
        assert_eq!(hello.version, ProtocolVersion::TLS1_2);
        assert_eq!(hello.cipher_suites[0], CipherSuite(0xc02f));
        client.protocols = Some(Vec::new());
        assert_eq!(client.hello(), Err(HelloError::NoVersion));
    }
}
