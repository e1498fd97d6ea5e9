//! Addresses that several `listen` directives use (`ngx_http_add_addresses`, `ngx_stream_core_listen`).

use std::collections::HashMap;

use super::parameters::{ListenParameters, STREAM_NAMES};
use crate::nginx::address::cannot_resolve;
use crate::nginx::defaults::NginxRelease;
use crate::nginx::directives::Module;
use crate::nginx::listener::{ListenAddress, ListenError, addresses};
use crate::nginx::problem::Fault;

/// The uses of an address.
#[derive(Debug, Default)]
struct SocketUse {
    has_options: bool,
    has_default: bool,
    /// The server that listened on it last.
    server: usize,
}

/// All addresses so far.
#[derive(Debug, Default)]
pub(super) struct ListenedSockets {
    known: HashMap<(Module, ListenAddress, bool), SocketUse>,
    server: usize,
}

impl ListenedSockets {
    pub(super) fn begin_server(&mut self) {
        self.server += 1;
    }

    /// Adds the addresses of a directive; returns the reason if they are unknown.
    pub(super) fn add(
        &mut self,
        socket: &ListenParameters<'_>,
        module: Module,
        version: Option<NginxRelease>,
    ) -> Result<Option<String>, Fault> {
        let default_port = (module == Module::Http).then_some(80);
        let all = match addresses(socket.text, default_port) {
            Ok(all) => all,
            // In `stream`, the system chooses a missing port.
            Err(ListenError::Refused("no port")) => return Ok(None),
            Err(ListenError::Refused(reason)) => {
                return Err(Fault::ListenAddress { reason, text: socket.text.to_owned() });
            }
            Err(ListenError::TooManyPorts) => {
                let reason =
                    format!("listen {} names more ports than are tested here", socket.text);
                return Ok(Some(reason));
            }
        };
        let is_old = version.is_some_and(|version| version < STREAM_NAMES);
        let once = module == Module::Mail || module == Module::Stream && is_old;
        let is_range = all.len() > 1;
        for address in all {
            let text = address.to_string();
            // Only nginx resolves the name.
            if let ListenAddress::Name { host, .. } = &address {
                if cannot_resolve(host) {
                    let text = socket.text;
                    let words = format!("host not found in {text:?} of the \"listen\" directive");
                    return Err(Fault::Said(words));
                }
                continue;
            }
            let server = self.server;
            let known = self.known.entry((module, address, socket.is_datagram)).or_default();
            let is_new = known.server == 0;
            if !is_new && once {
                return Err(Fault::DuplicatePair(text));
            }
            if !is_new && known.server == server && !is_range {
                return Err(Fault::DuplicateListen(text));
            }
            if known.has_options && socket.has_options {
                return Err(Fault::DuplicateOptions(text));
            }
            if known.has_default && socket.is_default {
                return Err(Fault::DuplicateDefault(text));
            }
            known.server = server;
            known.has_options |= socket.has_options;
            known.has_default |= socket.is_default;
        }
        Ok(None)
    }
}
