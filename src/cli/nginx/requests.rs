//! The requests of `--access-log`: who connected before, as the log has it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::against::OldState;
use super::source::Configuration;
use crate::audit::listener::site::place;
use crate::cli::args::NginxArgs;
use crate::cli::errors::{UsageError, warn};
use crate::cli::log;
use crate::cli::log::input::LogInput;
use crate::log::format::AccessLogFormat;
use crate::log::requests::{RequestClient, RequestCounter, Requests};
use crate::log::shape::AccessLineShape;
use crate::nginx::listener::Listener;
use crate::nginx::tree::Tree;
use crate::targets::Target;
use crate::tls::profile::Profile;

/// What a log_format needs, and all that a log can tell.
const VARIABLES: &str = "add $ssl_protocol, $ssl_cipher, $ssl_ciphers and $ssl_curves to log_format, or give the \
     format of the file: --log-format";

/// Reads the logs; `None` if none was given.
pub(super) fn read(
    args: &NginxArgs,
    configuration: &Configuration,
    old: Option<&OldState>,
) -> anyhow::Result<Option<Requests>> {
    let Some(first) = args.access_log.first() else { return Ok(None) };
    let shape = shape(args, configuration, old)?;
    let guess = AccessLineShape::default();
    let (mut counter, mut files) = (RequestCounter::default(), Vec::new());
    let (mut lines, mut unreadable) = (0_u64, 0_u64);
    for path in &args.access_log {
        let file = LogInput::open(path, false)?.read_all(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() {
                return;
            }
            lines += 1;
            match shape.read(line).or_else(|| guess.read(line)) {
                Some(access) => counter.add(&access),
                None => unreadable += 1,
            }
        });
        if let Some(error) = &file.error {
            warn(&format!("{}: {error}; the rest of it is not weighed", file.path));
        }
        files.push(file.path);
    }
    if unreadable > 0 {
        let all = files.join(", ");
        warn(&format!(
            "{unreadable} of {lines} lines of {all} are in no known format, and are not weighed"
        ));
    }
    let requests = counter.finish(files);
    if requests.told_by.is_empty() {
        let what = match (lines, args.access_log.len()) {
            (0, 1) => "has no lines",
            (_, 1) => "does not tell which clients came",
            (0, _) => "and the other access logs have no lines",
            _ => "and the other access logs do not tell which clients came",
        };
        return Err(UsageError::new(format!("{} {what}", first.display()), VARIABLES));
    }
    Ok(Some(requests))
}

/// The format of the lines: from the command line, or those of the configurations. The old one wrote them, but both may
/// have.
fn shape(
    args: &NginxArgs,
    configuration: &Configuration,
    old: Option<&OldState>,
) -> anyhow::Result<AccessLineShape> {
    let Some(format) = &args.log_format else {
        let old = old.and_then(OldState::tree);
        let trees: Vec<&Tree> = old.into_iter().chain(&configuration.tree).collect();
        let is_known = !trees.is_empty();
        return Ok(if is_known { log::formats(trees) } else { AccessLineShape::default() });
    };
    let format = AccessLogFormat::compile(format).map_err(|error| {
        UsageError::new(format!("--log-format: {error}"), "copy it from log_format")
    })?;
    Ok(AccessLineShape::Given(vec![format]))
}

/// The clients that the user agents of the log name.
pub(super) fn clients(requests: &Requests) -> Vec<&'static Profile> {
    let mut clients: Vec<&Profile> = Vec::new();
    for profile in requests.kinds.iter().filter_map(|kind| kind.client.profile()) {
        if !clients.iter().any(|known| known.name == profile.name) {
            clients.push(profile);
        }
    }
    clients
}

/// Notes in each target the requests that it would get.
pub(super) fn mark(
    requests: &Requests,
    targets: &mut [Arc<Target>],
    listeners: &[Listener],
    is_compared: bool,
) {
    let all = targets.to_vec();
    let names: BTreeSet<&str> =
        all.iter().filter_map(|target| target.server_name.as_deref()).collect();
    let is_served = |name: &str| {
        let chosen = |listener: &Listener| {
            let server = listener.server_for(name);
            server.is_some_and(|server| !std::ptr::eq(server, listener.default_server()))
        };
        names.contains(name) || listeners.iter().any(chosen)
    };
    // Where it names none of the configuration's servers, it is not about names.
    let named = requests.kinds.iter().filter_map(|kind| kind.client.name.as_deref());
    let is_named = { named }.any(is_served);
    let is_split = is_named || requests.kinds.iter().any(|kind| kind.client.port.is_some());
    let of_all_names = !is_named && names.len() > 1;
    let with_names = |own: Requests| Arc::new(Requests { of_all_names, ..own });
    let whole = (!is_split).then(|| with_names(requests.only(|_| true)));
    for target in targets.iter_mut().filter(|target| target.is_tcp_listener()) {
        let own = |client: &RequestClient| {
            let port = client.port.is_none_or(|port| target.port() == Some(port));
            let name = client.name.as_deref().filter(|_| is_named);
            port && name.is_none_or(|name| is_for(name, target, &names, listeners))
        };
        // Where the log does not tell names, a target that is new had none of its requests.
        if is_compared && !is_named && target.former.is_none() {
            continue;
        }
        let own = whole.clone().unwrap_or_else(|| with_names(requests.only(own)));
        let former = Arc::make_mut(target).former.get_or_insert_default();
        former.requests = Some(own);
    }
}

/// Whether a client that asks for this name gets the target's server.
fn is_for(name: &str, target: &Target, names: &BTreeSet<&str>, listeners: &[Listener]) -> bool {
    if target.server_name.as_deref() == Some(name) {
        return true;
    }
    // Another target has this name.
    if names.contains(name) {
        return false;
    }
    let Some((listener, server)) = place(listeners, target) else { return false };
    listener.server_for(name).is_some_and(|chosen| std::ptr::eq(chosen, server))
}
