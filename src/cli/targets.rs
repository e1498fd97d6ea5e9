//! The targets from the command line, stdin and a file.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;

use super::args::{LimitArgs, SourceArgs, TargetArgs};
use super::errors::{UsageError, warn};
use super::fleet::Listed;
use super::input;
use super::settings::reject;
use crate::report::words::counted;
use crate::targets::address::{Address, parse_host};
use crate::targets::identity::read_identity;
use crate::targets::nginx_client::NginxClient;
use crate::targets::options::Options;
use crate::targets::proxy_ssl::{AsNginx, OF_UNIX_SOCKET};
use crate::targets::range::expand;
use crate::targets::redirect::Redirects;
use crate::targets::target_list::Template;
use crate::targets::{ClientIdentity, Host, Origin, StartTls, Target, inventory, list, toml};

/// The largest target file, in bytes.
const MAX_CONFIG: u64 = 64 * 1024 * 1024;

/// The warnings of the last time that the targets were read: before each further audit only new ones are printed.
#[derive(Debug, Default)]
pub(super) struct Warnings(Vec<String>);

impl Warnings {
    /// Those that are new.
    fn replace(&mut self, all: Vec<String>) -> Vec<String> {
        let new = all.iter().filter(|one| !self.0.contains(one)).cloned().collect();
        self.0 = all;
        new
    }
}

/// Reads every target into `listed`: those of the command line first, then those of the file.
pub(super) fn read(
    args: &SourceArgs,
    limits: &LimitArgs,
    listed: Listed,
    known: &mut Warnings,
) -> anyhow::Result<Listed> {
    let typed = options(&args.target, limits)?;
    let request = !args.target.nginx.no_request;
    let identities = Identities::default();
    let redirects = Redirects::new([&args.resolve[..], &args.connect_to[..]].concat());
    let quic = args.quic;
    let mut reader = TargetReader { listed, identities, request, redirects, quic, failure: None };
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for text in &args.targets {
        if text == "-" {
            problems.extend(reader.add_stdin(&typed)?);
        } else {
            match expand(text) {
                Ok(addresses) => {
                    warnings.extend(file_hint(text));
                    for address in addresses {
                        reader.add(address, &typed, None);
                    }
                }
                Err(error) => {
                    let hint = file_hint(text).map(|hint| format!(" ({hint})"));
                    problems.push(format!("{error}{}", hint.unwrap_or_default()));
                }
            }
        }
    }
    if let Some(path) = &args.config {
        let (entries, errors) = read_config(path)?;
        for entry in entries {
            let options = typed.clone().over(&entry.options);
            let options = Options { name: entry.options.name, ..options };
            reader.add(entry.address, &options, Some(&entry.origin));
        }
        problems.extend(errors.iter().map(ToString::to_string));
    }
    if problems.is_empty() {
        warnings.extend(reader.redirects.unused());
    }
    known.replace(warnings).iter().for_each(|warning| warn(warning));
    reject(problems)?;
    match reader.failure {
        Some(error) => Err(error),
        None if reader.listed.is_empty() => Err(UsageError::new(
            "no target given",
            "give HOST:PORT, - to read a list from stdin, or --config FILE",
        )),
        None => Ok(reader.listed),
    }
}

/// Makes a target of each address.
struct TargetReader {
    listed: Listed,
    identities: Identities,
    /// Whether nginx's own request is sent.
    request: bool,
    /// Other addresses for some hosts.
    redirects: Redirects,
    /// Whether the QUIC socket beside each target is one, too.
    quic: bool,
    /// The first file that could not be read; problems of the addresses are reported before it.
    failure: Option<anyhow::Error>,
}

/// Bytes of stdin that tell what it is.
const BEGIN: u64 = 1024;

/// The largest output of another program, in bytes.
const MAX_INVENTORY: u64 = 256 * 1024 * 1024;

impl TargetReader {
    /// Adds the targets on stdin: a list of addresses, or the output of another program. Returns the problems.
    fn add_stdin(&mut self, typed: &Options) -> anyhow::Result<Vec<String>> {
        let mut stdin = io::stdin().lock();
        let mut begin = Vec::new();
        // A pipe may give a few bytes first.
        let read = stdin.by_ref().take(BEGIN).read_to_end(&mut begin);
        read.map_err(|error| anyhow!("cannot read stdin: {error}"))?;
        if !inventory::is_inventory(&begin) {
            const NAME: &str = "<stdin>";
            let template = self.template(typed, NAME);
            let lines = begin.as_slice().chain(stdin);
            let errors = list::read(NAME, lines, |address, origin| match &template {
                Some(template) => self.listed.add_address(address, &origin, template),
                None => self.add(address, typed, Some(&origin)),
            });
            return Ok(errors.iter().map(ToString::to_string).collect());
        }
        drop(stdin);
        begin.extend(input::stdin(MAX_INVENTORY)?);
        let found = inventory::read(&begin);
        if found.left_out > 0 {
            warn(&format!(
                "{} left out, because TLS is not usual there; nmap -sV finds out what speaks TLS, and a port that is \
                 named is tested",
                counted(found.left_out, "open port")
            ));
        }
        if found.addresses.is_empty() && found.problems.is_empty() {
            return Err(UsageError::new(
                "the scan on stdin has no target",
                "give a scan with open ports that speak TLS, or HOST:PORT",
            ));
        }
        for address in found.addresses {
            self.add(address, typed, None);
        }
        Ok(found.problems.iter().map(|problem| format!("<stdin>: {problem}")).collect())
    }

