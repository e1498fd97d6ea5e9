//! How each statement is rewritten in the copy.

use super::{Omission, Relocation};
use crate::nginx::directives::{BlockContext, Module};
use crate::nginx::file_names::{is_relative, names_file};
use crate::nginx::problem::Span;
use crate::nginx::token::quoted;
use crate::nginx::tree::{Directive, Tree};

/// The rewriting of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rewriting {
    /// It is kept.
    Stays,
    /// It is removed.
    Goes,
    /// It is replaced by this text, without the final `;` or `}`.
    Becomes(String),
}

/// The address of the server in the copy that replaces everything that nginx would otherwise connect to.
pub(super) fn quiet(relocation: &Relocation) -> String {
    format!("unix:{}/run/quiet.sock", relocation.folder)
}

/// A path in the folder for a file or folder of this name.
fn inside(relocation: &Relocation, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    format!("{}/run/{name}", relocation.folder)
}

/// A statement with these words.
fn one<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Rewriting {
    Rewriting::Becomes(line(words))
}

/// Words as they are written in a file.
pub(super) fn line<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| quoted(word.as_ref())).collect();
    words.join(" ")
}

/// The directive with another first argument.
fn with_first(directive: &Directive, first: &str) -> Rewriting {
    let rest = directive.arguments.iter().skip(1).map(String::as_str);
    one([directive.name.as_str(), first].into_iter().chain(rest))
}

/// The rewriting of a directive that names files or keeps state, in any block.
pub(super) fn moved(tree: &Tree, directive: &Directive, relocation: &Relocation) -> Rewriting {
    let (name, first) = (directive.name.as_str(), directive.first());
    if directive.block.is_some() || first.is_empty() {
        return Rewriting::Stays;
    }
    match name {
        "pid" | "lock_file" => with_first(directive, &inside(relocation, name)),
        "error_log" => {
            let is_level = directive.arguments.iter().skip(1).all(|one| LEVELS.contains(&&**one));
            if is_level {
                one(["error_log", "stderr", "error"])
            } else {
                with_first(directive, "stderr")
            }
        }
        "access_log" if first != "off" => with_first(directive, "/dev/null"),
        name if name.ends_with("_temp_path") || name.ends_with("_cache_path") => {
            with_first(directive, &inside(relocation, first))
        }
        name if names_file(name) && relocation.replaced.contains_key(&tree.full_name(first)) => {
            with_first(directive, &relocation.replaced[&tree.full_name(first)])
        }
        name if names_file(name) && is_relative(first) => {
            with_first(directive, &tree.full_name(first))
        }
        _ => Rewriting::Stays,
    }
}

/// The same for `nginx -t`, which opens logs and writes nothing to them.
pub(super) fn moved_for_test(
    tree: &Tree,
    directive: &Directive,
    relocation: &Relocation,
) -> Rewriting {
    let first = directive.first();
    if !["error_log", "access_log"].contains(&directive.name.as_str()) {
        return moved(tree, directive, relocation);
    }
    let special = ["stderr", "off", "syslog:", "memory:"];
    let stays = special.iter().any(|word| first.starts_with(word)) || first.contains('$');
    if stays || first.is_empty() {
        Rewriting::Stays
    } else {
        with_first(directive, &inside(relocation, first))
    }
}

/// The files that directives of the configuration name for nginx to read, as far as their text shows, without those of
/// directives that are removed or replaced in the copy.
pub fn opened_files<'t>(tree: &'t Tree, relocation: &Relocation) -> Vec<(&'t Span, String)> {
    let (mut found, mut left) = (Vec::new(), vec![tree.directives.as_slice()]);
    while let Some(block) = left.pop() {
        for one in block.iter().filter(|one| !relocation.removed.contains(&one.span)) {
            left.push(one.children());
            // Logs go elsewhere in every copy.
            if ["error_log", "access_log"].contains(&one.name.as_str()) {
                continue;
            }
            let is_named = |word: &&String| word.starts_with('/') || names_file(&one.name);
            let names = one.arguments.iter().filter(is_named).map(|word| tree.full_name(word));
            let kept = names.filter(|name| !relocation.replaced.contains_key(name));
            found.extend(kept.map(|name| (&one.span, name)));
        }
    }
    found
}

/// Levels of `error_log`; a rehearsal needs nothing below `error`.
const LEVELS: [&str; 9] =
    ["debug", "info", "notice", "warn", "error", "crit", "alert", "emerg", "debug_http"];

/// The rewriting of a directive outside all blocks.
pub(super) fn of_main(directive: &Directive) -> Rewriting {
    match directive.name.as_str() {
        "daemon" => one(["daemon", "off"]),
        "master_process" => one(["master_process", "on"]),
        "worker_processes" => one(["worker_processes", "1"]),
        "working_directory" | "worker_cpu_affinity" | "worker_priority" | "user_core" => {
            Rewriting::Goes
        }
        _ => Rewriting::Stays,
    }
}

