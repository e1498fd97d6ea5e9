//! Facts about a socket and its servers.

use std::collections::HashSet;

use super::{Fact, FactKind};
use crate::nginx::defaults::{
    CERTIFICATE_VARIABLES, NginxRelease, PROTOCOLS_BY_NAME, VERIFY_WITHOUT_CLIENT_CERTIFICATE,
};
use crate::nginx::inherit::Set;
use crate::nginx::listener::{Listener, Material, Protocol, Server, ServerName, ServerSsl};
use crate::nginx::problem::{Fault, Span};

pub(super) fn facts(listener: &Listener, version: Option<NginxRelease>) -> Vec<Fact> {
    let mut facts = Vec::new();
    let default = listener.default_server();
    for (at, server) in listener.servers.iter().enumerate() {
        let is_default = at == listener.default;
        let is_bare = !server.has_certificate() && !server.ssl.rejects();
        let is_refused = is_default || default.ssl.rejects();
        if let Some(other) = plain_beside(server, is_default) {
            facts.push(other);
        }
        if is_bare
            && (is_refused || server.plain_beside.is_none() && differs(&server.ssl, &default.ssl))
        {
            let kind = if is_refused {
                FactKind::CertificateMissing
            } else {
                FactKind::DefaultCertificate
            };
            // `stream` and `mail` name the directive that requires TLS.
            let by_listen = is_refused && listener.protocol != Protocol::Http;
            let span = if by_listen { &server.listen } else { &server.span };
            facts.push(Fact { span: span.clone(), kind });
        }
        if !is_default && server.has_certificate() {
            overruled(server, default, version, &mut facts);
        }
        single(server, listener.protocol, version, &mut facts);
    }
    taken_names(listener, &mut facts);
    facts.extend(invalid_names(listener));
    facts
}

/// Whether a server has settings that the default server does not have.
fn differs(own: &ServerSsl, default: &ServerSsl) -> bool {
    own.protocols.is_some() && own.protocols != default.protocols
        || own.ciphers.is_some() && own.ciphers != default.ciphers
        || own.verify_client.is_some() && own.verify_client != default.verify_client
}

/// A server that was meant to be plain. Nobody intends to reach one that is only named `_` and is not the default.
fn plain_beside(server: &Server, is_default: bool) -> Option<Fact> {
    let other = server.plain_beside.clone()?;
    let is_void =
        |name: &Set<ServerName>| matches!(&name.value, ServerName::Exact(name) if name == "_");
    let is_reached = is_default || server.names.is_empty() || !server.names.iter().all(is_void);
    let kind = FactKind::PlainBesideTls { other };
    is_reached.then(|| Fact { span: server.listen.clone(), kind })
}

/// Facts about a single server.
fn single(
    server: &Server,
    protocol: Protocol,
    version: Option<NginxRelease>,
    facts: &mut Vec<Fact>,
) {
    let ssl = &server.ssl;
    let mut say = |span: &Span, kind| facts.push(Fact { span: span.clone(), kind });
    for pair in ssl.certificates.iter().filter(|pair| pair.key.is_none()) {
        let by_listen = protocol != Protocol::Http;
        say(if by_listen { &server.listen } else { &pair.certificate.span }, FactKind::KeyMissing);
    }
    let is_new = version.is_some_and(|version| version < CERTIFICATE_VARIABLES);
    for pair in ssl.certificates.iter().filter(|_| is_new) {
        if let Material::Variable(file) = &pair.certificate.value {
            let name = &file.written;
            let words = format!(
                "cannot load certificate {name:?}: variables are supported from nginx {CERTIFICATE_VARIABLES} on"
            );
            say(&pair.certificate.span, FactKind::FileRefused { words });
        }
    }
    let verifies = |mode: &&Set<String>| ["on", "optional"].contains(&mode.as_str());
    if let Some(mode) = ssl.verify_client.as_ref().filter(verifies)
        && ssl.client_certificate.is_none()
        && server.has_certificate()
    {
        let trusted = ssl.trusted_certificate.is_some();
        let is_enough = version.is_none_or(|version| version >= VERIFY_WITHOUT_CLIENT_CERTIFICATE);
        if !(trusted && is_enough) {
            let trusted_since = trusted.then_some(VERIFY_WITHOUT_CLIENT_CERTIFICATE);
            say(&mode.span, FactKind::ClientCaMissing { trusted_since });
        }
    }
    facts.extend(commands(&ssl.conf_command, ssl.protocols.as_ref(), "ssl_protocols"));
    facts.extend(ssl.ciphers.as_ref().and_then(suites));
}

/// Commands that override the protocols of a directive.
pub(super) fn commands(
    commands: &[Set<(String, String)>],
    protocols: Option<&Set<Vec<String>>>,
    directive: &str,
) -> Vec<Fact> {
    let Some(protocols) = protocols else { return Vec::new() };
    let wins = |one: &&Set<(String, String)>| {
        ["Protocol", "MinProtocol", "MaxProtocol"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&one.value.0))
    };
    let fact = |one: &Set<(String, String)>| Fact {
        span: protocols.span.clone(),
        kind: FactKind::CommandWins {
            directive: directive.to_owned(),
            command: format!("{} {}", one.value.0, one.value.1),
        },
    };
    commands.iter().filter(wins).map(fact).collect()
}

