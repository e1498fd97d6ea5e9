//! Resolves names that several servers of a socket have.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::{Server, ServerName};
use crate::nginx::inherit::Set;
use crate::nginx::problem::Span;

/// nginx's key for a name.
#[derive(PartialEq, Eq, Hash)]
enum NameKey<'a> {
    Exact(&'a str),
    Leading(&'a str),
    Trailing(&'a str),
}

/// Gives each name to the first server that has it, as nginx does with a warning (`ngx_hash_add_key`). A name with a
/// leading dot means both its forms, and is dropped if either is taken, even by the same server.
pub(in crate::nginx) fn claim(servers: &mut [Server]) {
    let names: Vec<Arc<[Set<ServerName>]>> =
        servers.iter().map(|server| Arc::clone(&server.names)).collect();
    let mut claims: HashMap<NameKey<'_>, &Span, RandomState> = HashMap::default();
    for (server, names) in servers.iter_mut().zip(&names) {
        for (number, name) in names.iter().enumerate() {
            for key in keys(&name.value).into_iter().flatten() {
                if let Some(&first) = claims.get(&key) {
                    server.taken.insert(number, first.clone());
                    break;
                }
                claims.insert(key, &name.span);
            }
        }
    }
}

fn keys(name: &ServerName) -> [Option<NameKey<'_>>; 2] {
    match name {
        ServerName::Exact(name) => [Some(NameKey::Exact(name)), None],
        ServerName::Domain(name) => {
            [Some(NameKey::Exact(&name[1..])), Some(NameKey::Leading(name))]
        }
        ServerName::Leading(suffix) => [Some(NameKey::Leading(suffix)), None],
        ServerName::Trailing(prefix) => [Some(NameKey::Trailing(prefix)), None],
        ServerName::Regex(_) | ServerName::Variable(_) => [None, None],
    }
}
