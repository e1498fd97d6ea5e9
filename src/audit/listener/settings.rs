//! The settings of a site, and edits that change them. OpenSSL commands (`ssl_conf_command`) override directives, so
//! they are changed if they set the value.

use super::site::Site;
use crate::nginx::edit::Edit;
use crate::nginx::listener::Server;
use crate::openssl::cipher_string::{evaluate, level_in};
use crate::openssl::conf_command::{self, Commands};
use crate::openssl::release::OpensslRelease;
use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// nginx's default for `ssl_ciphers`.
const DEFAULT_CIPHERS: &str = "HIGH:!aNULL:!MD5";

/// OpenSSL's default suites of TLS 1.3.
const TLS13_SUITES: [CipherSuite; 3] =
    [CipherSuite(0x1302), CipherSuite(0x1303), CipherSuite(0x1301)];

/// Sets a directive in the block of a server.
pub(super) fn set(server: &Server, name: &str, arguments: &[&str]) -> Edit {
    let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
    Edit { name: name.to_owned(), arguments, at: server.span.clone() }
}

/// Sets an OpenSSL command in the block of a server, in its existing spelling.
fn command(server: &Server, name: &str, value: &str) -> Edit {
    let known = server.ssl.conf_command.iter().rev().map(|set| set.value.0.as_str());
    let spelt = known.clone().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name);
    set(server, "ssl_conf_command", &[spelt, value])
}

fn says<'s>(server: &'s Server, name: &str) -> Option<&'s str> {
    let mut all = server.ssl.conf_command.iter().rev();
    let found = all.find(|set| set.value.0.eq_ignore_ascii_case(name))?;
    Some(&found.value.1)
}

