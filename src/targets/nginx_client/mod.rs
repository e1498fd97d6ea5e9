//! nginx as the client of a target: its effective `*_ssl_*` settings, with every default resolved and every file read.

mod change;
mod hello;
mod request;

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::change::{HOST, OpenSslSetting, PASS, SettingChange};
pub use self::hello::HelloError;
pub use self::request::{NginxRequest, PlainPass};
use super::{ClientIdentity, Origin};
use crate::certificate::crl::RevocationLists;
use crate::certificate::key::KeyType;
use crate::certificate::trust::{TrustStore, openssl};
use crate::certificate::weakness::Weakness;
use crate::certificate::{Certificate, Chain};
use crate::nginx::defaults::NginxRelease;
use crate::nginx::upstream::ProxyModule;
use crate::openssl::cipher_string;
use crate::openssl::conf_command::{self, Commands};
use crate::openssl::release::OpensslRelease;
use crate::tls::version::ProtocolVersion;

/// The release that is assumed if nginx's is unknown.
pub const ASSUMED: NginxRelease = NginxRelease::new(1, 28, 0);

/// The first release that has OpenSSL go on after an error in an upstream's chain.
const WITH_CALLBACK: NginxRelease = NginxRelease::new(1, 19, 1);

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
    /// Its contents, and the lists among the trusted certificates where nginx reads those.
    #[serde(default)]
    pub lists: Option<Arc<RevocationLists>>,
    /// Why they could not be read.
    #[serde(default)]
    pub lists_unread: Option<String>,
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
    /// The commands of OpenSSL's configuration for every connection, each `NAME VALUE`; nginx's own settings come after
    /// them.
    #[serde(default)]
    pub system_commands: Vec<String>,
    /// The request that nginx sends there, if the location is known.
    pub request: Option<NginxRequest>,
    /// The plain-text connection, if nginx does not use TLS.
    #[serde(default)]
    pub plain: Option<PlainPass>,
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
            lists: None,
            lists_unread: None,
            identity: None,
            alpn: Vec::new(),
            trusted_unread: None,
            identity_unread: None,
            place: None,
            conf_commands: Vec::new(),
            system_commands: Vec::new(),
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
        (self.server_name && self.has_sendable_name()).then_some(&*self.name)
    }

    /// Whether nginx sends its name if SNI is on: it must not be empty or an IP address.
    pub fn has_sendable_name(&self) -> bool {
        let name = &self.name;
        !(name.is_empty() || name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok())
    }

    /// The same with SNI on.
    #[must_use]
    pub fn with_name_sent(&self) -> Self {
        self.with(&SettingChange::ServerName)
    }

    /// OpenSSL's security level: a cipher string that sets none keeps the one before it.
    pub fn security_level(&self) -> u8 {
        let usual = || conf_command::usual_level(&self.system_commands, self.library);
        let all = [&*self.ciphers].into_iter().chain(strings(&self.conf_commands));
        all.filter_map(cipher_string::level_in).last().unwrap_or_else(usual)
    }

    /// The cipher list in force.
    fn cipher_list(&self) -> String {
        self.commands().cipher_string.unwrap_or_else(|| self.ciphers.clone())
    }

    /// The changes by OpenSSL's configuration and by the `_conf_command`s.
    pub fn commands(&self) -> Commands {
        Commands::read_after(&self.system_commands, &self.conf_commands, self.library)
    }

    /// Whether it may sign with its client certificate in this version. Commands may leave no scheme for the key; then
    /// OpenSSL presents no certificate.
    pub fn can_sign(&self, version: ProtocolVersion) -> bool {
        let commands = self.commands();
        let leaf = self.identity.as_ref().and_then(|identity| identity.chain.first());
        let leaf = leaf.and_then(|der| Certificate::parse(der).ok());
        let named = commands.client_schemes.or(commands.schemes);
        let (Some(leaf), Some(schemes)) = (leaf, named) else { return true };
        let of = |numbers: &[u16]| schemes.iter().any(|scheme| numbers.contains(&scheme.0));
        version < ProtocolVersion::TLS1_2
            || match leaf.public_key.key_type {
                KeyType::Rsa if version == ProtocolVersion::TLS1_2 => {
                    of(&[0x0804, 0x0805, 0x0806, 0x0301, 0x0401, 0x0501, 0x0601])
                }
                KeyType::Rsa => of(&[0x0804, 0x0805, 0x0806]),
                KeyType::Ec(_) => of(&[0x0303, 0x0403, 0x0503, 0x0603]),
                KeyType::Ed25519 => of(&[0x0807]),
                KeyType::Ed448 => of(&[0x0808]),
                _ => true,
            }
    }

    /// What of its certificate or its chain is below the security level that its commands set. OpenSSL then fails the
    /// handshake in which a server requests the certificate; at the level of `_ciphers`, nginx would not have loaded it.
    pub fn unsent_certificate(&self) -> Option<Weakness> {
        let level = conf_command::level_of_system(&self.conf_commands)?;
        let chain = self.identity.iter().flat_map(|identity| &identity.chain);
        let chain: Vec<Certificate> =
            chain.filter_map(|der| Certificate::parse(der).ok()).collect();
        let (leaf, others) = chain.split_first()?;
        Weakness::of_chain(leaf, others.iter(), level, self.library)
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
            first_error: self.release() < WITH_CALLBACK,
            ..openssl::VerifyProfile::default()
        }
    }

    /// What OpenSSL is asked about a chain, with these certificates trusted.
    pub fn question<'c>(
        &'c self,
        chain: &'c Chain,
        trusted: &'c Trusted,
        now: OffsetDateTime,
    ) -> openssl::Question<'c> {
        openssl::Question { chain, store: &trusted.store, lists: self.lists.as_deref(), now }
    }

    /// The settings as `name=value`, one per line, without the release and the library. Equal text means equal
    /// configuration.
    pub fn settings(&self) -> String {
        fn path(path: Option<&PathBuf>) -> Cow<'_, str> {
            path.map(|path| path.to_string_lossy()).unwrap_or_default()
        }
        let mut text = String::with_capacity(256);
        let mut put = |name: &str, value: &str| text.extend([name, "=", value, "\n"]);
        let flag = |on: bool| if on { "true" } else { "false" };
        let identity = self.identity.as_ref();
        let protocols = self.protocols.iter().flatten().map(ToString::to_string);
        put("module", self.module.name());
        put("server_name", flag(self.server_name));
        put("name", &self.name);
        put("protocols", &protocols.collect::<Vec<_>>().join(" "));
        put("ciphers", &self.ciphers);
        put("verify", flag(self.verify));
        put("verify_depth", &self.verify_depth.to_string());
        put("trusted_certificate", &path(self.trusted.as_ref().map(|one| &one.path)));
        put("crl", &path(self.crl.as_ref()));
        put("certificate", &path(identity.map(|one| &one.certificate_file)));
        put("certificate_key", &path(identity.map(|one| &one.key_file)));
        put("alpn", &self.alpn.join(" "));
        put("conf_command", &self.conf_commands.join("; "));
        if let Some(plain) = &self.plain {
            put("plain", &plain.url);
        }
        text
    }
}

/// The cipher strings among OpenSSL's commands.
fn strings(commands: &[String]) -> impl Iterator<Item = &str> {
    let pairs = commands.iter().filter_map(|command| command.split_once(' '));
    pairs.filter(|(name, _)| name.eq_ignore_ascii_case("CipherString")).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::certificate::issue::Authority;

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
    fn a_certificate_is_not_sent_at_a_level_that_a_command_sets_above_it() {
        let authority = Authority::root("root", datetime!(2026-06-15 12:00 UTC)).unwrap();
        let identity = ClientIdentity {
            chain: vec![authority.issue(&["a.test"]).unwrap().certificate],
            key: None,
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
            password: None,
        };
        let mut client = NginxClient::new("b.test");
        client.identity = Some(Arc::new(identity));
        for (command, weakness) in [
            ("CipherString DEFAULT@SECLEVEL=3", None),
            ("CipherString DEFAULT@SECLEVEL=4", Some(Weakness::LeafKey)),
            ("CipherString DEFAULT", None),
        ] {
            client.conf_commands = vec![command.to_owned()];
            assert_eq!(client.unsent_certificate(), weakness, "{command}");
        }
    }
}
