//! Values that only the parser of their own directive checks. The faults are nginx's messages.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::nginx::address::{self, NginxAddress};
use crate::nginx::defaults::NginxRelease;
use crate::nginx::directives::{Module, is_size, is_time, number};
use crate::nginx::problem::Fault;
use crate::nginx::tree::Directive;
use crate::nginx::variable_text;

/// The first release whose `resolver` has `ipv4=`.
const RESOLVER_IPV4: NginxRelease = NginxRelease::new(1, 23, 1);

/// The smallest zone: eight pages of 4096 bytes. Other sizes of pages only make it larger.
const LEAST_ZONE: u64 = 8 * 4096;

fn said(words: String) -> Result<(), Fault> {
    Err(Fault::Said(words))
}

/// An address that nginx connects to, with the place's word in the message.
fn connects(text: &str, with_uri: bool, place: &str) -> Result<(), Fault> {
    match address::check(text, with_uri) {
        Ok(_) => Ok(()),
        Err(words) => said(format!("{words} in {place} {text:?}")),
    }
}

/// The same for an address whose name nginx looks up when it starts.
fn resolves(text: &str, place: &str) -> Result<(), Fault> {
    connects(text, false, place)?;
    match address::parse(text) {
        Ok(NginxAddress::Host { host, .. }) if address::cannot_resolve(&host) => {
            said(format!("host not found in {place} {text:?}"))
        }
        _ => Ok(()),
    }
}

/// `resolver` (`ngx_resolver_create`).
pub(super) fn resolver(
    directive: &Directive,
    module: Module,
    version: Option<NginxRelease>,
) -> Result<(), Fault> {
    if module == Module::Mail && directive.first() == "off" {
        return Ok(());
    }
    for text in &directive.arguments {
        let valid = match text.split_once('=') {
            Some(("valid", time)) => is_time(time, true),
            Some(("ipv6", value)) => matches!(value, "on" | "off"),
            Some(("ipv4", value)) => match version {
                Some(version) if version < RESOLVER_IPV4 => {
                    return said(format!("host not found in resolver {text:?}"));
                }
                _ => matches!(value, "on" | "off"),
            },
            // Only in nginx Plus.
            Some(("status_zone", _)) => true,
            _ => {
                resolves(text, "resolver")?;
                true
            }
        };
        if !valid {
            return said(format!("invalid parameter: {text}"));
        }
    }
    let has = |word: &str| directive.arguments.iter().any(|text| text == word);
    if has("ipv4=off") && has("ipv6=off") {
        return said("\"ipv4\" and \"ipv6\" cannot both be \"off\"".to_owned());
    }
    Ok(())
}

/// `ssl_session_cache` and `ssl_ocsp_cache`.
pub(super) fn cache(directive: &Directive) -> Result<(), Fault> {
    let is_sessions = directive.name == "ssl_session_cache";
    let word = if is_sessions { "session" } else { "OCSP" };
    for text in &directive.arguments {
        let invalid = || said(format!("invalid {word} cache {text:?}"));
        if text == "off" || is_sessions && (text == "none" || text == "builtin") {
            continue;
        }
        if let Some(count) = text.strip_prefix("builtin:").filter(|_| is_sessions) {
            if number(count).is_none() {
                return invalid();
            }
            continue;
        }
        let zone = text.strip_prefix("shared:").and_then(|zone| zone.split_once(':'));
        let Some((name, size)) = zone else { return invalid() };
        if name.is_empty() || !is_size(size, "kKmM") {
            return invalid();
        }
        if bytes(size) < LEAST_ZONE {
            return said(format!("{word} cache {text:?} is too small"));
        }
    }
    Ok(())
}

/// `zone` in an `upstream` block.
pub(super) fn zone(directive: &Directive) -> Result<(), Fault> {
    let [name, size, ..] = directive.arguments.as_slice() else { return Ok(()) };
    if name.is_empty() {
        return said(format!("invalid zone name {name:?}"));
    }
    if !is_size(size, "kKmM") {
        return said(format!("invalid zone size {size:?}"));
    }
    if bytes(size) < LEAST_ZONE {
        return said(format!("zone {name:?} is too small"));
    }
    Ok(())
}

/// The bytes of a size that nginx accepts.
fn bytes(size: &str) -> u64 {
    let digits = size.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match size.as_bytes().last() {
        Some(b'k' | b'K') => 1024,
        Some(b'm' | b'M') => 1024 * 1024,
        _ => 1,
    };
    digits.parse().unwrap_or(u64::MAX).saturating_mul(unit)
}

/// `keepalive` of an `upstream` block.
pub(super) fn keepalive(directive: &Directive) -> Result<(), Fault> {
    let first = directive.first();
    if number(first).is_some_and(|count| count > 0) {
        return Ok(());
    }
    said(format!("invalid value {first:?} in \"keepalive\" directive"))
}

