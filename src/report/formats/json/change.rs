//! A change since another state, in the JSON document.

use schemars::JsonSchema;

/// One change in the JSON document.
#[derive(JsonSchema)]
#[schemars(rename = "ChangeView")]
#[expect(dead_code, reason = "the schema's form of a struct that can also be about whole runs")]
pub(super) struct ChangeView {
    /// Whether it got worse.
    worse: bool,
    #[schemars(flatten)]
    change: ChangeKind,
}

/// The kinds of changes that two configurations can make.
#[derive(JsonSchema)]
#[schemars(tag = "change", rename_all = "kebab-case")]
#[expect(dead_code, reason = "the schema's form of an enum that can also be about whole runs")]
enum ChangeKind {
    /// A version that is no longer accepted.
    ProtocolLost { version: String },
    /// A version that was not accepted before.
    ProtocolGained { version: String },
    /// A client that can no longer connect, and why.
    ClientLost { client: String, reason: Option<String> },
    /// A client that could not connect before.
    ClientGained { client: String },
    /// A client that connects with another version, cipher suite or group.
    ClientNegotiates { client: String, old: String, new: String },
    /// Another application protocol in this version.
    Alpn { version: String, old: String, new: String },
    /// Whether sessions of this version are resumed now.
    Resumption { version: String, resumed: bool },
    /// Other certificates with other dates: the first date on which one expires.
    Certificate { old: String, new: String },
    /// Another issuer.
    Issuer { old: String, new: String },
    /// Another key, with its type and size where they changed.
    Key { old: Option<String>, new: Option<String> },
    /// Names and addresses that the certificates lack now, and those that they lacked before.
    CertificateNames { lost: Vec<String>, gained: Vec<String> },
    /// The certificate expires earlier than the previous one.
    ExpiryEarlier { old: String, new: String },
}
