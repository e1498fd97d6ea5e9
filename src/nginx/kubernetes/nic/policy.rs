//! Policies: how upstreams are verified (`egressMTLS`), and clients (`ingressMTLS`).

use serde_json::Value;

use super::NicController;
use crate::nginx::kubernetes::lines::ControllerLines;
use crate::nginx::kubernetes::material::{SECRET, authorities, pair};
use crate::nginx::kubernetes::object::{is_set, namespace, number, place, text};

/// The protocols that the controller sets for upstreams by default.
const PROTOCOLS: &str = "TLSv1 TLSv1.1 TLSv1.2";

/// The policies that apply at one place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MtlsPolicies<'o> {
    pub(super) egress: Option<&'o Value>,
    pub(super) ingress: Option<&'o Value>,
}

impl<'o> NicController<'o> {
    /// The policies of some references, `(NAMESPACE, NAME)`; `None` if one is missing, because then the controller answers
    /// 500. If the input has no Policy at all, it is reported as untested.
    pub(super) fn policies<'r>(
        &self,
        owner: &str,
        references: impl IntoIterator<Item = (&'r str, &'r str)>,
        lines: &mut ControllerLines,
    ) -> Option<MtlsPolicies<'o>> {
        let mut found = MtlsPolicies::default();
        for (in_namespace, name) in references {
            let Some(policy) = self.objects.find("Policy", in_namespace, name) else {
                if self.objects.has("Policy") {
                    let reason = format!(
                        "there is no Policy {in_namespace}/{name}, so the controller answers 500"
                    );
                    lines.ignored(owner, "policies", reason);
                } else {
                    lines.untested(
                        owner,
                        format!("the Policy {in_namespace}/{name} is not in the input"),
                    );
                }
                return None;
            };
            if let Some((field, reason)) = fault(policy) {
                lines.ignored(&place("Policy", policy), field, reason);
                return None;
            }
            let has = |field: &str| policy.pointer(field).is_some_and(Value::is_object);
            let (slot, is_one) = if has("/spec/egressMTLS") {
                (&mut found.egress, true)
            } else {
                (&mut found.ingress, has("/spec/ingressMTLS"))
            };
            if is_one && slot.is_some() {
                let reason = "another policy of the same kind comes first";
                lines.ignored(&place("Policy", policy), "spec", reason);
            } else if is_one {
                *slot = Some(policy);
            }
        }
        Some(found)
    }
}

/// Why the controller refuses a policy as a whole.
fn fault(policy: &Value) -> Option<(&'static str, &'static str)> {
    let has = |field: &str| text(policy, field).is_some();
    if is_set(policy, "/spec/egressMTLS/verifyServer") && !has("/spec/egressMTLS/trustedCertSecret")
    {
        let reason = "verifyServer needs trustedCertSecret: the controller refuses the policy and answers 500";
        return Some(("spec.egressMTLS", reason));
    }
    let asks = policy.pointer("/spec/ingressMTLS").is_some_and(Value::is_object);
    if asks && !has("/spec/ingressMTLS/clientCertSecret") {
        let reason = "it needs clientCertSecret: the controller refuses the policy and answers 500";
        return Some(("spec.ingressMTLS", reason));
    }
    None
}

/// The directives of `egressMTLS`, with the prefix of a module: `proxy_ssl_`, `grpc_ssl_`.
pub(super) fn egress(lines: &mut ControllerLines, prefix: &str, policy: &Value) {
    lines.set_in(&place("Policy", policy));
    let field = |name: &str| text(policy, &format!("/spec/egressMTLS/{name}"));
    let is_on =
        |name: &str| if is_set(policy, &format!("/spec/egressMTLS/{name}")) { "on" } else { "off" };
    let mut set = |suffix: &str, values: &[&str]| {
        let name = format!("{prefix}{suffix}");
        lines.line(&[&[&*name], values].concat());
    };
    let id = |secret: &str| format!("{}/{secret}", namespace(policy));
    if let Some(secret) = field("tlsSecret") {
        set("certificate", &[&pair(&id(secret))]);
        set("certificate_key", &[&pair(&id(secret))]);
    }
    if let Some(secret) = field("trustedCertSecret") {
        set("trusted_certificate", &[&authorities(&id(secret))]);
    }
    set("verify", &[is_on("verifyServer")]);
    let depth = number(policy, "/spec/egressMTLS/verifyDepth").unwrap_or(1);
    set("verify_depth", &[&depth.to_string()]);
    let protocols: Vec<&str> = field("protocols").unwrap_or(PROTOCOLS).split_whitespace().collect();
    set("protocols", &protocols);
    set("ciphers", &[field("ciphers").unwrap_or("DEFAULT")]);
    let reuse = policy.pointer("/spec/egressMTLS/sessionReuse").and_then(Value::as_bool);
    set("session_reuse", &[if reuse.unwrap_or(true) { "on" } else { "off" }]);
    set("server_name", &[is_on("serverName")]);
    set("name", &[field("sslName").unwrap_or("$proxy_host")]);
}

/// The directives of `ingressMTLS`.
pub(super) fn ingress(lines: &mut ControllerLines, policy: &Value, has_list: bool) {
    let field = |name: &str| text(policy, &format!("/spec/ingressMTLS/{name}"));
    let secret = format!("{}/{}", namespace(policy), field("clientCertSecret").unwrap_or_default());
    lines.line(&["ssl_client_certificate", &authorities(&secret)]);
    if let Some(file) = field("crlFileName") {
        lines.line(&["ssl_crl", &format!("/etc/nginx/secrets/{file}")]);
    } else if has_list {
        lines.line(&["ssl_crl", &format!("{SECRET}{secret}:ca.crl")]);
    }
    lines.line(&["ssl_verify_client", field("verifyClient").unwrap_or("on")]);
    let depth = number(policy, "/spec/ingressMTLS/verifyDepth").unwrap_or(1);
    lines.line(&["ssl_verify_depth", &depth.to_string()]);
}

impl NicController<'_> {
    /// Writes the `ingressMTLS` of a server with TLS.
    pub(super) fn verify_clients(&self, lines: &mut ControllerLines, policies: MtlsPolicies<'_>) {
        let Some(policy) = policies.ingress else { return };
        let secret = text(policy, "/spec/ingressMTLS/clientCertSecret").unwrap_or_default();
        let secret = self.objects.find("Secret", namespace(policy), secret);
        let has_list = secret.and_then(|secret| secret.get("data")?.get("ca.crl")).is_some();
        ingress(lines, policy, has_list);
    }
}

/// Where the settings of an upstream are, or would be.
pub(super) fn settings(owner: &str, policies: [MtlsPolicies<'_>; 2]) -> String {
    let policy = policies.into_iter().find_map(|one| one.egress);
    policy.map_or_else(|| owner.to_owned(), |policy| place("Policy", policy))
}
