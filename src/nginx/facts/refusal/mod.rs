//! Configurations that nginx can parse but refuses: parameters, duplicates, undefined names.
//! `tests/it/nginx_mutants.rs` compares this with real nginx.

mod location;
mod own_syntax;
mod parameters;
mod pattern;
mod sockets;
mod values;
mod variables;

use std::collections::{HashMap, HashSet};

use self::sockets::ListenedSockets;
use super::{Fact, FactKind};
use crate::nginx::defaults::NginxRelease;
use crate::nginx::directives::{Availability, BlockContext, Module, availability, is_known};
use crate::nginx::problem::Fault;
use crate::nginx::tree::{Directive, Tree};

/// Directives of `stream` that handle connections.
const HANDLERS: [&str; 3] = ["proxy_pass", "return", "pass"];

/// The first release with `proxy_http_version 2`.
const HTTP_2: NginxRelease = NginxRelease::new(1, 29, 4);

/// All facts of this kind, in the order of reading.
pub(super) fn facts(tree: &Tree, version: Option<NginxRelease>) -> Vec<Fact> {
    let mut walk = RefusalWalk {
        tree,
        version,
        facts: Vec::new(),
        sockets: ListenedSockets::default(),
        formats: HashSet::new(),
        method: None,
        modules: HashSet::new(),
        groups: HashMap::new(),
        passes: Vec::new(),
    };
    walk.block(BlockContext::Main, None, &tree.directives);
    walk.addresses();
    walk.facts.extend(variables::unknown(tree));
    walk.facts
}

/// A fault at the place where nginx reports it.
fn refused(directive: &Directive, fault: Fault) -> Fact {
    Fact { span: directive.judged_at(), kind: FactKind::Refused(fault) }
}

