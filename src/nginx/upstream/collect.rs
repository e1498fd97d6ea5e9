//! Finds every `*_pass` directive with TLS, and evaluates its settings.

use std::sync::Arc;

use super::group::{UpstreamBlocks, destination, strip_scheme};
use super::{Enclosing, ProxyModule, ProxySsl, Text, Upstream, Wire};
use crate::nginx::inherit::{Scope, Set};
use crate::nginx::tree::{Directive, Tree};
use crate::nginx::variable::{Definitions, Fork, Lookup, Unresolved, Variables};
use crate::nginx::variable_text;
use crate::openssl::conf_value::names_file;

/// Every upstream that nginx connects to over TLS, in the order of the configuration; `given` contains values of
/// variables.
///
/// This includes a `*_pass` whose scheme is unknown, because nginx prepares TLS for it.
pub fn upstreams(tree: &Tree, given: &Variables) -> Vec<Upstream> {
    collect(tree, given, Wire::Tls)
}

/// Every upstream that nginx connects to without TLS but could use TLS with, if its destination is known.
pub fn plain_upstreams(tree: &Tree, given: &Variables) -> Vec<Upstream> {
    let mut all = collect(tree, given, Wire::Plain);
    all.retain(|upstream| upstream.destination.is_ok());
    all
}

fn collect(tree: &Tree, given: &Variables, wire: Wire) -> Vec<Upstream> {
    let root = Scope::root(tree);
    let mut found = Vec::new();
    for (name, is_stream) in [("http", false), ("stream", true)] {
        for block in tree.blocks(name) {
            let scope = root.enter(block);
            let cx = ModuleContext {
                tree,
                given,
                definitions: Definitions::read(&scope),
                groups: UpstreamBlocks::read(&scope),
                is_stream,
                wire,
            };
            for server in block.children().iter().filter(|one| one.name == "server") {
                let server = scope.enter(server);
                let names = server.own("server_name").iter().flat_map(|one| &one.arguments);
                cx.block(&server, &names.cloned().collect(), &mut found);
            }
        }
    }
    found
}

/// The context of the whole `http` or `stream` block.
struct ModuleContext<'a, 't> {
    tree: &'t Tree,
    given: &'a Variables,
    definitions: Definitions<'t>,
    groups: UpstreamBlocks,
    is_stream: bool,
    wire: Wire,
}

/// The most arguments of a directive in nginx (`NGX_CONF_MAX_ARGS`).
const MAX_ARGUMENTS: usize = 8;

/// The blocks that can contain a `*_pass`.
const INSIDE: [&str; 3] = ["location", "if", "limit_except"];

