//! Commands that show a fault without this program: `openssl s_client`, `curl` and `getent`.

use std::borrow::Cow;
use std::net::SocketAddr;

use crate::nginx::kubernetes::material;
use crate::nginx::upstream::ProxyModule;
use crate::targets::address::host_port;
use crate::targets::nginx_client::NginxClient;
use crate::targets::passwords::PasswordPlace;
use crate::targets::{ClientIdentity, Roots, StartTls, Target};
use crate::tls::version::ProtocolVersion;

/// An `openssl s_client` command that is being built.
///
/// Since OpenSSL 1.1.1, `s_client` sends the host name by default, so a hello without a name needs `-noservername`.
#[derive(Debug)]
pub struct SClient<'a> {
    target: &'a Target,
    words: Vec<Cow<'a, str>>,
    input: Input,
    /// A shell variable with the password of the key, and the commands that print it.
    password: Option<String>,
    /// Files that OpenSSL reads as the trusted one, if there are several: certificates and revocation lists.
    piped: Vec<Cow<'a, str>>,
}

/// The input of a command, which determines how long it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// None: it exits after the handshake.
    Nothing,
    /// None, but it runs long enough to show what follows the handshake.
    Silence,
    /// A request for `/`; it waits for the answer.
    Request,
}

impl<'a> SClient<'a> {
    /// A connection to that address of the target, or to its host name, with this SNI or none.
    pub fn new(target: &'a Target, address: Option<SocketAddr>, sni: Option<&'a str>) -> Self {
        let path = target.endpoint().and_then(|(host, _)| host.unix_path());
        let there = || address.map_or_else(|| place(target), |address| address.to_string());
        let words = path.map_or_else(
            || vec!["-connect".into(), there().into()],
            |path| vec!["-unix".into(), path.into()],
        );
        let call = Self { target, words, input: Input::Nothing, password: None, piped: Vec::new() };
        // OpenSSL speaks QUIC since 3.2.
        let call = if target.quic { call.flag("-quic").option("-alpn", "h3") } else { call };
        match sni {
            Some(name) => call.option("-servername", name),
            None => call.flag("-noservername"),
        }
    }

    /// The same with only this version. OpenSSL 3 supports versions before TLS 1.2 only at security level 0.
    #[must_use]
    pub fn version(self, version: ProtocolVersion) -> Self {
        match version_option(version) {
            None => self,
            Some(option) if version < ProtocolVersion::TLS1_2 => {
                self.flag(option).option("-cipher", "DEFAULT:@SECLEVEL=0")
            }
            Some(option) => self.flag(option),
        }
    }

    /// The same with an option without a value.
    #[must_use]
    pub fn flag(mut self, name: &'static str) -> Self {
        self.words.push(name.into());
        self
    }

    /// The same with an option and its value.
    #[must_use]
    pub fn option(self, name: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        let mut call = self.flag(name);
        call.words.push(value.into());
        call
    }

    /// The same with an HTTP request after the handshake.
    #[must_use]
    pub fn request(mut self) -> Self {
        self.input = Input::Request;
        self.flag("-quiet")
    }

    /// The same, waiting for what the server does after the handshake.
    #[must_use]
    pub fn wait(mut self) -> Self {
        self.input = Input::Silence;
        self
    }

    /// The same with the password of the key. OpenSSL itself takes the first line of a file.
    fn password(mut self, place: &PasswordPlace) -> Self {
        let file = place.file.to_string_lossy();
        if place.line == 1 && !place.ends_with_cr {
            return self.option("-pass", format!("file:{file}"));
        }
        let line = format!("sed -n {}p {} | tr -d '\\r'", place.line, quote(&file));
        self.password = Some(format!("KEY_PASSWORD=\"$({line})\""));
        self.option("-pass", "env:KEY_PASSWORD")
    }

    /// The command line.
    pub fn command(self) -> String {
        let identity = self.target.client_identity.as_deref();
        self.command_as(identity)
    }

    /// The command line of a client that presents this certificate, or none.
    fn command_as(mut self, identity: Option<&'a ClientIdentity>) -> String {
        if let Some(protocol) = self.target.starttls {
            self = self.option("-starttls", protocol.name());
            if matches!(protocol, StartTls::Xmpp | StartTls::XmppServer)
                && let Some(domain) = self.target.known_as()
            {
                self = self.option("-xmpphost", domain.to_string());
            }
        }
        if let Some(identity) = identity {
            let file = identity.certificate_file.to_string_lossy();
            self = self
                .option("-cert", file.clone())
                .option("-key", identity.key_file.to_string_lossy());
            if let Some(place) = &identity.password {
                self = self.password(place);
            }
            // `-cert` alone reads only the first certificate of the file.
            if identity.chain.len() > 1 {
                self = self.option("-cert_chain", file);
            }
        }
        let words: Vec<Cow<'_, str>> = self.words.iter().map(|word| quote(word)).collect();
        let before = self.password.map(|set| format!("{set} ")).unwrap_or_default();
        let call = format!("{before}openssl s_client {}", words.join(" "));
        match self.input {
            Input::Nothing if !self.piped.is_empty() => {
                let files: Vec<Cow<'_, str>> = self.piped.iter().map(|file| quote(file)).collect();
                format!("cat {} | {call}", files.join(" "))
            }
            Input::Nothing => format!("{call} </dev/null"),
            Input::Silence => format!("sleep 2 | {call}"),
            Input::Request => {
                let host = self
                    .target
                    .known_as()
                    .map_or_else(|| "localhost".to_owned(), |host| host.to_string());
                let host = quote(&host);
                format!(r"printf 'GET / HTTP/1.0\r\nHost: %s\r\n\r\n' {host} | {call}")
            }
        }
    }
}

