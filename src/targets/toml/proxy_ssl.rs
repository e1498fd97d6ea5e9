//! The table `proxy_ssl` of a target: nginx's directives by the suffixes of their names.

use toml::de::DeTable;

use super::{TargetsReader, TomlValue};
use crate::nginx::defaults::NginxRelease;
use crate::nginx::inherit::Set;
use crate::nginx::upstream::{ProxySsl, Text, conf_command};
use crate::openssl::release::OpensslRelease;
use crate::targets::proxy_ssl::AsNginx;

/// Keys of a `proxy_ssl` table.
pub(super) const KEYS: &[&str] = &[
    "pass",
    "server_name",
    "name",
    "protocols",
    "ciphers",
    "verify",
    "verify_depth",
    "trusted_certificate",
    "crl",
    "certificate",
    "certificate_key",
    "password_file",
    "conf_command",
    "request",
    "nginx_version",
    "openssl_version",
    "openssl_conf",
];

impl TargetsReader<'_> {
    pub(super) fn proxy_ssl(&mut self, value: &TomlValue<'_>) -> Option<AsNginx> {
        let table = self.table(value)?;
        self.check_keys(table, KEYS);
        let ssl = ProxySsl {
            server_name: self.set(table, "server_name", Self::switch),
            name: self.set(table, "name", Self::plain_text),
            protocols: self.set(table, "protocols", |reader, value| {
                let versions = reader.protocols(value)?;
                Some(versions.iter().map(ToString::to_string).collect())
            }),
            ciphers: self.set(table, "ciphers", Self::string),
            verify: self.set(table, "verify", Self::switch),
            verify_depth: self.set(table, "verify_depth", Self::depth),
            trusted_certificate: self.set(table, "trusted_certificate", Self::file),
            crl: self.set(table, "crl", Self::file),
            certificate: self.set(table, "certificate", Self::file_text),
            certificate_key: self.set(table, "certificate_key", Self::file_text),
            password_file: self.set(table, "password_file", Self::file),
            conf_command: self
                .at(table, "conf_command", |reader, value| reader.list(value, Self::command))
                .unwrap_or_default(),
            ..ProxySsl::default()
        };
        Some(AsNginx {
            pass: self.at(table, "pass", Self::string),
            ssl,
            no_request: self.at(table, "request", Self::switch) == Some(false),
            version: self.at(table, "nginx_version", Self::parsed::<NginxRelease>),
            library: self.at(table, "openssl_version", Self::parsed::<OpensslRelease>),
            openssl_conf: self.at(table, "openssl_conf", Self::path),
        })
    }

    fn set<T>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        read: impl FnOnce(&mut Self, &TomlValue<'_>) -> Option<T>,
    ) -> Option<Set<T>> {
        self.at(table, key, read).map(Set::given)
    }

    fn plain_text(&mut self, value: &TomlValue<'_>) -> Option<Text> {
        self.string(value).map(Text::plain)
    }

    fn file(&mut self, value: &TomlValue<'_>) -> Option<String> {
        self.path(value).map(|path| path.display().to_string())
    }

    fn file_text(&mut self, value: &TomlValue<'_>) -> Option<Text> {
        self.file(value).map(Text::plain)
    }

    fn command(&mut self, value: &TomlValue<'_>) -> Option<Set<(String, String)>> {
        self.string(value).map(|text| Set::given(conf_command(&text)))
    }

    pub(super) fn switch(&mut self, value: &TomlValue<'_>) -> Option<bool> {
        value.get_ref().as_bool().or_else(|| self.expected("true or false", value))
    }

    fn depth(&mut self, value: &TomlValue<'_>) -> Option<u32> {
        let number = value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
        number.or_else(|| self.expected("a number of intermediates, from 0", value))
    }
}
