//! Values of directives with their own syntax.

use std::collections::HashSet;

use crate::nginx::address::{self, NginxAddress};
use crate::nginx::directives::number;
use crate::nginx::problem::Fault;
use crate::nginx::tree::Directive;
use crate::nginx::variable_text;

/// `return` of `http` (`ngx_http_rewrite_return`).
pub(super) fn status(directive: &Directive) -> Result<(), Fault> {
    let first = directive.first();
    let is_url = ["http://", "https://", "$scheme"].iter().any(|start| first.starts_with(start));
    let valid = match number(first) {
        Some(status) => status <= 999,
        None => directive.arguments.len() == 1 && is_url,
    };
    if valid { Ok(()) } else { Err(Fault::ReturnCode(first.to_owned())) }
}

/// The level of `error_log`.
pub(super) fn log_level(directive: &Directive) -> Result<(), Fault> {
    const LEVELS: [&str; 8] =
        ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];
    let known = |word: &&String| LEVELS.contains(&word.as_str()) || word.starts_with("debug_");
    let levels = directive.arguments.get(1..).unwrap_or_default();
    match levels.iter().find(|word| !known(word)) {
        Some(word) => Err(Fault::LogLevel(word.clone())),
        None => Ok(()),
    }
}

/// The first row of a `map` that nginx refuses (`ngx_http_map`).
pub(super) fn map(block: &Directive) -> Option<(&Directive, Fault)> {
    let mut has_default = false;
    block.children().iter().find_map(|row| {
        let is_flag =
            row.arguments.is_empty() && matches!(row.name.as_str(), "hostnames" | "volatile");
        let is_default = row.name == "default";
        if !is_flag && row.arguments.len() != 1 {
            return Some((row, Fault::MapParameters));
        }
        if is_default && has_default {
            return Some((row, Fault::DuplicateMapDefault));
        }
        has_default |= is_default;
        let fault = super::own_syntax::variables(row).err();
        fault.map(|fault| (row, fault))
    })
}

/// The address that an `http` proxy connects to.
pub(super) fn web_url(directive: &Directive) -> Result<(), Fault> {
    let url = directive.first();
    let has_scheme = ["http://", "https://"].iter().any(|scheme| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    if has_scheme || variable_text::has_variables(url) { Ok(()) } else { Err(Fault::UrlPrefix) }
}

/// The name of an `upstream` block with a port.
pub(super) fn group_port(directive: &Directive, groups: &HashSet<&str>) -> Result<(), Fault> {
    let url = directive.first();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    match address::check(rest, true) {
        Ok(NginxAddress::Host { host, port: Some(port) })
            if groups.contains(host.as_str()) && !variable_text::has_variables(url) =>
        {
            Err(Fault::PortOfGroup { name: host, port })
        }
        _ => Ok(()),
    }
}

/// An address that needs a port unless it is the name of an `upstream` block.
pub(super) fn needs_port(directive: &Directive, groups: &HashSet<&str>) -> Result<(), Fault> {
    // `http` has a default for each scheme.
    if directive.name == "proxy_pass" && directive.first().contains("://") {
        return Ok(());
    }
    let url = directive.first();
    let rest = ["grpcs://", "grpc://", "suwsgi://", "uwsgi://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let host = rest.unwrap_or(url);
    let bare = host.split('/').next().unwrap_or_default();
    let has_port = match bare.rfind(']') {
        Some(end) => bare[end..].contains(':'),
        None => bare.contains(':'),
    };
    let known = groups.contains(bare) || variable_text::has_variables(url);
    if has_port || known { Ok(()) } else { Err(Fault::NoPort(host.to_owned())) }
}
