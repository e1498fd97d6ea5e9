//! The parameters of `listen`, and of `server` in an `upstream` block.

use crate::nginx::defaults::NginxRelease;
use crate::nginx::directives::{Module, is_size, is_time, number};
use crate::nginx::problem::Fault;
use crate::nginx::tree::Directive;

/// From this release on, `stream` parses `listen` as `http` does.
pub(super) const STREAM_NAMES: NginxRelease = NginxRelease::new(1, 25, 5);

/// The release with QUIC.
const QUIC: NginxRelease = NginxRelease::new(1, 25, 0);

/// The release with Multipath TCP.
const MULTIPATH: NginxRelease = NginxRelease::new(1, 29, 7);

/// The parts of a `listen` directive.
#[derive(Debug)]
pub(super) struct ListenParameters<'t> {
    /// The address as written.
    pub text: &'t str,
    /// Whether it sets socket options, which is allowed once.
    pub has_options: bool,
    pub is_default: bool,
    /// `quic` or `udp`.
    pub is_datagram: bool,
}

/// Parameters without a value.
const FLAGS: [(&str, bool); 13] = [
    ("default_server", false),
    ("default", false),
    ("bind", true),
    ("deferred", true),
    ("reuseport", true),
    ("multipath", true),
    ("ssl", false),
    ("http2", false),
    ("quic", false),
    ("udp", false),
    ("proxy_protocol", false),
    ("ipv6only=on", true),
    ("ipv6only=off", true),
];

/// Parameters that cannot be used with datagrams: those with a value, and those without.
const STREAMS_ONLY: [(&str, &str); 8] = [
    ("fastopen", "fastopen="),
    ("backlog", "backlog="),
    ("deferred", "deferred"),
    ("multipath", "multipath"),
    ("ssl", "ssl"),
    ("http2", "http2"),
    ("so_keepalive", "so_keepalive="),
    ("proxy_protocol", "proxy_protocol"),
];

pub(super) fn listen(
    directive: &Directive,
    module: Module,
    version: Option<NginxRelease>,
) -> Result<ListenParameters<'_>, Fault> {
    let words = directive.arguments.get(1..).unwrap_or_default();
    let mut has_options = false;
    for word in words {
        let flag = FLAGS.iter().find(|(name, _)| name == word);
        let exists = |name: &str| is_available(name, module, version);
        has_options |= match flag {
            Some((name, sets)) if exists(name) => *sets,
            None => option(word, module, version)?,
            Some(_) => return Err(unknown(word, module, version)),
        };
    }
    let has = |name: &str| words.iter().any(|word| word == name);
    let datagram = ["quic", "udp"].into_iter().find(|name| has(name));
    if let Some(other) = datagram {
        // nginx treats `keepalive=off` as absent only if it was not written.
        let begins = |(_, start): &&(&str, &str)| {
            words.iter().any(|word| {
                if start.ends_with('=') { word.starts_with(start) } else { word == start }
            })
        };
        if let Some((parameter, _)) = STREAMS_ONLY.iter().find(begins) {
            return Err(Fault::Incompatible { parameter, other });
        }
    }
    let text = directive.first();
    let is_default = has("default_server") || module == Module::Http && has("default");
    Ok(ListenParameters { text, has_options, is_default, is_datagram: datagram.is_some() })
}

fn is_available(name: &str, module: Module, version: Option<NginxRelease>) -> bool {
    let from = |since: NginxRelease| version.is_none_or(|version| version >= since);
    match (name, module) {
        ("udp", module) => module == Module::Stream,
        ("default_server" | "deferred", Module::Stream) => from(STREAM_NAMES),
        ("multipath", Module::Http | Module::Stream) => from(MULTIPATH),
        ("quic", Module::Http) => from(QUIC),
        ("http2" | "default" | "quic", Module::Stream) => false,
        ("proxy_protocol", Module::Mail) => from(NginxRelease::new(1, 19, 8)),
        (name, Module::Mail) => ["bind", "ssl", "ipv6only=on", "ipv6only=off"].contains(&name),
        _ => true,
    }
}

/// Checks a parameter with a value; returns whether it sets a socket option.
fn option(word: &str, module: Module, version: Option<NginxRelease>) -> Result<bool, Fault> {
    let Some((name, value)) = word.split_once('=') else {
        return Err(unknown(word, module, version));
    };
    let invalid = |name: &'static str, valid: bool| {
        if valid { Ok(true) } else { Err(Fault::InvalidOption { name, text: word.to_owned() }) }
    };
    let is_count = |value: &str| number(value).is_some_and(|count| count > 0);
    match name {
        "fastopen" if module != Module::Mail => invalid("fastopen", number(value).is_some()),
        "backlog" => invalid("backlog", is_count(value)),
        "rcvbuf" => invalid("rcvbuf", is_size(value, "kKmM")),
        "sndbuf" => invalid("sndbuf", is_size(value, "kKmM")),
        "accept_filter" if module == Module::Http => Ok(true),
        "ipv6only" if value.starts_with('o') => {
            let text = format!("={value}");
            Err(Fault::InvalidOption { name: "ipv6only flags", text })
        }
        "so_keepalive" if is_keepalive(value) => Ok(true),
        "so_keepalive" => {
            Err(Fault::InvalidOption { name: "so_keepalive value:", text: value.to_owned() })
        }
        // Only on FreeBSD.
        "setfib" if number(value).is_some() => Ok(true),
        _ => Err(unknown(word, module, version)),
    }
}

fn is_keepalive(value: &str) -> bool {
    if value == "on" || value == "off" {
        return true;
    }
    let mut parts = value.splitn(3, ':');
    let mut part = || parts.next().unwrap_or_default();
    let (idle, interval, count) = (part(), part(), part());
    let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let valid = [idle, interval].iter().all(|time| time.is_empty() || is_time(time, true));
    valid
        && (count.is_empty() || number(count).is_some())
        && ![idle, interval, count].iter().all(|text| is_zero(text))
}

fn unknown(word: &str, module: Module, version: Option<NginxRelease>) -> Fault {
    let is_old = version.is_some_and(|version| version < STREAM_NAMES);
    match module {
        Module::Stream if is_old => Fault::TheInvalidParameter(word.to_owned()),
        Module::Mail => Fault::TheInvalidParameter(word.to_owned()),
        _ => Fault::InvalidParameter(word.to_owned()),
    }
}

/// The parameters of a `server` in an `upstream` block; nginx Plus has some more.
pub(super) fn peer(directive: &Directive) -> Result<(), Fault> {
    const WORDS: [&str; 4] = ["backup", "down", "drain", "resolve"];
    let valid = |word: &&String| match word.split_once('=') {
        Some(("weight", value)) => number(value).is_some_and(|weight| weight > 0),
        Some(("max_conns" | "max_fails", value)) => number(value).is_some(),
        Some(("fail_timeout", value)) => is_time(value, true),
        Some(("route" | "service", value)) => !value.is_empty(),
        _ => WORDS.contains(&word.as_str()),
    };
    let words = directive.arguments.get(1..).unwrap_or_default();
    match words.iter().find(|word| !valid(word)) {
        Some(word) => Err(Fault::InvalidParameter(word.clone())),
        None => Ok(()),
    }
}
