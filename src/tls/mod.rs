//! TLS as numbers and bytes: versions, suites, groups, alerts, the `ClientHello` writer and the flight reader.
//!
//! Wire numbers are newtypes that keep unknown values and print in IANA's spelling. Nothing here does I/O or
//! cryptography, and nothing here uses another room.

pub mod alert;
pub mod group;
pub mod hello;
pub mod suite;
pub mod version;
