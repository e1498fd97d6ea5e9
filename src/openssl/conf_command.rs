//! OpenSSL's configuration commands (SSL_CONF_cmd(3)), as `*_ssl_conf_command` applies them to a client.

use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::CipherSuite;
use crate::tls::version::{ProtocolVersion, UnknownVersion};

use super::cipher_string::level_in;
use super::group_name;
use super::release::OpensslRelease;
use super::security_level;

/// The changes of a list of commands. `None` and empty keep the values of the other directives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// `MinProtocol`.
    pub oldest: Option<ProtocolVersion>,
    /// `MaxProtocol`.
    pub newest: Option<ProtocolVersion>,
    /// `Protocol`: versions to enable or disable, in order; `None` is every version.
    pub switches: Vec<(Option<ProtocolVersion>, bool)>,
    /// `CipherString`, which replaces `*_ssl_ciphers`.
    pub cipher_string: Option<String>,
    /// `Ciphersuites`: those of TLS 1.3.
    pub cipher_suites: Option<Vec<CipherSuite>>,
    /// `Groups` or `Curves`.
    pub groups: Option<HelloGroups>,
    /// `SignatureAlgorithms`.
    pub schemes: Option<Vec<SignatureScheme>>,
    /// `ClientSignatureAlgorithms`: what a client certificate may sign with.
    pub client_schemes: Option<Vec<SignatureScheme>>,
    /// `Options UnsafeLegacyServerConnect`: servers without secure renegotiation are accepted.
    pub legacy_servers: bool,
    /// Parts that the hello omits.
    pub left_out: Vec<LeftOut>,
    /// `Certificate`: the file of the client certificate, in place of `*_ssl_certificate`.
    pub certificate: Option<String>,
    /// `PrivateKey`: the file of its key.
    pub private_key: Option<String>,
    /// `VerifyMode`: the server's certificate is verified in the handshake.
    pub verifies: bool,
    /// Commands whose effect is not known here, as written.
    pub not_followed: Vec<String>,
}

/// A part that `Options -NAME` removes from a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// The ticket extension (`SessionTicket`).
    Ticket,
    /// `ExtendedMasterSecret`.
    ExtendedMasterSecret,
    /// `EncryptThenMac`.
    EncryptThenMac,
    /// The session id of TLS 1.3 (`MiddleboxCompat`).
    SessionId,
}

/// The groups of a hello, and those with a key share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelloGroups {
    /// In the order of the hello.
    pub offered: Vec<NamedGroup>,
    /// The groups with a key share.
    pub shares: Vec<NamedGroup>,
}

impl Commands {
    /// Reads commands, each `NAME VALUE`, in order.
    pub fn read(commands: &[String], library: OpensslRelease) -> Self {
        Self::read_after(&[], commands, library)
    }

    /// Reads the commands of OpenSSL's configuration, and then those of the program. OpenSSL skips one of the former that
    /// it refuses; and nginx sets the versions, so they have no effect there.
    pub fn read_after(system: &[String], own: &[String], library: OpensslRelease) -> Self {
        let mut all = Self::default();
        for command in system {
            let (name, value) = command.split_once(' ').unwrap_or((command, ""));
            let name = name.to_ascii_lowercase();
            let is_set = ["minprotocol", "maxprotocol", "protocol", "cipherstring"];
            if !is_set.contains(&&*name) && all.apply(&name, value.trim(), library).is_none() {
                let is_group = ["groups", "curves"].contains(&&*name);
                if exists(&name) && !is_group {
                    all.not_followed.push(command.clone());
                }
            }
        }
        for command in own {
            let (name, value) = command.split_once(' ').unwrap_or((command, ""));
            if all.apply(&name.to_ascii_lowercase(), value.trim(), library).is_none() {
                all.not_followed.push(command.clone());
            }
        }
        all
    }

    /// Whether a version may be offered; `allowed` is the result of the other directives.
    pub fn allows(&self, version: ProtocolVersion, allowed: bool) -> bool {
        let meant = |named: &Option<ProtocolVersion>| named.is_none_or(|named| named == version);
        let switched = self.switches.iter().rfind(|(named, _)| meant(named));
        switched.map_or(allowed, |(_, on)| *on)
            && self.oldest.is_none_or(|oldest| version >= oldest)
            && self.newest.is_none_or(|newest| version <= newest)
    }

