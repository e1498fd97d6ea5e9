//! A finding: one cause, its evidence, the fix and the commands that show it.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::Date;

use crate::certificate::parse::Fingerprint;
use crate::targets::{Origin, Target};

/// How bad it is, by what breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It will fail, or fails for some clients.
    Warning,
    /// A handshake or a verification fails for the role at hand.
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

/// The family of fixes that a finding belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// Dates, names, keys and chains.
    Certificate,
    /// Certificates that clients present.
    ClientCertificate,
    /// Versions and suites that do not meet.
    ProtocolCipher,
    /// What keeps the next outage away.
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

/// One nginx directive that mends something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directive {
    /// The block it belongs in: `server`, `location` …
    pub context: String,
    /// Its name.
    pub name: String,
    /// Its parameters, as they stand between name and semicolon.
    pub value: String,
    /// The file to change, where the configuration was read.
    pub file: Option<String>,
    /// The line to change, from 1.
    pub line: Option<u32>,
}

/// What to do about a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// In a sentence or two, "reload" included where one is needed.
    pub text: String,
    /// The directives that mend it.
    pub directives: Vec<Directive>,
    /// Whether a probe with the fix applied succeeded; `None` where none was made.
    pub verified: Option<bool>,
}

/// One cause, found once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// How bad it is here.
    pub severity: Severity,
    /// What is wrong, in one sentence; it may hold remote text, so escape it before display.
    pub message: String,
    /// The facts it rests on, one a line; may hold remote text.
    pub evidence: Vec<String>,
    /// The family of fixes.
    pub section: Section,
    /// What to do, where there is something to do.
    pub fix: Option<Fix>,
    /// Commands that show the fault without this tool.
    pub reproduce: Vec<String>,
    /// Where it stands, if not where its target does.
    pub place: Option<Origin>,
    /// What tells this finding from another of the same rule and target, free of dates and serials; often empty.
    pub subject: String,
    /// The finding says that something could not be tested.
    pub could_not_test: bool,
    /// Why it does not fail the run, where it is excused.
    pub excuse: Option<Excuse>,
}

/// Why a finding does not fail the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// The gate file allows it.
    Allowed {
        /// Why, in the words of the gate file.
        reason: String,
        /// The last day on which it does.
        until: Date,
    },
    /// A comment beside the directive allows it.
    Ignored {
        /// Why, in the words of the comment.
        reason: String,
    },
    /// The baseline holds it.
    Known,
}

impl fmt::Display for Excuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed { reason, until } => write!(f, "allowed until {until}: {reason}"),
            Self::Ignored { reason } => write!(f, "ignored beside the directive: {reason}"),
            Self::Known => f.write_str("known: it stands in the baseline"),
        }
    }
}

impl Finding {
    /// Whether it fails its target at a gate of this severity.
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

    /// Replaces the rule's severity, where the role or an expectation changes what breaks.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Replaces the rule's fix text by one that names names.
    #[must_use]
    pub fn fix(mut self, text: impl Into<String>) -> Self {
        let directives = self.fix.take().map(|fix| fix.directives).unwrap_or_default();
        self.fix = Some(Fix { text: text.into(), directives, verified: None });
        self
    }

    /// Adds a directive to the fix.
    #[must_use]
    pub fn directive(mut self, context: &str, name: &str, value: impl Into<String>) -> Self {
        let directive = Directive {
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

    /// Names what tells this finding from another of the same rule and target.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// What names this finding from run to run: rule, endpoint, name and subject, and nothing that a renewal, a new line
    /// number or another day would change. 32 hexadecimal digits.
    pub fn fingerprint(&self, target: &Target) -> String {
        let sni = target.server_name.as_deref().unwrap_or("-");
        let (host, port) = (target.host.to_string(), target.port.to_string());
        let mut identity = [self.rule, &host, &port, sni, &self.subject].join("\0");
        // In one configuration several places can lead to one endpoint, each with its settings; what has no port is no
        // endpoint, and known by its name.
        let configured = target.nginx.as_ref().filter(|client| client.place.is_some());
        if let Some(client) = configured {
            identity = format!("{identity}\0{}", client.settings());
        } else if target.port == 0 && target.origin.is_some() {
            identity = format!("{identity}\0{}", target.name);
        }
        let mut digits = Fingerprint::of(identity.as_bytes()).to_string();
        digits.truncate(32);
        digits
    }

    /// Says that a handshake with the fix applied was made and completed.
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