/// TLS 1.3 suites in a cipher list; IANA's names of older suites contain `_WITH_`, and do not count.
pub(super) fn suites(ciphers: &Set<String>) -> Option<Fact> {
    let words = ciphers.value.split([':', ',', ' ']);
    let suites: Vec<String> = words.filter(|word| is_tls13(word)).map(str::to_owned).collect();
    let kind = || FactKind::SuitesIgnored { suites: suites.clone() };
    (!suites.is_empty()).then(|| Fact { span: ciphers.span.clone(), kind: kind() })
}

fn is_tls13(name: &str) -> bool {
    name.starts_with("TLS_") && !name.contains("_WITH_")
}

/// Settings for which the default server's apply instead.
fn overruled(
    server: &Server,
    default: &Server,
    version: Option<NginxRelease>,
    facts: &mut Vec<Fact>,
) {
    let mut check =
        |directive, until: Option<NginxRelease>, own: PlacedValue, decides: PlacedValue| {
            let applies =
                until.is_some_and(|until| version.is_some_and(|version| version >= until));
            if let Some((span, value)) = own
                && !applies
                && decides.as_ref().map(|(_, value)| value) != Some(&value)
            {
                let default = decides.map_or_else(|| default.span.clone(), |(span, _)| span);
                let kind = FactKind::DefaultServerDecides { directive, default, until };
                facts.push(Fact { span, kind });
            }
        };
    let by_name = Some(PROTOCOLS_BY_NAME);
    let (own, decides) = (&server.ssl, &default.ssl);
    check("ssl_protocols", by_name, set(protocols(own)), set(protocols(decides)));
    check("ssl_conf_command", by_name, suites_command(own), suites_command(decides));
    check("ssl_ecdh_curve", None, set(own.ecdh_curve.clone()), set(decides.ecdh_curve.clone()));
    let cache = |ssl: &ServerSsl| set(ssl.session_cache.clone());
    check("ssl_session_cache", None, cache(own), cache(decides));
    let timeout = |ssl: &ServerSsl| set(ssl.session_timeout.clone());
    check("ssl_session_timeout", None, timeout(own), timeout(decides));
}

/// A setting's place, and its value in comparable form.
type PlacedValue = Option<(Span, String)>;

fn set<T: std::fmt::Debug>(set: Option<Set<T>>) -> PlacedValue {
    set.map(|set| (set.span, format!("{:?}", set.value)))
}

/// The protocols in a fixed order.
fn protocols(ssl: &ServerSsl) -> Option<Set<Vec<String>>> {
    let set = ssl.protocols.clone()?;
    Some(set.map(|words| {
        let mut words: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
        words.sort_unstable();
        words.dedup();
        words
    }))
}

fn suites_command(ssl: &ServerSsl) -> PlacedValue {
    let found = ssl.conf_command.iter().rev();
    let found = found.filter(|one| one.value.0.eq_ignore_ascii_case("ciphersuites"));
    found.map(|one| (one.span.clone(), one.value.1.clone())).next()
}

/// Names with a star or dots where none may be (`ngx_hash_add_key`). nginx looks at them only where it has to choose.
fn invalid_names(listener: &Listener) -> Vec<Fact> {
    if listener.protocol != Protocol::Http || listener.servers.len() < 2 {
        return Vec::new();
    }
    let names = listener.servers.iter().flat_map(|server| server.names.iter());
    let invalid = names.filter(|name| match name.value {
        ServerName::Regex(_) | ServerName::Variable(_) => false,
        _ => is_invalid(&name.value.to_string()),
    });
    let fact = |name: &Set<ServerName>| {
        let words =
            format!("invalid server name or wildcard \"{}\" on {}", name.value, listener.address);
        Fact { span: name.span.clone(), kind: FactKind::Refused(Fault::Said(words)) }
    };
    invalid.map(fact).collect()
}

fn is_invalid(name: &str) -> bool {
    let stars = name.matches('*').count();
    let is_wildcard = name.len() > 2 && (name.starts_with("*.") || name.ends_with(".*"));
    let is_domain = name.len() > 1 && name.starts_with('.');
    stars > 1 || name.contains("..") || stars > 0 && !is_wildcard && !is_domain
}

/// Names that nginx drops. Nobody intends to be reached as `_`, and a repeated name is harmless.
fn taken_names(listener: &Listener, facts: &mut Vec<Fact>) {
    let void = ServerName::Exact("_".to_owned());
    for server in listener.servers.iter().filter(|server| !server.taken.is_empty()) {
        let own: HashSet<&Span> = server.names.iter().map(|name| &name.span).collect();
        for (&number, first) in &server.taken {
            let Some(name) = server.names.get(number) else { continue };
            let is_repeated = matches!(name.value, ServerName::Exact(_)) && own.contains(first);
            if name.value == void || is_repeated {
                continue;
            }
            let kind = FactKind::NameTaken { name: name.value.to_string(), first: first.clone() };
            facts.push(Fact { span: name.span.clone(), kind });
        }
    }
}