impl<'t> ModuleContext<'_, 't> {
    /// The upstreams in a block of the server with these names.
    fn block(&self, scope: &Scope<'t>, names: &Arc<[String]>, found: &mut Vec<Upstream>) {
        let first = found.len();
        for module in ProxyModule::of(self.is_stream) {
            if let Some(pass) = scope.own(module.pass()).first() {
                self.pass(scope, module, pass, found);
            }
        }
        for upstream in &mut found[first..] {
            upstream.server_names = Arc::clone(names);
        }
        let inside = scope.block().map(Directive::children).unwrap_or_default();
        for block in inside.iter().filter(|one| INSIDE.contains(&&*one.name)) {
            self.block(&scope.enter(block), names, found);
        }
    }

    /// The upstreams of one directive.
    fn pass(
        &self,
        scope: &Scope<'t>,
        module: ProxyModule,
        pass: &'t Directive,
        found: &mut Vec<Upstream>,
    ) {
        if !self.may_lead_there(scope, module, pass.first()) {
            return;
        }
        let built = self
            .definitions
            .each(scope, self.given, |lookup| self.build(scope, module, pass, lookup));
        let built = built.unwrap_or_else(|reason| {
            let text = |_: &str| Ok(Err(reason.clone()));
            let upstream = Upstream {
                destination: Err(reason.clone()),
                name: Err(reason.clone()),
                ssl: settings(scope, module, self.tree, text).unwrap_or_default(),
                ..frame(scope, module, pass)
            };
            vec![(Variables::new(), Some(upstream))]
        });
        found.extend(
            built
                .into_iter()
                .filter_map(|(assumed, upstream)| Some(Upstream { assumed, ..upstream? })),
        );
    }

    /// Whether a `*_pass` may use this kind of connection, by its text.
    fn may_lead_there(&self, scope: &Scope<'_>, module: ProxyModule, url: &str) -> bool {
        match (self.wire, module) {
            (Wire::Tls, ProxyModule::Stream) => {
                scope.flag("proxy_ssl").is_some_and(|set| set.value)
            }
            // Clients' data passes through unchanged.
            (Wire::Plain, ProxyModule::Stream) => false,
            (Wire::Tls, _) => {
                strip_scheme(module, Wire::Tls, url).is_some() || url.starts_with('$')
            }
            (Wire::Plain, _) => strip_scheme(module, Wire::Plain, url).is_some(),
        }
    }

    /// The upstream for the values chosen so far; `None` if it uses another kind of connection.
    fn build(
        &self,
        scope: &Scope<'t>,
        module: ProxyModule,
        pass: &'t Directive,
        lookup: &mut Lookup<'_, 't>,
    ) -> Result<Option<Upstream>, Fork> {
        let is_dynamic = variable_text::has_variables(pass.first());
        let url = match module {
            ProxyModule::Stream => lookup.text(pass.first())?,
            ProxyModule::Proxy | ProxyModule::Grpc | ProxyModule::Uwsgi => {
                lookup.url(pass.first())?
            }
        };
        let destination = match &url {
            Ok(url) => {
                match destination((module, self.wire), url, &self.groups, (pass, is_dynamic)) {
                    Some(destination) => destination,
                    None => return Ok(None),
                }
            }
            Err(reason) => Err(reason.clone()),
        };
        if let Ok(destination) = &destination {
            lookup.local.insert("proxy_host".to_owned(), destination.proxy_host.clone());
        }
        let ssl = settings(scope, module, self.tree, |written| lookup.text(written))?;
        let name = match (&ssl.name, &destination) {
            (Some(name), _) => name.value.value.clone(),
            (None, Ok(destination)) => Ok(destination.host.clone()),
            (None, Err(reason)) => Err(reason.clone()),
        };
        let name = name.map(|name| without_port(&name).to_owned());
        Ok(Some(Upstream { destination, name, ssl, ..frame(scope, module, pass) }))
    }
}

/// The properties of an upstream that do not depend on variables.
fn frame(scope: &Scope<'_>, module: ProxyModule, pass: &Directive) -> Upstream {
    let mut blocks: Vec<Enclosing> =
        scope.chain().filter_map(|scope| scope.block().map(Enclosing::new)).collect();
    blocks.reverse();
    Upstream {
        module,
        span: pass.span.clone(),
        settings_at: pass.span.clone(),
        url: pass.first().to_owned(),
        blocks,
        server_names: Arc::new([]),
        host_header: host_header(scope, module),
        assumed: Variables::new(),
        destination: Err(Unresolved::TooMany),
        name: Err(Unresolved::TooMany),
        has_resolver: !scope.effective("resolver").is_empty(),
        ssl: ProxySsl::default(),
    }
}

/// `proxy_set_header Host`, as written.
fn host_header(scope: &Scope<'_>, module: ProxyModule) -> Option<String> {
    let directive = match module {
        ProxyModule::Proxy => "proxy_set_header",
        ProxyModule::Grpc => "grpc_set_header",
        ProxyModule::Uwsgi | ProxyModule::Stream => return None,
    };
    let headers = scope.effective(directive).iter();
    let mut hosts = headers.filter(|one| one.first().eq_ignore_ascii_case("host"));
    hosts.next()?.arguments.get(1).cloned()
}

impl Enclosing {
    fn new(block: &Directive) -> Self {
        Self {
            name: block.name.clone(),
            arguments: block.arguments.iter().take(MAX_ARGUMENTS).cloned().collect(),
            span: block.span.clone(),
        }
    }
}

/// Commands of OpenSSL, with the full names of the files that they name (`ngx_ssl_conf_commands`).
fn with_full_names(
    mut commands: Vec<Set<(String, String)>>,
    tree: &Tree,
) -> Vec<Set<(String, String)>> {
    for command in &mut commands {
        let (name, value) = &mut command.value;
        if names_file(name) {
            *value = tree.full_name(value);
        }
    }
    commands
}