/// `hash` of an `upstream` block.
pub(super) fn hash(directive: &Directive) -> Result<(), Fault> {
    match directive.arguments.get(1).filter(|word| *word != "consistent") {
        Some(word) => Err(Fault::InvalidParameter(word.clone())),
        None => Ok(()),
    }
}

/// `random` of an `upstream` block.
pub(super) fn random(directive: &Directive) -> Result<(), Fault> {
    match directive.arguments.first().filter(|word| *word != "two") {
        Some(word) => Err(Fault::InvalidParameter(word.clone())),
        None => Ok(()),
    }
}

/// The address of a `server` in an `upstream` block, and its parameters.
pub(super) fn peer(
    directive: &Directive,
    module: Module,
    method: Option<&str>,
) -> Result<(), Fault> {
    let has = |word: &str| directive.arguments.iter().skip(1).any(|one| one == word);
    // These methods do not know servers for reserve.
    if method.is_some_and(|method| method != "least_conn") && has("backup") {
        return said("balancing method does not support parameter \"backup\"".to_owned());
    }
    let text = directive.first();
    resolves(text, "upstream")?;
    let needs_port = module == Module::Stream && !address::has_port(text);
    if needs_port { Err(Fault::NoPort(text.to_owned())) } else { Ok(()) }
}

/// The address of a `*_pass` (`ngx_http_upstream_add`, `ngx_stream_upstream_add`).
pub(super) fn pass(directive: &Directive, module: Module) -> Result<(), Fault> {
    let url = directive.first();
    if variable_text::has_variables(url) {
        return Ok(());
    }
    let schemes: &[&str] = match (module, directive.name.as_str()) {
        (Module::Stream, _) => &[],
        (_, "proxy_pass") => &["https://", "http://"],
        (_, "grpc_pass") => &["grpcs://", "grpc://"],
        _ => &["suwsgi://", "uwsgi://"],
    };
    let rest = schemes.iter().find_map(|scheme| address::strip_scheme(url, scheme));
    let with_uri = module == Module::Http && directive.name == "proxy_pass";
    connects(rest.unwrap_or(url), with_uri, "upstream")
}

/// `proxy_bind` and its kin.
pub(super) fn bind(directive: &Directive) -> Result<(), Fault> {
    let first = directive.first();
    if first == "off" || variable_text::has_variables(first) {
        return Ok(());
    }
    let is_address = first.parse::<SocketAddr>().is_ok()
        || first.parse::<Ipv4Addr>().is_ok()
        || address::bare(first).parse::<Ipv6Addr>().is_ok();
    if !is_address {
        return said(format!("invalid address {first:?}"));
    }
    match directive.arguments.get(1).filter(|word| *word != "transparent") {
        Some(word) => Err(Fault::InvalidParameter(word.clone())),
        None => Ok(()),
    }
}

/// `server_name` (`ngx_http_core_server_name`).
pub(super) fn server_name(
    directive: &Directive,
    version: Option<NginxRelease>,
) -> Result<(), Fault> {
    for name in &directive.arguments {
        let bytes = name.as_bytes();
        let is_bad_star = bytes.first() == Some(&b'*') && (bytes.len() < 3 || bytes[1] != b'.');
        if is_bad_star || name == "." {
            return said(format!("server name {name:?} is invalid"));
        }
        if name == "~" {
            return said("empty regex in server name \"~\"".to_owned());
        }
        if let Some(regex) = name.strip_prefix('~') {
            pattern(regex, version)?;
        }
    }
    Ok(())
}

/// A regular expression.
pub(super) fn pattern(regex: &str, version: Option<NginxRelease>) -> Result<(), Fault> {
    let Some(why) = super::pattern::fault(regex) else { return Ok(()) };
    let is_old = version.is_some_and(|version| version < NginxRelease::new(1, 21, 5));
    let function = if is_old { "pcre_compile()" } else { "pcre2_compile()" };
    said(format!("{function} failed: {why} in {regex:?}"))
}

/// The regular expression of a `location`.
pub(super) fn location(directive: &Directive, version: Option<NginxRelease>) -> Result<(), Fault> {
    match directive.arguments.as_slice() {
        [modifier, regex] if modifier == "~" || modifier == "~*" => pattern(regex, version),
        _ => Ok(()),
    }
}

fn is_nameless(text: &str) -> bool {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '{';
    text.split('$').skip(1).any(|rest| !rest.starts_with(named))
}

/// A dollar sign without a name in a value with variables.
pub(super) fn variables(directive: &Directive) -> Result<(), Fault> {
    if directive.arguments.iter().any(|text| is_nameless(text)) {
        return said("invalid variable name".to_owned());
    }
    Ok(())
}
