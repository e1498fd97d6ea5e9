//! A changed setting: what it does to the client, and the directives that it needs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{NginxClient, Trusted};
use crate::targets::ClientIdentity;
use crate::tls::version::ProtocolVersion;

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
    /// The directives of several changes.
    pub fn all_directives(changes: &[Self]) -> impl Iterator<Item = (&'static str, String)> {
        changes.iter().flat_map(Self::directives)
    }

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

impl NginxClient {
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

    /// These settings with all of these changes.
    #[must_use]
    pub fn with_all(&self, changes: &[SettingChange]) -> Self {
        changes.iter().fold(self.clone(), |client, change| client.with(change))
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
