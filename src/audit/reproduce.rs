//! Commands that show a fault without this tool: `openssl s_client` and `getent`.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::SocketAddr;

use crate::target::Target;
use crate::target::address::host_port;
use crate::tls::version::ProtocolVersion;

/// An `openssl s_client` call that makes the same connection.
///
/// Since OpenSSL 1.1.1 `s_client` sends the connection's host name by itself, so a hello without a name needs
/// `-noservername`.
pub fn s_client(
    target: &Target,
    address: Option<SocketAddr>,
    sni: Option<&str>,
    version: Option<ProtocolVersion>,
) -> String {
    let (host, port) = target.endpoint();
    let connect =
        address.map_or_else(|| host_port(host, port).to_string(), |address| address.to_string());
    let mut command = format!("openssl s_client -connect {}", quote(&connect));
    match sni {
        Some(name) => append(&mut command, &["-servername", name]),
        None => append(&mut command, &["-noservername"]),
    }
    if let Some(option) = version.and_then(version_option) {
        append(&mut command, &[option]);
    }
    if let Some(protocol) = target.starttls {
        append(&mut command, &["-starttls", protocol.name()]);
    }
    if let Some(identity) = &target.client_identity {
        let (certificate, key) =
            (identity.certificate_file.to_string_lossy(), identity.key_file.to_string_lossy());
        append(&mut command, &["-cert", &certificate, "-key", &key]);
    }
    command + " </dev/null"
}

/// The same with the target's own name and any version.
pub fn with_own_name(target: &Target, address: Option<SocketAddr>) -> String {
    s_client(target, address, target.server_name.as_deref(), None)
}

/// The certificates that a server sends, as text.
pub fn show_chain(target: &Target, address: Option<SocketAddr>) -> String {
    with_own_name(target, address).replace(" </dev/null", " -showcerts </dev/null")
}

/// The dates and names of the certificate that a server sends.
pub fn show_leaf(target: &Target, address: Option<SocketAddr>) -> String {
    with_own_name(target, address)
        + " 2>/dev/null | openssl x509 -noout -subject -issuer -dates -ext subjectAltName"
}

/// A look-up as nginx makes it when it starts.
pub fn resolve(target: &Target) -> String {
    format!("getent ahosts {}", quote(&target.endpoint().0.to_string()))
}

fn version_option(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::SSL3 => Some("-ssl3"),
        ProtocolVersion::TLS1 => Some("-tls1"),
        ProtocolVersion::TLS1_1 => Some("-tls1_1"),
        ProtocolVersion::TLS1_2 => Some("-tls1_2"),
        ProtocolVersion::TLS1_3 => Some("-tls1_3"),
        _ => None,
    }
}

fn append(command: &mut String, words: &[&str]) {
    for word in words {
        // Writing to a string cannot fail.
        let _ = write!(command, " {}", quote(word));
    }
}

/// A word for a POSIX shell. What needs no quotes gets none, so that common commands stay readable.
fn quote(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:[]@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::options::Options;

    fn target(text: &str) -> Target {
        Options::default().target(text.parse().unwrap(), None, None)
    }

    #[test]
    fn a_hello_without_a_name_says_so() {
        let address = "127.0.0.1:8443".parse().ok();
        assert_eq!(
            s_client(&target("a.test"), address, None, Some(ProtocolVersion::TLS1_2)),
            "openssl s_client -connect 127.0.0.1:8443 -noservername -tls1_2 </dev/null"
        );
        assert_eq!(
            with_own_name(&target("a.test"), None),
            "openssl s_client -connect a.test:443 -servername a.test </dev/null"
        );
    }

    #[test]
    fn whatever_a_shell_would_read_is_quoted() {
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's;rm"), r"'it'\''s;rm'");
        assert_eq!(quote("[::1]:443"), "[::1]:443");
        assert_eq!(quote(""), "''");
    }
}
