//! Cipher suites by their IANA number and name.

use std::fmt;

use serde::{Deserialize, Serialize};
use tls_parser::TlsCipherSuite;

/// A cipher suite's number; unknown values are kept.
///
/// It prints as IANA's name, or as `0x1a2b` where the registry has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CipherSuite(pub u16);

impl CipherSuite {
    /// IANA's name, `None` for an unassigned number.
    pub fn name(self) -> Option<&'static str> {
        TlsCipherSuite::from_id(self.0).map(|suite| suite.name)
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}
