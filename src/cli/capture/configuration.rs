//! `--nginx`: the configuration of the servers in a capture.

use std::collections::BTreeMap;
use std::path::Path;

use crate::capture::configured::Configured;
use crate::certificate::Certificate;
use crate::certificate::key::KeyType;
use crate::cli::args::ReleaseArgs;
use crate::cli::errors::{UsageError, warn};
use crate::cli::installed::{self, ConfigurationPlace, JudgedNginx};
use crate::cli::nginx::source::Configuration;
use crate::nginx::kubernetes::material::SecretFiles;
use crate::nginx::listener::{Listener, Material};
use crate::nginx::rehearsal::tcp_sockets;
use crate::nginx::variable::Variables;
use crate::targets::identity::read_certificates;
use crate::tls::suite::Authentication;

/// The most problems of a configuration that are shown.
const MAX_PROBLEMS: usize = 5;

/// Reads a configuration, and the certificates that it names as far as they can be read.
pub(super) fn read(path: &Path, release: &ReleaseArgs) -> anyhow::Result<Configured> {
    let mut configuration = Configuration::read(path, None, (&Variables::default(), None))?;
    configuration.provide_files(SecretFiles::new());
    let nginx = nginx_of(&configuration, release)?;
    configuration.check_readable()?;
    if configuration.listeners.is_empty() {
        return Err(UsageError::new(
            format!("{} has no TLS socket", configuration.name),
            "give the configuration of the nginx that the clients connect to",
        ));
    }
    let problems = configuration.tree.iter().flat_map(|tree| &tree.problems);
    for problem in problems.take(MAX_PROBLEMS) {
        warn(&format!("{}: {problem}", configuration.name));
    }
    let sockets = configuration.tree.as_ref().map(tcp_sockets).unwrap_or_default();
    let keys = keys(&configuration.listeners);
    let (listeners, upstreams) = (configuration.listeners, configuration.upstreams);
    let (release, system) = (nginx.version, nginx.system.commands);
    Ok(Configured { listeners, sockets, upstreams, release, system, keys })
}

/// The nginx as it was given, or that of this machine.
fn nginx_of(configuration: &Configuration, release: &ReleaseArgs) -> anyhow::Result<JudgedNginx> {
    let named = release.openssl_conf.as_deref();
    let here = configuration.place_here().map(ConfigurationPlace::Here);
    if let Some(binary) = &release.nginx_binary {
        let place = here.filter(|_| !release.no_detect);
        return Ok(JudgedNginx::named(&installed::build(binary)?, place, named));
    }
    let is_given = release.nginx_version.is_some() || release.no_detect;
    Ok(match here.filter(|_| !is_given) {
        Some(place) => JudgedNginx::detect(place, named),
        None => JudgedNginx::given(release),
    })
}

/// The kinds of keys in the certificate files.
fn keys(listeners: &[Listener]) -> BTreeMap<String, Authentication> {
    let servers = listeners.iter().flat_map(|listener| &listener.servers);
    let pairs = servers.flat_map(|server| &server.ssl.certificates);
    let mut keys = BTreeMap::new();
    for pair in pairs {
        let Material::File(name) = &pair.certificate.value else { continue };
        if keys.contains_key(name) {
            continue;
        }
        keys.extend(key(Path::new(name)).map(|kind| (name.clone(), kind)));
    }
    keys
}

fn key(path: &Path) -> Option<Authentication> {
    let certificates = read_certificates(path).ok()?;
    let leaf = Certificate::parse(certificates.first()?).ok()?;
    match leaf.public_key.key_type {
        KeyType::Rsa => Some(Authentication::Rsa),
        KeyType::Ec(_) | KeyType::Ed25519 | KeyType::Ed448 => Some(Authentication::Ecdsa),
        _ => None,
    }
}
