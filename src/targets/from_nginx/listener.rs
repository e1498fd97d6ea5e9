//! The sockets on which nginx accepts TLS, with a target for each name.

use std::collections::HashSet;
use std::io;
use std::net::Ipv4Addr;

use super::{Premises, Untestable, loopback, origin, suites, written};
use crate::certificate::file::{FileChain, FileKey};
use crate::nginx::listener::{
    ListenAddress, Listener, MailStartTls as Begin, Material, Protocol, Server, ServerName,
    ServerSsl,
};
use crate::nginx::name_example::NameExpressions;
use crate::nginx::problem::Span;
use crate::targets::address::{Address, host_port, parse_host};
use crate::targets::identity::FileError;
use crate::targets::{ClientCertificatePolicy, Host, Role, StartTls, Target};
use crate::tls::version::ProtocolVersion;

/// The label that replaces a leading star.
const ANY_LABEL: &str = "shakedown-check";

pub(super) fn targets(
    listeners: &[Listener],
    premises: &Premises<'_>,
    untestable: &mut Vec<Untestable>,
) -> Vec<(String, Target, Span)> {
    let mut all = Vec::new();
    let taken = taken(&premises.sockets);
    let expressions = NameExpressions::default();
    for listener in listeners {
        match endpoint(listener, &taken, premises) {
            Ok((host, port)) => {
                let servers = listener.servers.iter();
                let examples: Vec<Vec<NameExample>> =
                    servers.map(|server| stand_ins(listener, server, &expressions)).collect();
                of_socket(listener, &examples, &(host, port), premises, &mut all);
                untestable.extend(unnameable(listener, &examples));
            }
            Err(reason) => untestable.push(Untestable {
                name: listener.address.to_string(),
                span: listener.default_server().listen.clone(),
                reason: reason.to_owned(),
            }),
        }
    }
    all
}

/// Where an address can be reached, the usual place first. Only a rehearsal leads to a socket for all addresses by its own
/// address, the last place.
pub fn endpoints_of(address: &ListenAddress) -> Vec<(Host, u16)> {
    match address {
        ListenAddress::Ip(address) => {
            let own = address.ip().is_unspecified().then_some(address.ip());
            let places = loopback(address.ip()).into_iter().chain(own);
            places.map(|ip| (Host::Ip(ip), address.port())).collect()
        }
        ListenAddress::Name { host, port } => {
            parse_host(host).into_iter().map(|host| (host, *port)).collect()
        }
        ListenAddress::Unix(_) => vec![(Host::Name(address.to_string()), 0)],
    }
}

/// The places that belong to sockets with an address of their own: they get the connections, and not a socket for all
/// addresses.
fn taken(sockets: &[ListenAddress]) -> HashSet<(Host, u16)> {
    let own = |address: &ListenAddress| match address {
        ListenAddress::Ip(address) if !address.ip().is_unspecified() => {
            Some((Host::Ip(address.ip()), address.port()))
        }
        ListenAddress::Name { host, port } if host.eq_ignore_ascii_case("localhost") => {
            Some((Host::Ip(Ipv4Addr::LOCALHOST.into()), *port))
        }
        _ => None,
    };
    sockets.iter().filter_map(own).collect()
}

/// Where to connect.
fn endpoint(
    listener: &Listener,
    taken: &HashSet<(Host, u16)>,
    premises: &Premises<'_>,
) -> Result<(Host, u16), &'static str> {
    let places = endpoints_of(&listener.address);
    let is_any =
        matches!(&listener.address, ListenAddress::Ip(address) if address.ip().is_unspecified());
    let is_free = |place: &&(Host, u16)| {
        !is_any || !taken.contains(*place) && (premises.rehearsed || !place.0.is_unspecified())
    };
    if let ListenAddress::Unix(path) = &listener.address
        && !premises.rehearsed
    {
        return premises.unix_socket(path);
    }
    let (_, port) = places.first().ok_or("its host is not a valid name")?;
    let free = places.iter().find(is_free).map(|(host, _)| host);
    let Some(host) = premises.connect.as_ref().or(free) else {
        return Err(
            "another socket of the configuration has the loopback address, so this machine \
                    cannot reach it; test it with --connect",
        );
    };
    Ok((host.clone(), *port))
}

