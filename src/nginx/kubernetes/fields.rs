//! What stands for a directive of nginx in each kind of object: an annotation or a field.

/// Where a setting is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectField {
    /// `annotation` or `field`.
    pub context: &'static str,
    /// The annotation, or the path of the field in the object.
    pub name: String,
    /// What the value must be, if it is not the directive's: a Secret instead of a file.
    pub value: Option<&'static str>,
}

/// The prefix of the annotations of ingress-nginx for upstreams.
const INGRESS_NGINX: &str = "nginx.ingress.kubernetes.io/";

/// Stands for the directive that sets headers.
const HEADER: &str = "set_header";

/// Stands for the directive that names the upstream.
const PASS: &str = "pass";

/// What stands for `*_ssl_SUFFIX` in an object, by its place: `KIND/NAMESPACE/NAME`, or `NAMESPACE/NAME` for an Ingress of
/// ingress-nginx. `None` if nothing does.
pub fn of_setting(place: &str, suffix: &str) -> Option<ObjectField> {
    let mut parts = place.rsplitn(3, '/');
    let kind = parts.nth(2).unwrap_or_default();
    let field = |name: &str| ObjectField { context: "field", name: name.to_owned(), value: None };
    let annotation = |name: String| ObjectField { context: "annotation", name, value: None };
    Some(match (kind, suffix) {
        ("", HEADER) => annotation(format!("{INGRESS_NGINX}upstream-vhost")),
        ("", "trusted_certificate" | "certificate" | "certificate_key") => ObjectField {
            value: Some("the Secret with the certificates in ca.crt, tls.crt and tls.key"),
            ..annotation(format!("{INGRESS_NGINX}proxy-ssl-secret"))
        },
        ("", suffix) => {
            annotation(format!("{INGRESS_NGINX}proxy-ssl-{}", suffix.replace('_', "-")))
        }
        ("Ingress", HEADER) => annotation("nginx.org/proxy-set-headers".to_owned()),
        ("Ingress", PASS) => ObjectField {
            value: Some("the Service"),
            ..annotation("nginx.org/ssl-services".to_owned())
        },
        ("VirtualServer" | "VirtualServerRoute", HEADER) => {
            field("action.proxy.requestHeaders.set Host")
        }
        ("VirtualServer" | "VirtualServerRoute", PASS) => {
            ObjectField { value: Some("true"), ..field("spec.upstreams tls.enable") }
        }
        ("Policy" | "Ingress" | "VirtualServer" | "VirtualServerRoute", suffix) => egress(suffix)?,
        ("HTTPRoute" | "GRPCRoute" | "BackendTLSPolicy", HEADER) => {
            field("spec.rules.filters.urlRewrite.hostname of the route")
        }
        ("HTTPRoute" | "GRPCRoute", PASS) => ObjectField {
            value: Some("a BackendTLSPolicy for the Service"),
            ..field("spec.targetRefs of a BackendTLSPolicy")
        },
        ("HTTPRoute" | "GRPCRoute" | "BackendTLSPolicy", suffix) => gateway(suffix)?,
        _ => return None,
    })
}

/// The field of `egressMTLS` in a Policy of F5 NGINX Ingress Controller.
fn egress(suffix: &str) -> Option<ObjectField> {
    let (name, value) = match suffix {
        "server_name" => ("serverName", Some("true")),
        "name" => ("sslName", None),
        "verify" => ("verifyServer", Some("true")),
        "verify_depth" => ("verifyDepth", None),
        "protocols" => ("protocols", None),
        "ciphers" => ("ciphers", None),
        "session_reuse" => ("sessionReuse", None),
        "trusted_certificate" => (
            "trustedCertSecret",
            Some("a Secret of type nginx.org/ca with the certificates in ca.crt"),
        ),
        "certificate" | "certificate_key" => {
            ("tlsSecret", Some("a Secret of type kubernetes.io/tls"))
        }
        _ => return None,
    };
    Some(ObjectField { context: "field", name: format!("spec.egressMTLS.{name}"), value })
}

/// The field of a BackendTLSPolicy, or of the Gateway. The number of intermediates, the protocols and the suites have
/// none: the controller sets them.
fn gateway(suffix: &str) -> Option<ObjectField> {
    let (name, value) = match suffix {
        "name" => ("spec.validation.hostname", None),
        "trusted_certificate" => (
            "spec.validation.caCertificateRefs",
            Some("a ConfigMap with the certificates in ca.crt"),
        ),
        "certificate" | "certificate_key" => (
            "spec.tls.backend.clientCertificateRef of the Gateway",
            Some("a Secret of type kubernetes.io/tls"),
        ),
        _ => return None,
    };
    Some(ObjectField { context: "field", name: name.to_owned(), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(place: &str, suffix: &str) -> Option<String> {
        of_setting(place, suffix).map(|field| field.name)
    }

    #[test]
    fn each_controller_has_its_own_word_for_a_directive() {
        let name = |place, suffix| name(place, suffix).unwrap();
        assert_eq!(
            name("shop/web", "verify_depth"),
            "nginx.ingress.kubernetes.io/proxy-ssl-verify-depth"
        );
        assert_eq!(name("shop/web", "set_header"), "nginx.ingress.kubernetes.io/upstream-vhost");
        assert_eq!(name("Policy/shop/tls", "name"), "spec.egressMTLS.sslName");
        assert_eq!(name("VirtualServer/shop/web", "verify"), "spec.egressMTLS.verifyServer");
        assert_eq!(name("BackendTLSPolicy/shop/api", "name"), "spec.validation.hostname");
    }

    #[test]
    fn what_a_controller_decides_has_no_field() {
        assert_eq!(name("BackendTLSPolicy/shop/api", "verify_depth"), None);
        assert_eq!(name("Policy/shop/tls", "conf_command"), None);
    }

    #[test]
    fn no_field_holds_a_path() {
        let value = |place, suffix| of_setting(place, suffix).unwrap().value.unwrap();
        for place in ["shop/web", "Policy/shop/tls", "HTTPRoute/shop/web"] {
            for suffix in ["trusted_certificate", "certificate"] {
                assert!(
                    value(place, suffix).contains("Secret")
                        || value(place, suffix).contains("ConfigMap")
                );
            }
        }
    }
}
