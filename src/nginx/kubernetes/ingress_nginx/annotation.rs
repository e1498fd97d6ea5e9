//! The controller's annotations for upstreams (`internal/ingress/annotations/proxyssl` and the template of
//! ingress-nginx).

use super::object::Object;
use crate::nginx::directives;
use crate::nginx::inherit::Set;
use crate::nginx::kubernetes::material::{authorities, pair};
use crate::nginx::problem::Span;
use crate::nginx::upstream::{ProxyModule, ProxySsl, Text};
use crate::nginx::variable::Unresolved;
use crate::nginx::variable_text;

/// The prefix of the controller's annotations.
pub(super) const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// The protocols that the controller sets together with a secret, in every release of nginx.
const PROTOCOLS: [&str; 3] = ["TLSv1", "TLSv1.1", "TLSv1.2"];

/// The annotations of one object.
pub(super) struct Annotations<'a> {
    all: Vec<(&'a str, &'a str)>,
    span: Span,
}

impl<'a> Annotations<'a> {
    pub(super) fn of(object: &'a Object) -> Self {
        let all = object.annotations();
        let all = all.filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value)));
        Self { all: all.collect(), span: object.span() }
    }

    /// The value of an annotation; `None` if it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.all.iter().find(|(known, _)| *known == name)?;
        Some(found.1.trim()).filter(|value| !value.is_empty())
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.get(name).and_then(directives::number).filter(|&number| number > 0)
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let words = self.get(name).unwrap_or_default().split([',', ' ']).map(str::trim);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    fn set<T>(&self, value: T) -> Set<T> {
        Set { value, span: self.span.clone() }
    }

    fn is_on(&self, name: &str) -> bool {
        self.get(name) == Some("on")
    }
}

/// An annotation without effect, and the reason.
pub(super) type IgnoredAnnotation = (String, &'static str);

/// The resulting settings, and the annotations without effect.
pub(super) fn proxy_ssl(
    module: ProxyModule,
    annotations: &Annotations<'_>,
) -> (ProxySsl, Vec<IgnoredAnnotation>) {
    let ignored = |reason: &'static str| {
        let names = annotations.all.iter().map(|(name, _)| *name);
        let names = names.filter(|name| name.starts_with("proxy-ssl-"));
        names.map(|name| (name.to_owned(), reason)).collect()
    };
    if module == ProxyModule::Grpc {
        let reason = "the controller sets proxy_ssl_*, and GRPCS needs grpc_ssl_*";
        return (ProxySsl::default(), ignored(reason));
    }
    let Some(secret) = annotations.get("proxy-ssl-secret") else {
        let reason = "the controller reads it only beside proxy-ssl-secret";
        return (ProxySsl::default(), ignored(reason));
    };
    (with_secret(annotations, secret), Vec::new())
}

fn with_secret(annotations: &Annotations<'_>, secret: &str) -> ProxySsl {
    let protocols = annotations.list("proxy-ssl-protocols");
    let default = || PROTOCOLS.map(str::to_owned).to_vec();
    let protocols = if protocols.is_empty() { default() } else { protocols };
    let ciphers = annotations.get("proxy-ssl-ciphers").unwrap_or("DEFAULT");
    let material = Text::plain(pair(secret));
    ProxySsl {
        server_name: Some(annotations.set(annotations.is_on("proxy-ssl-server-name"))),
        name: annotations.get("proxy-ssl-name").map(|name| annotations.set(name_text(name))),
        protocols: Some(annotations.set(protocols)),
        ciphers: Some(annotations.set(ciphers.to_owned())),
        verify: Some(annotations.set(annotations.is_on("proxy-ssl-verify"))),
        verify_depth: Some(
            annotations.set(annotations.number("proxy-ssl-verify-depth").unwrap_or(1)),
        ),
        trusted_certificate: Some(annotations.set(authorities(secret))),
        certificate: Some(annotations.set(material.clone())),
        certificate_key: Some(annotations.set(material)),
        ..ProxySsl::default()
    }
}

fn name_text(name: &str) -> Text {
    let value = if variable_text::has_variables(name) {
        Err(Unresolved::PerRequest(name.trim_start_matches('$').to_owned()))
    } else {
        Ok(name.to_owned())
    };
    Text { written: name.to_owned(), value }
}
