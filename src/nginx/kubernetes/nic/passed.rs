//! What a location passes requests to.

use super::policy::{self, MtlsPolicies};
use crate::nginx::kubernetes::lines::ControllerLines;
use crate::nginx::kubernetes::object::place;

/// An upstream that a location passes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct PassedTo<'a> {
    /// The name of its `upstream` block.
    pub(super) group: &'a str,
    /// What messages call it.
    pub(super) told: &'a str,
    pub(super) is_grpc: bool,
    pub(super) is_tls: bool,
}

impl PassedTo<'_> {
    /// Writes the lines of the location; `own` are the policies that apply in it, `outer` those of its server.
    pub(super) fn write(
        &self,
        (own, outer): (MtlsPolicies<'_>, MtlsPolicies<'_>),
        lines: &mut ControllerLines,
    ) {
        let Self { group, told, is_grpc, is_tls } = *self;
        let module = if is_grpc { "grpc" } else { "proxy" };
        if let Some(policy) = own.egress {
            policy::egress(lines, &format!("{module}_ssl_"), policy);
        } else if let Some(policy) = outer.egress.filter(|_| is_grpc && is_tls) {
            let reason = format!("it does not reach gRPC, so nothing of it applies to {told}");
            lines.ignored(&place("Policy", policy), "spec.egressMTLS", reason);
        }
        if !is_grpc {
            lines.line(&["proxy_http_version", "1.1"]);
        }
        lines.line(&[&format!("{module}_set_header"), "Host", "$host"]);
        let scheme = match (is_grpc, is_tls) {
            (true, true) => "grpcs",
            (true, false) => "grpc",
            (false, true) => "https",
            (false, false) => "http",
        };
        lines.line(&[&format!("{module}_pass"), &format!("{scheme}://{group}")]);
    }
}
