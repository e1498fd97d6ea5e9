//! The nginx of this machine that a configuration belongs to: its release and its TLS library.

mod binary;
mod command_line;
mod openssl_config;
mod running;
mod safe;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::anyhow;

pub(in crate::cli) use self::openssl_config::SystemDefaults;
pub(in crate::cli) use self::running::{Master, StartTime};
use self::safe::is_safe;
use super::args::ReleaseArgs;
use super::errors::{note, warn};
use crate::nginx::build::{Build, FREENGINX, Flavour};
use crate::nginx::defaults::NginxRelease;
use crate::openssl::library::TlsLibrary;
use crate::openssl::release::OpensslRelease;
use crate::targets::disk::below;

/// The nginx that a configuration is judged as.
#[derive(Clone, Debug, Default)]
pub(super) struct JudgedNginx {
    /// Its release, if known.
    pub(super) version: Option<NginxRelease>,
    /// Its OpenSSL, if known.
    pub(super) library: Option<OpensslRelease>,
    /// Its TLS library, if that is not OpenSSL: what it offers and accepts is not known here.
    pub(super) foreign: Option<String>,
    /// The master that runs the configuration.
    pub(super) master: Option<Master>,
    /// What the configuration of its OpenSSL sets for every connection.
    pub(super) system: SystemDefaults,
}

/// Where a configuration is.
#[derive(Clone, Copy, Debug)]
pub(super) enum ConfigurationPlace<'a> {
    /// This main file of this machine.
    Here(&'a Path),
    /// This main file below a root folder.
    Below(&'a Path, &'a str),
}

impl ConfigurationPlace<'_> {
    /// The master that runs this configuration.
    fn master_of(self, masters: &[Master]) -> Option<&Master> {
        let real = match self {
            Self::Here(main) => main.to_owned(),
            Self::Below(root, main) => below(Some(root), main),
        };
        let metadata = fs::metadata(real).ok()?;
        // While nginx is upgraded there are two, and the later one will remain.
        masters
            .iter()
            .filter(|one| one.runs(&metadata))
            .max_by_key(|one| one.loaded.map(|(_, since)| since))
    }

    fn root(&self) -> Option<&Path> {
        match self {
            Self::Here(_) => None,
            Self::Below(root, _) => Some(root),
        }
    }
}

impl JudgedNginx {
    /// The nginx of a build that the user names, with the configuration of OpenSSL that the running master of this
    /// configuration has.
    pub(super) fn named(
        build: &Build,
        place: Option<ConfigurationPlace<'_>>,
        openssl_conf: Option<&Path>,
    ) -> Self {
        let masters = place.map(|_| running::masters()).unwrap_or_default();
        let master = place.and_then(|place| place.master_of(&masters));
        let root = place.as_ref().and_then(ConfigurationPlace::root);
        let system = openssl_config::defaults(openssl_conf, Some(build), master, root);
        Self { system, ..Self::of_build(build) }
    }

    /// The nginx of a build.
    fn of_build(build: &Build) -> Self {
        let named = build.library.as_deref();
        Self { version: Some(build.version), ..Self::default() }.with_library(named)
    }

    fn with_library(self, named: Option<&str>) -> Self {
        let Some(named) = named else { return self };
        match TlsLibrary::of(named) {
            TlsLibrary::Unknown => {
                warn(&format!("unknown TLS library {named}; treating it as OpenSSL"));
                self
            }
            known => {
                let library = known.openssl();
                Self { library, foreign: library.is_none().then(|| named.to_owned()), ..self }
            }
        }
    }

    /// The nginx that runs the configuration, or else the one that is installed; says which on stderr.
    /// `openssl_conf` is the configuration file of its OpenSSL, if the user named it.
    pub(super) fn detect(place: ConfigurationPlace<'_>, openssl_conf: Option<&Path>) -> Self {
        let masters = running::masters();
        let own = place.master_of(&masters);
        if let Some(judged) = own.and_then(|master| Self::of_master(master, &masters, openssl_conf))
        {
            return judged;
        }
        let (build, where_) = match place {
            ConfigurationPlace::Here(_) => {
                let Some(binary) = find() else { return Self::default() };
                let Ok(build) = build(&binary) else { return Self::default() };
                (build, format!("{} is installed here", binary.display()))
            }
            ConfigurationPlace::Below(root, _) => {
                let Some((build, path)) = binary::below_root(root, &USUAL) else {
                    return Self::default();
                };
                (build, format!("{path} is in the root folder"))
            }
        };
        let system = openssl_config::defaults(openssl_conf, Some(&build), None, place.root());
        let judged = Self { system, ..Self::of_build(&build) };
        let mut running: Vec<String> = masters.iter().map(named).collect();
        running.sort();
        let others = match running.as_slice() {
            [] => String::new(),
            all => format!(" (running: {})", shortened(all)),
        };
        let why = format!("{where_}, and no running master has this configuration{others}");
        judged.announce(&build, build.library.as_deref(), &why);
        judged
    }

