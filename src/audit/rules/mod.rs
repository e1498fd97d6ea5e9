//! The rules: a folder for each family, a file for each rule. This file has the phrases that several families share.

pub mod certificate;
pub mod chain;
pub mod client_certificate;
pub mod configuration;
pub mod protocol;
pub mod quic;
pub mod reachability;
pub mod session;
pub mod sni;
pub mod upstream;

use super::finding::Finding;
use super::reproduce::show_chain;
use super::rule::{Context, ObservedChain, Rule};
use crate::certificate::Certificate;
use crate::certificate::name::Name;
use crate::observation::{Endpoint, Handshake};
use crate::targets::Host;

/// The most names of a certificate that one line of evidence lists.
const MAX_NAMES: usize = 8;

/// How a handshake ended, in a phrase.
fn outcome(cell: &Handshake) -> String {
    let name =
        cell.sni.as_ref().map_or_else(|| "no name".to_owned(), |name| format!("name {name}"));
    match &cell.outcome {
        Ok(session) => {
            format!("{} with {name}: established, {}", cell.version, session.cipher_suite)
        }
        Err(failure) => {
            format!("{} with {name}: {} ({})", cell.version, failure.cause, failure.stage)
        }
    }
}

/// What one address answered to one hello.
fn at(endpoint: &Endpoint, cell: &Handshake) -> String {
    format!("{}: {}", endpoint.address, outcome(cell))
}

/// The names that a certificate covers, as a bounded list.
pub(crate) fn names_of(certificate: &Certificate) -> String {
    let addresses = certificate.ip_addresses().iter().map(ToString::to_string);
    let names: Vec<String> = certificate.dns_names().iter().cloned().chain(addresses).collect();
    match names.len() {
        0 => "no name".to_owned(),
        count if count > MAX_NAMES => {
            format!("{} and {} more", names[..MAX_NAMES].join(", "), count - MAX_NAMES)
        }
        _ => names.join(", "),
    }
}

/// The first name of a certificate that is safe in a directive without quoting.
fn plain_name(certificate: &Certificate) -> Option<&str> {
    certificate.dns_names().iter().map(String::as_str).find(|name| is_plain_name(name))
}

/// Whether a name is safe in a directive without quoting. The certificate's author chose it, so only the characters of
/// host names are allowed.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !name.is_empty() && name.len() < 254 && name.chars().all(plain)
}

fn name_of(host: &Host) -> Name<'_> {
    match host {
        Host::Ip(ip) => Name::Ip(*ip),
        Host::Name(name) => Name::Dns(name),
    }
}

/// A finding about one certificate of a chain, with where it was seen and how to see it.
fn of_certificate(
    rule: &Rule,
    message: String,
    (index, view): (usize, &ObservedChain<'_>),
    cx: &Context<'_>,
) -> Finding {
    let certificate = view.chain.certificates.get(index);
    rule.finds(message)
        .subject(certificate.map_or("", |certificate| certificate.subject.text.as_str()))
        .evidence(view.describe(index))
        .evidence_from(view.sightings())
        .reproduce(show_chain(cx.target, view.address()))
}

/// The certificates on the path from the leaf, by their index in the chain.
fn path<'a>(view: &'a ObservedChain<'_>) -> impl Iterator<Item = (usize, &'a Certificate)> {
    let at = |index: &usize| Some((*index, view.chain.certificates.get(*index)?.as_ref()));
    view.assessment.shape.path.iter().filter_map(at)
}
