//! The `ssl_*` settings that apply to a server.

use super::{CertificatePair, ListenAddress, LoadedFile, Material, ServerSsl};
use crate::nginx::inherit::{MAX_VALUES, Scope, Set};
use crate::nginx::tree::{Directive, Tree};
use crate::nginx::variable::Definitions;
use crate::nginx::variable_text;

pub(super) fn settings(tree: &Tree, scope: &Scope<'_>) -> ServerSsl {
    let file = |name: &str| scope.scalar(name).map(|set| set.map(|path| tree.full_name(&path)));
    ServerSsl {
        certificates: certificates(tree, scope),
        password_file: file("ssl_password_file"),
        protocols: scope.words("ssl_protocols"),
        ciphers: scope.scalar("ssl_ciphers"),
        ecdh_curve: scope.scalar("ssl_ecdh_curve"),
        conf_command: scope.pairs("ssl_conf_command"),
        reject_handshake: scope.flag("ssl_reject_handshake"),
        verify_client: scope
            .scalar("ssl_verify_client")
            .map(|set| set.map(|text| text.to_ascii_lowercase())),
        verify_depth: scope.number("ssl_verify_depth"),
        client_certificate: file("ssl_client_certificate"),
        trusted_certificate: file("ssl_trusted_certificate"),
        crl: file("ssl_crl"),
        stapling: scope.flag("ssl_stapling"),
        session_cache: scope.words("ssl_session_cache"),
        session_timeout: scope.scalar("ssl_session_timeout"),
        alpn: scope.words("ssl_alpn"),
    }
}

/// Each certificate with the key of the same index; each list is inherited as a whole (`ngx_http_ssl_merge_srv_conf`).
fn certificates(tree: &Tree, scope: &Scope<'_>) -> Vec<CertificatePair> {
    let keys = scope.effective("ssl_certificate_key");
    let certificates = scope.effective("ssl_certificate").iter().take(MAX_VALUES).enumerate();
    certificates
        .map(|(at, one)| CertificatePair {
            certificate: material(tree, one),
            key: keys.get(at).map(|key| material(tree, key)),
        })
        .collect()
}

fn material(tree: &Tree, directive: &Directive) -> Set<Material> {
    let text = directive.first();
    let value = if let Some(data) = text.strip_prefix("data:") {
        Material::Data(data.to_owned())
    } else if text.starts_with("engine:") || text.starts_with("store:") {
        Material::Engine(text.to_owned())
    } else if variable_text::has_variables(text) {
        Material::Variable(LoadedFile { written: text.to_owned(), files: Vec::new() })
    } else {
        Material::File(tree.full_name(text))
    };
    Set { value, span: directive.span.clone() }
}

/// The settings at one of the server's sockets, where it decides which files are loaded; `None` if no name of a file has variables.
pub(super) fn at_socket<'t>(
    ssl: &ServerSsl,
    (tree, scope): (&Tree, &Scope<'t>),
    definitions: &Definitions<'t>,
    address: &ListenAddress,
) -> Option<ServerSsl> {
    let is_variable = |set: &Set<Material>| matches!(set.value, Material::Variable(_));
    let has_variables = |pair: &CertificatePair| {
        is_variable(&pair.certificate) || pair.key.as_ref().is_some_and(is_variable)
    };
    if !ssl.certificates.iter().any(has_variables) {
        return None;
    }
    let mut own = ssl.clone();
    let pairs = own.certificates.iter_mut();
    let materials = pairs.flat_map(|pair| [Some(&mut pair.certificate), pair.key.as_mut()]);
    for set in materials.flatten() {
        if let Material::Variable(file) = &mut set.value {
            let names = definitions.at_handshake(scope, address, &file.written);
            let full = |(name, file): (_, String)| (name, tree.full_name(&file));
            file.files = names.into_iter().map(full).collect();
        }
    }
    Some(own)
}
