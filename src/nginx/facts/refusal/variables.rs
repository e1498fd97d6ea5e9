//! Undefined variables and log formats.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::refused;
use crate::nginx::directives::{BlockContext, Module, is_known};
use crate::nginx::facts::Fact;
use crate::nginx::problem::Fault;
use crate::nginx::tree::{Directive, Tree};
use crate::nginx::variable_text;

/// nginx's variables and their modules: name, `h` for `http` and `H` for `stream`, first release. A name that ends in
/// an underscore is a prefix.
static VARIABLES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("../../directives/variables.txt").lines();
    let mut known: HashMap<&str, &str> = HashMap::new();
    for line in lines {
        let mut columns = line.split(' ');
        if let (Some(name), Some(modules)) = (columns.next(), columns.next()) {
            let both = known.get(name).is_some_and(|before| *before != modules);
            known.insert(name, if both { "Hh" } else { modules });
        }
    }
    known
});

/// Directives in whose arguments nginx looks for variables, in alphabetical order.
const EVALUATED: [&str; 35] = [
    "add_header",
    "alias",
    "auth_basic",
    "error_page",
    "fastcgi_param",
    "fastcgi_pass",
    "grpc_pass",
    "grpc_set_header",
    "grpc_ssl_certificate",
    "grpc_ssl_certificate_key",
    "grpc_ssl_name",
    "hash",
    "if",
    "log_format",
    "map",
    "proxy_cache_key",
    "proxy_pass",
    "proxy_redirect",
    "proxy_set_body",
    "proxy_set_header",
    "proxy_ssl_certificate",
    "proxy_ssl_certificate_key",
    "proxy_ssl_name",
    "return",
    "rewrite",
    "root",
    "set",
    "ssl_certificate",
    "ssl_certificate_key",
    "sub_filter",
    "try_files",
    "uwsgi_param",
    "uwsgi_ssl_certificate",
    "uwsgi_ssl_certificate_key",
    "uwsgi_ssl_name",
];

/// Directives that define the variables in their arguments.
const DEFINING: [&str; 12] = [
    "set",
    "map",
    "geo",
    "split_clients",
    "auth_request_set",
    "perl_set",
    "js_set",
    "js_var",
    "set_by_lua",
    "set_by_lua_block",
    "set_by_lua_file",
    "limit_req_zone_set",
];

/// Undefined names; empty if a third-party module may define them.
pub(super) fn unknown(tree: &Tree) -> Vec<Fact> {
    let mut names = DefinedVariables::default();
    names.collect(&tree.directives);
    if names.has_strangers {
        return Vec::new();
    }
    let mut facts = Vec::new();
    let (mut formats, mut met) = (HashSet::new(), HashSet::new());
    walk(BlockContext::Main, &tree.directives, &mut |context, one| {
        let Some(module) = context.module() else { return };
        if one.name == "log_format" {
            formats.insert((module, one.first()));
        }
        if let Some(name) = unknown_format(module, one, &formats) {
            facts.push(refused(one, Fault::UnknownLogFormat(name)));
        }
        if module == Module::Mail || EVALUATED.binary_search(&one.name.as_str()).is_err() {
            return;
        }
        // Only the ones of the servers themselves are certainly used.
        if one.name.starts_with("ssl_certificate") && !context.is_server() {
            return;
        }
        for name in one.arguments.iter().flat_map(|text| variable_text::names(text)) {
            let is_unknown = !names.defined.contains(&name) && !exists(&name, module);
            if is_unknown && met.insert(name.clone()) {
                facts.push(refused(one, Fault::UnknownVariable(name)));
            }
        }
    });
    facts
}

fn walk<'t>(
    context: BlockContext,
    inside: &'t [Directive],
    visit: &mut impl FnMut(BlockContext, &'t Directive),
) {
    for one in inside {
        visit(context, one);
        walk(context.inside(&one.name), one.children(), visit);
    }
}

fn unknown_format(
    module: Module,
    one: &Directive,
    formats: &HashSet<(Module, &str)>,
) -> Option<String> {
    let [path, format, ..] = one.arguments.as_slice() else { return None };
    let is_log = one.name == "access_log" && path != "off" && !path.starts_with("syslog:");
    let is_builtin = module == Module::Http && format == "combined";
    let is_option = format.contains('=');
    let is_unknown =
        is_log && !is_builtin && !is_option && !formats.contains(&(module, format.as_str()));
    is_unknown.then(|| format.clone())
}

fn exists(name: &str, module: Module) -> bool {
    let letter = if module == Module::Stream { 'H' } else { 'h' };
    let in_table =
        |known: &str| VARIABLES.get(known).is_some_and(|modules| modules.contains(letter));
    let prefixes = name.match_indices('_').map(|(at, _)| &name[..=at]);
    let lower = name.to_ascii_lowercase();
    in_table(&lower) || prefixes.into_iter().any(|prefix| in_table(&prefix.to_ascii_lowercase()))
}

/// The variables that a configuration defines.
#[derive(Default)]
struct DefinedVariables {
    defined: HashSet<String>,
    /// Whether there are third-party directives or modules.
    has_strangers: bool,
}

impl DefinedVariables {
    fn collect(&mut self, inside: &[Directive]) {
        for one in inside {
            self.has_strangers |= one.name == "load_module" && !is_own_module(one.first());
            let defines = DEFINING.contains(&one.name.as_str());
            for text in &one.arguments {
                if defines {
                    self.defined.extend(variable_text::names(text).into_iter().take(1));
                }
                self.defined.extend(captures(text));
            }
            if matches!(
                one.name.as_str(),
                "map" | "geo" | "types" | "split_clients" | "charset_map"
            ) {
                if let Some(variable) = one.arguments.last() {
                    self.defined.extend(variable_text::names(variable));
                }
                for row in one.children() {
                    self.defined.extend(captures(&row.name));
                }
                continue;
            }
            self.has_strangers |= one.name != "include" && !is_known(&one.name);
            self.collect(one.children());
        }
    }
}

/// A module that Debian and nginx.org package with nginx, and that defines no variables, or known ones.
fn is_own_module(path: &str) -> bool {
    [
        "ngx_stream_module",
        "ngx_mail_module",
        "ngx_http_image_filter",
        "ngx_http_xslt",
        "_geoip_module",
    ]
    .iter()
    .any(|name| path.contains(name))
}

/// The named groups of a regular expression.
fn captures(text: &str) -> Vec<String> {
    if !text.contains("(?") {
        return Vec::new();
    }
    let starts = ["(?<", "(?P<", "(?'"].into_iter();
    let parts = starts.flat_map(|start| text.split(start).skip(1));
    let names = parts.filter_map(|rest| Some(&rest[..rest.find(['>', '\''])?]));
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::EVALUATED;

    #[test]
    fn the_directives_are_in_order() {
        assert!(EVALUATED.is_sorted());
    }
}