struct RefusalWalk<'t> {
    tree: &'t Tree,
    version: Option<NginxRelease>,
    facts: Vec<Fact>,
    sockets: ListenedSockets,
    formats: HashSet<(Module, &'t str)>,
    /// The method of the `upstream` block that is read, as far as it stands before the servers.
    method: Option<&'t str>,
    /// The files of modules that were loaded.
    modules: HashSet<&'t str>,
    /// The `upstream` blocks.
    groups: HashMap<Module, HashSet<&'t str>>,
    /// Directives that name an address with a port, or an `upstream` block anywhere in the module.
    passes: Vec<(Module, &'t Directive)>,
}

impl<'t> RefusalWalk<'t> {
    fn block(
        &mut self,
        context: BlockContext,
        around: Option<&'t Directive>,
        inside: &'t [Directive],
    ) {
        if context.is_server() {
            self.sockets.begin_server();
        }
        for directive in inside {
            self.release(context, directive);
            if let Err(fault) = self.meaning(context, around, directive) {
                self.facts.push(refused(directive, fault));
            }
            if directive.block.is_some() {
                self.block(context.inside(&directive.name), Some(directive), directive.children());
            }
        }
        if matches!(context, BlockContext::Server | BlockContext::Location) {
            let twice = location::duplicates(inside).into_iter();
            self.facts
                .extend(twice.map(|(one, name)| refused(one, Fault::DuplicateLocation(name))));
        }
        let listens = || inside.iter().any(|one| one.name == "listen");
        if let (BlockContext::StreamServer | BlockContext::MailServer, Some(around)) =
            (context, around)
            && !listens()
        {
            self.facts.push(refused(around, Fault::NoListen));
        }
        // A module may handle connections too.
        let handles = |one: &Directive| HANDLERS.contains(&&*one.name) || !is_known(&one.name);
        if let (BlockContext::StreamServer, Some(around)) = (context, around)
            && !inside.iter().any(handles)
        {
            self.facts.push(refused(around, Fault::NoHandler));
        }
    }

    /// Addresses without a port that are not the name of an `upstream` block.
    fn addresses(&mut self) {
        for (module, directive) in std::mem::take(&mut self.passes) {
            let groups = self.groups.entry(module).or_default();
            if let Err(fault) = values::group_port(directive, groups)
                .and_then(|()| values::needs_port(directive, groups))
            {
                self.facts.push(refused(directive, fault));
            }
        }
    }

    /// Directives that the release does not have yet, or no longer has.
    fn release(&mut self, context: BlockContext, directive: &Directive) {
        let Some(version) = self.version else { return };
        let name = || directive.name.to_string();
        let kind = match availability(context, &directive.name, version) {
            Availability::Here => return,
            Availability::Later { since, elsewhere } => {
                FactKind::TooNew { directive: name(), since, elsewhere }
            }
            Availability::Gone { until } => FactKind::Removed { directive: name(), since: until },
        };
        self.facts.push(Fact { span: directive.judged_at(), kind });
    }

    fn meaning(
        &mut self,
        context: BlockContext,
        around: Option<&'t Directive>,
        directive: &'t Directive,
    ) -> Result<(), Fault> {
        let name = directive.name.as_str();
        if name == "load_module" && context == BlockContext::Main {
            let file = directive.first().rsplit('/').next().unwrap_or_default();
            let module = file.strip_suffix(".so").unwrap_or(file);
            if !self.modules.insert(directive.first()) {
                return Err(Fault::Said(format!("module {module:?} is already loaded")));
            }
        }
        if name == "error_log" && context.letter().is_some() {
            return values::log_level(directive);
        }
        let Some(module) = context.module() else { return Ok(()) };
        let is_web = module == Module::Http;
        match name {
            "listen" if context.is_server() => self.listen(module, directive),
            "server"
                if matches!(context, BlockContext::Upstream | BlockContext::StreamUpstream) =>
            {
                parameters::peer(directive)?;
                own_syntax::peer(directive, module, self.method)
            }
            "upstream" => self.upstream(module, directive),
            "hash" | "ip_hash" | "random" | "least_conn"
                if around.is_some_and(|one| one.name == "upstream") =>
            {
                self.method = Some(name);
                match name {
                    "hash" => own_syntax::hash(directive),
                    "random" => own_syntax::random(directive),
                    _ => Ok(()),
                }
            }
            "keepalive" if around.is_some_and(|one| one.name == "upstream") => {
                own_syntax::keepalive(directive)
            }
            "zone" if around.is_some_and(|one| one.name == "upstream") => {
                own_syntax::zone(directive)
            }
            "resolver" => own_syntax::resolver(directive, module, self.version),
            "ssl_session_cache" | "ssl_ocsp_cache" => own_syntax::cache(directive),
            "server_name" if module != Module::Mail => {
                own_syntax::server_name(directive, self.version)
            }
            "proxy_bind" | "grpc_bind" | "uwsgi_bind" | "fastcgi_bind" | "scgi_bind"
            | "memcached_bind" => own_syntax::bind(directive),
            "proxy_http_version"
                if self.version.is_some_and(|version| version < HTTP_2)
                    && directive.first() == "2" =>
            {
                Err(Fault::InvalidValue("2".to_owned()))
            }
            "location" => match around.filter(|outer| outer.name == "location") {
                Some(outer) => location::nested(outer, directive)
                    .and_then(|()| own_syntax::location(directive, self.version)),
                None => own_syntax::location(directive, self.version),
            },
            "map" => {
                let wrong = values::map(directive).map(|(row, fault)| refused(row, fault));
                self.facts.extend(wrong);
                Ok(())
            }
            "return" if is_web => values::status(directive),
            "log_format" => {
                let name = directive.first();
                if self.formats.insert((module, name)) && !(is_web && name == "combined") {
                    Ok(())
                } else {
                    Err(Fault::DuplicateLogFormat(name.to_owned()))
                }
            }
            "proxy_pass" | "grpc_pass" | "uwsgi_pass" => {
                own_syntax::variables(directive)?;
                if is_web && name == "proxy_pass" {
                    values::web_url(directive)?;
                }
                own_syntax::pass(directive, module)?;
                self.passes.push((module, directive));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn listen(&mut self, module: Module, directive: &'t Directive) -> Result<(), Fault> {
        let socket = parameters::listen(directive, module, self.version)?;
        if let Some(reason) = self.sockets.add(&socket, module, self.version)? {
            let kind = FactKind::Untested { reason };
            self.facts.push(Fact { span: directive.span.clone(), kind });
        }
        Ok(())
    }

    fn upstream(&mut self, module: Module, block: &'t Directive) -> Result<(), Fault> {
        let name = block.first();
        self.method = None;
        if !self.groups.entry(module).or_default().insert(name) {
            return Err(Fault::DuplicateUpstream(name.to_owned()));
        }
        let inside = block.children();
        let has_servers = inside.iter().any(|one| one.name == "server");
        let is_backup = |one: &Directive| one.arguments.iter().any(|word| word == "backup");
        let mut servers = inside.iter().filter(|one| one.name == "server");
        if has_servers && servers.all(is_backup) {
            return Err(Fault::Said(format!("no servers in upstream {name:?}")));
        }
        // A module may fill the block in another way.
        if !has_servers && inside.iter().all(|one| is_known(&one.name)) {
            let kind = FactKind::Refused(Fault::NoServers);
            self.facts.push(Fact { span: self.tree.end(block), kind });
        }
        Ok(())
    }
}
