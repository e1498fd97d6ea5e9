//! A change between two runs, and its words.

use std::fmt;

use serde::Serialize;

use crate::audit::finding::Severity;
use crate::report::words;
use crate::run::Status;
use crate::tls::suite::CipherSuite;

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
    /// Another key; its type and size where they changed.
    Key {
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        new: Option<String>,
    },
    /// Names and addresses that the certificates lack now, and those that they lacked before.
    CertificateNames { lost: Vec<String>, gained: Vec<String> },
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
            Self::Certificate { old, new } if day(old) == day(new) => {
                write!(f, "other certificate: ends {}, as the one before", day(new))
            }
            Self::Certificate { old, new } => {
                write!(f, "other certificate: ends {} (was {})", day(new), day(old))
            }
            Self::Issuer { old, new } => write!(f, "issuer: {new} (was {old})"),
            Self::Key { old: Some(old), new: Some(new) } => {
                write!(f, "other key: {new} (was {old})")
            }
            Self::Key { .. } => f.write_str("other key"),
            Self::CertificateNames { lost, gained } => {
                let lost = (!lost.is_empty()).then(|| format!("without {}", first_few(lost)));
                let gained = (!gained.is_empty()).then(|| format!("with {}", first_few(gained)));
                let parts: Vec<String> = lost.into_iter().chain(gained).collect();
                write!(f, "names of the certificate: now {}", parts.join(", and "))
            }
            Self::ExpiryEarlier { old, new } => {
                write!(f, "earlier expiry: {} (was {})", day(new), day(old))
            }
        }
    }
}

/// The changes as lines. Clients that change in the same way share one.
pub fn lines(changes: &[TargetChange]) -> Vec<String> {
    let mut groups: Vec<(ClientGroup<'_>, Vec<&str>)> = Vec::new();
    let mut others = Vec::new();
    for change in changes {
        match ClientGroup::of(&change.what) {
            Some((group, client)) => match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, clients)) => clients.push(client),
                None => groups.push((group, vec![client])),
            },
            None => others.push(change.what.to_string()),
        }
    }
    groups.sort_by_key(|(group, _)| group.rank());
    let groups = groups.into_iter().map(|(group, clients)| group.line(&clients.join(", ")));
    groups.chain(others).collect()
}

/// What several clients may have in common.
#[derive(PartialEq, Eq)]
enum ClientGroup<'a> {
    Lost(Option<&'a str>),
    Gained,
    Negotiates(String, String),
}

impl<'a> ClientGroup<'a> {
    fn of(what: &'a What) -> Option<(Self, &'a str)> {
        Some(match what {
            What::ClientLost { client, reason } => (Self::Lost(reason.as_deref()), client),
            What::ClientGained { client } => (Self::Gained, client),
            What::ClientNegotiates { client, old, new } => {
                let (old, new) = what_differs(old, new);
                (Self::Negotiates(old, new), client)
            }
            _ => return None,
        })
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Lost(_) => 0,
            Self::Gained => 1,
            Self::Negotiates(..) => 2,
        }
    }

    fn line(&self, clients: &str) -> String {
        match self {
            Self::Lost(Some(reason)) => format!("lost: {clients}: {reason}"),
            Self::Lost(None) => format!("lost: {clients}"),
            Self::Gained => format!("gained: {clients}"),
            Self::Negotiates(old, new) => format!("{clients}: {new} (was {old})"),
        }
    }
}

/// Version, suite and group as far as they differ, with the names that `ssl_ciphers` has; all, if they cannot be told
/// apart.
fn what_differs(old: &str, new: &str) -> (String, String) {
    let words = |way: &str| -> Vec<String> {
        let word = |word: &str| {
            let name = CipherSuite::from_name(word).and_then(CipherSuite::openssl_name);
            name.unwrap_or(word).to_owned()
        };
        way.split(' ').map(word).collect()
    };
    let (old, new) = (words(old), words(new));
    if old.len() != new.len() || old.len() > 3 {
        return (old.join(" "), new.join(" "));
    }
    let (old, new): (Vec<String>, Vec<String>) =
        old.into_iter().zip(new).filter(|(old, new)| old != new).unzip();
    (old.join(" "), new.join(" "))
}

/// The names that a line has room for.
fn first_few(names: &[String]) -> String {
    const MOST: usize = 5;
    let more = names.len().saturating_sub(MOST);
    let first = names[..names.len() - more].join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

fn day(moment: &str) -> &str {
    moment.split('T').next().unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_change_alike_share_a_line_with_what_differs() {
        let negotiates = |client: &str, suite: &str, group: &str| TargetChange {
            worse: false,
            what: What::ClientNegotiates {
                client: client.to_owned(),
                old: format!("TLSv1.3 {suite} x25519"),
                new: format!("TLSv1.3 {suite} {group}"),
            },
        };
        let lost = What::ClientLost { client: "C".to_owned(), reason: Some("old".to_owned()) };
        let changes = [
            negotiates("A", "TLS_AES_128_GCM_SHA256", "secp384r1"),
            negotiates("B", "TLS_AES_256_GCM_SHA384", "secp384r1"),
            TargetChange { worse: true, what: lost },
        ];
        assert_eq!(lines(&changes), ["lost: C: old", "A, B: secp384r1 (was x25519)"]);
        let (old, new) = what_differs(
            "TLSv1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "TLSv1.3 TLS_AES_128_GCM_SHA256 X25519",
        );
        assert_eq!(old, "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256");
        assert_eq!(new, "TLSv1.3 TLS_AES_128_GCM_SHA256 X25519");
    }
}