    /// `None` if the command is not supported here.
    fn apply(&mut self, name: &str, value: &str, library: OpensslRelease) -> Option<()> {
        match name {
            "minprotocol" => self.oldest = limit(value).ok()?,
            "maxprotocol" => self.newest = limit(value).ok()?,
            "protocol" => {
                for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                    let (on, word) = signed(word);
                    let version = if word.eq_ignore_ascii_case("all") {
                        None
                    } else {
                        Some(word.parse().ok()?)
                    };
                    self.switches.push((version, on));
                }
            }
            "cipherstring" => self.cipher_string = Some(value.to_owned()),
            "certificate" => self.certificate = Some(value.to_owned()),
            "privatekey" => self.private_key = Some(value.to_owned()),
            "ciphersuites" => {
                let named = value.split(':').filter(|word| !word.is_empty());
                let suites: Option<Vec<_>> = named.map(tls13_suite).collect();
                self.cipher_suites = Some(suites?);
            }
            "groups" | "curves" => self.groups = Some(groups(value, library)?),
            "signaturealgorithms" => self.schemes = Some(schemes(value)?),
            "options" => {
                for word in value.split(',').map(str::trim) {
                    let (on, word) = signed(word);
                    self.option(&word.to_ascii_lowercase(), on)?;
                }
            }
            "verifymode" => {
                for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                    let (on, word) = signed(word);
                    if ["peer", "request", "require"].contains(&&*word.to_ascii_lowercase()) {
                        self.verifies = on;
                    }
                }
            }
            "clientsignaturealgorithms" => self.client_schemes = Some(schemes(value)?),
            // Commands that only servers use, and certificates that complete a chain, which nginx switches off.
            "serverinfofile" | "chaincapath" | "chaincafile" | "chaincastore" | "recordpadding"
            | "numtickets" | "dhparameters" | "ecdhparameters" => {}
            _ => return None,
        }
        Some(())
    }

    fn leave_out(&mut self, what: LeftOut, out: bool) {
        self.left_out.retain(|one| *one != what);
        if out {
            self.left_out.push(what);
        }
    }

    fn option(&mut self, name: &str, on: bool) -> Option<()> {
        match name {
            "unsafelegacyserverconnect" | "unsafelegacyrenegotiation" => self.legacy_servers = on,
            "sessionticket" => self.leave_out(LeftOut::Ticket, !on),
            "extendedmastersecret" => self.leave_out(LeftOut::ExtendedMasterSecret, !on),
            "encryptthenmac" => self.leave_out(LeftOut::EncryptThenMac, !on),
            "middleboxcompat" => self.leave_out(LeftOut::SessionId, !on),
            "emptyfragments"
            | "bugs"
            | "serverpreference"
            | "prioritizechacha"
            | "noresumptiononrenegotiation"
            | "norenegotiation"
            | "allownodhekex"
            | "antireplay"
            | "ktls"
            | "ecdhsingle"
            | "dhsingle"
            | "txcertificatecompression"
            | "rxcertificatecompression"
            | "ignoreunexpectedeof"
            | "compression"
            | "prefernodhekex"
            | "clientrenegotiation"
            | "ktlstxzerocopysendfile"
            | "strictcertcheck" => {}
            _ => return None,
        }
        Some(())
    }
}

/// `-NAME`, `+NAME` or `NAME`: whether it is turned on, and the name.
fn signed(word: &str) -> (bool, &str) {
    match word.strip_prefix('-') {
        Some(word) => (false, word),
        None => (true, word.strip_prefix('+').unwrap_or(word)),
    }
}

/// A version, or `None` for no limit.
fn limit(value: &str) -> Result<Option<ProtocolVersion>, UnknownVersion> {
    if value.eq_ignore_ascii_case("none") { Ok(None) } else { value.parse().map(Some) }
}

fn tls13_suite(name: &str) -> Option<CipherSuite> {
    CipherSuite::from_name(name).filter(|suite| suite.is_tls13())
}

