//! What nginx and its OpenSSL check when they start: files that the configuration names, and values that only the
//! library can check.

use std::collections::HashSet;
use std::path::Path;

use super::Premises;
use crate::certificate::Certificate;
use crate::certificate::file::key_algorithm;
use crate::nginx::facts::{Fact, FactKind};
use crate::nginx::inherit::Scope;
use crate::nginx::problem::Span;
use crate::nginx::tree::{Directive, Tree};
use crate::nginx::upstream::Upstream;
use crate::nginx::variable::has_variables;
use crate::openssl::cipher_string::{CipherStringError, evaluate};
use crate::openssl::conf_command;
use crate::openssl::group_name::{self, GroupSupport};
use crate::openssl::release::OpensslRelease;
use crate::targets::disk::{DiskEntry, entry};
use crate::targets::identity::{FileError, read_certificates};
use crate::targets::passwords::PasswordFile;

/// How nginx opens a file, and what it must contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Use {
    Certificate,
    Key,
    /// Certificates or revocation lists for verification.
    Trusted,
    Parameters,
    Password,
    TicketKey,
    Staple,
}

/// What is wrong with files and values, as far as this machine and the release show.
///
/// `on_disk`: the configuration was read from this machine, so a file that is missing here is also missing for nginx.
/// `keys`: whether to compare keys with their certificates, which an audit of the sockets does itself.
pub fn check(
    tree: &Tree,
    upstreams: &[Upstream],
    premises: &Premises<'_>,
    (on_disk, keys): (bool, bool),
) -> StartupCheck {
    let (facts, met, refused) = (Vec::new(), HashSet::new(), HashSet::new());
    let files = Vec::new();
    let mut checks = Checks { tree, premises, on_disk, keys, facts, met, files, refused };
    let root = Scope::root(tree);
    for module in ["http", "stream", "mail"] {
        for block in tree.blocks(module) {
            let scope = root.enter(block);
            for server in block.children().iter().filter(|one| one.name == "server") {
                checks.server(&scope.enter(server), module == "http");
            }
        }
    }
    checks.passwords(&tree.directives);
    for upstream in upstreams {
        checks.upstream(upstream);
    }
    checks.facts.sort();
    checks.facts.dedup();
    // One file may serve several purposes.
    checks.files.sort_by(|(_, one), (_, other)| one.cmp(other));
    checks.files.dedup_by(|(_, one), (_, other)| one == other);
    StartupCheck { facts: checks.facts, files: checks.files }
}

/// What nginx does when it starts.
#[derive(Debug)]
pub struct StartupCheck {
    /// What is wrong, by place.
    pub facts: Vec<Fact>,
    /// The files that nginx reads then, each once, with a directive that names it.
    pub files: Vec<(Span, String)>,
}

struct Checks<'a> {
    tree: &'a Tree,
    premises: &'a Premises<'a>,
    on_disk: bool,
    keys: bool,
    facts: Vec<Fact>,
    met: HashSet<(Use, String)>,
    files: Vec<(Span, String)>,
    /// The files that nginx refuses.
    refused: HashSet<String>,
}

