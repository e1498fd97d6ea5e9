//! The listeners of a Gateway and of the ListenerSets that are attached to it.

use serde_json::Value;

use super::OPTIONS;
use super::grant::{CrossReference, is_allowed};
use crate::nginx::kubernetes::lines::ControllerLines;
use crate::nginx::kubernetes::object::{
    KubernetesObjects, list, name, namespace, namespace_of, number, place, text,
};

/// One listener.
#[derive(Debug)]
pub(super) struct GatewayListener<'o> {
    /// The Gateway or ListenerSet, as in reports.
    pub(super) place: String,
    /// The kind, namespace and name of that object.
    pub(super) owner: (&'static str, &'o str, &'o str),
    pub(super) name: &'o str,
    pub(super) hostname: Option<&'o str>,
    pub(super) port: u16,
    pub(super) protocol: &'o str,
    /// The Secrets with its certificates, `NAMESPACE/NAME`.
    pub(super) secrets: Vec<String>,
    pub(super) options: Option<&'o Value>,
    /// From which namespaces routes may be attached.
    pub(super) allows: &'o str,
}

impl GatewayListener<'_> {
    pub(super) fn is_https(&self) -> bool {
        self.protocol == "HTTPS"
    }
}

/// The listeners that the controller serves; what it refuses is a fact.
pub(super) fn of_gateway<'o>(
    objects: &'o KubernetesObjects,
    gateway: &'o Value,
    lines: &mut ControllerLines,
) -> Vec<GatewayListener<'o>> {
    let mut all = of_object(objects, ("Gateway", gateway), lines);
    for kind in ["ListenerSet", "XListenerSet"] {
        let of_gateway = |set: &&Value| {
            let parent = set.pointer("/spec/parentRef");
            parent.is_some_and(|parent| {
                text(parent, "/name") == Some(name(gateway))
                    && namespace_of(parent, namespace(set)) == namespace(gateway)
            })
        };
        for set in objects.of(kind).filter(of_gateway) {
            if allows_sets(gateway, set) {
                all.extend(of_object(objects, (kind, set), lines));
            } else {
                let reason = "spec.allowedListeners of the Gateway does not allow it";
                lines.ignored(&place(kind, set), "spec.parentRef", reason);
            }
        }
    }
    all
}

/// Whether a Gateway accepts a ListenerSet; no listener sets are allowed by default.
fn allows_sets(gateway: &Value, set: &Value) -> bool {
    match text(gateway, "/spec/allowedListeners/namespaces/from").unwrap_or("None") {
        "None" => false,
        "Same" => namespace(gateway) == namespace(set),
        // Labels of namespaces are not read.
        _ => true,
    }
}

fn of_object<'o>(
    objects: &'o KubernetesObjects,
    (kind, object): (&'static str, &'o Value),
    lines: &mut ControllerLines,
) -> Vec<GatewayListener<'o>> {
    let own = place(kind, object);
    let mut all = Vec::new();
    for one in list(object, "/spec/listeners") {
        let listener = GatewayListener {
            place: own.clone(),
            owner: (kind, namespace(object), name(object)),
            name: text(one, "/name").unwrap_or_default(),
            hostname: text(one, "/hostname"),
            port: number(one, "/port").and_then(|port| u16::try_from(port).ok()).unwrap_or(443),
            protocol: text(one, "/protocol").unwrap_or_default(),
            secrets: Vec::new(),
            options: one.pointer("/tls/options"),
            allows: text(one, "/allowedRoutes/namespaces/from").unwrap_or("Same"),
        };
        match listener.protocol {
            "HTTPS" => {
                let served = with_secrets(objects, listener, one);
                match served {
                    Ok(listener) => all.push(listener),
                    Err((field, reason)) => lines.ignored(&own, &field, reason),
                }
            }
            "HTTP" | "TLS" => all.push(listener),
            _ => {}
        }
    }
    all
}

/// The listener with its certificates, or the field for which the controller does not serve it and the reason.
fn with_secrets<'o>(
    objects: &KubernetesObjects,
    mut listener: GatewayListener<'o>,
    value: &Value,
) -> Result<GatewayListener<'o>, (String, String)> {
    let field = |of: &str| format!("listener {} {of}", listener.name);
    let known = OPTIONS.map(|(option, _)| option);
    let options = listener.options.and_then(Value::as_object);
    if let Some(option) = options.and_then(|all| all.keys().find(|key| !known.contains(&&***key))) {
        let reason = format!(
            "the controller knows only {}, and does not serve a listener with another option",
            known.join(", ")
        );
        return Err((field(&format!("tls.options {option}")), reason));
    }
    if text(value, "/tls/mode").is_some_and(|mode| mode != "Terminate") {
        let reason = "the controller serves HTTPS only with the mode Terminate".to_owned();
        return Err((field("tls.mode"), reason));
    }
    let (kind, own, _) = listener.owner;
    let mut refused = None;
    for reference in list(value, "/tls/certificateRefs") {
        let in_namespace = namespace_of(reference, own);
        let secret = text(reference, "/name").unwrap_or_default();
        let wanted = CrossReference { from: (kind, own), to: ("Secret", in_namespace, secret) };
        if is_allowed(objects, &wanted) {
            listener.secrets.push(format!("{in_namespace}/{secret}"));
        } else {
            refused = Some(format!(
                "no ReferenceGrant in {in_namespace} lets a {kind} of {own} use the Secret {secret}"
            ));
        }
    }
    if listener.secrets.is_empty() {
        let missing = "the controller does not serve a listener without a certificate".to_owned();
        return Err((field("tls.certificateRefs"), refused.unwrap_or(missing)));
    }
    Ok(listener)
}