/// The connection of one handshake.
pub fn s_client(
    target: &Target,
    address: Option<SocketAddr>,
    sni: Option<&str>,
    version: Option<ProtocolVersion>,
) -> String {
    let call = SClient::new(target, address, sni);
    match version {
        Some(version) => call.version(version).command(),
        None => call.command(),
    }
}

/// The handshake as nginx makes it: its versions, ciphers, certificate and verification. It fails if nginx's fails.
/// Failures after the handshake only show with a request.
pub fn as_nginx<'a>(
    target: &'a Target,
    address: Option<SocketAddr>,
    client: &'a NginxClient,
    requests: bool,
) -> String {
    const OPTIONS: [(ProtocolVersion, &str); 4] = [
        (ProtocolVersion::TLS1, "-no_tls1"),
        (ProtocolVersion::TLS1_1, "-no_tls1_1"),
        (ProtocolVersion::TLS1_2, "-no_tls1_2"),
        (ProtocolVersion::TLS1_3, "-no_tls1_3"),
    ];
    let mut call = SClient::new(target, address, client.sni());
    let offered = client.versions();
    for (version, option) in OPTIONS {
        if !offered.contains(&version) {
            call = call.flag(option);
        }
    }
    if client.ciphers != "DEFAULT" {
        call = call.option("-cipher", client.ciphers.as_str());
    }
    if client.verify {
        let trusted = client.trusted.as_ref().map(|trusted| trusted.path.to_string_lossy());
        match (trusted, client.crl.as_ref()) {
            // `-CRL` reads only the first list of a file.
            (Some(trusted), Some(crl)) if !requests => {
                call = call.option("-CAfile", "/dev/stdin").flag("-crl_check");
                call = call.flag("-crl_check_all");
                call.piped = vec![trusted, crl.to_string_lossy()];
            }
            (Some(trusted), _) => call = call.option("-CAfile", trusted),
            (None, _) => {}
        }
        call = call
            .option("-verify_depth", client.verify_depth.to_string())
            .option("-verify_hostname", client.name.as_str())
            .flag("-verify_return_error");
    }
    if requests {
        call = call.request();
    }
    call.command_as(client.identity.as_deref())
}

/// nginx's request in plain text; `None` if it is not HTTP.
pub fn in_plain_text(client: &NginxClient, address: SocketAddr) -> Option<String> {
    let request = client.request.as_ref().filter(|_| client.module == ProxyModule::Proxy)?;
    let (host, path) = (format!("Host: {}", request.host), &request.path);
    let url = format!("http://{address}{path}");
    Some(format!("curl -sSi -H {} {}", quote(&host), quote(&url)))
}

/// The same with the target's own name and any version.
pub fn with_own_name(target: &Target, address: Option<SocketAddr>) -> String {
    own(target, address).command()
}

/// The same with a request, or with a wait if the protocol is not HTTP from the first byte, to show what the server
/// does after the handshake.
pub fn with_what_follows(target: &Target, address: Option<SocketAddr>, http: bool) -> String {
    let call = own(target, address);
    if http { call.request().command() } else { call.wait().command() }
}

/// A second connection that resumes the session of the first. `-reconnect` exits before a TLS 1.3 server sends its
/// tickets.
pub fn resume(target: &Target, address: Option<SocketAddr>, version: ProtocolVersion) -> String {
    let call = || own(target, address).version(version);
    if version != ProtocolVersion::TLS1_3 {
        return call().flag("-reconnect").command();
    }
    let [first, second] =
        ["-sess_out", "-sess_in"].map(|option| call().option(option, "session.pem"));
    format!("{}; {}", first.wait().command(), second.command())
}

/// Several connections, one after another, to show changes between them.
pub fn one_after_another(target: &Target, address: Option<SocketAddr>) -> String {
    format!("for n in 1 2 3 4 5 6; do {}; done", with_own_name(target, address))
}

/// Several concurrent connections.
pub fn at_once(target: &Target, address: Option<SocketAddr>) -> String {
    format!("for n in 1 2 3 4; do {} & done; wait", own(target, address).wait().command())
}

/// The certificates that a server sends, and OpenSSL's verdict on them.
pub fn show_chain(target: &Target, address: Option<SocketAddr>) -> String {
    let call = own(target, address).flag("-showcerts");
    match &target.trust.roots {
        Roots::File(path) => call.option("-CAfile", path.to_string_lossy()).command(),
        Roots::Mozilla | Roots::Native => call.command(),
    }
}