impl Checks<'_> {
    fn server(&mut self, scope: &Scope<'_>, is_web: bool) {
        let asks =
            |one: &&Directive| one.arguments.iter().any(|word| word == "ssl" || word == "quic");
        let speaks_tls = scope.own("listen").iter().any(asks)
            || scope.effective("starttls").iter().any(|one| one.first() != "off");
        let has_certificate = !scope.effective("ssl_certificate").is_empty();
        // `http` sets up TLS wherever there is a certificate; other modules only where they use TLS.
        if !(has_certificate && (is_web || speaks_tls)) {
            return;
        }
        let verifies = scope.scalar("ssl_verify_client").is_some_and(|mode| mode.value != "off");
        let staples = scope.flag("ssl_stapling").is_some_and(|set| set.value);
        for (name, kind, counts) in [
            ("ssl_certificate", Use::Certificate, true),
            ("ssl_certificate_key", Use::Key, true),
            ("ssl_client_certificate", Use::Trusted, verifies),
            ("ssl_trusted_certificate", Use::Trusted, true),
            ("ssl_crl", Use::Trusted, true),
            ("ssl_dhparam", Use::Parameters, true),
            ("ssl_session_ticket_key", Use::TicketKey, true),
            ("ssl_stapling_file", Use::Staple, staples),
        ] {
            for one in scope.effective(name).iter().filter(|_| counts) {
                self.file(one.first(), kind, &one.judged_at());
            }
        }
        let passwords = scope.scalar("ssl_password_file").map(|set| self.tree.full_name(&set));
        for one in scope.effective("ssl_certificate_key") {
            self.locked(one.first(), passwords.as_deref(), &one.judged_at());
        }
        if self.keys {
            self.key_pairs(scope);
        }
        self.stapling(scope);
        if self.premises.foreign.is_some() {
            return;
        }
        for one in scope.effective("ssl_ciphers") {
            self.ciphers(one.first(), &one.span);
        }
        for one in scope.effective("ssl_ecdh_curve") {
            self.curves(one.first(), &one.span);
        }
        for command in scope.pairs("ssl_conf_command") {
            self.command(&command.value, &command.span);
        }
    }

    /// `SSL_CTX_use_PrivateKey`: a key of the certificate's type must belong to it. OpenSSL keeps a key of another type
    /// without a word, and uses it in no handshake.
    fn key_pairs(&mut self, scope: &Scope<'_>) {
        let certificates = scope.effective("ssl_certificate").iter();
        for (certificate, key) in certificates.zip(scope.effective("ssl_certificate_key")) {
            let path = |one: &Directive| self.premises.path(&self.tree.full_name(one.first()));
            let Ok(chain) = read_certificates(&path(certificate)) else { continue };
            let leaf = chain.first().and_then(|der| Certificate::parse(der).ok());
            let passwords = scope.scalar("ssl_password_file");
            let passwords = passwords.map(|set| self.premises.path(&self.tree.full_name(&set)));
            let read = self.premises.keys.public_key(&path(key), passwords.as_deref());
            let (Some(leaf), Ok(spki)) = (leaf, &*read) else { continue };
            let of = &leaf.public_key.spki;
            if of == spki {
                continue;
            }
            let path = self.tree.full_name(key.first());
            let kind = if key_algorithm(of) == key_algorithm(spki) {
                FactKind::FileRefused {
                    words: format!(
                        "SSL_CTX_use_PrivateKey(\"{path}\") failed (SSL: error:05800074:x509 certificate routines::key values mismatch)"
                    ),
                }
            } else {
                FactKind::KeyUnfit { path }
            };
            self.say(&key.judged_at(), kind);
        }
    }

    /// `ngx_ssl_stapling`: with its own file or responder, no URL is needed in the certificate.
    fn stapling(&mut self, scope: &Scope<'_>) {
        let Some(staples) = scope.flag("ssl_stapling").filter(|set| set.value) else { return };
        let has_own = ["ssl_stapling_file", "ssl_stapling_responder"]
            .iter()
            .any(|name| !scope.effective(name).is_empty());
        for one in scope.effective("ssl_certificate").iter().filter(|_| !has_own) {
            let written = one.first();
            if has_variables(written) {
                continue;
            }
            let name = self.tree.full_name(written);
            let Ok(certificates) = read_certificates(&self.premises.path(&name)) else { continue };
            let first = certificates.first().and_then(|der| Certificate::parse(der).ok());
            if first.is_some_and(|leaf| leaf.ocsp_responders.is_empty()) {
                let kind = FactKind::StaplingIgnored { certificate: written.to_owned() };
                self.say(&staples.span, kind);
            }
        }
    }

    fn upstream(&mut self, upstream: &Upstream) {
        let ssl = &upstream.ssl;
        for (file, kind) in [(&ssl.certificate, Use::Certificate), (&ssl.certificate_key, Use::Key)]
        {
            // A key without a certificate is not opened.
            if let Some(file) = file.as_ref().filter(|_| ssl.certificate.is_some()) {
                self.file(&file.value.written, kind, &file.span);
            }
        }
        if let Some(key) = ssl.certificate_key.as_ref().filter(|_| ssl.certificate.is_some()) {
            let passwords = ssl.password_file.as_ref().map(|set| &*set.value);
            self.locked(&key.value.written, passwords, &key.span);
        }
        for file in [&ssl.trusted_certificate, &ssl.crl].into_iter().flatten() {
            if ssl.verifies() {
                self.file(&file.value, Use::Trusted, &file.span);
            }
        }
        if self.premises.foreign.is_some() {
            return;
        }
        if let Some(ciphers) = &ssl.ciphers {
            self.ciphers(&ciphers.value, &ciphers.span);
        }
        for command in &ssl.conf_command {
            self.command(&command.value, &command.span);
        }
    }

    fn say(&mut self, span: &Span, kind: FactKind) {
        self.facts.push(Fact { span: span.clone(), kind });
    }

    /// Files of passwords, which nginx reads as soon as it meets their directive.
    fn passwords(&mut self, inside: &[Directive]) {
        for one in inside {
            if one.name.ends_with("ssl_password_file") {
                self.file(one.first(), Use::Password, &one.span);
            }
            self.passwords(one.children());
        }
    }

    /// A key that is encrypted, with the file of its passwords.
    fn locked(&mut self, written: &str, passwords: Option<&str>, span: &Span) {
        let Some(name) = self.named(written) else { return };
        let file = passwords.map(|name| self.premises.path(name));
        let read = self.premises.keys.public_key(&self.premises.path(&name), file.as_deref());
        let failed = |errors: &str, why: &str| FactKind::FileRefused {
            words: format!(
                "cannot load certificate key \"{name}\": PEM_read_bio_PrivateKey() failed (SSL: {errors}): {why}"
            ),
        };
        let kind = match &*read {
            Err(FileError::EncryptedKey { .. }) => failed(
                NO_PASSWORD,
                "the key is encrypted and there is no password file, so nginx asks for the password at a terminal, and \
                 without one it does not start",
            ),
            Err(FileError::WrongPassword { words, .. }) => {
                failed(words, &format!("no password in {} is right", passwords.unwrap_or_default()))
            }
            Err(FileError::Undecrypted { reason, .. }) => FactKind::Untested {
                reason: format!("could not test: cannot decrypt the key in {name}: {reason}"),
            },
            _ => return,
        };
        if self.refused.insert(name) {
            self.say(span, kind);
        }
    }

    /// The full name of a file; `None` if the value is not one.
    fn named(&self, written: &str) -> Option<String> {
        let inline = ["data:", "engine:", "store:"].iter().any(|start| written.starts_with(start));
        let is_file = !(written.is_empty() || inline || has_variables(written));
        is_file.then(|| self.tree.full_name(written))
    }

    fn file(&mut self, written: &str, kind: Use, span: &Span) {
        let Some(name) = self.named(written) else { return };
        if !self.met.insert((kind, name.clone())) {
            return;
        }
        self.files.push((span.clone(), name.clone()));
        let path = self.premises.path(&name);
        let kind = match entry(&path) {
            DiskEntry::File(text) => match fault(kind, &name, &text) {
                Some(words) => FactKind::FileRefused { words },
                None => return,
            },
            // If the folder exists without the file, it is probably nginx's own; if not, the configuration is for
            // another machine.
            DiskEntry::Missing { folder: true } if self.on_disk => {
                FactKind::FileRefused { words: missing(kind, &name, self.premises.library) }
            }
            DiskEntry::Missing { .. } => FactKind::Untested {
                reason: format!("could not test: {name} is not on this machine"),
            },
            DiskEntry::Unreadable(_) if kind == Use::Password && path.is_dir() => {
                FactKind::FileRefused {
                    words: format!("read() {name:?} failed (21: Is a directory)"),
                }
            }
            DiskEntry::Unreadable(reason) => FactKind::Untested {
                reason: format!("could not test: cannot read {name}: {reason}"),
            },
        };
        // One file may serve several purposes.
        let is_refused = matches!(kind, FactKind::FileRefused { .. });
        if !is_refused || self.refused.insert(name) {
            self.say(span, kind);
        }
    }

    fn ciphers(&mut self, list: &str, span: &Span) {
        if matches!(evaluate(list, 0), Err(CipherStringError::NoMatch(_))) {
            let error = "error:0A0000B9:SSL routines::no cipher match";
            let words = format!("SSL_CTX_set_cipher_list(\"{list}\") failed (SSL: {error})");
            self.say(span, FactKind::LibraryRefuses { words });
        }
    }

    fn curves(&mut self, list: &str, span: &Span) {
        if list == "auto" {
            return;
        }
        for name in list.split(':') {
            let kind = match (group_name::support(name), self.premises.library) {
                (GroupSupport::Known, _) | (GroupSupport::Since3_5, Some(OpensslRelease::V3_5)) => {
                    continue;
                }
                (GroupSupport::Since3_5, None) => FactKind::Untested {
                    reason: format!(
                        "could not test: whether this OpenSSL supports the group {name} (3.5 does)"
                    ),
                },
                // Since 3.5, a list may mark groups that may be unknown.
                (GroupSupport::Unknown, Some(OpensslRelease::V3_5) | None)
                    if name.contains(['?', '*', '/', '-']) =>
                {
                    continue;
                }
                _ => FactKind::LibraryRefuses {
                    words: format!(
                        "SSL_CTX_set1_curves_list(\"{list}\") failed (SSL: error:0A080106:SSL routines::passed invalid argument:group '{name}' cannot be set)"
                    ),
                },
            };
            return self.say(span, kind);
        }
    }

    fn command(&mut self, (name, value): &(String, String), span: &Span) {
        if !conf_command::exists(name) {
            let error = format!("error:0A000182:SSL routines::unknown cmd name:cmd={name}");
            let words = format!("SSL_CONF_cmd(\"{name}\", \"{value}\") failed (SSL: {error})");
            return self.say(span, FactKind::LibraryRefuses { words });
        }
        let is_groups = ["Groups", "Curves"].iter().any(|one| one.eq_ignore_ascii_case(name));
        let lacks = self.premises.library.is_some_and(|library| library < OpensslRelease::V3_5);
        let newer = |group: &str| group_name::support(group) == GroupSupport::Since3_5;
        if is_groups && lacks && value.split(':').any(newer) {
            let words = format!(
                "SSL_CONF_cmd(\"{name}\", \"{value}\") failed (SSL: error:0A080106:SSL routines::passed invalid argument:group cannot be set)"
            );
            self.say(span, FactKind::LibraryRefuses { words });
        }
    }
}

