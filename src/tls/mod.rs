//! TLS as numbers and bytes: versions, suites, groups, schemes, alerts, the `ClientHello` writer, the flight reader
//! and the hellos of known and captured clients.
//!
//! Wire numbers are newtypes that keep unknown values and print in the spelling of the registry or of OpenSSL. Nothing
//! here does I/O or cryptography, and nothing here uses another room.

pub mod alert;
pub mod captured;
pub mod codec;
pub mod extension;
pub mod flight;
pub mod grease;
pub mod group;
pub mod hello;
pub mod hex;
pub mod key_share;
pub mod layout;
pub mod message;
mod openssl_names;
pub mod profile;
pub mod record;
pub mod scheme;
pub mod suite;
pub mod user_agent;
pub mod version;