impl Site<'_> {
    fn commands(&self, server: &Server) -> Commands {
        let all = server.ssl.conf_command.iter();
        let lines: Vec<String> =
            all.map(|set| format!("{} {}", set.value.0, set.value.1)).collect();
        Commands::read(&lines, self.library)
    }

    /// What OpenSSL's configuration sets before any directive. nginx sets the versions and the suites up to TLS 1.2 itself.
    fn system_commands(&self) -> Commands {
        Commands::read_after(self.system, &[], self.library)
    }

    /// The security level of strings that set none.
    fn usual_level(&self) -> u8 {
        conf_command::usual_level(self.system, self.library)
    }

    /// The security level of a server. If nothing sets it, the highest default of any build.
    fn level_of(&self, server: &Server) -> u8 {
        let written = server.ssl.ciphers.as_ref().and_then(|set| level_in(&set.value));
        let own = says(server, "CipherString").and_then(level_in);
        own.or(written).unwrap_or_else(|| self.usual_level())
    }

    /// The enabled versions, oldest first. The security level may forbid some of them.
    pub(super) fn versions(&self) -> Vec<ProtocolVersion> {
        self.versions_of(self.chooser())
    }

    /// The versions that a server enables within the limits of the default server, oldest first.
    fn versions_of(&self, server: &Server) -> Vec<ProtocolVersion> {
        let listed = server.ssl.versions(self.release);
        let Commands { oldest, newest, .. } = self.commands(self.default_server());
        let commands = Commands { oldest, newest, ..self.commands(server) };
        let allowed =
            |version: &ProtocolVersion| commands.allows(*version, listed.contains(version));
        ProtocolVersion::ALL.into_iter().filter(allowed).collect()
    }

    /// The versions with one more, and what lies between them. OpenSSL looks for suites of the versions below a gap, and refuses every
    /// client where it finds none (`ssl_get_min_max_version`).
    pub(super) fn versions_and(&self, version: ProtocolVersion) -> Vec<ProtocolVersion> {
        let present = self.versions();
        let oldest = present.iter().copied().fold(version, Ord::min);
        let newest = present.iter().copied().fold(version, Ord::max);
        let between = |known: &ProtocolVersion| (oldest..=newest).contains(known);
        ProtocolVersion::ALL.into_iter().filter(between).collect()
    }

    /// Enables exactly these versions.
    pub(super) fn with_versions(&self, versions: &[ProtocolVersion]) -> Vec<Edit> {
        let (server, default) = (self.chooser(), self.default_server());
        let mut edits = self.with_versions_of(server, versions);
        let mut limits = self.commands(default);
        if let Some(oldest) = versions.first().filter(|it| limits.oldest > Some(**it)) {
            edits.extend(oldest.name().map(|name| command(default, "MinProtocol", name)));
            limits.oldest = Some(*oldest);
        }
        if let Some(newest) =
            versions.last().filter(|it| limits.newest.is_some_and(|end| end < **it))
        {
            edits.extend(newest.name().map(|name| command(default, "MaxProtocol", name)));
            limits.newest = Some(*newest);
        }
        if server.span != default.span
            && let Some(more) = self.versions_to_begin(&limits)
        {
            edits.extend(self.with_versions_of(default, &more));
        }
        edits
    }

    /// Enables exactly these versions in a server, within the limits.
    fn with_versions_of(&self, server: &Server, versions: &[ProtocolVersion]) -> Vec<Edit> {
        let names: Vec<&str> = versions.iter().filter_map(|version| version.name()).collect();
        let mut edits = Vec::new();
        if server.ssl.versions(self.release) != versions {
            edits.push(set(server, "ssl_protocols", &names));
        }
        if says(server, "Protocol").is_some() {
            edits.push(command(server, "Protocol", &format!("-ALL,{}", names.join(","))));
        }
        edits
    }

    /// What the default server must enable for a handshake with another server to begin, within these limits; `None` if it
    /// begins as it is. Before OpenSSL knows the name, it wants a version, and a suite for the newest one below a gap
    /// (`tls_setup_handshake`).
    fn versions_to_begin(&self, limits: &Commands) -> Option<Vec<ProtocolVersion>> {
        let default = self.default_server();
        let mut listed = default.ssl.versions(self.release);
        let Commands { oldest, newest, .. } = *limits;
        let commands = Commands { oldest, newest, ..self.commands(default) };
        let forbids = self.library >= OpensslRelease::V3_2 && self.level_of(default) > 0;
        let allowed = |version: &ProtocolVersion| {
            commands.allows(*version, listed.contains(version))
                && !(forbids && *version < ProtocolVersion::TLS1_2)
        };
        let all = ProtocolVersion::ALL.into_iter();
        let lowest: Vec<ProtocolVersion> =
            all.skip_while(|it| !allowed(it)).take_while(allowed).collect();
        let suites = evaluate(cipher_string(default), self.usual_level()).ok()?.suites;
        let has_suite = |version: &ProtocolVersion| {
            *version == ProtocolVersion::TLS1_3 || suites.iter().any(|it| it.usable_with(*version))
        };
        if lowest.last().is_some_and(has_suite) {
            return None;
        }
        let mut current = [ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3].into_iter();
        let next = current.find(|version| commands.allows(*version, true) && has_suite(version))?;
        let first = lowest.first().copied().unwrap_or(next);
        listed.extend(ProtocolVersion::ALL.into_iter().filter(|it| (first..=next).contains(it)));
        listed.sort_unstable();
        listed.dedup();
        Some(listed)
    }

    /// The suites up to TLS 1.2; `None` if the string cannot be evaluated here.
    pub(super) fn suites(&self) -> Option<Vec<CipherSuite>> {
        self.suites_of(cipher_string(self.holder()))
    }

    /// The suites that a string selects; `None` if it cannot be evaluated here.
    pub(super) fn suites_of(&self, text: &str) -> Option<Vec<CipherSuite>> {
        evaluate(text, self.usual_level()).ok().map(|list| list.suites)
    }

    /// The level that a server must set for this version, and for this suite if it is a new one; `None` if its own will do.
    pub(super) fn level_needed(
        &self,
        server: &Server,
        version: ProtocolVersion,
        suite: Option<CipherSuite>,
    ) -> Option<u8> {
        if self.level_forbids(server, version) {
            return Some(0);
        }
        let name = suite?.openssl_name()?;
        let allows = |level: u8| evaluate(name, level).is_ok_and(|list| !list.suites.is_empty());
        let present = self.level_of(server);
        if allows(present) { None } else { (0..present).rev().find(|level| allows(*level)) }
    }

    /// Whether a key for ECDSA must sign with SHA-1 in this version, which is too weak for a server's level in OpenSSL 1.1.1. RSA
    /// signs with MD5 and SHA-1 together there, and OpenSSL 3 forbids both with the version.
    pub(super) fn needs_sha1(&self, server: &Server, version: ProtocolVersion) -> bool {
        self.library == OpensslRelease::V1_1_1
            && version < ProtocolVersion::TLS1_2
            && self.level_of(server) > 1
    }

    /// Whether the security level forbids a version older than TLS 1.2 (`ssl_security_default_callback`).
    fn level_forbids(&self, server: &Server, version: ProtocolVersion) -> bool {
        let highest = match self.library {
            OpensslRelease::V1_1_1 if version == ProtocolVersion::TLS1_1 => 3,
            OpensslRelease::V1_1_1 => 2,
            _ => 0,
        };
        version < ProtocolVersion::TLS1_2 && self.level_of(server) > highest
    }

    /// The suites of TLS 1.3.
    pub(super) fn tls13_suites(&self) -> Vec<CipherSuite> {
        let own = self.commands(self.chooser()).cipher_suites;
        let named = own.or_else(|| self.system_commands().cipher_suites);
        named.unwrap_or_else(|| TLS13_SUITES.to_vec())
    }

    /// Sets the suites of TLS 1.3.
    pub(super) fn with_tls13_suites(&self, suites: &[CipherSuite]) -> Edit {
        let names: Vec<String> = suites.iter().map(ToString::to_string).collect();
        command(self.chooser(), "Ciphersuites", &names.join(":"))
    }

    /// The groups, in the server's order. Those of the default server apply to every name.
    pub(super) fn groups(&self) -> Vec<NamedGroup> {
        let server = self.listener.default_server();
        let written = server.ssl.ecdh_curve.as_ref().filter(|set| set.value != "auto");
        let read = |text: &str| Commands::read(&[format!("Groups {text}")], self.library).groups;
        let groups = self.commands(server).groups;
        let groups = groups.or_else(|| read(&written?.value));
        let groups = groups.or_else(|| self.system_commands().groups);
        groups.map_or_else(|| default_groups(self.library), |groups| groups.offered)
    }

    /// Whether the configuration sets the groups.
    pub(super) fn names_groups(&self) -> bool {
        let server = self.listener.default_server();
        let written = server.ssl.ecdh_curve.as_ref().is_some_and(|set| set.value != "auto");
        let commands = [self.commands(server), self.system_commands()];
        written || commands.iter().any(|commands| commands.groups.is_some())
    }

    /// Sets the groups.
    pub(super) fn with_groups(&self, groups: &[NamedGroup]) -> Edit {
        let server = self.listener.default_server();
        let names: Vec<String> = groups.iter().map(ToString::to_string).collect();
        let value = names.join(":");
        let spoken = ["Groups", "Curves"].into_iter().find(|name| says(server, name).is_some());
        match spoken {
            Some(name) => command(server, name, &value),
            None => set(server, "ssl_ecdh_curve", &[&value]),
        }
    }

    /// Adds signature schemes to those that the configuration, or else OpenSSL's, limits handshakes to; `None` if neither does
    /// or all are there. OpenSSL 3.0 refuses a scheme that is named twice, whatever its names.
    pub(super) fn with_more_schemes(
        &self,
        more: impl Iterator<Item = SignatureScheme>,
    ) -> Option<Edit> {
        let holder = self.holder();
        let of_system = || conf_command::value_of(self.system, "SignatureAlgorithms");
        let named = says(holder, "SignatureAlgorithms").or_else(of_system)?;
        let read = Commands::read(&[format!("SignatureAlgorithms {named}")], self.library);
        // What OpenSSL cannot read in its own configuration, it skips.
        let known = read.schemes?;
        let missing = more.filter(|scheme| !known.contains(scheme));
        let missing: Vec<&str> = missing.filter_map(SignatureScheme::name).collect();
        let value = format!("{named}:{}", missing.join(":"));
        (!missing.is_empty()).then(|| command(holder, "SignatureAlgorithms", &value))
    }

    /// Adds an OpenSSL option to those of a server, or undoes what OpenSSL's configuration says of it; `None` if it is on.
    pub(super) fn with_option(&self, server: &Server, name: &str) -> Option<Edit> {
        let is_it = |word: &str| {
            word.trim().strip_prefix('-').is_some_and(|word| word.eq_ignore_ascii_case(name))
        };
        let is_off = |value: &str| value.split(',').any(is_it);
        let Some(value) = says(server, "Options") else {
            let off = conf_command::value_of(self.system, "Options").is_some_and(is_off);
            return off.then(|| command(server, "Options", name));
        };
        if !is_off(value) {
            return None;
        }
        let words = value.split(',').map(|word| if is_it(word) { name } else { word.trim() });
        let words: Vec<&str> = words.collect();
        Some(command(server, "Options", &words.join(",")))
    }

    /// Adds a suite to the string if that has the effect; otherwise returns a list of suites.
    pub(super) fn with_suite(
        &self,
        text: &str,
        suite: CipherSuite,
        level: Option<u8>,
    ) -> Option<String> {
        let name = suite.openssl_name()?;
        let holds = |text: &str| self.suites_of(text).is_some_and(|suites| suites.contains(&suite));
        let level = level.or_else(|| level_in(text));
        let plain = with_level(&format!("{}:{name}", without_level(text)), level);
        if holds(&plain) {
            return Some(plain);
        }
        let listed = evaluate(text, 0).ok()?.suites;
        let names: Vec<&str> =
            listed.iter().chain([&suite]).filter_map(|suite| suite.openssl_name()).collect();
        let listed = with_level(&names.join(":"), level);
        holds(&listed).then_some(listed)
    }
}

