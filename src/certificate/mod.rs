//! X.509: DER to facts and verdicts. The clock and the trust anchors are arguments; no file is read here.

mod arithmetic;
pub mod cache;
mod canonical;
pub mod chain;
pub mod crl;
mod der;
pub mod distinguished_name;
mod distribution_point;
pub mod file;
pub mod handshake_signature;
pub mod issue;
pub mod key;
pub mod keystore;
pub mod locked_key;
pub mod name;
pub mod name_constraints;
pub mod ocsp;
mod openssl_key;
pub mod openssl_view;
pub mod parse;
pub mod pem;
pub mod shape;
pub mod signature;
pub mod stored;
#[cfg(test)]
pub(crate) mod testing;
pub mod trust;
pub mod weakness;

pub use chain::Chain;
pub use parse::Certificate;
