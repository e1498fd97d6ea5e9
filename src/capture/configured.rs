//! What nginx's configuration says of the servers in a capture: which socket and which block serve a handshake, as nginx selects
//! them, and what these accept.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::exchange::ExchangeTransport;
use super::placed::PlacedDirective;
use super::seen_hello::SeenHello;
use crate::nginx::defaults::{NginxRelease, PROTOCOLS_BY_NAME};
use crate::nginx::inherit::Set;
use crate::nginx::listener::{ListenAddress, Listener, Material, Server, ServerSsl};
use crate::nginx::problem::Span;
use crate::nginx::upstream::Upstream;
use crate::openssl::cipher_string::evaluate;
use crate::openssl::conf_command::{level_of_system, value_of};
use crate::openssl::{group_name, security_level};
use crate::tls::group::NamedGroup;
use crate::tls::suite::{Authentication, CipherSuite, KeyExchange};
use crate::tls::version::ProtocolVersion;

/// nginx's suites where `ssl_ciphers` is not set.
const DEFAULT_CIPHERS: &str = "HIGH:!aNULL:!MD5";

/// Releases at which a default or the server that decides changed, and the first that is known here.
const TURNS: [NginxRelease; 4] = [
    NginxRelease::new(1, 18, 0),
    NginxRelease::new(1, 23, 4),
    NginxRelease::new(1, 27, 3),
    PROTOCOLS_BY_NAME,
];

/// Groups that OpenSSL may accept where `ssl_ecdh_curve` is not set; which of them depends on its release.
const DEFAULT_GROUPS: [u16; 13] = [
    0x001d, 0x0017, 0x001e, 0x0018, 0x0019, 0x0100, 0x0101, 0x0102, 0x0103, 0x0104, 0x11ec, 0x11eb,
    0x11ed,
];

/// Those that every release accepts.
const SURE_GROUPS: [u16; 2] = [0x001d, 0x0017];

/// A configuration.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// Its TLS sockets.
    pub listeners: Vec<Listener>,
    /// The addresses of all its sockets, with and without TLS.
    pub sockets: Vec<ListenAddress>,
    /// What it connects to over TLS.
    pub upstreams: Vec<Upstream>,
    /// nginx's release, if known.
    pub release: Option<NginxRelease>,
    /// What the configuration of its OpenSSL sets for every connection, each `NAME VALUE`.
    pub system: Vec<String>,
    /// The kinds of keys in the certificate files that could be read.
    pub keys: BTreeMap<String, Authentication>,
}

/// The server block that serves a handshake, on its socket.
#[derive(Clone, Copy, Debug)]
pub struct ServingBlock<'c> {
    configured: &'c Configured,
    listener: &'c Listener,
    selected: &'c Server,
}

/// How well an address of the configuration fits one of a packet; `None` if it does not.
fn fit(address: &ListenAddress, server: SocketAddr) -> Option<u8> {
    match address {
        ListenAddress::Ip(own) if own.port() != server.port() => None,
        ListenAddress::Ip(own) if own.ip() == server.ip() => Some(2),
        ListenAddress::Ip(own) => {
            let is_any = own.ip().is_unspecified() && own.is_ipv4() == server.is_ipv4();
            is_any.then_some(1)
        }
        ListenAddress::Name { host, port } => {
            let is_local = host.eq_ignore_ascii_case("localhost") && server.ip().is_loopback();
            (is_local && *port == server.port()).then_some(2)
        }
        ListenAddress::Unix(_) => None,
    }
}

impl Configured {
    /// The block that serves a handshake with that address for that name; `None` where the configuration does not tell.
    pub fn serving(
        &self,
        server: SocketAddr,
        transport: ExchangeTransport,
        name: Option<&str>,
    ) -> Option<ServingBlock<'_>> {
        let is_quic = transport == ExchangeTransport::Quic;
        let tls = self.listeners.iter().filter(|listener| listener.quic == is_quic);
        let tls = tls.filter_map(|listener| Some((fit(&listener.address, server)?, listener)));
        let (rank, listener) = tls.max_by_key(|(rank, _)| *rank)?;
        // A socket without TLS may have the very address.
        let best = self.sockets.iter().filter_map(|address| fit(address, server)).max();
        if best.is_some_and(|best| best > rank) {
            return None;
        }
        let selected = match name {
            Some(name) => listener.server_for(name)?,
            None => listener.default_server(),
        };
        Some(ServingBlock { configured: self, listener, selected })
    }
}

