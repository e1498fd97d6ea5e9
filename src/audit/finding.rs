//! A finding: one defect, its evidence, the fix, and commands that reproduce it.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::Date;

use crate::certificate::parse::Fingerprint;
use crate::targets::{Origin, Target, TargetKind};

/// The severity, by what fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It will fail, or it fails for some clients.
    Warning,
    /// A handshake or a verification fails for this role.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// The kind of fix that a finding needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// Dates, names, keys and chains.
    Certificate,
    /// Certificates that clients present.
    ClientCertificate,
    /// Versions and suites that client and server do not share.
    ProtocolCipher,
    /// Problems that may cause a later outage.
    Prevention,
    /// The endpoint could not be reached.
    Reachability,
    /// The name in the hello.
    Sni,
    /// nginx as a client of the endpoint.
    Upstream,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Certificate => "certificate",
            Self::ClientCertificate => "client-certificate",
            Self::ProtocolCipher => "protocol-cipher",
            Self::Prevention => "prevention",
            Self::Reachability => "reachability",
            Self::Sni => "sni",
            Self::Upstream => "upstream",
        })
    }
}

/// One nginx directive that fixes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposedDirective {
    /// The block it belongs in: `server`, `location` …
    pub context: String,
    /// Its name.
    pub name: String,
    /// Its parameters, as written between the name and the semicolon.
    pub value: String,
    /// The file to change, if a configuration was read.
    pub file: Option<String>,
    /// The line to change, from 1.
    pub line: Option<u32>,
}

/// How to fix a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// The text, in a sentence or two, including "reload" if one is needed.
    pub text: String,
    /// The directives that fix it.
    pub directives: Vec<ProposedDirective>,
    /// Whether a probe with the fix succeeded; `None` if it was not tried.
    pub verified: Option<bool>,
    /// What must be true for the fix to be right, if only the peer itself claims it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumes: Option<String>,
}

/// One defect, reported once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// Its severity here.
    pub severity: Severity,
    /// What is wrong, in one sentence; it may contain remote text, so escape it before display.
    pub message: String,
    /// The evidence, one fact per line; it may contain remote text.
    pub evidence: Vec<String>,
    /// The kind of fix.
    pub section: Section,
    /// The fix, if there is one.
    pub fix: Option<Fix>,
    /// Commands that show the fault without this program.
    pub reproduce: Vec<String>,
    /// Its place in a file, if it is not the target's.
    pub place: Option<Origin>,
    /// Distinguishes this finding from others of the same rule and target; contains no dates or serial numbers, and is
    /// often empty.
    pub subject: String,
    /// The finding says that something could not be tested.
    pub could_not_test: bool,
    /// Why it does not fail the run, if it is excused.
    pub excuse: Option<Excuse>,
}

/// Why a finding does not fail the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// The gate file allows it.
    Allowed {
        /// The reason in the gate file.
        reason: String,
        /// The last day of the allowance.
        until: Date,
    },
    /// A comment beside the directive allows it.
    Ignored {
        /// The reason in the comment.
        reason: String,
    },
    /// The baseline contains it.
    Known,
    /// The configuration uses no TLS there; only whether the port expects it is unknown.
    NoTls,
}

impl Excuse {
    /// Whether the operator named this finding. A finding in a baseline only existed before.
    pub fn is_explicit(&self) -> bool {
        matches!(self, Self::Allowed { .. } | Self::Ignored { .. })
    }
}

impl fmt::Display for Excuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed { reason, until } => write!(f, "allowed until {until}: {reason}"),
            Self::Ignored { reason } => {
                write!(f, "ignored by a comment in the configuration: {reason}")
            }
            Self::Known => f.write_str("known: it is in the baseline"),
            Self::NoTls => f.write_str("the configuration uses no TLS there"),
        }
    }
}

impl Finding {
    /// Whether it fails its target at a gate with this severity.
    pub fn fails_at(&self, threshold: Severity) -> bool {
        self.excuse.is_none() && self.severity >= threshold
    }

    /// Adds a fact.
    #[must_use]
    pub fn evidence(mut self, fact: impl Into<String>) -> Self {
        self.evidence.push(fact.into());
        self
    }

    /// Adds several facts.
    #[must_use]
    pub fn evidence_from(mut self, facts: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(facts);
        self
    }

    /// Replaces the rule's severity, if the role or an expectation changes what fails.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Replaces the rule's general fix by a specific text.
    #[must_use]
    pub fn fix(mut self, text: impl Into<String>) -> Self {
        let directives = self.fix.take().map(|fix| fix.directives).unwrap_or_default();
        self.fix = Some(Fix { text: text.into(), directives, verified: None, assumes: None });
        self
    }

    /// Adds a directive to the fix.
    #[must_use]
    pub fn directive(mut self, context: &str, name: &str, value: impl Into<String>) -> Self {
        let directive = ProposedDirective {
            context: context.to_owned(),
            name: name.to_owned(),
            value: value.into(),
            file: None,
            line: None,
        };
        self.fix
            .get_or_insert_with(|| Fix {
                text: String::new(),
                directives: Vec::new(),
                verified: None,
                assumes: None,
            })
            .directives
            .push(directive);
        self
    }

