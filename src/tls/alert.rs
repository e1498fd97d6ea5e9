//! Alert descriptions (RFC 8446 section 6, RFC 5246 section 7.2 and the IANA registry).

use std::fmt;

use serde::{Deserialize, Serialize};

/// An alert's number; unknown values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertDescription(pub u8);

/// Number and IANA name of every registered alert.
const NAMES: &[(u8, &str)] = &[
    (0, "close_notify"),
    (10, "unexpected_message"),
    (20, "bad_record_mac"),
    (21, "decryption_failed"),
    (22, "record_overflow"),
    (30, "decompression_failure"),
    (40, "handshake_failure"),
    (41, "no_certificate"),
    (42, "bad_certificate"),
    (43, "unsupported_certificate"),
    (44, "certificate_revoked"),
    (45, "certificate_expired"),
    (46, "certificate_unknown"),
    (47, "illegal_parameter"),
    (48, "unknown_ca"),
    (49, "access_denied"),
    (50, "decode_error"),
    (51, "decrypt_error"),
    (52, "too_many_cids_requested"),
    (60, "export_restriction"),
    (70, "protocol_version"),
    (71, "insufficient_security"),
    (80, "internal_error"),
    (86, "inappropriate_fallback"),
    (90, "user_canceled"),
    (100, "no_renegotiation"),
    (109, "missing_extension"),
    (110, "unsupported_extension"),
    (111, "certificate_unobtainable"),
    (112, "unrecognized_name"),
    (113, "bad_certificate_status_response"),
    (114, "bad_certificate_hash_value"),
    (115, "unknown_psk_identity"),
    (116, "certificate_required"),
    (117, "general_error"),
    (120, "no_application_protocol"),
    (121, "ech_required"),
];

impl AlertDescription {
    /// 0: the peer sends no more data.
    pub const CLOSE_NOTIFY: Self = Self(0);
    /// 40: no parameters in common, or a reason that the peer does not give.
    pub const HANDSHAKE_FAILURE: Self = Self(40);
    /// 47: a field is out of range, or fields contradict each other.
    pub const ILLEGAL_PARAMETER: Self = Self(47);
    /// 50: a message cannot be decoded.
    pub const DECODE_ERROR: Self = Self(50);
    /// 70: the peer does not accept the offered versions.
    pub const PROTOCOL_VERSION: Self = Self(70);
    /// 80: a fault of the peer itself.
    pub const INTERNAL_ERROR: Self = Self(80);
    /// 86: the client fell back to an older version for no reason (RFC 7507).
    pub const INAPPROPRIATE_FALLBACK: Self = Self(86);
    /// 112: the server has no host of that name (RFC 6066 section 3).
    pub const UNRECOGNIZED_NAME: Self = Self(112);
    /// 116: the server requires a client certificate (RFC 8446 section 4.4.2.4).
    pub const CERTIFICATE_REQUIRED: Self = Self(116);
    /// 120: no application protocol in common (RFC 7301 section 3.2).
    pub const NO_APPLICATION_PROTOCOL: Self = Self(120);

    /// IANA's name, `None` for an unassigned number.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(number, _)| *number == self.0).map(|(_, name)| *name)
    }

    /// The alert of that name, in IANA's spelling.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(number, _)| Self(*number))
    }

    /// Every registered alert, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(number, _)| Self(*number))
    }
}

impl fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{} (unassigned)", self.0),
        }
    }
}
