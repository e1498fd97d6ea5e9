//! The table `proxy_ssl` of a target: nginx's directives by the end of their names.

use super::{Reader, Value};
use crate::nginx::defaults::Version;
use crate::openssl::release::Release;
use crate::targets::proxy_ssl::ProxySsl;

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
    "conf_command",
    "nginx_version",
    "openssl_version",
];

impl Reader<'_> {
    pub(super) fn proxy_ssl(&mut self, value: &Value<'_>) -> Option<ProxySsl> {
        let table = self.table(value)?;
        self.check_keys(table, KEYS);
        Some(ProxySsl {
            pass: self.at(table, "pass", Self::string),
            server_name: self.at(table, "server_name", Self::switch),
            name: self.at(table, "name", Self::string),
            protocols: self.at(table, "protocols", Self::protocols),
            ciphers: self.at(table, "ciphers", Self::string),
            verify: self.at(table, "verify", Self::switch),
            verify_depth: self.at(table, "verify_depth", Self::depth),
            trusted_certificate: self.at(table, "trusted_certificate", Self::path),
            crl: self.at(table, "crl", Self::path),
            certificate: self.at(table, "certificate", Self::path),
            certificate_key: self.at(table, "certificate_key", Self::path),
            conf_commands: self
                .at(table, "conf_command", |reader, value| reader.list(value, Self::string))
                .unwrap_or_default(),
            version: self.at(table, "nginx_version", Self::parsed::<Version>),
            library: self.at(table, "openssl_version", Self::parsed::<Release>),
        })
    }

    pub(super) fn switch(&mut self, value: &Value<'_>) -> Option<bool> {
        value.get_ref().as_bool().or_else(|| self.expected("true or false", value))
    }

    fn depth(&mut self, value: &Value<'_>) -> Option<usize> {
        let number = value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
        number.or_else(|| self.expected("a number of intermediates, from 0", value))
    }
}
