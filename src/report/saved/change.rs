//! A change between two runs, and its words.

use std::fmt;

use serde::Serialize;

use crate::audit::finding::Severity;
use crate::report::words;
use crate::run::Status;

/// What changed at one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetChanges {
    /// The target's name.
    pub name: String,
    /// The changes, at least one.
    pub changes: Vec<TargetChange>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetChange {
    /// Whether it got worse.
    pub worse: bool,
    /// What changed.
    #[serde(flatten)]
    pub what: What,
}

/// The kinds of changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "old and new are what was and what is")]
pub enum What {
    /// A new target.
    TargetNew { status: Status },
    /// The target is no longer there.
    TargetGone,
    /// Another status.
    Status { old: Status, new: Status },
    /// A new finding.
    FindingNew { rule: String, severity: Severity, message: String },
    /// A finding that is gone.
    FindingGone { rule: String, severity: Severity },
    /// A finding whose severity changed.
    Severity { rule: String, old: Severity, new: Severity },
    /// A version that is no longer accepted, or no longer at every address.
    ProtocolLost { version: String },
    /// A version that was not accepted before, or not at every address.
    ProtocolGained { version: String },
    /// A client that can no longer connect, or no longer to every address.
    ClientLost { client: String, reason: Option<String> },
    /// A client that could not connect, or not to every address.
    ClientGained { client: String },
    /// A client that connects in another way: version, cipher suite and group.
    ClientNegotiates { client: String, old: String, new: String },
    /// Another application protocol in this version; `none` where none is selected.
    Alpn { version: String, old: String, new: String },
    /// Whether sessions of this version are resumed.
    Resumption { version: String, resumed: bool },
    /// Other certificates with other dates: the first date on which one expires.
    Certificate { old: String, new: String },
    /// Another issuer.
    Issuer { old: String, new: String },
    /// Another key.
    Key,
    /// The certificate expires earlier than the previous one.
    ExpiryEarlier { old: String, new: String },
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetNew { status } => write!(f, "new target: {}", words::status(*status)),
            Self::TargetGone => f.write_str("target is gone"),
            Self::Status { old, new } => {
                write!(f, "result: {} (was {})", words::status(*new), words::status(*old))
            }
            Self::FindingNew { rule, severity, message } => {
                write!(f, "new {severity}[{rule}]: {message}")
            }
            Self::FindingGone { rule, severity } => write!(f, "gone: {severity}[{rule}]"),
            Self::Severity { rule, old, new } => write!(f, "{new}[{rule}] (was {old})"),
            Self::ProtocolLost { version } => write!(f, "lost protocol: {version}"),
            Self::ProtocolGained { version } => write!(f, "new protocol: {version}"),
            Self::ClientLost { client, reason: Some(reason) } => {
                write!(f, "lost client: {client} ({reason})")
            }
            Self::ClientLost { client, reason: None } => write!(f, "lost client: {client}"),
            Self::ClientGained { client } => write!(f, "new client: {client}"),
            Self::ClientNegotiates { client, old, new } => {
                write!(f, "{client} connects with {new} (was {old})")
            }
            Self::Alpn { version, old, new } => {
                write!(f, "ALPN of {version}: {new} (was {old})")
            }
            Self::Resumption { version, resumed: true } => {
                write!(f, "sessions of {version} are resumed now")
            }
            Self::Resumption { version, resumed: false } => {
                write!(f, "sessions of {version} are no longer resumed")
            }
            Self::Certificate { old, new } => {
                write!(f, "other certificate: ends {} (was {})", day(new), day(old))
            }
            Self::Issuer { old, new } => write!(f, "issuer: {new} (was {old})"),
            Self::Key => f.write_str("other key"),
            Self::ExpiryEarlier { old, new } => {
                write!(f, "earlier expiry: {} (was {})", day(new), day(old))
            }
        }
    }
}

fn day(moment: &str) -> &str {
    moment.split('T').next().unwrap_or(moment)
}