/// OpenSSL's errors where there is no terminal to ask for a password.
const NO_PASSWORD: &str = "error:1400006B:UI routines::processing error:while reading strings error:0480006D:PEM routines::problems getting password";

/// nginx's message about a missing file.
fn missing(kind: Use, name: &str, library: Option<OpensslRelease>) -> String {
    let cause = match library {
        Some(OpensslRelease::V1_1_1) => format!(
            "SSL: error:02001002:system library:fopen:No such file or directory:fopen('{name}','r') error:2006D080:BIO routines:BIO_new_file:no such file"
        ),
        _ => format!(
            "SSL: error:80000002:system library::No such file or directory:calling fopen({name}, r) error:10000080:BIO routines::no such file"
        ),
    };
    match kind {
        Use::Certificate => {
            format!("cannot load certificate {name:?}: BIO_new_file() failed ({cause})")
        }
        Use::Key => {
            format!("cannot load certificate key {name:?}: BIO_new_file() failed ({cause})")
        }
        Use::Trusted => format!("SSL_CTX_load_verify_locations({name:?}) failed ({cause})"),
        Use::Parameters | Use::Staple => format!("BIO_new_file({name:?}) failed ({cause})"),
        Use::Password | Use::TicketKey => {
            format!("open() {name:?} failed (2: No such file or directory)")
        }
    }
}