/// A request of a verifying client; `None` if the protocol is not HTTP from the first byte.
pub fn curl(target: &Target, address: Option<SocketAddr>) -> Option<String> {
    if target.starttls.is_some() {
        return None;
    }
    let name = target.required_names().next()?;
    let port = target.port()?;
    let mut words = vec![Cow::from("curl"), "-sSI".into()];
    let unix = target.endpoint().and_then(|(host, _)| host.unix_path());
    if let Some(path) = unix {
        words.extend(["--unix-socket".into(), path.into()]);
    } else if let Some(address) = address {
        words.extend(["--connect-to".into(), format!("::{address}").into()]);
    }
    if let Roots::File(path) = &target.trust.roots {
        words.extend(["--cacert".into(), path.to_string_lossy()]);
    }
    let place = match unix {
        Some(_) => name.to_string(),
        None => host_port(&name, port).to_string(),
    };
    words.push(format!("https://{place}/").into());
    let words: Vec<Cow<'_, str>> = words.iter().map(|word| quote(word)).collect();
    Some(words.join(" "))
}

fn own(target: &Target, address: Option<SocketAddr>) -> SClient<'_> {
    SClient::new(target, address, target.server_name.as_deref())
}

/// The dates and names of the certificate that a server sends.
pub fn show_leaf(target: &Target, address: Option<SocketAddr>) -> String {
    leaf_of(&with_own_name(target, address), "-ext subjectAltName")
}

/// The dates of the certificate that a connection shows, and the output of these options of `openssl x509`.
pub fn leaf_of(connection: &str, options: &str) -> String {
    format!("{connection} 2>/dev/null | openssl x509 -noout -subject -issuer -dates {options}")
}

/// The OCSP response that a server staples, as text.
pub fn show_staple(target: &Target, address: Option<SocketAddr>) -> String {
    with_own_name(target, address).replace("openssl s_client", "openssl s_client -status")
}

/// The certificates in a file, as text.
pub fn show_file(path: &str) -> String {
    format!(
        "openssl crl2pkcs7 -nocrl -certfile {} | openssl pkcs7 -print_certs -text -noout",
        quote(path)
    )
}

/// A lookup as nginx makes it when it starts.
pub fn resolve(target: &Target) -> String {
    format!("getent ahosts {}", quote(&looked_up(target)))
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

/// This program's own probe of an upstream with another server name, which `NAME` stands for.
pub fn probe_with_name(host: &str, address: SocketAddr) -> String {
    let host = quote(host);
    format!("shakedown probe --as-nginx --proxy-pass {host} --server-name NAME {address}")
}

/// A word quoted for a POSIX shell, and for zsh, which reads `[::1]` as a pattern. Words that need no quotes get none,
/// to keep commands readable. A file that is in a Secret is printed by a command of its own.
fn quote(word: &str) -> Cow<'_, str> {
    if let Some(command) = material::command(word) {
        return Cow::Owned(format!("<({command})"));
    }
    // A command line cannot contain a NUL.
    shlex::try_quote(word).unwrap_or(Cow::Borrowed("''"))
}

/// The host to look up for the target; its name if no connection is made.
pub fn looked_up(target: &Target) -> String {
    target.endpoint().map_or_else(|| target.name.clone(), |(host, _)| host.to_string())
}

/// The address that a connection to the target is made to.
fn place(target: &Target) -> String {
    let place = target.endpoint().map(|(host, port)| host_port(host, port).to_string());
    place.unwrap_or_else(|| target.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::options::Options;

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
    fn old_versions_need_the_security_level_lowered() {
        let target = target("a.test");
        let command = s_client(&target, None, Some("a.test"), Some(ProtocolVersion::TLS1));
        assert!(command.contains(" -tls1 -cipher 'DEFAULT:@SECLEVEL=0' "), "{command}");
    }

    #[test]
    fn curl_connects_to_the_very_address() {
        let mut target = target("a.test:8443");
        let address = "[::1]:8443".parse().ok();
        assert_eq!(
            curl(&target, address).unwrap(),
            "curl -sSI --connect-to '::[::1]:8443' https://a.test:8443/"
        );
        target.starttls = Some(StartTls::Smtp);
        assert_eq!(curl(&target, address), None);
    }

    #[test]
    fn whatever_a_shell_would_read_is_quoted() {
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(shlex::split(&quote("it's;rm")).unwrap(), ["it's;rm"]);
        assert_eq!(quote("[::1]:443"), "'[::1]:443'");
        assert_eq!(quote(""), "''");
        assert_eq!(
            quote("secret:shop/ca:ca.crt"),
            r#"<(kubectl get secret -n shop ca -o go-template='{{index .data "ca.crt" | base64decode}}')"#
        );
        assert_eq!(quote("secret:shop/a b"), "'secret:shop/a b'");
    }
}
