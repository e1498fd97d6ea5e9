//! Whether a server's certificates can be used with the suites that its configuration lists.

use crate::certificate::file::FileChain;
use crate::certificate::key::KeyType;
use crate::nginx::listener::{Material, ServerSsl};
use crate::openssl::cipher_string::evaluate;
use crate::openssl::conf_command::level_of_system;
use crate::openssl::security_level;
use crate::tls::suite::Authentication;

/// Why no suite up to TLS 1.2 can be used; `None` if one can be, or if that is not certain. `system` are the commands of
/// OpenSSL's configuration.
pub(super) fn unusable(ssl: &ServerSsl, files: &[FileChain], system: &[String]) -> Option<String> {
    let command = ssl.conf_command.iter().rev().map(|set| (&*set.value.0, &*set.value.1));
    let command = command.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("CipherString"));
    let written = ssl.ciphers.as_ref().map(|set| ("ssl_ciphers", &*set.value));
    let (name, text) = command.or(written)?;
    let is_known = |material: &Material| match material {
        Material::File(path) => files.iter().any(|file| file.path == *path),
        _ => false,
    };
    if !ssl.certificates.iter().all(|pair| is_known(&pair.certificate.value)) {
        return None;
    }
    let mut kinds = Vec::new();
    for file in files {
        kinds.push(match file.chain.leaf()?.public_key.key_type {
            KeyType::Rsa => (Authentication::Rsa, "RSA"),
            KeyType::Ec(_) => (Authentication::Ecdsa, "EC"),
            _ => return None,
        });
    }
    let level = level_of_system(system).unwrap_or(security_level::DEFAULT);
    let list = evaluate(text, level).ok()?;
    let mut suites = list.suites.iter().filter(|suite| !suite.is_tls13()).peekable();
    let _ = suites.peek()?;
    let is_of_another_kind = |wanted: Option<Authentication>| {
        matches!(wanted, Some(Authentication::Rsa | Authentication::Ecdsa | Authentication::Dss))
            && !kinds.iter().any(|(kind, _)| Some(*kind) == wanted)
    };
    if kinds.is_empty() || !suites.all(|suite| is_of_another_kind(suite.authentication())) {
        return None;
    }
    kinds.dedup();
    let kinds: Vec<&str> = kinds.into_iter().map(|(_, name)| name).collect();
    Some(format!(
        "{name} ({text}) has no suite for a certificate with an {} key",
        kinds.join(" or ")
    ))
}