/// A list of groups. OpenSSL 3.5 marks groups with a key share by `*`, separates ranks by `/` and skips unknown names
/// after `?`; in all releases the first group has a key share unless others are marked.
fn groups(value: &str, library: OpensslRelease) -> Option<HelloGroups> {
    let (mut offered, mut shares) = (Vec::new(), Vec::new());
    for word in value.split([':', '/']).map(str::trim).filter(|word| !word.is_empty()) {
        let marks = |c: char| matches!(c, '*' | '?');
        let name = word.trim_start_matches(marks);
        let marked = &word[..word.len() - name.len()];
        let Some(group) = group_name::read(name).filter(|group| is_known(*group, library)) else {
            if marked.contains('?') {
                continue;
            }
            return None;
        };
        if marked.contains('*') {
            shares.push(group);
        }
        if !offered.contains(&group) {
            offered.push(group);
        }
    }
    if shares.is_empty() {
        shares.extend(offered.first());
    }
    (!offered.is_empty()).then_some(HelloGroups { offered, shares })
}

/// OpenSSL 3.5 added ML-KEM, and 3.0 added finite-field groups.
fn is_known(group: NamedGroup, library: OpensslRelease) -> bool {
    !(group.is_post_quantum() && library < OpensslRelease::V3_5
        || group.is_finite_field() && library < OpensslRelease::V3_0)
}

fn schemes(value: &str) -> Option<Vec<SignatureScheme>> {
    let words = value.split(':').filter(|word| !word.is_empty());
    let all: Option<Vec<_>> = words.map(|word| scheme(word.trim_start_matches('?'))).collect();
    all.filter(|all| !all.is_empty())
}

/// A scheme by its registered name, or as `RSA+SHA256`.
fn scheme(word: &str) -> Option<SignatureScheme> {
    if let Some((key, hash)) = word.split_once('+') {
        let hash = match hash.to_ascii_uppercase().as_str() {
            "SHA1" => 2,
            "SHA224" => 3,
            "SHA256" => 4,
            "SHA384" => 5,
            "SHA512" => 6,
            _ => return None,
        };
        let number = match key.to_ascii_uppercase().as_str() {
            "RSA" => hash << 8 | 1,
            "DSA" => hash << 8 | 2,
            "ECDSA" => hash << 8 | 3,
            "RSA-PSS" | "PSS" => 0x0800 | hash,
            _ => return None,
        };
        return Some(SignatureScheme(number));
    }
    SignatureScheme::all()
        .find(|one| one.name().is_some_and(|name| name.eq_ignore_ascii_case(word)))
}

/// The value of the last command of that name in a list, each `NAME VALUE`.
pub fn value_of<'c>(commands: &'c [String], name: &str) -> Option<&'c str> {
    let pairs = commands.iter().rev().filter_map(|command| command.split_once(' '));
    let mut pairs = pairs.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    pairs.next().map(|(_, value)| value.trim())
}

/// The security level that commands set, each `NAME VALUE`. Of OpenSSL's configuration, it is all that remains of the
/// cipher string in a program with suites of its own.
pub fn level_of_system(commands: &[String]) -> Option<u8> {
    let pairs = commands.iter().rev().filter_map(|command| command.split_once(' '));
    let mut strings = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("CipherString"));
    strings.find_map(|(_, string)| level_in(string))
}

/// The security level of cipher strings that set none, after these commands of OpenSSL's configuration. 1.1.1 is built with
/// level 1, and Debian's `openssl.cnf` raised it to 2: a configuration that was read and says nothing leaves it at 1.
pub fn usual_level(commands: &[String], library: OpensslRelease) -> u8 {
    let silent = library == OpensslRelease::V1_1_1 && !commands.is_empty();
    let built_in = if silent { 1 } else { security_level::DEFAULT };
    level_of_system(commands).unwrap_or(built_in)
}