/// The names of a module's TLS directives.
struct SettingNames {
    server_name: &'static str,
    name: &'static str,
    protocols: &'static str,
    ciphers: &'static str,
    verify: &'static str,
    verify_depth: &'static str,
    trusted_certificate: &'static str,
    crl: &'static str,
    certificate: &'static str,
    certificate_key: &'static str,
    password_file: &'static str,
    session_reuse: &'static str,
    conf_command: &'static str,
    alpn: &'static str,
}

macro_rules! setting_names {
    ($prefix:literal) => {
        SettingNames {
            server_name: concat!($prefix, "server_name"),
            name: concat!($prefix, "name"),
            protocols: concat!($prefix, "protocols"),
            ciphers: concat!($prefix, "ciphers"),
            verify: concat!($prefix, "verify"),
            verify_depth: concat!($prefix, "verify_depth"),
            trusted_certificate: concat!($prefix, "trusted_certificate"),
            crl: concat!($prefix, "crl"),
            certificate: concat!($prefix, "certificate"),
            certificate_key: concat!($prefix, "certificate_key"),
            password_file: concat!($prefix, "password_file"),
            session_reuse: concat!($prefix, "session_reuse"),
            conf_command: concat!($prefix, "conf_command"),
            alpn: concat!($prefix, "alpn"),
        }
    };
}

impl SettingNames {
    fn of(module: ProxyModule) -> &'static Self {
        static PROXY: SettingNames = setting_names!("proxy_ssl_");
        static GRPC: SettingNames = setting_names!("grpc_ssl_");
        static UWSGI: SettingNames = setting_names!("uwsgi_ssl_");
        match module {
            ProxyModule::Proxy | ProxyModule::Stream => &PROXY,
            ProxyModule::Grpc => &GRPC,
            ProxyModule::Uwsgi => &UWSGI,
        }
    }
}

/// Reads the settings that apply; `text` evaluates a text with variables.
fn settings(
    scope: &Scope<'_>,
    module: ProxyModule,
    tree: &Tree,
    mut text: impl FnMut(&str) -> Result<Result<String, Unresolved>, Fork>,
) -> Result<ProxySsl, Fork> {
    let names = SettingNames::of(module);
    let file = |name: &str| scope.scalar(name).map(|set| set.map(|path| tree.full_name(&path)));
    let mut value = |name: &str| {
        let Some(set) = scope.scalar(name) else { return Ok(None) };
        let value = text(&set.value)?;
        Ok(Some(set.map(|written| Text { written, value })))
    };
    let material = |set: Option<Set<Text>>| {
        set.map(|set| {
            set.map(|text| Text { value: text.value.map(|value| complete(tree, value)), ..text })
        })
    };
    Ok(ProxySsl {
        server_name: scope.flag(names.server_name),
        name: value(names.name)?,
        protocols: scope.words(names.protocols),
        ciphers: scope.scalar(names.ciphers),
        verify: scope.flag(names.verify),
        verify_depth: scope.number(names.verify_depth),
        trusted_certificate: file(names.trusted_certificate),
        crl: file(names.crl),
        certificate: material(value(names.certificate)?),
        certificate_key: material(value(names.certificate_key)?),
        password_file: file(names.password_file),
        session_reuse: scope.flag(names.session_reuse),
        conf_command: with_full_names(scope.pairs(names.conf_command), tree),
        alpn: scope.words(names.alpn).filter(|_| module == ProxyModule::Stream),
        http_version: scope.scalar("proxy_http_version").filter(|_| module == ProxyModule::Proxy),
        proxy_protocol: module == ProxyModule::Stream
            && scope.flag("proxy_protocol").is_some_and(|set| set.value),
    })
}

/// The full name of a certificate's file; an empty value, or one that is not a file, is unchanged.
fn complete(tree: &Tree, value: String) -> String {
    let is_file = !["data:", "engine:", "store:"].iter().any(|kind| value.starts_with(kind));
    if is_file && !value.is_empty() { tree.full_name(&value) } else { value }
}

/// A name without its port, as nginx uses it (`ngx_http_upstream_ssl_name`).
pub fn without_port(name: &str) -> &str {
    let from = if name.starts_with('[') { name.find(']').unwrap_or(0) } else { 0 };
    name[from..].find(':').map_or(name, |at| &name[..from + at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_the_prefix_of_its_module() {
        for module in [true, false].into_iter().flat_map(ProxyModule::of) {
            let names = SettingNames::of(module);
            assert_eq!(names.crl, format!("{}crl", module.prefix()));
        }
    }
}