impl<'c> ServingBlock<'c> {
    /// The socket, as `listen` has it.
    pub fn socket(&self) -> String {
        self.listener.address.to_string()
    }

    /// The block's place.
    pub fn place(&self) -> &'c Span {
        &self.selected.span
    }

    /// The block's first name, if it has one.
    pub fn name(&self) -> Option<String> {
        self.selected.names.first().map(|name| name.value.to_string())
    }

    /// Whether it is the default server of its socket.
    pub fn is_default(&self) -> bool {
        std::ptr::eq(self.selected, self.listener.default_server())
    }

    /// The server whose certificate, suites and client verification apply.
    fn holder(&self) -> &'c Server {
        let own = self.selected.has_certificate() || self.selected.ssl.rejects();
        if own { self.selected } else { self.listener.default_server() }
    }

    /// The server whose `ssl_protocols` apply, if the release is known or does not matter.
    fn decides_versions(&self) -> &'c Server {
        let by_name = self.configured.release.is_some_and(|release| release >= PROTOCOLS_BY_NAME);
        if by_name && self.selected.has_certificate() {
            self.selected
        } else {
            self.listener.default_server()
        }
    }

    /// Commands of OpenSSL may undo every other setting.
    fn is_undone(&self) -> bool {
        let servers = [self.selected, self.listener.default_server()];
        servers.iter().any(|server| !server.ssl.conf_command.is_empty())
    }

    /// The versions, where they are certain.
    pub fn versions(&self) -> Option<Vec<ProtocolVersion>> {
        let releases = match self.configured.release {
            Some(release) => vec![release],
            None => TURNS.to_vec(),
        };
        let of = |release: &NginxRelease| self.listener.protocols(self.selected, *release);
        let first = of(releases.first()?);
        let same = releases.iter().all(|release| of(release) == first);
        (same && !self.is_undone()).then_some(first)
    }

    /// The kinds of its certificates' keys, if all of them are known.
    fn kinds(&self) -> Option<Vec<Authentication>> {
        let kind = |material: &Material| match material {
            Material::File(name) => self.configured.keys.get(name).copied(),
            _ => None,
        };
        let certificates = &self.holder().ssl.certificates;
        let kinds: Option<Vec<_>> =
            certificates.iter().map(|pair| kind(&pair.certificate.value)).collect();
        kinds.filter(|kinds| !kinds.is_empty())
    }

    /// The suites up to TLS 1.2 that the cipher string selects, whatever the certificate.
    fn listed_suites(&self) -> Option<Vec<CipherSuite>> {
        let text = self.holder().ssl.ciphers.as_ref().map_or(DEFAULT_CIPHERS, |set| &set.value);
        let level = level_of_system(&self.configured.system).unwrap_or(security_level::DEFAULT);
        let list = evaluate(text, level).ok()?;
        (!self.is_undone()).then_some(list.suites)
    }

    /// Whether client and server have a group in common.
    pub fn shares_group(&self, hello: &SeenHello) -> Option<bool> {
        if self.is_undone() {
            return None;
        }
        let offered: Vec<u16> = hello.named_groups().map(|group| group.0).collect();
        let curve = self.listener.default_server().ssl.ecdh_curve.as_ref();
        let Some(text) = curve.map(|set| set.value.as_str()).filter(|text| *text != "auto") else {
            let of_system = |name| value_of(&self.configured.system, name).is_some();
            if ["Groups", "Curves"].into_iter().any(of_system) {
                return None;
            }
            let any = |groups: &[u16]| offered.iter().any(|group| groups.contains(group));
            return if any(&SURE_GROUPS) {
                Some(true)
            } else {
                (!any(&DEFAULT_GROUPS)).then_some(false)
            };
        };
        // OpenSSL 3.5 has signs for keys that are sent at once and for names that may be unknown.
        let words = text.split([':', '/']).map(|word| word.trim_start_matches(['*', '?']));
        let accepted: Option<Vec<NamedGroup>> = words.map(group_name::read).collect();
        let accepted = accepted?;
        Some(accepted.iter().any(|group| offered.contains(&group.0)))
    }

    /// Why no suite up to TLS 1.2 fits; `None` where one may.
    pub fn lacks_suite(&self, hello: &SeenHello) -> Option<&'static str> {
        let listed = self.listed_suites()?;
        let common: Vec<CipherSuite> =
            hello.cipher_suites().filter(|suite| listed.contains(suite)).collect();
        if common.is_empty() {
            return Some("ssl_ciphers");
        }
        let kinds = self.kinds()?;
        let signed =
            |suite: &CipherSuite| suite.authentication().is_none_or(|it| kinds.contains(&it));
        let usable: Vec<CipherSuite> = common.into_iter().filter(signed).collect();
        if usable.is_empty() {
            return Some("ssl_certificate");
        }
        let by_curve = |suite: &CipherSuite| suite.key_exchange() == Some(KeyExchange::Ecdhe);
        let groupless =
            hello.named_groups().next().is_some() && self.shares_group(hello) == Some(false);
        (groupless && usable.iter().all(by_curve)).then_some("ssl_ecdh_curve")
    }

    /// Whether a suite up to TLS 1.2 fits, whatever the group.
    pub fn shares_suite(&self, hello: &SeenHello) -> bool {
        let Some((listed, kinds)) = self.listed_suites().zip(self.kinds()) else { return false };
        let fits = |suite: &CipherSuite| {
            listed.contains(suite) && suite.authentication().is_none_or(|it| kinds.contains(&it))
        };
        hello.cipher_suites().any(|suite| fits(&suite))
    }

    /// Whether a key of its certificates can sign in TLS 1.3 as the client accepts it, where that is certain.
    pub fn can_sign(&self, hello: &SeenHello) -> Option<bool> {
        if value_of(&self.configured.system, "SignatureAlgorithms").is_some() {
            return None;
        }
        let kinds = self.kinds()?;
        let [ecdsa, rsa, others] = crate::tls::scheme::SignatureScheme::tls13_families();
        let offers =
            |family: &[_]| hello.signature_schemes().any(|scheme| family.contains(&scheme));
        // A key on another curve, or an Edwards key, signs by a scheme of its own.
        if offers(others) {
            return None;
        }
        let by = |kind, family| kinds.contains(&kind) && offers(family);
        let known = [Authentication::Rsa, Authentication::Ecdsa];
        let can = by(Authentication::Rsa, rsa) || by(Authentication::Ecdsa, ecdsa);
        kinds.iter().all(|kind| known.contains(kind)).then_some(can)
    }

    /// A directive as it applies to this handshake.
    pub fn directive(&self, name: &'static str) -> PlacedDirective {
        let (default, holder) = (self.listener.default_server(), self.holder());
        let server = match name {
            "ssl_protocols" => self.decides_versions(),
            "ssl_ecdh_curve" => default,
            "listen" => self.selected,
            _ => holder,
        };
        let set = value(&server.ssl, name);
        let (value, span) = match set {
            Some((value, span)) => (Some(value), span),
            None if name == "listen" => (Some(self.socket()), &server.listen),
            None => (None, &server.span),
        };
        PlacedDirective {
            name,
            value,
            file: span.file.to_string(),
            line: span.line,
            server_name: server.names.first().map(|name| name.value.to_string()),
            of_default_server: !std::ptr::eq(server, self.selected),
        }
    }
}

