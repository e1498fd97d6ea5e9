//! What a configuration says of one name of a live socket, as far as nothing else decides it.

use super::{Premises, origin};
use crate::nginx::defaults::PROTOCOLS_BY_NAME;
use crate::nginx::inherit::Set;
use crate::nginx::listener::{Http2Offer, Listener, Protocol, Server};
use crate::nginx::problem::Span;
use crate::nginx::tree::{Directive, Tree};
use crate::openssl::cipher_string::evaluate;
use crate::openssl::conf_command::{Commands, value_of};
use crate::targets::written::{WrittenSetting, WrittenSettings};
use crate::tls::version::ProtocolVersion;

/// The settings; `versions` are those that the configuration enables, if that is certain.
pub(super) fn settings(
    listener: &Listener,
    server: &Server,
    versions: Option<&[ProtocolVersion]>,
    premises: &Premises<'_>,
) -> Option<WrittenSettings> {
    if !premises.is_live || listener.quic {
        return None;
    }
    let default = listener.default_server();
    let holder = if server.has_certificate() { server } else { default };
    let by_name = premises.version.is_some_and(|version| version >= PROTOCOLS_BY_NAME);
    let chooser = if by_name { holder } else { default };
    let ciphers = holder.ssl.ciphers.as_ref().filter(|_| holder.ssl.conf_command.is_empty());
    let curve = default.ssl.ecdh_curve.as_ref().filter(|_| default.ssl.conf_command.is_empty());
    Some(WrittenSettings {
        versions: versions.and_then(|versions| {
            let set = chooser.ssl.protocols.as_ref()?;
            let text = format!("ssl_protocols {}", set.value.join(" "));
            Some(written(versions.to_vec(), text, &set.span))
        }),
        // The lowest level leaves all that the string selects.
        suites: ciphers
            .and_then(|set| Some(of("ssl_ciphers", set, evaluate(&set.value, 0).ok()?.suites))),
        groups: curve.filter(|set| set.value != "auto").and_then(|set| {
            let commands = Commands::read(&[format!("Groups {}", set.value)], premises.library?);
            Some(of("ssl_ecdh_curve", set, commands.groups?.offered))
        }),
        alpn: alpn(listener),
        asks: asks(holder, premises),
    })
}

fn written<T>(value: T, text: String, span: &Span) -> WrittenSetting<T> {
    WrittenSetting { value, text, place: origin(span) }
}

fn of<T>(name: &str, set: &Set<String>, value: T) -> WrittenSetting<T> {
    written(value, format!("{name} {}", set.value), &set.span)
}

/// Without HTTP/2 anywhere on the socket, no server selects it.
fn alpn(listener: &Listener) -> Option<WrittenSetting<Vec<String>>> {
    let is_off = listener.protocol == Protocol::Http && listener.http2 == Http2Offer::Nobody;
    let older = ["http/1.1", "http/1.0", "http/0.9"].map(str::to_owned).to_vec();
    let listen = &listener.default_server().listen;
    is_off.then(|| written(older, "http2 off".to_owned(), listen))
}

/// Whether a server asks for a certificate, unless a command of OpenSSL decides that.
fn asks(server: &Server, premises: &Premises<'_>) -> Option<WrittenSetting<bool>> {
    let own = server.ssl.conf_command.iter();
    let is_set =
        own.map(|set| set.value.0.as_str()).any(|name| name.eq_ignore_ascii_case("VerifyMode"));
    if is_set || value_of(&premises.system, "VerifyMode").is_some() {
        return None;
    }
    Some(match &server.ssl.verify_client {
        Some(set) => of("ssl_verify_client", set, set.value != "off"),
        None => written(false, "ssl_verify_client off".to_owned(), &server.span),
    })
}

/// Whether scripts may change what the configuration says of handshakes.
pub fn has_scripts(tree: &Tree) -> bool {
    fn changes(inside: &[Directive]) -> bool {
        let is_one = |one: &Directive| one.name.starts_with("ssl_client_hello_by_lua");
        inside.iter().any(|one| is_one(one) || changes(one.children()))
    }
    changes(&tree.directives)
}
