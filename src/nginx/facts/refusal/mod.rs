//! Configurations that nginx can parse but refuses: parameters, duplicates, undefined names.
//! `tests/it/nginx_mutants.rs` compares this with real nginx.

mod location;
mod parameters;
mod sockets;
mod values;
mod variables;

use std::collections::HashSet;

use self::sockets::ListenedSockets;
use super::{Fact, FactKind};
use crate::nginx::defaults::NginxRelease;
use crate::nginx::directives::{Availability, BlockContext, Module, availability, is_known};
use crate::nginx::problem::Fault;
use crate::nginx::tree::{Directive, Tree};

/// All facts of this kind, in the order of reading.
pub(super) fn facts(tree: &Tree, version: Option<NginxRelease>) -> Vec<Fact> {
    let mut walk = RefusalWalk {
        tree,
        version,
        facts: Vec::new(),
        sockets: ListenedSockets::default(),
        formats: HashSet::new(),
        groups: HashSet::new(),
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
    /// The `upstream` blocks.
    groups: HashSet<(Module, &'t str)>,
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
    }

    /// Addresses without a port that are not the name of an `upstream` block.
    fn addresses(&mut self) {
        for (module, directive) in std::mem::take(&mut self.passes) {
            let groups = self.groups.iter().filter(|(of, _)| *of == module);
            let groups = groups.map(|(_, name)| *name).collect();
            if let Err(fault) = values::needs_port(directive, &groups) {
                self.facts.push(refused(directive, fault));
            }
        }
    }

    /// Directives that the release does not have yet, or no longer has.
    fn release(&mut self, context: BlockContext, directive: &Directive) {
        let Some(version) = self.version else { return };
        let name = directive.name.clone();
        let kind = match availability(context, &name, version) {
            Availability::Here => return,
            Availability::Later { since, elsewhere } => {
                FactKind::TooNew { directive: name, since, elsewhere }
            }
            Availability::Gone { until } => FactKind::Removed { directive: name, since: until },
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
                parameters::peer(directive)
            }
            "upstream" => self.upstream(module, directive),
            "location" => match around.filter(|outer| outer.name == "location") {
                Some(outer) => location::nested(outer, directive),
                None => Ok(()),
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
            "proxy_pass" if is_web => values::web_url(directive),
            "proxy_pass" | "grpc_pass" | "uwsgi_pass" => {
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
        if !self.groups.insert((module, name)) {
            return Err(Fault::DuplicateUpstream(name.to_owned()));
        }
        let inside = block.children();
        let has_servers = inside.iter().any(|one| one.name == "server");
        // A module may fill the block in another way.
        if !has_servers && inside.iter().all(|one| is_known(&one.name)) {
            let kind = FactKind::Refused(Fault::NoServers);
            self.facts.push(Fact { span: self.tree.end(block), kind });
        }
        Ok(())
    }
}
