//! The text of the copy. Directives are changed in place, and line numbers stay the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::statement::{self, Rewriting, line, quiet};
use super::{CopyError, Omission, Relocated, Relocation, place, sockets};
use crate::nginx::directives::BlockContext;
use crate::nginx::inherit::Scope;
use crate::nginx::listener::{ListenAddress, Protocol, mail_protocol};
use crate::nginx::problem::Span;
use crate::nginx::tree::{Directive, Tree};

/// Directives that cause network traffic as soon as nginx runs.
const TRAFFIC: [&str; 2] = ["acme_issuer", "acme_client"];

/// Connections that the one worker of the copy takes at least; the original may have many workers.
const CONNECTIONS: u32 = 4096;

/// Directives of health checks, in any build of nginx.
const HEALTH: [&str; 6] = [
    "health_check",
    "health_check_timeout",
    "check",
    "check_http_send",
    "check_http_expect_alive",
    "upstream_probe",
];

/// The copy of a configuration.
pub fn copy(tree: &Tree, relocation: &Relocation) -> Result<Relocated, CopyError> {
    if !tree.main.starts_with('/') {
        return Err(CopyError::NoName);
    }
    let mut writer = CopyWriter::new(tree, relocation);
    writer.block(BlockContext::Main, &tree.directives)?;
    let mut copy = Relocated {
        main: place(&relocation.folder, &tree.main),
        globals: globals(tree, relocation),
        left_out: writer.left_out.iter().copied().collect(),
        ..Relocated::default()
    };
    let lacks_quiet = tree.blocks("http").next().is_none();
    for (name, text) in &tree.files {
        let mut text = writer.applied(name, text);
        if lacks_quiet && **name == *tree.main {
            text.extend(format!("\nhttp {{{}}}\n", at_http(tree, relocation)).bytes());
        }
        copy.files.push((place(&relocation.folder, name), text));
    }
    Ok(copy)
}

/// The copy for `nginx -t`, which starts nothing: only files are moved.
pub fn test_copy(tree: &Tree, relocation: &Relocation) -> Relocated {
    let mut writer = CopyWriter::new(tree, relocation);
    writer.files_of(BlockContext::Main, &tree.directives);
    let has_pid = tree.directives.iter().any(|one| one.name == "pid");
    let pid = format!("pid {}/run/pid;", relocation.folder);
    let files = tree.files.iter();
    let place = |name: &str| place(&relocation.folder, name);
    Relocated {
        files: files.map(|(name, text)| (place(name), writer.applied(name, text))).collect(),
        main: place(&tree.main),
        globals: if has_pid { String::new() } else { pid },
        left_out: Vec::new(),
    }
}

/// The directives that have no effect in a copy, although it contains them: those of `proxy_ssl`, which is off in
/// `stream`.
pub fn switched_off(tree: &Tree) -> BTreeSet<Span> {
    let mut off = BTreeSet::new();
    let mut blocks: Vec<&Directive> = tree.blocks("stream").collect();
    while let Some(block) = blocks.pop() {
        blocks.extend(block.children());
        let settings = block.children().iter().filter(|one| one.name.starts_with("proxy_ssl_"));
        off.extend(settings.map(|one| one.span.clone()));
    }
    off
}

/// Directives for `-g`: those that the configuration does not set.
fn globals(tree: &Tree, relocation: &Relocation) -> String {
    let all = [
        ("daemon", "off".to_owned()),
        ("master_process", "on".to_owned()),
        ("worker_processes", "1".to_owned()),
        ("error_log", "stderr error".to_owned()),
        ("pid", format!("{}/run/pid", relocation.folder)),
    ];
    let absent = |name: &str| tree.directives.iter().all(|one| one.name != name);
    let absent = all.iter().filter(|(name, _)| absent(name));
    let absent: Vec<String> = absent.map(|(name, value)| format!("{name} {value};")).collect();
    absent.concat()
}

/// What is inserted at the start of `http`: folders that would otherwise be the system's, and the server that replaces
/// everything that nginx connects to.
fn at_http(tree: &Tree, relocation: &Relocation) -> String {
    let folder = &relocation.folder;
    let absent = |name: &str| {
        let mut said = tree.blocks("http").flat_map(Directive::children);
        said.all(|one| one.name != name)
    };
    let mut lines = Vec::new();
    if absent("access_log") {
        lines.push("access_log off;".to_owned());
    }
    for (name, module) in [
        ("client_body_temp_path", "http"),
        ("proxy_temp_path", "http_proxy_module"),
        ("fastcgi_temp_path", "http_fastcgi_module"),
        ("uwsgi_temp_path", "http_uwsgi_module"),
        ("scgi_temp_path", "http_scgi_module"),
    ] {
        let without = format!("--without-{module}");
        if absent(name) && !relocation.arguments.contains(&without) {
            lines.push(format!("{name} {folder}/run/{name};"));
        }
    }
    let quiet = quiet(relocation);
    lines.push(format!("server {{ listen {quiet}; client_header_timeout 60s; return 204; }}"));
    format!(" {}", lines.join(" "))
}