fn of_socket(
    listener: &Listener,
    examples: &[Vec<NameExample>],
    endpoint: &(Host, u16),
    premises: &Premises<'_>,
    all: &mut Vec<(String, Target, Span)>,
) {
    let before = all.len();
    let mut met = HashSet::new();
    for (server, examples) in listener.servers.iter().zip(examples) {
        // A server that was meant to be plain does not promise TLS; the collision is reported separately.
        if server.ssl.rejects() || server.plain_beside.is_some() {
            continue;
        }
        for name in sample_names(server) {
            if met.insert(name.clone()) {
                let target = target(listener, server, Some(&name), endpoint, premises);
                all.push((key(listener, endpoint, &name), target, server.listen.clone()));
            }
        }
        for NameExample { pattern, name } in examples {
            if met.insert(name.clone()) {
                let mut target = target(listener, server, Some(name), endpoint, premises);
                let (host, port) = endpoint;
                // It is unknown which name the certificate should cover.
                target.any_name = true;
                target.name = format!(
                    "{name}:{port} (an example of {pattern}; to test another name: probe NAME:{port}:{})",
                    host_port(host, *port)
                );
                all.push((key(listener, endpoint, name), target, server.listen.clone()));
            }
        }
    }
    let default = listener.default_server();
    if all.len() == before && !default.ssl.rejects() {
        let target = target(listener, default, None, endpoint, premises);
        all.push((key(listener, endpoint, ""), target, default.listen.clone()));
    }
}

/// Servers without a known name, which cannot be selected by SNI.
fn unnameable(
    listener: &Listener,
    examples: &[Vec<NameExample>],
) -> impl Iterator<Item = Untestable> {
    let by_pattern = move |(server, examples): &(&Server, &Vec<NameExample>)| {
        !server.names.is_empty()
            && !std::ptr::eq(*server, listener.default_server())
            && !server.ssl.rejects()
            && sample_names(server).is_empty()
            && examples.is_empty()
            && server.names.iter().any(|name| !matches!(name.value, ServerName::Exact(_)))
    };
    listener.servers.iter().zip(examples).filter(by_pattern).map(|(server, _)| {
        let names: Vec<String> = server.names.iter().map(|name| name.value.to_string()).collect();
        Untestable {
            name: format!("{} ({})", names.join(" "), listener.address),
            span: server.listen.clone(),
            reason: "its names are regular expressions or variables, and no name that fits was found to send"
                .to_owned(),
        }
    })
}

fn key(listener: &Listener, (host, port): &(Host, u16), name: &str) -> String {
    let quic = if listener.quic { "quic " } else { "" };
    format!("{quic}listener {host} {port} {name}")
}

/// The names to test: the literal ones, and a sample for each leading star.
fn sample_names(server: &Server) -> Vec<String> {
    let of = |name: &ServerName| match name {
        ServerName::Exact(name) => vec![name.clone()],
        ServerName::Leading(suffix) => vec![format!("{ANY_LABEL}{suffix}")],
        ServerName::Domain(suffix) => {
            vec![suffix.trim_start_matches('.').to_owned(), format!("{ANY_LABEL}{suffix}")]
        }
        ServerName::Trailing(_) | ServerName::Regex(_) | ServerName::Variable(_) => Vec::new(),
    };
    let names = server.names.iter().flat_map(|set| of(&set.value));
    names.filter(|name| name != "_" && matches!(parse_host(name), Ok(Host::Name(_)))).collect()
}

/// Top-level domains that are reserved (RFC 2606), for names with a trailing star.
const UNOWNED: [&str; 3] = ["test", "example", "invalid"];

/// A name that leads to a server by one of its patterns.
struct NameExample {
    /// The pattern as written.
    pattern: String,
    name: String,
}

/// A sample that leads to the server for each name with a trailing star, and for each regular expression.
fn stand_ins(
    listener: &Listener,
    server: &Server,
    expressions: &NameExpressions,
) -> Vec<NameExample> {
    let leads_here =
        |name: &String| listener.server_for(name).is_some_and(|one| std::ptr::eq(one, server));
    let fits_here = |name: &String| {
        let first = listener.server_by_expression(name, expressions);
        first.is_some_and(|one| std::ptr::eq(one, server))
    };
    let is_name = |name: &String| matches!(parse_host(name), Ok(Host::Name(_)));
    let stand_in = |name: &ServerName| {
        let found = match name {
            ServerName::Trailing(prefix) => {
                let names = UNOWNED.iter().map(|domain| format!("{prefix}{domain}"));
                names.filter(is_name).find(leads_here)?
            }
            ServerName::Regex(pattern) => {
                let names = expressions.examples(pattern).into_iter();
                // An expression without a start may be meant for what stands before.
                let names = names.flat_map(|name| [format!("{ANY_LABEL}{name}"), name]);
                names.rev().filter(is_name).find(fits_here)?
            }
            _ => return None,
        };
        Some(NameExample { pattern: name.to_string(), name: found })
    };
    server.names.iter().filter_map(|set| stand_in(&set.value)).collect()
}