    /// Adds a command that shows the fault.
    #[must_use]
    pub fn reproduce(mut self, command: impl Into<String>) -> Self {
        self.reproduce.push(command.into());
        self
    }

    /// Adds several commands that show the fault.
    #[must_use]
    pub fn reproduce_from(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.reproduce.extend(commands);
        self
    }

    /// Sets what distinguishes this finding from others of the same rule and target.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Identifies this finding across runs by rule, target and subject, which do not change with a renewal, a line
    /// number, the date or an nginx upgrade. 32 hexadecimal digits.
    pub fn fingerprint(&self, target: &Target) -> String {
        let identity = match &target.kind {
            TargetKind::Endpoint { host, port, connect_to } => {
                let sni = target.server_name.as_deref().unwrap_or("-");
                let (host, port) = (host.to_string(), port.to_string());
                // The first releases used only these five; if nothing else is set, old baselines still match.
                let mut identity = [self.rule, &host, &port, sni, &self.subject].join("\0");
                if let Some((host, port)) = connect_to {
                    identity = format!("{identity}\0connect_to={host}:{port}");
                }
                // Several places of a configuration can lead to one endpoint, each with its own settings.
                let configured = target.nginx.as_ref().filter(|client| client.place.is_some());
                if let Some(client) = configured {
                    identity = format!("{identity}\0{}", client.settings());
                }
                identity
            }
            TargetKind::Configuration => {
                [self.rule, "configuration", &target.name, &self.subject].join("\0")
            }
            TargetKind::File { host, .. } => {
                [self.rule, "file", &target.name, &host.to_string(), &self.subject].join("\0")
            }
            TargetKind::ClientFile { host, .. } => {
                let holder = host.to_string();
                [self.rule, "client-file", &target.name, &holder, &self.subject].join("\0")
            }
        };
        let mut digits = Fingerprint::of(identity.as_bytes()).to_string();
        digits.truncate(32);
        digits
    }

    /// Marks the fix as verified: a handshake with it succeeded.
    #[must_use]
    pub fn verified(mut self) -> Self {
        if let Some(fix) = &mut self.fix {
            fix.verified = Some(true);
        }
        self
    }

    /// Marks the finding as "could not test".
    #[must_use]
    pub fn could_not_test(mut self) -> Self {
        self.could_not_test = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::audit::registry::find;
    use crate::nginx::defaults::NginxRelease;
    use crate::openssl::release::OpensslRelease;
    use crate::targets::nginx_client::NginxClient;
    use crate::targets::options::Options;
    use crate::targets::{FilePart, Origin, Target, TargetKind};

    fn target(address: &str) -> Target {
        Options::default().target(address.parse().unwrap(), None, None)
    }

    fn fingerprint(target: &Target) -> String {
        find("self-signed").unwrap().finds("").subject("leaf").fingerprint(target)
    }

    fn behind(client: NginxClient) -> Target {
        let place = Some(Origin { file: "nginx.conf".to_owned(), line: 1, column: 1 });
        let nginx = Some(Arc::new(NginxClient { place, ..client }));
        Target { nginx, ..target("a.test") }
    }

    /// Baselines contain these values, so they must never change.
    #[test]
    fn fingerprints_stay_as_they_are() {
        assert_eq!(fingerprint(&target("a.test")), "5693c375ad08add64188fb67aaf37f49");
        assert_eq!(
            fingerprint(&target("a.test:443:10.0.0.1:8443")),
            "1708e419bf89bd7b83f0861a588dc230"
        );
        assert_eq!(
            fingerprint(&behind(NginxClient::new("a.test"))),
            "6070ada358ff5fd3ee95c68a4acb0eeb"
        );
    }

    #[test]
    fn another_backend_of_the_same_name_has_its_own() {
        let known = fingerprint(&target("a.test:443:10.0.0.1:8443"));
        for other in ["a.test:443", "a.test:443:10.0.0.2:8443", "a.test:443:10.0.0.1:8444"] {
            assert_ne!(fingerprint(&target(other)), known, "{other}");
        }
    }

    #[test]
    fn an_upgrade_of_nginx_or_openssl_changes_nothing_and_a_setting_does() {
        let client = NginxClient::new("a.test");
        let known = fingerprint(&behind(client.clone()));
        let upgraded = NginxClient {
            version: Some(NginxRelease::new(1, 31, 0)),
            library: OpensslRelease::V1_1_1,
            ..client.clone()
        };
        assert_eq!(fingerprint(&behind(upgraded)), known);
        assert_ne!(fingerprint(&behind(client.with_name_sent())), known);
    }

    #[test]
    fn files_and_configurations_are_known_by_their_names() {
        let host = "a.test".parse::<crate::targets::address::Address>().unwrap().host;
        let of = |kind, name: &str| Options::default().target_of(kind, name.to_owned(), None);
        let part = FilePart::Chain;
        let file =
            |name: &str| fingerprint(&of(TargetKind::File { host: host.clone(), part }, name));
        let configuration = |name: &str| fingerprint(&of(TargetKind::Configuration, name));
        let all = [file("a.pem"), file("b.pem"), configuration("a.pem"), configuration("b.conf")];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