/// The `ssl_stapling` directives that only send responses from files.
fn from_files(tree: &Tree) -> BTreeSet<Span> {
    let (mut keeps, mut loses) = (BTreeSet::new(), BTreeSet::new());
    let root = Scope::root(tree);
    for module in ["http", "stream"] {
        for block in tree.blocks(module) {
            let outer = root.enter(block);
            for server in block.children().iter().filter(|one| one.name == "server") {
                let scope = outer.enter(server);
                let Some(set) = scope.flag("ssl_stapling") else { continue };
                let has_file = !scope.effective("ssl_stapling_file").is_empty();
                if has_file {
                    keeps.insert(set.span)
                } else {
                    loses.insert(set.span)
                };
            }
        }
    }
    keeps.difference(&loses).cloned().collect()
}

/// The changes in each file: the new bytes, by the start and end of what they replace.
type Changes = BTreeMap<Arc<str>, BTreeMap<(usize, usize), Vec<u8>>>;

struct CopyWriter<'a> {
    tree: &'a Tree,
    relocation: &'a Relocation,
    changes: Changes,
    left_out: BTreeSet<Omission>,
    stapling: BTreeSet<Span>,
}

impl<'a> CopyWriter<'a> {
    /// A copy whose includes lead to its own files.
    fn new(tree: &'a Tree, relocation: &'a Relocation) -> Self {
        let mut writer = Self {
            tree,
            relocation,
            changes: BTreeMap::new(),
            left_out: BTreeSet::new(),
            stapling: from_files(tree),
        };
        for include in &tree.includes {
            let there = place(&relocation.folder, &tree.full_name(include.first()));
            writer.change(include, &line(["include", there.as_str()]));
        }
        writer
    }

    fn files_of(&mut self, context: BlockContext, inside: &[Directive]) {
        if matches!(context, BlockContext::Data(_)) {
            return;
        }
        for directive in inside {
            if let Rewriting::Becomes(text) =
                statement::moved_for_test(self.tree, directive, self.relocation)
            {
                self.change(directive, &text);
            }
            self.files_of(context.inside(&directive.name), directive.children());
        }
    }

    fn block(&mut self, context: BlockContext, inside: &[Directive]) -> Result<(), CopyError> {
        for directive in inside {
            match self.rewriting(context, directive)? {
                Rewriting::Goes => self.change(directive, ""),
                Rewriting::Becomes(text) => self.change(directive, &text),
                Rewriting::Stays => {
                    self.begin(context, directive);
                    self.block(context.inside(&directive.name), directive.children())?;
                }
            }
        }
        Ok(())
    }

    fn rewriting(
        &mut self,
        context: BlockContext,
        directive: &Directive,
    ) -> Result<Rewriting, CopyError> {
        let name = directive.name.as_str();
        if matches!(context, BlockContext::Data(_)) {
            return Ok(Rewriting::Stays);
        }
        if self.relocation.removed.contains(&directive.span) {
            return Ok(Rewriting::Goes);
        }
        if TRAFFIC.contains(&name) {
            return Err(CopyError::Traffic(directive.span.clone(), name.to_owned()));
        }
        if !self.relocation.scripts
            && let Some(rewriting) = statement::silenced(context, directive)
        {
            return Ok(self.without(Omission::Scripts, rewriting));
        }
        if context == BlockContext::Main {
            let is_known = ["events", "http", "stream", "mail"].contains(&name);
            if directive.block.is_some() && !is_known {
                return Ok(self.without(Omission::ForeignBlocks, Rewriting::Goes));
            }
            if let rewriting @ (Rewriting::Goes | Rewriting::Becomes(_)) =
                statement::of_main(directive)
            {
                return Ok(rewriting);
            }
        }
        if context == BlockContext::Events && name == "worker_connections" {
            let written = directive.first().parse().ok();
            let few = written.is_some_and(|written: u32| written < CONNECTIONS);
            let more = format!("{name} {CONNECTIONS}");
            return Ok(if few { Rewriting::Becomes(more) } else { Rewriting::Stays });
        }
        if context.is_server() && name == "listen" {
            return self.listen(context, directive);
        }
        if context.module().is_some() && HEALTH.contains(&name) {
            return Ok(self.without(Omission::HealthChecks, Rewriting::Goes));
        }
        if name == "ssl_stapling" && directive.is_on() && !self.stapling.contains(&directive.span) {
            return Ok(self.without(Omission::Stapling, Rewriting::Becomes(line([name, "off"]))));
        }
        if name == "ssl_ocsp" && directive.first() != "off" {
            return Ok(self.without(Omission::ClientOcsp, Rewriting::Becomes(line([name, "off"]))));
        }
        if let Some((rewriting, left_out)) =
            statement::cut_off(self.tree, context, directive, self.relocation)
        {
            return Ok(self.without(left_out, rewriting));
        }
        Ok(statement::moved(self.tree, directive, self.relocation))
    }

