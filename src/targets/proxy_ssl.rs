//! Makes an [`NginxClient`] from nginx's `*_ssl_*` directives: resolves every default and reads every file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::address::host_port;
use super::identity::{read_file, read_identity};
use super::nginx_client::{NginxClient, NginxRequest, Trusted, usual_library};
use super::openssl_conf::{system_commands, with_profile};
use super::{ClientIdentity, Host, Roots, Target, Trust, trust};
use crate::certificate::crl::RevocationLists;
use crate::certificate::file::mentions_certificate;
use crate::nginx::defaults::{NginxRelease, protocols_of};
use crate::nginx::inherit::Set;
use crate::nginx::upstream::{ProxyModule, ProxySsl, Text, without_port};
use crate::openssl::release::OpensslRelease;

/// nginx as the client, described without a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsNginx {
    /// The host in `proxy_pass`, if it is not the target's host: the name of an `upstream` block.
    pub pass: Option<String>,
    /// The directives.
    pub ssl: ProxySsl,
    /// nginx's release.
    pub version: Option<NginxRelease>,
    /// The TLS library that nginx runs with.
    pub library: Option<OpensslRelease>,
    /// The configuration file that the library reads, if it is not one without effect.
    pub openssl_conf: Option<PathBuf>,
    /// Whether only the handshake is made, without nginx's request.
    pub no_request: bool,
}

/// Why nginx would not start with these directives, or why they cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AsNginxError {
    /// Verification without trusted certificates.
    #[error("proxy_ssl_verify without proxy_ssl_trusted_certificate: nginx does not start")]
    NothingTrusted,
    /// A certificate without a key, which nginx requires.
    #[error("proxy_ssl_certificate without proxy_ssl_certificate_key: nginx does not start")]
    NoKey,
    /// A file cannot be used.
    #[error("{0}")]
    Unread(String),
}

/// nginx's name for the host of a unix socket (`$proxy_host`).
pub const OF_UNIX_SOCKET: &str = "localhost";

impl AsNginx {
    /// nginx with these directives, connecting to `host`; the files are read.
    pub fn client(&self, host: &str) -> Result<NginxClient, AsNginxError> {
        let ssl = &self.ssl;
        if ssl.verifies() && ssl.trusted_certificate.is_none() {
            return Err(AsNginxError::NothingTrusted);
        }
        if ssl.certificate.is_some() && ssl.certificate_key.is_none() {
            return Err(AsNginxError::NoKey);
        }
        let pass = self.pass.as_deref().unwrap_or(host);
        let name = ssl.name.as_ref().map_or(pass, |name| &name.written);
        let mut files = DirectiveFiles::default();
        let file = self.openssl_conf.as_ref().map(|file| file.display().to_string());
        let system = file.map(|file| system_commands(&file, None, self.version)).transpose();
        let system = system.map_err(AsNginxError::Unread)?.unwrap_or_default();
        let build = ClientBuild { version: self.version, library: self.library, system: &system };
        let mut client = client(ssl, ProxyModule::Proxy, without_port(name), build, &mut files);
        if let Some(set) = ssl.trusted_certificate.as_ref().filter(|_| !client.verify) {
            client.trusted = Some(files.trusted(set).map_err(AsNginxError::Unread)?);
        }
        let unread = [&client.trusted_unread, &client.lists_unread, &client.identity_unread];
        let unread = unread.into_iter().flatten().next().cloned();
        unread.map_or(Ok(client), |reason| Err(AsNginxError::Unread(reason)))
    }

    /// The request that nginx makes with its default Host and of the root path, which are both assumed; `None` if it is
    /// switched off, or nginx would not speak HTTP there.
    pub fn request(&self, target: &Target) -> Option<NginxRequest> {
        if self.no_request || target.starttls.is_some() {
            return None;
        }
        let known = match target.host().and_then(Host::unix_path) {
            Some(_) => OF_UNIX_SOCKET.to_owned(),
            None => host_port(&target.known_as()?, target.port()?).to_string(),
        };
        let written = self.pass.as_ref().unwrap_or(&known);
        // $proxy_host
        let host = written.strip_suffix(":443").unwrap_or(written);
        let plain = host.bytes().all(|byte| byte.is_ascii_graphic());
        plain.then(|| NginxRequest { assumed: true, ..NginxRequest::get(host, "/") })
    }
}

