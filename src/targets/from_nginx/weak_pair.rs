//! Certificates that OpenSSL's security level keeps nginx from loading, or from sending (`ssl_security_cert`).

use std::sync::Arc;

use super::Premises;
use crate::certificate::Certificate;
use crate::certificate::weakness::Weakness;
use crate::nginx::inherit::{Scope, Set};
use crate::nginx::problem::Span;
use crate::nginx::tree::Tree;
use crate::openssl::cipher_string::level_in;
use crate::openssl::conf_command::level_of_system;
use crate::openssl::release::OpensslRelease;

/// The certificates of a server that nginx certainly refuses: where each is named, its file, and nginx's message.
pub(super) fn refused(
    scope: &Scope<'_>,
    tree: &Tree,
    premises: &Premises<'_>,
) -> Vec<(Span, String, String)> {
    let Some(library) = premises.library else { return Vec::new() };
    let ciphers = scope.scalar("ssl_ciphers");
    let level = level(ciphers.as_ref().map(|set| &*set.value), &premises.system, library);
    let named = scope.effective("ssl_certificate").iter().filter_map(|one| {
        let name = tree.full_name(one.first());
        let certificates = premises.opened.certificates(&premises.path(&name))?;
        let words = refusal(&name, &certificates, level, library)?;
        Some((one.judged_at(), name, words))
    });
    named.collect()
}

/// The level at which nginx loads certificates: that of `ssl_ciphers`, or else of OpenSSL's configuration. If neither sets
/// one, the lowest that the release may have. `ssl_conf_command` comes too late.
fn level(ciphers: Option<&str>, system: &[String], library: OpensslRelease) -> u8 {
    let built_in = if library >= OpensslRelease::V3_2 { 2 } else { 1 };
    ciphers.and_then(level_in).or_else(|| level_of_system(system)).unwrap_or(built_in)
}

/// nginx's message about the certificates of a file, leaf first, if it certainly refuses them.
fn refusal(
    path: &str,
    certificates: &[Arc<Certificate>],
    level: u8,
    library: OpensslRelease,
) -> Option<String> {
    let (leaf, others) = certificates.split_first()?;
    // nginx with 1.1.1 loads any chain.
    let others = if library == OpensslRelease::V1_1_1 { &[] } else { others };
    let weakness = Weakness::of_chain(leaf, others.iter().map(|one| &**one), level, library)?;
    let of_leaf = Weakness::of_leaf(leaf, level, library).is_some();
    let function = if of_leaf { "SSL_CTX_use_certificate" } else { "SSL_CTX_set0_chain" };
    let error = weakness.load_error(library);
    Some(format!("{function}(\"{path}\") failed (SSL: {error})"))
}

/// A chain that nginx loads, and that OpenSSL then refuses to send in every handshake: the command that sets the level is applied
/// after the certificate is loaded (`ngx_ssl_conf_commands`).
#[derive(Debug)]
pub(super) struct UnsentChain {
    /// The command.
    pub(super) command: Span,
    pub(super) level: u8,
    pub(super) weakness: Weakness,
}

/// Whether these commands set a level that a chain, leaf first, does not reach.
pub(super) fn unsent(
    commands: &[Set<(String, String)>],
    certificates: &[Arc<Certificate>],
    library: OpensslRelease,
) -> Option<UnsentChain> {
    let is = |set: &Set<(String, String)>, name: &str| set.value.0.eq_ignore_ascii_case(name);
    // It may replace the certificate.
    if commands.iter().any(|set| is(set, "Certificate")) {
        return None;
    }
    let mut strings = commands.iter().rev().filter(|set| is(set, "CipherString"));
    let (set, level) = strings.find_map(|set| Some((set, level_in(&set.value.1)?)))?;
    let (leaf, others) = certificates.split_first()?;
    let weakness = Weakness::of_chain(leaf, others.iter().map(|one| &**one), level, library)?;
    Some(UnsentChain { command: set.span.clone(), level, weakness })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_that_of_the_directive_or_of_openssl_s_configuration() {
        let system = ["CipherString DEFAULT@SECLEVEL=0".to_owned()];
        let of = |ciphers, system: &[String]| level(ciphers, system, OpensslRelease::V3_0);
        assert_eq!(of(Some("HIGH:@SECLEVEL=3"), &system), 3);
        assert_eq!(of(Some("HIGH"), &system), 0);
        assert_eq!(of(None, &[]), 1);
        assert_eq!(level(None, &[], OpensslRelease::V3_5), 2);
    }
}