    fn without(&mut self, left_out: Omission, rewriting: Rewriting) -> Rewriting {
        self.left_out.insert(left_out);
        rewriting
    }

    /// The same sockets at their new addresses, each with the same parameters.
    fn listen(&self, context: BlockContext, directive: &Directive) -> Result<Rewriting, CopyError> {
        let moved = sockets::of(directive, context)?;
        let moved = moved.iter().filter_map(|address| self.relocation.stand_ins.get(address));
        let lines = moved.map(|address| {
            let is_v6 = matches!(address, ListenAddress::Ip(ip) if ip.is_ipv6());
            let rest = directive.arguments.iter().skip(1).map(String::as_str);
            let rest = rest.filter(|one| is_v6 || !one.starts_with("ipv6only="));
            let address = address.to_string();
            line(["listen", address.as_str()].into_iter().chain(rest))
        });
        let lines: Vec<String> = lines.collect();
        Ok(if lines.is_empty() { Rewriting::Stays } else { Rewriting::Becomes(lines.join("; ")) })
    }

    /// Inserts what a block needs after its `{`.
    fn begin(&mut self, context: BlockContext, block: &Directive) {
        let Some(at) = block.opens_at else { return };
        let text = match (context, block.name.as_str()) {
            (BlockContext::Main, "http") => at_http(self.tree, self.relocation),
            (BlockContext::Main, "events")
                if !block.children().iter().any(|one| one.name == "worker_connections") =>
            {
                format!(" worker_connections {CONNECTIONS};")
            }
            (BlockContext::Http, "server")
                if !block.children().iter().any(|one| one.name == "listen") =>
            {
                let stand_in = self.relocation.stand_ins.get(&ListenAddress::unnamed());
                stand_in.map(|address| format!(" listen {address};")).unwrap_or_default()
            }
            (BlockContext::Mail, "server") => protocol(block),
            _ => return,
        };
        let file = self.changes.entry(Arc::clone(&block.span.file)).or_default();
        file.insert((at, at), text.into_bytes());
    }

    /// Replaces a directive by this text, which ends on the same line.
    fn change(&mut self, directive: &Directive, text: &str) {
        let file = &directive.span.file;
        let whole = self.tree.files.get(file).and_then(|text| text.get(directive.extent.clone()));
        let lines = whole.unwrap_or_default().iter().filter(|byte| **byte == b'\n');
        let mut new = text.as_bytes().to_vec();
        new.extend(lines);
        if !text.is_empty() && !text.ends_with('}') {
            new.push(b';');
        }
        let range = (directive.extent.start, directive.extent.end);
        self.changes.entry(Arc::clone(file)).or_default().insert(range, new);
    }

    fn applied(&self, name: &Arc<str>, text: &[u8]) -> Vec<u8> {
        let mut after = Vec::with_capacity(text.len());
        let mut at = 0;
        for (&(start, end), new) in self.changes.get(name).into_iter().flatten() {
            // Changes inside a block that is removed are dropped.
            let Some(between) = text.get(at..start) else { continue };
            after.extend_from_slice(between);
            after.extend_from_slice(new);
            at = end;
        }
        after.extend_from_slice(text.get(at..).unwrap_or_default());
        after
    }
}

/// The protocol of a mail server that nginx infers from the port, because the port changes.
fn protocol(server: &Directive) -> String {
    if server.children().iter().any(|one| one.name == "protocol") {
        return String::new();
    }
    let listens = server.children().iter().filter(|one| one.name == "listen");
    let name = match mail_protocol(listens) {
        Some(Protocol::Imap) => "imap",
        Some(Protocol::Pop3) => "pop3",
        Some(Protocol::Smtp) => "smtp",
        _ => return String::new(),
    };
    format!(" protocol {name};")
}