/// nginx's message about the contents of a file.
fn fault(kind: Use, name: &str, text: &[u8]) -> Option<String> {
    let has = |label: &str| {
        let begin = format!("-----BEGIN {label}");
        text.windows(begin.len()).any(|window| window == begin.as_bytes())
    };
    let pem = "SSL: error:0480006C:PEM routines::no start line:Expecting: ";
    match kind {
        Use::Certificate
            if !["CERTIFICATE-", "TRUSTED CERTIFICATE", "X509 CERTIFICATE"]
                .iter()
                .any(|label| has(label)) =>
        {
            Some(format!(
                "cannot load certificate {name:?}: PEM_read_bio_X509_AUX() failed ({pem}TRUSTED CERTIFICATE)"
            ))
        }
        Use::Key if !text.windows(11).any(|window| window == b"PRIVATE KEY") => Some(format!(
            "cannot load certificate key {name:?}: PEM_read_bio_PrivateKey() failed (SSL: error:1E08010C:DECODER routines::unsupported)"
        )),
        Use::Trusted if !has("") => Some(format!(
            "SSL_CTX_load_verify_locations({name:?}) failed (SSL: error:05800088:x509 certificate routines::no certificate or crl found)"
        )),
        Use::Parameters if !has("DH PARAMETERS") && !has("X9.42 DH PARAMETERS") => {
            Some(format!("PEM_read_bio_DHparams({name:?}) failed ({pem}DH PARAMETERS)"))
        }
        Use::Password if PasswordFile::of(Path::new(name), text).is_none() => {
            Some(format!("too long line in {name:?}"))
        }
        Use::TicketKey if ![48, 80].contains(&text.len()) => {
            Some(format!("{name:?} must be 48 or 80 bytes"))
        }
        _ => None,
    }
}
