//! Directives that name a file which is not part of the configuration.

/// Directives whose file name is relative to the folder of the main file, as that of `include` is. Those for upstreams
/// have a prefix.
const FILES: [&str; 13] = [
    "ssl_certificate",
    "ssl_certificate_key",
    "ssl_client_certificate",
    "ssl_trusted_certificate",
    "ssl_crl",
    "ssl_dhparam",
    "ssl_password_file",
    "ssl_session_ticket_key",
    "ssl_stapling_file",
    "ssl_ech_file",
    "auth_basic_user_file",
    "quic_host_key",
    "xslt_stylesheet",
];

/// Whether nginx looks for the file of this directive in the folder of the main file.
pub(super) fn names_file(directive: &str) -> bool {
    let bare = ["proxy_", "grpc_", "uwsgi_"].iter().find_map(|one| directive.strip_prefix(one));
    FILES.contains(&bare.unwrap_or(directive))
}

/// Whether a value is a relative file name, as far as the text shows.
pub(super) fn is_relative(value: &str) -> bool {
    let other = ["/", "$", "data:", "engine:", "store:"];
    !value.is_empty() && value != "off" && !other.iter().any(|start| value.starts_with(start))
}