/// The rewriting of a directive that would connect somewhere.
pub(super) fn cut_off(
    tree: &Tree,
    context: BlockContext,
    directive: &Directive,
    relocation: &Relocation,
) -> Option<(Rewriting, Omission)> {
    let first = directive.first();
    let module = context.module()?;
    let quiet = quiet(relocation);
    let rewriting = match (module, directive.name.as_str()) {
        (Module::Mail, "resolver") => one(["resolver", "off"]),
        (_, "resolver") => with_first_and_parameters(directive, "127.0.0.1:1"),
        (Module::Mail, "auth_http") => {
            let bare = first.strip_prefix("http://").unwrap_or(first);
            let uri = bare.find('/').map_or("/", |at| &bare[at..]);
            with_first(directive, &format!("{quiet}:{uri}"))
        }
        // Clients come from other addresses in a rehearsal, and these are refused before TLS.
        (Module::Stream, "deny") => {
            let written = line(["deny", first]);
            return Some((
                Rewriting::Becomes(format!("allow all; {written}")),
                Omission::AddressLists,
            ));
        }
        (Module::Stream, "proxy_ssl" | "proxy_protocol") if directive.is_on() => {
            one([directive.name.as_str(), "off"])
        }
        (_, "proxy_bind" | "grpc_bind" | "fastcgi_bind" | "uwsgi_bind" | "scgi_bind") => {
            Rewriting::Goes
        }
        (Module::Stream, "proxy_pass") if is_group(tree, "stream", first) => return None,
        (Module::Stream, "proxy_pass") => one(["proxy_pass", quiet.as_str()]),
        (_, "server")
            if matches!(context, BlockContext::Upstream | BlockContext::StreamUpstream) =>
        {
            let kept = directive.arguments.iter().skip(1);
            let kept = kept.filter(|one| *one != "resolve" && !one.starts_with("service="));
            one(["server", quiet.as_str()].into_iter().chain(kept.map(String::as_str)))
        }
        (Module::Http, name) if PASSES.contains(&name) => {
            with_first(directive, &passed(tree, name, first, &quiet)?)
        }
        _ => return None,
    };
    Some((rewriting, Omission::Upstreams))
}

/// Directives that pass a request on.
const PASSES: [&str; 6] =
    ["proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "memcached_pass"];

/// The first words are addresses, the rest parameters.
fn with_first_and_parameters(directive: &Directive, address: &str) -> Rewriting {
    let parameters = directive.arguments.iter().filter(|one| one.contains('='));
    one([directive.name.as_str(), address].into_iter().chain(parameters.map(String::as_str)))
}

/// Whether a host is the name of an `upstream` block; the servers in the block are rewritten instead.
fn is_group(tree: &Tree, module: &str, host: &str) -> bool {
    let blocks = tree.blocks(module).flat_map(Directive::children);
    blocks.filter(|one| one.name == "upstream").any(|one| one.first().eq_ignore_ascii_case(host))
}

/// Where a request goes instead; `None` if it goes to an `upstream` block, or if nginx refuses the address.
fn passed(tree: &Tree, name: &str, written: &str, quiet: &str) -> Option<String> {
    let (scheme, rest) = match written.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), written),
    };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    if host.contains('$') || scheme.contains('$') {
        // Variables are kept, so that nginx checks them.
        let scheme = if name == "proxy_pass" { "http://" } else { "" };
        return Some(format!("{scheme}{quiet}:/{written}"));
    }
    let lacks_scheme = name == "proxy_pass" && scheme.is_empty();
    if is_group(tree, "http", host) || rest.is_empty() || lacks_scheme {
        return None;
    }
    let uri = match rest.strip_prefix("unix:") {
        Some(path) => path.split_once(':').map_or("", |(_, uri)| uri),
        None => rest.get(host.len()..).unwrap_or_default(),
    };
    let colon = if uri.is_empty() { "" } else { ":" };
    Some(format!("{scheme}{quiet}{colon}{uri}"))
}

/// The rewriting of a directive of a script.
pub(super) fn silenced(context: BlockContext, directive: &Directive) -> Option<Rewriting> {
    let name = directive.name.as_str();
    let is_module = name == "load_module"
        && ["_js_module", "_lua_module", "_perl_module"]
            .iter()
            .any(|one| directive.first().contains(one));
    let is_script = is_module
        || name.starts_with("js_")
        || name.starts_with("lua_")
        || name.starts_with("perl_")
        || name == "perl"
        || name.contains("_by_lua");
    if !is_script {
        return None;
    }
    let defines =
        ["js_set", "js_var", "perl_set"].contains(&name) || name.starts_with("set_by_lua");
    let variable = directive.first();
    if !(defines && variable.starts_with('$')) {
        return Some(Rewriting::Goes);
    }
    // What the script would define is defined, but empty.
    Some(match context {
        BlockContext::Http | BlockContext::Stream => {
            Rewriting::Becomes(format!("map \"\" {} {{ default \"\"; }}", quoted(variable)))
        }
        _ => one(["set", variable, ""]),
    })
}
