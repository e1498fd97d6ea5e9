//! Certificates that OpenSSL's security level keeps nginx from loading (`ssl_security_cert`).

use std::sync::Arc;

use super::Premises;
use crate::certificate::Certificate;
use crate::nginx::inherit::Scope;
use crate::nginx::problem::Span;
use crate::nginx::tree::Tree;
use crate::openssl::cipher_string::level_in;
use crate::openssl::conf_command::level_of_system;
use crate::openssl::release::OpensslRelease;
use crate::openssl::security_level::least_bits;

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
    if let Some(weakness) = weakness(leaf, level, library) {
        let error = weakness.error("ee", library);
        return Some(format!("SSL_CTX_use_certificate(\"{path}\") failed (SSL: {error})"));
    }
    // nginx with 1.1.1 loads any chain.
    let others = if library == OpensslRelease::V1_1_1 { &[] } else { others };
    let error = others.iter().find_map(|one| weakness(one, level, library))?.error("ca", library);
    Some(format!("SSL_CTX_set0_chain(\"{path}\") failed (SSL: {error})"))
}

/// What is too weak for a level.
#[derive(Clone, Copy)]
enum Weakness {
    Key,
    Signature,
}

fn weakness(certificate: &Certificate, level: u8, library: OpensslRelease) -> Option<Weakness> {
    let least = least_bits(level);
    let (key, signature) =
        (certificate.public_key.security_bits(library), certificate.signature_bits(library));
    // An algorithm that is unknown here has no bits, and nobody checks how a root was signed.
    if level > 0 && (1..least).contains(&key) {
        return Some(Weakness::Key);
    }
    let is_root = certificate.subject == certificate.issuer;
    // 1.1.1 counts more bits for SHA-1.
    let counts = level > 0 && !(level == 1 && library == OpensslRelease::V1_1_1);
    (counts && !is_root && (1..least).contains(&signature)).then_some(Weakness::Signature)
}

impl Weakness {
    /// OpenSSL's error.
    fn error(self, whose: &str, library: OpensslRelease) -> String {
        let (reason, words) = match self {
            Self::Key if whose == "ee" => ("18F", "ee key too small"),
            Self::Key => ("18D", "ca key too small"),
            Self::Signature => ("18E", "ca md too weak"),
        };
        if library == OpensslRelease::V1_1_1 {
            format!("error:140AB{reason}:SSL routines:SSL_CTX_use_certificate:{words}")
        } else {
            format!("error:0A000{reason}:SSL routines::{words}")
        }
    }
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

    #[test]
    fn errors_are_those_of_the_release() {
        assert_eq!(
            Weakness::Key.error("ee", OpensslRelease::V3_0),
            "error:0A00018F:SSL routines::ee key too small"
        );
        assert_eq!(
            Weakness::Signature.error("ee", OpensslRelease::V1_1_1),
            "error:140AB18E:SSL routines:SSL_CTX_use_certificate:ca md too weak"
        );
    }
}
