//! Handshakes by the client that made them, as the document has it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::document::{CapturedHandshake, ClassCount, ClientKindView, LikenessView};
use crate::capture::client_kinds::ClientKinds;

/// Kinds that are listed.
const MAX_LISTED: usize = 200;

/// The kinds of clients, with the classes of their failures.
pub(super) fn kinds(kinds: &ClientKinds, handshakes: &[CapturedHandshake]) -> Vec<ClientKindView> {
    let mut classes: BTreeMap<&str, BTreeMap<&'static str, u64>> = BTreeMap::new();
    for handshake in handshakes {
        if let (Some(hello), Some(failure)) = (&handshake.hello, &handshake.failure) {
            *classes.entry(&hello.ja4).or_default().entry(failure.class).or_default() += 1;
        }
    }
    let view = |(ja4, kind): (&str, &crate::capture::client_kinds::ClientKind)| {
        let counted = classes.get(ja4).into_iter().flatten();
        let mut counted: Vec<ClassCount> =
            counted.map(|(class, count)| ClassCount { class, count: *count }).collect();
        counted.sort_by_key(|it| Reverse(it.count));
        ClientKindView {
            ja4: ja4.to_owned(),
            ja3: kind.hello.ja3(),
            like: kind.hello.likeness().and_then(|likeness| {
                Some(LikenessView {
                    title: &likeness.clients.first()?.title,
                    clients: likeness.clients.iter().map(|client| &*client.name).collect(),
                    differences: likeness.differences,
                })
            }),
            handshakes: kind.established + kind.failed + kind.unclear,
            established: kind.established,
            failed: kind.failed,
            unclear: kind.unclear,
            addresses: kind.addresses.count().0,
            classes: counted,
        }
    };
    kinds.ranked().into_iter().take(MAX_LISTED).map(view).collect()
}
