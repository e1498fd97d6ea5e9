//! Files that nginx, started by this user, could not load, although the configuration may be sound: this user may not read
//! them, or a key is encrypted and no password opens it.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::Path;

use crate::nginx::inherit::Scope;
use crate::nginx::problem::Span;
use crate::nginx::tree::{Directive, Tree};
use crate::nginx::upstream::ProxyModule;
use crate::nginx::variable_text::has_variables;
use crate::targets::identity::{FileError, read_certificates, read_file, read_public_key};

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
    let passwords = passwords(tree, scope, "ssl_");
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
    let certificates = scope.effective("ssl_certificate").iter();
    let both = certificates.zip(scope.effective("ssl_certificate_key"));
    both.filter_map(|(certificate, key)| Some((file(tree, certificate)?, file(tree, key)?)))
}

/// The file that a directive names, if it is one.
fn file(tree: &Tree, directive: &Directive) -> Option<String> {
    let name = directive.first();
    let inline = ["data:", "engine:", "store:"].iter().any(|start| name.starts_with(start));
    (!(name.is_empty() || inline || has_variables(name))).then(|| tree.full_name(name))
}

/// The file of passwords for keys, if it can be read.
fn passwords(tree: &Tree, scope: &Scope<'_>, prefix: &str) -> Option<String> {
    let set = scope.effective(&format!("{prefix}password_file")).first();
    set.and_then(|set| file(tree, set))
        .filter(|name| read_file(Path::new(name)).err().as_ref().and_then(denied).is_none())
}

/// A directive with a file that cannot be loaded, and that a rehearsal can do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableSetting {
    /// The directive with its file.
    pub name: String,
    /// Its place.
    pub span: Span,
    /// Why not.
    pub reason: String,
}

/// The settings of a listener that are left out alone: tickets and keys that are not encrypted need none of them.
const APART: [&str; 2] = ["ssl_session_ticket_key", "ssl_password_file"];

/// The settings of an upstream that need each other, behind the prefix of its module.
const TOGETHER: [&str; 6] =
    ["certificate", "certificate_key", "password_file", "trusted_certificate", "crl", "verify"];

/// What to leave out of a rehearsal: the settings that cannot be loaded, and every directive to remove. Because nothing is sent to
/// upstreams, the settings of all of them are removed if one cannot be loaded.
pub fn unreadable_settings(tree: &Tree) -> (Vec<UnreadableSetting>, BTreeSet<Span>) {
    let (mut all, mut removed, mut of_upstreams) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let root = Scope::root(tree);
    let modules = ["http", "stream", "mail"].into_iter().flat_map(|name| tree.blocks(name));
    let mut scopes: Vec<Scope<'_>> = modules.map(|block| root.enter(block)).collect();
    let mut is_whole = true;
    while let Some(scope) = scopes.pop() {
        let children = scope.block().map(Directive::children).unwrap_or_default();
        let blocks = children.iter().filter(|one| one.block.is_some());
        scopes.extend(blocks.map(|block| scope.enter(block)));
        // In `stream`, a rehearsal switches `proxy_ssl` off.
        let in_http = scope.nearest("http").is_some();
        for one in children {
            let of_upstream = of_upstream(&one.name).filter(|_| in_http);
            if of_upstream.is_some() {
                of_upstreams.insert(one.span.clone());
            } else if !APART.contains(&one.name.as_str()) {
                continue;
            }
            if let Some(reason) = unread(tree, &scope, one) {
                is_whole &= of_upstream.is_none();
                removed.insert(one.span.clone());
                let name = format!("{} {}", one.name, one.first());
                all.push(UnreadableSetting { name, span: one.span.clone(), reason });
            }
        }
    }
    if !is_whole {
        removed.extend(of_upstreams);
    }
    all.sort_by(|one, other| one.span.cmp(&other.span));
    (all, removed)
}

/// The prefix of a directive for the connection to an upstream that names a file, or needs one.
fn of_upstream(name: &str) -> Option<&'static str> {
    let mut prefixes = ProxyModule::of(false).map(ProxyModule::prefix);
    prefixes.find(|prefix| name.strip_prefix(prefix).is_some_and(|end| TOGETHER.contains(&end)))
}

fn unread(tree: &Tree, scope: &Scope<'_>, one: &Directive) -> Option<String> {
    let name = file(tree, one).filter(|_| !one.name.ends_with("_verify"))?;
    let prefix = one.name.strip_suffix("certificate_key").filter(|prefix| *prefix != "ssl_");
    match prefix {
        Some(prefix) => key_reason(&name, passwords(tree, scope, prefix).as_deref()),
        None => read_file(Path::new(&name)).err().as_ref().and_then(denied),
    }
}

fn reason(certificate: &str, key: &str, passwords: Option<&str>) -> Option<String> {
    let unread = read_certificates(Path::new(certificate)).err().as_ref().and_then(denied);
    unread.or_else(|| key_reason(key, passwords))
}

fn key_reason(key: &str, passwords: Option<&str>) -> Option<String> {
    match read_public_key(Path::new(key), passwords.map(Path::new)).err()? {
        FileError::EncryptedKey { .. } => {
            Some(format!("the key in {key} is encrypted, and no password file for it can be read"))
        }
        error @ FileError::WrongPassword { .. } => Some(error.to_string()),
        error => denied(&error),
    }
}

/// The error, if the user may not read the file.
fn denied(error: &FileError) -> Option<String> {
    match error {
        FileError::Read { error: why, .. } if why.kind() == io::ErrorKind::PermissionDenied => {
            Some(error.to_string())
        }
        _ => None,
    }
}