/// Whether OpenSSL has a command of this name.
pub fn exists(name: &str) -> bool {
    COMMANDS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The commands of `SSL_CONF_cmd`(3).
const COMMANDS: [&str; 30] = [
    "SignatureAlgorithms",
    "ClientSignatureAlgorithms",
    "Groups",
    "Curves",
    "ECDHParameters",
    "CipherString",
    "Ciphersuites",
    "Protocol",
    "MinProtocol",
    "MaxProtocol",
    "Options",
    "VerifyMode",
    "Certificate",
    "PrivateKey",
    "ServerInfoFile",
    "ChainCAPath",
    "ChainCAFile",
    "ChainCAStore",
    "VerifyCAPath",
    "VerifyCAFile",
    "VerifyCAStore",
    "RequestCAPath",
    "ClientCAPath",
    "RequestCAFile",
    "ClientCAFile",
    "RequestCAStore",
    "ClientCAStore",
    "DHParameters",
    "RecordPadding",
    "NumTickets",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(commands: &[&str]) -> Commands {
        let commands: Vec<String> = commands.iter().map(|one| (*one).to_owned()).collect();
        Commands::read(&commands, OpensslRelease::V3_5)
    }

    #[test]
    fn versions_are_limited_and_switched() {
        let all = read(&["MinProtocol TLSv1.2", "maxprotocol TLSv1.3"]);
        assert!(all.allows(ProtocolVersion::TLS1_2, true));
        assert!(!all.allows(ProtocolVersion::TLS1, true));
        let all = read(&["Protocol -ALL,TLSv1.2"]);
        assert!(all.allows(ProtocolVersion::TLS1_2, false));
        assert!(!all.allows(ProtocolVersion::TLS1_3, true));
    }

    #[test]
    fn groups_have_other_names_and_marks() {
        let groups = read(&["Groups P-256:x25519"]).groups.unwrap();
        assert_eq!(groups.offered, [NamedGroup(0x0017), NamedGroup(0x001d)]);
        assert_eq!(groups.shares, [NamedGroup(0x0017)]);
        let groups = read(&["Curves ?nosuch:X25519MLKEM768/*X25519"]).groups.unwrap();
        assert_eq!(groups.shares, [NamedGroup(0x001d)]);
    }

    #[test]
    fn what_the_system_sets_comes_first_and_what_it_cannot_set_is_skipped() {
        let words = |commands: &[&str]| -> Vec<String> {
            commands.iter().map(|one| (*one).to_owned()).collect()
        };
        let system = words(&["MinProtocol TLSv1.3", "Groups nosuch", "Curves P-256", "Bogus x"]);
        let own = words(&["Options -EncryptThenMac"]);
        let all = Commands::read_after(&system, &own, OpensslRelease::V3_0);
        assert_eq!((all.oldest, all.not_followed.len()), (None, 0));
        assert_eq!(all.groups.unwrap().offered, [NamedGroup(0x0017)]);
        assert_eq!(all.left_out, [LeftOut::EncryptThenMac]);
        let own = words(&["Groups X25519", "VerifyMode Peer"]);
        let all = Commands::read_after(&system, &own, OpensslRelease::V3_0);
        assert_eq!(all.groups.unwrap().offered, [NamedGroup(0x001d)]);
        assert!(all.verifies);
    }

    #[test]
    fn schemes_are_pairs_or_names() {
        let schemes = read(&["SignatureAlgorithms RSA+SHA256:rsa_pss_rsae_sha256:ed25519"]).schemes;
        let expected = [0x0401, 0x0804, 0x0807].map(SignatureScheme);
        assert_eq!(schemes.unwrap(), expected);
    }

    #[test]
    fn what_is_not_known_is_not_followed() {
        assert_eq!(read(&["VerifyCAFile a.pem"]).not_followed, ["VerifyCAFile a.pem"]);
        assert!(read(&["Options UnsafeLegacyServerConnect,-SessionTicket"]).legacy_servers);
        assert_eq!(read(&["Groups nosuch"]).not_followed.len(), 1);
        let old = Commands::read(&["Groups X25519MLKEM768".to_owned()], OpensslRelease::V3_0);
        assert_eq!(old.not_followed.len(), 1);
    }

    #[test]
    fn the_level_of_1_1_1_is_lower_where_its_configuration_is_silent() {
        let level = |commands: &[&str], library| {
            let commands: Vec<String> = commands.iter().map(|one| (*one).to_owned()).collect();
            usual_level(&commands, library)
        };
        assert_eq!(level(&[], OpensslRelease::V1_1_1), 2);
        assert_eq!(level(&["Groups P-256"], OpensslRelease::V1_1_1), 1);
        assert_eq!(level(&["Groups P-256"], OpensslRelease::V3_0), 2);
        let raised = ["CipherString DEFAULT@SECLEVEL=3", "CipherString HIGH"];
        assert_eq!(level(&raised, OpensslRelease::V1_1_1), 3);
    }
}