/// A setting as written, and its place.
fn value<'s>(ssl: &'s ServerSsl, name: &str) -> Option<(String, &'s Span)> {
    fn text(set: Option<&Set<String>>) -> Option<(String, &Span)> {
        set.map(|set| (set.value.clone(), &set.span))
    }
    match name {
        "ssl_protocols" => ssl.protocols.as_ref().map(|set| (set.value.join(" "), &set.span)),
        "ssl_ciphers" => text(ssl.ciphers.as_ref()),
        "ssl_ecdh_curve" => text(ssl.ecdh_curve.as_ref()),
        "ssl_verify_client" => text(ssl.verify_client.as_ref()),
        "ssl_client_certificate" => {
            text(ssl.client_certificate.as_ref().or(ssl.trusted_certificate.as_ref()))
        }
        "ssl_crl" => text(ssl.crl.as_ref()),
        "ssl_alpn" => ssl.alpn.as_ref().map(|set| (set.value.join(" "), &set.span)),
        "ssl_reject_handshake" => ssl.reject_handshake.as_ref().map(|set| {
            let word = if set.value { "on" } else { "off" };
            (word.to_owned(), &set.span)
        }),
        "ssl_certificate" => ssl.certificates.first().map(|pair| {
            let name = match &pair.certificate.value {
                Material::File(name) | Material::Engine(name) => name.clone(),
                Material::Variable(file) => file.written.clone(),
                Material::Data(_) => "data:".to_owned(),
            };
            (name, &pair.certificate.span)
        }),
        _ => None,
    }
}