/// The cipher string of a server.
pub(super) fn cipher_string(server: &Server) -> &str {
    let set = server.ssl.ciphers.as_ref().map(|set| set.value.as_str());
    says(server, "CipherString").or(set).unwrap_or(DEFAULT_CIPHERS)
}

/// Sets the cipher string of a server.
pub(super) fn with_cipher_string(server: &Server, text: &str) -> Edit {
    match says(server, "CipherString") {
        Some(_) => command(server, "CipherString", text),
        None => set(server, "ssl_ciphers", &[text]),
    }
}

/// A library's default groups.
fn default_groups(library: OpensslRelease) -> Vec<NamedGroup> {
    library.profile().groups
}

/// The string with another security level.
pub(super) fn at_level(text: &str, level: u8) -> String {
    with_level(&without_level(text), Some(level))
}

/// Removes suites from the string: with keywords, or, if these do not have the effect, as a list.
pub(super) fn without_suites(
    text: &str,
    keywords: &[&str],
    unwanted: impl Fn(CipherSuite) -> bool,
) -> Vec<String> {
    let kills: Vec<String> = keywords.iter().map(|word| format!("!{word}")).collect();
    let level = level_in(text);
    let killed = with_level(&format!("{}:{}", without_level(text), kills.join(":")), level);
    let mut all = Vec::new();
    if !kills.is_empty() {
        all.push(killed);
    }
    if let Ok(list) = evaluate(text, 0) {
        let kept = list.suites.into_iter().filter(|suite| !unwanted(*suite));
        let names: Vec<&str> = kept.filter_map(CipherSuite::openssl_name).collect();
        if !names.is_empty() {
            all.push(with_level(&names.join(":"), level));
        }
    }
    all
}

fn with_level(text: &str, level: Option<u8>) -> String {
    level.map_or_else(|| text.to_owned(), |level| format!("{text}:@SECLEVEL={level}"))
}

fn without_level(text: &str) -> String {
    let rules = text.split(':').map(|rule| rule.split("@SECLEVEL=").next().unwrap_or_default());
    let kept = rules.filter(|rule| !rule.is_empty());
    kept.collect::<Vec<_>>().join(":")
}
