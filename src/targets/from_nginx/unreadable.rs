//! Certificates that nginx, started by this user, could not load, although the configuration may be sound: the key or the
//! certificate may not be read, or the key is encrypted and no password opens it.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use crate::nginx::inherit::Scope;
use crate::nginx::tree::{Directive, Tree};
use crate::nginx::variable::has_variables;
use crate::targets::identity::{FileError, read_certificates, read_public_key};

/// A certificate and its key that cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadablePair {
    /// The certificate's file.
    pub certificate: String,
    /// The key's file.
    pub key: String,
    /// Why not.
    pub reason: String,
}

/// Every such pair of a server.
pub fn unreadable_pairs(tree: &Tree) -> Vec<UnreadablePair> {
    let (mut all, mut met) = (Vec::new(), HashSet::new());
    let root = Scope::root(tree);
    for module in ["http", "stream", "mail"] {
        for block in tree.blocks(module) {
            let outer = root.enter(block);
            for server in block.children().iter().filter(|one| one.name == "server") {
                all.extend(unreadable_here(tree, &outer.enter(server), &mut met));
            }
        }
    }
    all
}

/// Those of one server that were not met before.
fn unreadable_here(
    tree: &Tree,
    scope: &Scope<'_>,
    met: &mut HashSet<(String, String, Option<String>)>,
) -> Vec<UnreadablePair> {
    let passwords = scope.scalar("ssl_password_file").map(|set| tree.full_name(&set.value));
    let new = pairs(tree, scope).filter(|(certificate, key)| {
        met.insert((certificate.clone(), key.clone(), passwords.clone()))
    });
    new.filter_map(|(certificate, key)| {
        let reason = reason(&certificate, &key, passwords.as_deref())?;
        Some(UnreadablePair { certificate, key, reason })
    })
    .collect()
}

/// The files of a server's certificates and keys.
fn pairs<'s>(tree: &'s Tree, scope: &'s Scope<'_>) -> impl Iterator<Item = (String, String)> + 's {
    let is_file = |one: &Directive| {
        let name = one.first();
        let inline = ["data:", "engine:", "store:"].iter().any(|start| name.starts_with(start));
        !(name.is_empty() || inline || has_variables(name))
    };
    let certificates = scope.effective("ssl_certificate").iter();
    let both = certificates.zip(scope.effective("ssl_certificate_key"));
    let files = both.filter(move |(certificate, key)| is_file(certificate) && is_file(key));
    files.map(|(certificate, key)| {
        (tree.full_name(certificate.first()), tree.full_name(key.first()))
    })
}

fn reason(certificate: &str, key: &str, passwords: Option<&str>) -> Option<String> {
    let denied = |error: FileError| match &error {
        FileError::Read { error: why, .. } if why.kind() == io::ErrorKind::PermissionDenied => {
            Some(error.to_string())
        }
        _ => None,
    };
    let unread = read_certificates(Path::new(certificate)).err().and_then(denied);
    unread.or_else(|| match read_public_key(Path::new(key), passwords.map(Path::new)).err()? {
        FileError::EncryptedKey { .. } => {
            Some(format!("the key in {key} is encrypted, and there is no ssl_password_file"))
        }
        error @ FileError::WrongPassword { .. } => Some(error.to_string()),
        error => denied(error),
    })
}