/// The files that directives name, each read once.
#[derive(Default)]
pub(super) struct DirectiveFiles<'a> {
    /// Prefix of every name, if the configuration is for another root folder.
    pub(super) root: Option<&'a Path>,
    trusted: HashMap<String, Result<Trusted, String>>,
    lists: HashMap<String, Result<Arc<RevocationLists>, String>>,
    identities: HashMap<[String; 3], Result<Arc<ClientIdentity>, String>>,
}

impl<'a> DirectiveFiles<'a> {
    pub(super) fn below(root: Option<&'a Path>) -> Self {
        Self { root, ..Self::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        super::disk::below(self.root, name)
    }

    fn trusted(&mut self, name: &str) -> Result<Trusted, String> {
        let path = self.path(name);
        let read = || {
            let wanted = Trust { roots: Roots::File(path), additional: Vec::new() };
            let store = trust::load(&wanted).map_err(|error| error.to_string())?;
            Ok(Trusted { path: PathBuf::from(name), store: Arc::new(store) })
        };
        self.trusted.entry(name.to_owned()).or_insert_with(read).clone()
    }

    /// The revocation lists that nginx loads. Before nginx 1.27.2, OpenSSL read both files: lists in the one of trusted
    /// certificates count too, and certificates among the lists are trusted.
    fn lists(
        &mut self,
        crl: Option<&Set<String>>,
        trusted: Option<&Set<String>>,
        release: NginxRelease,
    ) -> Result<Arc<RevocationLists>, String> {
        let by_library = release < NginxRelease::new(1, 27, 2);
        let Some(crl) = crl else { return Ok(Arc::default()) };
        let found = self.lists_of(crl, by_library)?;
        let more = trusted.filter(|_| by_library);
        let more = more.map(|set| self.lists_of(set, false)).transpose()?;
        Ok(match more {
            Some(more) if !more.0.is_empty() => {
                Arc::new(RevocationLists(found.0.iter().chain(&more.0).cloned().collect()))
            }
            _ => found,
        })
    }

    /// The client certificate, with the file of passwords for its key, or an empty name.
    fn identity(&mut self, names: [&str; 3]) -> Result<Arc<ClientIdentity>, String> {
        let [certificate, key, passwords] = names.map(|name| self.path(name));
        let passwords = Some(&*passwords).filter(|_| !names[2].is_empty());
        let read = || match read_identity(&certificate, &key, passwords) {
            Ok(identity) => Ok(Arc::new(identity)),
            Err(error) => Err(error.to_string()),
        };
        self.identities.entry(names.map(str::to_owned)).or_insert_with(read).clone()
    }

    fn lists_of(&mut self, name: &str, alone: bool) -> Result<Arc<RevocationLists>, String> {
        let path = self.path(name);
        let read = || {
            let bytes = read_file(&path).map_err(|error| error.to_string())?;
            if alone && mentions_certificate(&bytes) {
                return Err(format!("{name} has certificates beside revocation lists"));
            }
            let lists = RevocationLists::read(&bytes).map_err(|why| format!("{name}: {why}"))?;
            Ok(Arc::new(lists))
        };
        self.lists.entry(name.to_owned()).or_insert_with(read).clone()
    }
}

/// The nginx that has the settings, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientBuild<'a> {
    /// Its release.
    pub(super) version: Option<NginxRelease>,
    /// Its OpenSSL.
    pub(super) library: Option<OpensslRelease>,
    /// The commands of OpenSSL's configuration.
    pub(super) system: &'a [String],
}