    /// What the targets of a list have in common, if each is given by its address alone.
    fn template(&mut self, options: &Options, file: &str) -> Option<Arc<Template>> {
        if self.quic || options.as_nginx.is_some() || !self.redirects.is_empty() {
            return None;
        }
        // Whoever adds the first target meets the error again.
        let identity = self.identities.load(options).ok()?;
        let (options, file) = (options.clone(), file.to_owned());
        Some(Arc::new(Template { options, identity, file }))
    }

    fn add(&mut self, address: Address, options: &Options, origin: Option<&Origin>) {
        let usual_port = options.starttls.map_or(443, StartTls::default_port);
        for address in self.redirects.apply(address, usual_port) {
            if self.failure.is_some() {
                return;
            }
            match self.target(address, options, origin.cloned()) {
                Ok(target) => {
                    // Mail servers, nginx's upstreams and unix sockets have no QUIC socket.
                    let is_unix =
                        target.endpoint().is_some_and(|(host, _)| host.unix_path().is_some());
                    let has_one = target.starttls.is_none() && target.nginx.is_none() && !is_unix;
                    let beside = (self.quic && has_one).then(|| target.clone().over_quic());
                    self.listed.add(target);
                    if let Some(beside) = beside {
                        self.listed.add(beside);
                    }
                }
                Err(error) => self.failure = Some(error),
            }
        }
    }

    fn target(
        &mut self,
        address: Address,
        options: &Options,
        origin: Option<Origin>,
    ) -> anyhow::Result<Target> {
        let identity = self.identities.load(options)?;
        let mut target = options.target(address, identity, origin);
        if let Some(nginx) = &options.as_nginx {
            let request = nginx.request(&target).filter(|_| self.request);
            let client = nginx_client(nginx, &target)?;
            target.nginx = Some(Arc::new(NginxClient { request, ..client }));
        }
        Ok(target)
    }
}

/// The right option for a target that is the name of a file.
fn file_hint(text: &str) -> Option<String> {
    let is_file = Path::new(text).is_file();
    is_file.then(|| {
        format!("{text} is a file; to read targets from it: --config {text} (TOML) or - < {text} (a list)")
    })
}

fn read_config(path: &Path) -> anyhow::Result<(Vec<toml::TargetEntry>, Vec<toml::TargetsProblem>)> {
    let text = input::text(path, MAX_CONFIG)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Ok(toml::read(&path.display().to_string(), folder, &text))
}

pub(super) fn options(target: &TargetArgs, limits: &LimitArgs) -> anyhow::Result<Options> {
    let server_name = target.server_name.as_deref().map(server_name).transpose()?;
    Ok(Options {
        server_name,
        role: target.role.map(Into::into),
        roots: target.trust.roots(),
        add_ca_files: (!target.trust.add_ca_file.is_empty())
            .then(|| target.trust.add_ca_file.clone()),
        client_certificate: target.client_cert.clone(),
        client_key: target.client_key.clone(),
        starttls: target.starttls,
        proxy_protocol: target.proxy_protocol.then_some(true),
        timeout: limits.timeout,
        warning_days: target.expiry.warning_days,
        critical_days: target.expiry.critical_days,
        alpn: (!target.alpn.is_empty()).then(|| target.alpn.clone()),
        as_nginx: target.nginx.described(),
        ..Options::default()
    })
}

/// nginx as the client, with its files read.
pub(super) fn nginx_client(nginx: &AsNginx, target: &Target) -> anyhow::Result<NginxClient> {
    let host = match target.host() {
        Some(Host::Ip(IpAddr::V6(ip))) => format!("[{ip}]"),
        Some(host) if host.unix_path().is_some() => OF_UNIX_SOCKET.to_owned(),
        Some(host) => host.to_string(),
        None => String::new(),
    };
    nginx.client(&host).map_err(|error| match &target.origin {
        Some(origin) => anyhow!("{}:{}: {error}", origin.file, origin.line),
        None => anyhow!("{error}"),
    })
}

pub(super) fn server_name(text: &str) -> anyhow::Result<String> {
    match parse_host(text) {
        Ok(Host::Name(name)) => Ok(name),
        _ => Err(UsageError::new(
            format!("--server-name {text:?} is not a DNS name"),
            "an address is never sent as SNI; give a name, or leave the option out",
        )),
    }
}

/// Client certificates by file, each read once.
#[derive(Default)]
struct Identities {
    known: HashMap<(PathBuf, PathBuf), Arc<ClientIdentity>>,
}

impl Identities {
    fn load(&mut self, options: &Options) -> anyhow::Result<Option<Arc<ClientIdentity>>> {
        let Some(files) = options.identity_files() else {
            return Ok(None);
        };
        if let Some(known) = self.known.get(&files) {
            return Ok(Some(Arc::clone(known)));
        }
        let identity = Arc::new(read_identity(&files.0, &files.1, None)?);
        self.known.insert(files, Arc::clone(&identity));
        Ok(Some(identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_not_repeated_before_each_audit() {
        let mut known = Warnings::default();
        let mut new = |all: &[&str]| known.replace(all.iter().map(ToString::to_string).collect());
        assert_eq!(new(&["a", "b"]), ["a", "b"]);
        assert_eq!(new(&["b", "c"]), ["c"]);
        assert_eq!(new(&[]), [""; 0]);
        assert_eq!(new(&["b"]), ["b"]);
    }
}