    fn of_master(master: &Master, all: &[Master], openssl_conf: Option<&Path>) -> Option<Self> {
        // Of another user's process not everything can be read. What this user runs must not be that user's choice.
        let asked = || build(Some(&master.binary).filter(|path| is_safe(path))?).ok();
        let build = master.build.clone().or_else(asked)?;
        let loaded = master.library.as_ref();
        let library = match loaded {
            Some(library) => library.text.clone(),
            None => asked().and_then(|build| build.library),
        };
        let system = openssl_config::defaults(openssl_conf, Some(&build), Some(master), None);
        let judged = Self { version: Some(build.version), system, ..Self::default() };
        let judged =
            Self { master: Some(master.clone()), ..judged.with_library(library.as_deref()) };
        let mut why =
            format!("master process {} ({}) runs it", master.pid, master.binary.display());
        let others: Vec<String> =
            all.iter().filter(|one| one.pid != master.pid).map(named).collect();
        if !others.is_empty() {
            why = format!("{why}; other masters: {}", shortened(&others));
        }
        judged.announce(&build, library.as_deref(), &why);
        Some(judged)
    }

    /// Says on stderr what the configuration is judged as.
    fn announce(&self, build: &Build, library: Option<&str>, why: &str) {
        let library = library.map_or_else(String::new, |library| format!(" with {library}"));
        let SystemDefaults { file, commands, .. } = &self.system;
        let why = match commands.join(", ") {
            all if all.is_empty() => why.to_owned(),
            all => format!("{why}; {file} sets {all}"),
        };
        note(&format!(
            "judged as {build}{library}: {why}; --nginx-version, --openssl-version and --no-detect override this"
        ));
        if let Some(foreign) = &self.foreign {
            warn(&format!(
                "{foreign} is not OpenSSL, and what it offers and accepts is not known here: upstreams cannot be \
                 tested; --openssl-version judges them as with OpenSSL"
            ));
        }
        if build.flavour == Flavour::Freenginx {
            warn(&format!(
                "freenginx is judged as nginx {FREENGINX}, which it was made from; its own changes since are not known here"
            ));
        }
    }
}

/// The most masters that a sentence names.
const MAX_NAMED: usize = 5;

fn named(master: &Master) -> String {
    let file = master.configuration.as_deref().unwrap_or("unknown configuration");
    format!("{} ({file})", master.pid)
}

fn shortened(names: &[String]) -> String {
    let shown = names.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl JudgedNginx {
    /// The nginx that the user describes instead.
    pub(super) fn given(release: &ReleaseArgs) -> Self {
        let ReleaseArgs { nginx_version: version, openssl_version: library, .. } = *release;
        let named = release.openssl_conf.as_deref();
        let system = named.map(|named| openssl_config::named(named, version));
        Self { version, library, system: system.unwrap_or_default(), ..Self::default() }
    }
}

/// The build of this nginx, from `-V`.
pub(super) fn build(binary: &Path) -> anyhow::Result<Build> {
    let output = Command::new(binary)
        .arg("-V")
        .output()
        .map_err(|error| anyhow!("cannot run {}: {error}", binary.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    Build::read(&said)
        .ok_or_else(|| anyhow!("{} -V does not print a release of nginx", binary.display()))
}

/// Where packages and `make install` put nginx and what is made from it, as it may not be in an ordinary user's PATH.
const USUAL: [&str; 9] = [
    "/usr/sbin/nginx",
    "/usr/local/sbin/nginx",
    "/usr/local/nginx/sbin/nginx",
    "/usr/local/openresty/nginx/sbin/nginx",
    "/usr/sbin/angie",
    "/usr/local/angie/sbin/angie",
    "/usr/local/tengine/sbin/nginx",
    "/opt/nginx/sbin/nginx",
    "/usr/bin/nginx",
];

/// The nginx on this machine.
#[expect(clippy::disallowed_methods, reason = "PATH says where programs are")]
pub(super) fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
    let on_path: Vec<PathBuf> = folders.map(|folder| folder.join("nginx")).collect();
    let usual = USUAL.iter().map(PathBuf::from);
    on_path.into_iter().chain(usual).find(|path| path.is_file())
}