fn target(
    listener: &Listener,
    server: &Server,
    name: Option<&str>,
    (host, port): &(Host, u16),
    premises: &Premises<'_>,
) -> Target {
    let address = Address {
        host: name.map_or_else(|| host.clone(), |name| Host::Name(name.to_owned())),
        port: Some(*port),
        connect_to: name.is_some().then(|| (host.clone(), *port)),
        starttls: None,
    };
    let origin = origin(&server.listen);
    let mut target = premises.options.target(address, premises.identity.clone(), Some(origin));
    target.name = match name {
        Some(name) if host.unix_path().is_some() => format!("{name} ({host})"),
        Some(name) => format!("{name}:{port}"),
        None => format!("{} (no name)", listener.address),
    };
    target.role = Role::Listener;
    target.any_name = name.is_none();
    target.starttls = starttls(listener);
    target.proxy_protocol = listener.proxy_protocol;
    target.awaits_request = premises.rehearsed && listener.protocol == Protocol::Http;
    target.expect.protocols = expected_versions(listener, server, premises);
    target.expect.client_certificate = expected_policy(&server.ssl);
    let holder = if server.has_certificate() { server } else { listener.default_server() };
    target.staples = holder.ssl.stapling.as_ref().is_some_and(|set| set.value);
    target.files = files(&holder.ssl, name, premises);
    target.unusable_suites = suites::unusable(&holder.ssl, &target.files, &premises.system);
    let versions = target.expect.protocols.as_deref();
    target.written = written::settings(listener, server, versions, premises).map(Box::new);
    if listener.quic { target.over_quic() } else { target }
}

fn starttls(listener: &Listener) -> Option<StartTls> {
    let begins = listener.starttls != Begin::Off;
    let protocol = match listener.protocol {
        Protocol::Smtp => StartTls::Smtp,
        Protocol::Imap => StartTls::Imap,
        Protocol::Pop3 => StartTls::Pop3,
        Protocol::Http | Protocol::Stream => return None,
    };
    begins.then_some(protocol)
}

/// The versions that the configuration enables, where that is certain: old versions also depend on the library, and the
/// release determines which server's list applies.
fn expected_versions(
    listener: &Listener,
    server: &Server,
    premises: &Premises<'_>,
) -> Option<Vec<ProtocolVersion>> {
    let default = listener.default_server();
    let written = server.ssl.protocols.is_some() && default.ssl.protocols.is_some();
    let of = |version| listener.protocols(server, version);
    let oldest = crate::nginx::defaults::NginxRelease::new(1, 18, 0);
    let versions = match premises.version {
        Some(version) if written => of(version),
        None if written && of(oldest) == of(crate::targets::nginx_client::NEWEST) => of(oldest),
        _ => return None,
    };
    let current = versions.iter().all(|version| *version >= ProtocolVersion::TLS1_2);
    let undone = !server.ssl.conf_command.is_empty() || !default.ssl.conf_command.is_empty();
    (current && !undone).then_some(versions)
}

fn expected_policy(ssl: &ServerSsl) -> Option<ClientCertificatePolicy> {
    match ssl.verify_client.as_ref()?.value.as_str() {
        "on" => Some(ClientCertificatePolicy::Required),
        "optional" | "optional_no_ca" => Some(ClientCertificatePolicy::Optional),
        _ => None,
    }
}

/// The certificate files for a hello with this name, as far as they are known and readable; none where a command of OpenSSL
/// replaces certificates, or where another file may be loaded.
fn files(ssl: &ServerSsl, asked: Option<&str>, premises: &Premises<'_>) -> Vec<FileChain> {
    let mut all = Vec::new();
    if ssl.conf_command.iter().any(|set| set.value.0.eq_ignore_ascii_case("Certificate")) {
        return all;
    }
    for pair in &ssl.certificates {
        let (name, at_handshake) = match &pair.certificate.value {
            Material::File(name) => (name.as_str(), false),
            Material::Variable(file) => match file.for_name(asked) {
                Some(name) => (name, true),
                None => return Vec::new(),
            },
            Material::Data(_) | Material::Engine(_) => continue,
        };
        let key = pair.key.as_ref().and_then(|key| match &key.value {
            Material::File(name) => Some(name.as_str()),
            Material::Variable(file) => file.for_name(asked),
            Material::Data(_) | Material::Engine(_) => None,
        });
        let key = key.and_then(|name| {
            let passwords = ssl.password_file.as_ref().map(|set| premises.path(set));
            let read = premises.opened.public_key(&premises.path(name), passwords.as_deref());
            let spki = match &*read {
                Ok(spki) => Ok(spki.clone()),
                // An ordinary user may lack permission; other faults are reported elsewhere.
                Err(FileError::Read { error, .. })
                    if error.kind() == io::ErrorKind::PermissionDenied =>
                {
                    Err(error.to_string())
                }
                Err(_) => return None,
            };
            Some(FileKey { path: name.to_owned(), spki })
        });
        let chains = premises.opened.chains(&premises.path(name), name, key.as_ref());
        let chains = chains.into_iter().flatten();
        all.extend(chains.map(|chain| FileChain { at_handshake, ..chain }));
    }
    all
}