/// nginx with these settings, as the client of a host with this name.
pub(super) fn client(
    ssl: &ProxySsl,
    module: ProxyModule,
    name: &str,
    ClientBuild { version, library, system }: ClientBuild<'_>,
    files: &mut DirectiveFiles<'_>,
) -> NginxClient {
    let command =
        |(name, value): &(String, String)| format!("{name} {value}").trim_end().to_owned();
    let mut client = NginxClient {
        module,
        version,
        library: library.unwrap_or_else(|| usual_library(version)),
        server_name: ssl.sends_name(),
        protocols: ssl.protocols.as_ref().map(|set| protocols_of(set)),
        ciphers: with_profile(ssl.cipher_list(), files.root),
        system_commands: system.to_vec(),
        verify: ssl.verifies(),
        verify_depth: usize::try_from(ssl.depth()).unwrap_or(usize::MAX),
        crl: ssl.crl.as_ref().filter(|set| !set.is_empty()).map(|set| files.path(set)),
        alpn: alpn(module, ssl),
        conf_commands: ssl.conf_command.iter().map(|set| command(&set.value)).collect(),
        ..NginxClient::new(name)
    };
    // nginx reads the file only if it verifies.
    if let Some(set) = ssl.trusted_certificate.as_ref().filter(|_| client.verify) {
        match files.trusted(set) {
            Ok(trusted) => client.trusted = Some(trusted),
            Err(reason) => client.trusted_unread = Some(reason),
        }
    }
    if client.crl.is_some() {
        let also = ssl.trusted_certificate.as_ref();
        match files.lists(ssl.crl.as_ref(), also, client.release()) {
            Ok(lists) => client.lists = Some(lists),
            Err(reason) => client.lists_unread = Some(reason),
        }
    }
    let mut certificate = material(ssl.certificate.as_ref());
    let mut key = material(ssl.certificate_key.as_ref());
    // Commands are applied last.
    let of = |name: &str| {
        let mut all = ssl.conf_command.iter().rev().map(|set| &set.value);
        all.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, file)| file.as_str())
    };
    if let (Some(file), Some(of_key)) = (of("Certificate"), of("PrivateKey")) {
        (certificate, key) = (Ok(Some(file)), Ok(Some(of_key)));
    }
    match (certificate, key) {
        (Ok(Some(certificate)), Ok(Some(key))) => {
            let passwords = ssl.password_file.as_ref().map(|set| &*set.value).unwrap_or_default();
            match files.identity([certificate, key, passwords]) {
                Ok(identity) => client.identity = Some(identity),
                Err(reason) => client.identity_unread = Some(reason),
            }
        }
        // It matters only if the server asks for a certificate.
        (Err(reason), _) | (_, Err(reason)) => client.identity_unread = Some(reason),
        _ => {}
    }
    client
}

/// The name of a file, if set; an empty one is not a file.
fn material(set: Option<&Set<Text>>) -> Result<Option<&str>, String> {
    match set.map(|set| &set.value.value) {
        None => Ok(None),
        Some(Ok(path)) => Ok(Some(&**path).filter(|path| !path.is_empty())),
        Some(Err(reason)) => Err(reason.to_string()),
    }
}

fn alpn(module: ProxyModule, ssl: &ProxySsl) -> Vec<String> {
    let h2 = || vec!["h2".to_owned()];
    match module {
        ProxyModule::Grpc => h2(),
        ProxyModule::Proxy if ssl.http_version.as_ref().is_some_and(|set| set.value == "2") => h2(),
        ProxyModule::Stream => {
            // A variable contains what each client requested, which may be nothing.
            let words = ssl.alpn.iter().flat_map(|set| &set.value);
            words.filter(|word| !word.contains('$')).cloned().collect()
        }
        ProxyModule::Proxy | ProxyModule::Uwsgi => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(ssl: ProxySsl) -> AsNginx {
        AsNginx { ssl, ..AsNginx::default() }
    }

    #[test]
    fn what_nginx_would_not_start_with_is_refused() {
        let verify = ProxySsl { verify: Some(Set::given(true)), ..ProxySsl::default() };
        assert!(matches!(with(verify).client("a.test"), Err(AsNginxError::NothingTrusted)));
        let certificate = Some(Set::given(Text::plain("a.pem".to_owned())));
        let keyless = ProxySsl { certificate, ..ProxySsl::default() };
        assert!(matches!(with(keyless).client("a.test"), Err(AsNginxError::NoKey)));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_even_where_nginx_would_not_read_it() {
        let trusted_certificate = Some(Set::given("/nonexistent/ca.pem".to_owned()));
        let unverified = ProxySsl { trusted_certificate, ..ProxySsl::default() };
        assert!(matches!(with(unverified).client("a.test"), Err(AsNginxError::Unread(_))));
    }

    #[test]
    fn the_name_is_that_of_the_pass_unless_one_is_set() {
        let named = |options: AsNginx| options.client("10.0.0.1").unwrap().name;
        assert_eq!(named(AsNginx::default()), "10.0.0.1");
        let pass = AsNginx { pass: Some("backend:8443".into()), ..AsNginx::default() };
        assert_eq!(named(pass.clone()), "backend");
        let name = Some(Set::given(Text::plain("a.test".to_owned())));
        assert_eq!(named(AsNginx { ssl: ProxySsl { name, ..pass.ssl }, ..pass }), "a.test");
    }
}
