//! What nginx and its OpenSSL check when they start: files that the configuration names, and values that only the
//! library can check.

use std::collections::HashSet;
use std::mem::discriminant;
use std::path::Path;

use time::OffsetDateTime;

use super::nginx_file::{FileUse, NO_PASSWORD, OpenFailure, fault, unopened};
use super::weak_pair::UnsentChain;
use super::{Premises, library_values, lists, weak_pair};
use crate::certificate::Certificate;
use crate::certificate::crl::RevocationLists;
use crate::certificate::file::{blocks, key_algorithm, mentions_certificate};
use crate::nginx::facts::{Fact, FactKind};
use crate::nginx::inherit::{Scope, Set};
use crate::nginx::problem::Span;
use crate::nginx::tree::{Directive, Tree};
use crate::nginx::upstream::Upstream;
use crate::nginx::variable_text::has_variables;
use crate::openssl::conf_value;
use crate::targets::disk::{DiskEntry, entry};
use crate::targets::identity::FileError;
use crate::targets::opened_files::CertificatesRead;
use crate::targets::regular_file::{self, EntryKind};

/// What is wrong with files and values, as far as this machine and the release show.
///
/// `on_disk`: the configuration was read from this machine, so a file that is missing here is also missing for nginx.
/// `judges_files`: whether to compare keys with their certificates and to judge lists for upstreams, which an audit of the
/// sockets and the upstreams does itself.
pub fn check(
    tree: &Tree,
    upstreams: &[Upstream],
    premises: &Premises<'_>,
    (on_disk, judges_files): (bool, bool),
    now: OffsetDateTime,
) -> StartupCheck {
    let mut checks = Checks {
        tree,
        premises,
        on_disk,
        judges_files,
        now,
        end: None,
        facts: Vec::new(),
        met: HashSet::new(),
        files: Vec::new(),
        refused: HashSet::new(),
    };
    let root = Scope::root(tree);
    for module in ["http", "stream", "mail"] {
        for block in tree.blocks(module) {
            let scope = root.enter(block);
            checks.end = Some(tree.end(block));
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
    judges_files: bool,
    now: OffsetDateTime,
    /// Where the block of the module ends.
    end: Option<Span>,
    facts: Vec<Fact>,
    met: HashSet<(FileUse, String)>,
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
        // Those of a socket with TLS are found with it.
        let keys = scope.effective("ssl_certificate_key").len();
        let keyless = scope.effective("ssl_certificate").get(keys).filter(|_| !speaks_tls);
        if let Some(certificate) = keyless {
            self.say(&certificate.judged_at(), FactKind::KeyMissing);
        }
        let verifies = scope.scalar("ssl_verify_client").is_some_and(|mode| mode.value != "off");
        let staples = scope.flag("ssl_stapling").is_some_and(|set| set.value);
        let passwords = scope.scalar("ssl_password_file").map(|set| self.tree.full_name(&set));
        for (name, kind, counts) in [
            ("ssl_certificate", FileUse::Certificate, true),
            ("ssl_certificate_key", FileUse::Key, true),
            ("ssl_client_certificate", FileUse::ClientAuthorities, verifies),
            ("ssl_trusted_certificate", FileUse::Trusted, is_web || verifies),
            ("ssl_crl", FileUse::Lists, is_web || verifies),
            ("ssl_dhparam", FileUse::Parameters, true),
            ("ssl_session_ticket_key", FileUse::TicketKey, true),
            ("ssl_stapling_file", FileUse::Staple, staples),
        ] {
            for one in scope.effective(name).iter().filter(|_| counts) {
                // nginx reads these keys when it has read everything else.
                let at_end = self.end.clone().filter(|_| kind == FileUse::TicketKey);
                let span = at_end.unwrap_or_else(|| one.judged_at());
                let text = self.file(one.first(), kind, &span);
                match (kind, text) {
                    (FileUse::Key, text) => {
                        self.locked(one.first(), text.as_deref(), passwords.as_deref(), &span);
                    }
                    (FileUse::Certificate, Some(text)) => {
                        let path = self.premises.path(&self.tree.full_name(one.first()));
                        self.premises.opened.certificates_in(&path, &text);
                    }
                    _ => {}
                }
            }
        }
        if self.judges_files {
            self.key_pairs(scope);
        }
        self.stapling(scope);
        if self.premises.foreign.is_some() {
            return;
        }
        if verifies && let Some(crl) = scope.scalar("ssl_crl") {
            let trusted = ["ssl_client_certificate", "ssl_trusted_certificate"];
            let trusted = trusted.iter().filter_map(|name| scope.scalar(name));
            let trusted: Vec<String> = trusted.map(|set| self.tree.full_name(&set)).collect();
            self.lists(&crl.map(|name| self.tree.full_name(&name)), &trusted);
        }
        for (span, name, words) in weak_pair::refused(scope, self.tree, self.premises) {
            if self.refused.insert(name) {
                self.say(&span, FactKind::FileRefused { words });
            }
        }
        for one in scope.effective("ssl_ciphers") {
            self.say_of(&one.span, library_values::ciphers(one.first()));
        }
        for one in scope.effective("ssl_ecdh_curve") {
            let kind = library_values::curves(one.first(), self.premises.library);
            self.say_of(&one.span, kind);
        }
        let commands = scope.pairs("ssl_conf_command");
        for command in &commands {
            self.command(&command.value, &command.span);
        }
        let rejects = scope.flag("ssl_reject_handshake").is_some_and(|set| set.value);
        if !commands.is_empty() && speaks_tls && !rejects {
            let mut types = Vec::new();
            for one in scope.effective("ssl_certificate").iter().rev() {
                let Some((name, certificates)) = self.certificates(one.first()) else { continue };
                // OpenSSL keeps one certificate of each type, the last.
                let of = certificates.first().map(|leaf| discriminant(&leaf.public_key.key_type));
                if !types.contains(&of) {
                    types.push(of);
                    self.unsent(&commands, (name, &certificates), false);
                }
            }
        }
    }

    /// A chain that the level of these commands keeps OpenSSL from sending.
    fn unsent(
        &mut self,
        commands: &[Set<(String, String)>],
        (file, certificates): (String, &CertificatesRead),
        is_client: bool,
    ) {
        let Some(library) = self.premises.library else { return };
        if self.refused.contains(&file) {
            return;
        }
        let found = weak_pair::unsent(commands, certificates, library);
        if let Some(UnsentChain { command, level, weakness }) = found {
            let reason = weakness.reason();
            self.say(&command, FactKind::CertificateBelowLevel { file, level, reason, is_client });
        }
    }

    /// `SSL_CTX_use_PrivateKey`: a key of the certificate's type must belong to it. OpenSSL keeps a key of another type
    /// without a word, and uses it in no handshake.
    fn key_pairs(&mut self, scope: &Scope<'_>) {
        let certificates = scope.effective("ssl_certificate").iter();
        for (certificate, key) in certificates.zip(scope.effective("ssl_certificate_key")) {
            let path = |one: &Directive| self.premises.path(&self.tree.full_name(one.first()));
            let Some(chain) = self.premises.opened.certificates(&path(certificate)) else {
                continue;
            };
            let passwords = scope.scalar("ssl_password_file");
            let passwords = passwords.map(|set| self.premises.path(&self.tree.full_name(&set)));
            let read = self.premises.opened.public_key(&path(key), passwords.as_deref());
            let (Some(leaf), Ok(spki)) = (chain.first(), &*read) else { continue };
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
            let path = self.premises.path(&name);
            let Some(certificates) = self.premises.opened.certificates(&path) else { continue };
            if certificates.first().is_some_and(|leaf| leaf.ocsp_responders.is_empty()) {
                let kind = FactKind::StaplingIgnored { certificate: written.to_owned() };
                self.say(&staples.span, kind);
            }
        }
    }

    fn upstream(&mut self, upstream: &Upstream) {
        let ssl = &upstream.ssl;
        // A key without a certificate is not opened.
        if let Some(certificate) = &ssl.certificate {
            self.file(&certificate.value.written, FileUse::Certificate, &certificate.span);
            if let Some(key) = &ssl.certificate_key {
                let text = self.file(&key.value.written, FileUse::Key, &key.span);
                let passwords = ssl.password_file.as_ref().map(|set| &*set.value);
                self.locked(&key.value.written, text.as_deref(), passwords, &key.span);
            }
        }
        for (file, kind) in
            [(&ssl.trusted_certificate, FileUse::Trusted), (&ssl.crl, FileUse::Lists)]
        {
            if let Some(file) = file.as_ref().filter(|_| ssl.verifies()) {
                self.file(&file.value, kind, &file.span);
            }
        }
        if self.premises.foreign.is_some() {
            return;
        }
        let trusted = ssl.trusted_certificate.as_ref().map(|set| set.value.clone());
        // With its chain, an audit of the upstream says more.
        if let Some(crl) = ssl.crl.as_ref().filter(|_| self.judges_files && ssl.verifies()) {
            self.lists(crl, &trusted.into_iter().collect::<Vec<_>>());
        }
        if let Some(ciphers) = &ssl.ciphers {
            self.say_of(&ciphers.span, library_values::ciphers(&ciphers.value));
        }
        for command in &ssl.conf_command {
            self.command(&command.value, &command.span);
        }
        let certificate = ssl.certificate.as_ref().filter(|_| !ssl.conf_command.is_empty());
        let read = certificate.and_then(|set| self.certificates(&set.value.written));
        if let Some((name, certificates)) = read {
            self.unsent(&ssl.conf_command, (name, &certificates), true);
        }
    }

    /// What a file of revocation lists says of itself. Certificates in it are trusted too, and lists in the other files count
    /// in some releases; then nothing is said.
    fn lists(&mut self, file: &Set<String>, trusted: &[String]) {
        let read = |name: &String| match entry(&self.premises.path(name)) {
            DiskEntry::File(text) => Some(text),
            _ => None,
        };
        let Some(text) = read(file).filter(|text| !mentions_certificate(text)) else { return };
        let Ok(lists) = RevocationLists::read(&text) else { return };
        let (mut authorities, mut has_lists) = (Vec::new(), false);
        for text in trusted.iter().filter_map(read) {
            has_lists |= RevocationLists::read(&text).is_ok_and(|lists| !lists.0.is_empty());
            let (blocks, _) = blocks(&text);
            authorities.extend(blocks.iter().filter_map(|one| Certificate::parse(&one.der).ok()));
        }
        if has_lists {
            return;
        }
        for kind in lists::facts((file, &lists), &authorities, None, self.now) {
            self.say(&file.span, kind);
        }
    }

    fn say_of(&mut self, span: &Span, kind: Option<FactKind>) {
        if let Some(kind) = kind {
            self.say(span, kind);
        }
    }

    fn say(&mut self, span: &Span, kind: FactKind) {
        self.facts.push(Fact { span: span.clone(), kind });
    }

    /// Files of passwords, which nginx reads as soon as it meets their directive.
    fn passwords(&mut self, inside: &[Directive]) {
        for one in inside {
            if one.name.ends_with("ssl_password_file") {
                self.file(one.first(), FileUse::Password, &one.span);
            }
            self.passwords(one.children());
        }
    }

    /// A key that is encrypted, with the file of its passwords; the text of its file, if that was just read.
    fn locked(&mut self, written: &str, text: Option<&[u8]>, passwords: Option<&str>, span: &Span) {
        let Some(name) = self.named(written) else { return };
        let (path, file) =
            (self.premises.path(&name), passwords.map(|name| self.premises.path(name)));
        let opened = &self.premises.opened;
        let read = match text {
            Some(text) => opened.public_key_in(&path, text, file.as_deref()),
            None => opened.public_key(&path, file.as_deref()),
        };
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

    /// The full name of a file of certificates, and what is in it; `None` if it is not a file or cannot be read.
    fn certificates(&self, written: &str) -> Option<(String, CertificatesRead)> {
        let name = self.named(written)?;
        let read = self.premises.opened.certificates(&self.premises.path(&name))?;
        Some((name, read))
    }

    /// The full name of a certificate or a key; `None` if the value is not a file.
    fn named(&self, written: &str) -> Option<String> {
        let inline = ["data:", "engine:", "store:"].iter().any(|start| written.starts_with(start));
        let is_file = !(written.is_empty() || inline || has_variables(written));
        is_file.then(|| self.tree.full_name(written))
    }

    /// The full name of a file for this use. Only certificates and keys may be something else, and only some directives
    /// accept an empty name for none.
    fn named_for(&self, kind: FileUse, written: &str) -> Option<String> {
        match kind {
            FileUse::Certificate | FileUse::Key => self.named(written),
            FileUse::Password | FileUse::TicketKey => Some(self.tree.full_name(written)),
            _ => (!written.is_empty()).then(|| self.tree.full_name(written)),
        }
    }

    /// Judges a file, the first time that it is met in this use, and returns its text if nginx can use it.
    fn file(&mut self, written: &str, kind: FileUse, span: &Span) -> Option<Vec<u8>> {
        let name = self.named_for(kind, written)?;
        if !self.met.insert((kind, name.clone())) {
            return None;
        }
        self.files.push((span.clone(), name.clone()));
        let path = self.premises.path(&name);
        let kind = match entry(&path) {
            DiskEntry::File(text) => {
                let Some(words) = fault(kind, &name, &text) else { return Some(text) };
                FactKind::FileRefused { words }
            }
            // If the folder exists without the file, it is probably nginx's own; if not, the configuration is for
            // another machine.
            DiskEntry::Missing { folder: true } if self.on_disk => {
                FactKind::FileRefused { words: self.unopened(kind, &name, OpenFailure::Missing) }
            }
            DiskEntry::Missing { .. } => FactKind::Untested {
                reason: format!("could not test: {name} is not on this machine"),
            },
            DiskEntry::Unreadable(reason) => self.unread(kind, &name, &path, &reason)?,
        };
        // One file may serve several purposes.
        let is_refused = matches!(kind, FactKind::FileRefused { .. });
        if !is_refused || self.refused.insert(name) {
            self.say(span, kind);
        }
        None
    }

    fn unopened(&self, kind: FileUse, name: &str, error: OpenFailure) -> String {
        unopened(kind, name, error, self.premises.library)
    }

    /// What nginx meets where this program reads nothing. OpenSSL takes a folder for an empty file.
    fn unread(&self, kind: FileUse, name: &str, path: &Path, reason: &str) -> Option<FactKind> {
        let refused = |words: String| FactKind::FileRefused { words };
        let untested = |why: &str| FactKind::Untested { reason: format!("could not test: {why}") };
        Some(match regular_file::kind(path) {
            Ok(EntryKind::Folder) if kind == FileUse::Password => {
                refused(format!("read() {name:?} failed (21: Is a directory)"))
            }
            Ok(EntryKind::Folder) => refused(fault(kind, name, b"")?),
            Ok(EntryKind::Socket) => refused(self.unopened(kind, name, OpenFailure::Socket)),
            Ok(EntryKind::Pipe) => untested(&format!(
                "{name} is a named pipe: nginx waits for what is written to it, and it can be read only once"
            )),
            Ok(EntryKind::Device) => untested(&format!("{name} is a device, which is not read")),
            _ => untested(&format!("cannot read {name}: {reason}")),
        })
    }

    fn command(&mut self, (name, value): &(String, String), span: &Span) {
        let kind = library_values::command(name, value, self.premises.library);
        if let Some(kind) = kind {
            return self.say(span, kind);
        }
        let file = self.tree.full_name(value);
        let is_missing =
            || entry(&self.premises.path(&file)) == DiskEntry::Missing { folder: true };
        if conf_value::names_file(name) && self.on_disk && is_missing() {
            let error = "error:80000002:system library::No such file or directory";
            let words = format!("SSL_CONF_cmd(\"{name}\", \"{file}\") failed (SSL: {error})");
            self.say(span, FactKind::LibraryRefuses { words });
        }
    }
}
