//! Targets from an nginx configuration: every name of every socket, and every server of every upstream.
//!
//! What cannot be probed is kept with the reason, so that nothing is skipped silently.

mod library_values;
mod listener;
pub mod lists;
mod nginx_file;
pub mod startup;
mod suites;
pub mod unreadable;
mod upstream;
mod weak_pair;
pub mod written;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;

pub use self::listener::endpoints_of;
use super::disk::below;
use super::opened_files::OpenedFiles;
use super::options::Options;
use super::{ClientIdentity, Host, Origin, Target};
use crate::nginx::defaults::NginxRelease;
use crate::nginx::listener::{self as sockets, ListenAddress, Listener};
use crate::nginx::problem::Span;
use crate::nginx::tree::Tree;
use crate::nginx::upstream::Upstream;
use crate::openssl::release::OpensslRelease;

/// What is assumed in addition to the configuration.
#[derive(Clone, Debug)]
pub struct Premises<'a> {
    /// The options given, for every target.
    pub options: &'a Options,
    /// The client certificate that the audit was given.
    pub identity: Option<Arc<ClientIdentity>>,
    /// Where the sockets are, if not on this machine.
    pub connect: Option<Host>,
    /// Prefix of every file name, if the configuration is for another root folder.
    pub root: Option<PathBuf>,
    /// Whether to send upstreams the requests that nginx sends.
    pub request: bool,
    /// nginx's release, if known.
    pub version: Option<NginxRelease>,
    /// The library that nginx runs with, if known.
    pub library: Option<OpensslRelease>,
    /// The library by its name, if it is not OpenSSL: then nobody here knows what nginx offers and accepts.
    pub foreign: Option<String>,
    /// The commands of OpenSSL's configuration for every connection, each `NAME VALUE`.
    pub system: Vec<String>,
    /// Lines with a comment that allows findings; targets from them are probed separately from equal ones.
    pub apart: HashSet<(String, u32)>,
    /// The addresses of all TCP sockets of the configuration, with and without TLS.
    pub sockets: Vec<ListenAddress>,
    /// Whether the sockets are those of this machine's nginx, and nothing but its configuration decides what they do.
    pub is_live: bool,
    /// Whether each of these sockets has a stand-in, so that it is reached whatever addresses the others have.
    pub rehearsed: bool,
    /// The certificates and keys that were read.
    pub opened: OpenedFiles,
}

impl Premises<'_> {
    fn key_at(&self, key: String, span: &Span) -> String {
        let allowed = self.apart.contains(&(span.file.to_string(), span.line));
        if allowed { format!("{key} {span}") } else { key }
    }

    /// Where a unix socket of the configuration is on this machine.
    fn unix_socket(&self, path: &str) -> Result<(Host, u16), &'static str> {
        if self.connect.is_some() {
            return Err("it is a unix socket, which only the machine with nginx can reach");
        }
        if !path.starts_with('/') {
            return Err("its path starts at the folder in which nginx was started");
        }
        let path = self.path(path).display().to_string();
        Ok((Host::Name(format!("unix:{path}")), 0))
    }

    /// The path of a file that the configuration names.
    fn path(&self, name: &str) -> PathBuf {
        below(self.root.as_deref(), name)
    }
}

/// The targets of a configuration.
#[derive(Debug, Default)]
pub struct Found {
    /// The targets to probe.
    pub targets: Vec<Arc<Target>>,
    /// For each target, the places in the configuration that lead to it; the first is its origin.
    pub places: Vec<Vec<Span>>,
    /// What cannot be probed.
    pub untestable: Vec<Untestable>,
}

/// Something that cannot be probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untestable {
    /// What it is.
    pub name: String,
    /// Its place in the configuration.
    pub span: Span,
    /// Why not.
    pub reason: String,
}

/// The sockets that pass TLS through to a backend.
pub fn pass_through(tree: &Tree) -> Vec<Untestable> {
    let sockets = sockets::pass_through(tree).into_iter();
    let reason = "this socket passes TLS on to the backends (ssl_preread), which are not audited; probe them directly";
    sockets
        .map(|one| Untestable {
            name: one.address.to_string(),
            span: one.listen,
            reason: reason.to_owned(),
        })
        .collect()
}

/// The names of every socket and the servers of every upstream; `plain` are the upstreams without TLS.
pub fn targets(
    listeners: &[Listener],
    upstreams: &[Upstream],
    plain: &[Upstream],
    premises: &Premises<'_>,
) -> Found {
    let mut found = Found::default();
    let mut known = HashMap::new();
    for (key, target, span) in listener::targets(listeners, premises, &mut found.untestable) {
        found.add(&mut known, premises.key_at(key, &span), target, span);
    }
    for (key, target, span) in upstream::targets(upstreams, premises, &mut found.untestable) {
        found.add(&mut known, premises.key_at(key, &span), target, span);
    }
    for (key, target, span) in upstream::plain_targets(plain, premises, !found.targets.is_empty()) {
        found.add(&mut known, premises.key_at(key, &span), target, span);
    }
    for (target, places) in found.targets.iter_mut().zip(&found.places) {
        if places.len() > 1 {
            let target = Arc::make_mut(target);
            target.name = format!("{} and {} more", target.name, places.len() - 1);
            target.more_origins = places[1..].iter().map(origin).collect();
        }
    }
    found
}

impl Found {
    /// What is set alike and leads to the same server is probed once, for all its places; each place's path is requested.
    fn add(&mut self, known: &mut HashMap<String, usize>, key: String, target: Target, span: Span) {
        if let Some(index) = known.get(&key) {
            if !self.places[*index].contains(&span) {
                self.places[*index].push(span);
                join_requests(&mut self.targets[*index], &target);
            }
            return;
        }
        known.insert(key, self.targets.len());
        self.targets.push(Arc::new(target));
        self.places.push(vec![span]);
    }
}

/// Adds the path of another place to what is requested.
fn join_requests(target: &mut Arc<Target>, other: &Target) {
    let Some(more) = other.nginx.as_ref().and_then(|client| client.request.as_ref()) else {
        return;
    };
    let Some(client) = &mut Arc::make_mut(target).nginx else { return };
    if let Some(request) = &mut Arc::make_mut(client).request {
        request.join(more);
    }
}

fn origin(span: &Span) -> Origin {
    Origin { file: span.file.to_string(), line: span.line, column: span.column }
}

/// The loopback addresses that replace an unspecified one.
fn loopback(ip: IpAddr) -> Vec<IpAddr> {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => {
            (1..=9).map(|last| IpAddr::from([127, 0, 0, last])).collect()
        }
        IpAddr::V6(ip) if ip.is_unspecified() => vec![Ipv6Addr::LOCALHOST.into()],
        ip => vec![ip],
    }
}
