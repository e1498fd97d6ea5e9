//! Resolves names that several servers of a socket have.

use std::collections::HashMap;

use super::{Server, ServerName};
use crate::nginx::problem::Span;

/// nginx's key for a name.
#[derive(PartialEq, Eq, Hash)]
enum NameKey {
    Exact(String),
    Leading(String),
    Trailing(String),
}

/// Gives each name to the first server that has it, as nginx does with a warning (`ngx_hash_add_key`). A name with a
/// leading dot means both its forms, and is dropped if either is taken, even by the same server.
pub(in crate::nginx) fn claim(servers: &mut [Server]) {
    let mut claims: HashMap<NameKey, Span> = HashMap::new();
    for server in servers {
        for (number, name) in server.names.iter().enumerate() {
            for key in keys(&name.value) {
                if let Some(first) = claims.get(&key) {
                    server.taken.insert(number, first.clone());
                    break;
                }
                claims.insert(key, name.span.clone());
            }
        }
    }
}

fn keys(name: &ServerName) -> Vec<NameKey> {
    match name {
        ServerName::Exact(name) => vec![NameKey::Exact(name.clone())],
        ServerName::Domain(name) => {
            vec![NameKey::Exact(name[1..].to_owned()), NameKey::Leading(name.clone())]
        }
        ServerName::Leading(suffix) => vec![NameKey::Leading(suffix.clone())],
        ServerName::Trailing(prefix) => vec![NameKey::Trailing(prefix.clone())],
        ServerName::Regex(_) | ServerName::Variable(_) => Vec::new(),
    }
}
