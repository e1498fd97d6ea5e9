//! X.509: DER in, facts and verdicts out. The clock and the trust anchors are arguments; no file is read here.

pub mod cache;
pub mod chain;
pub mod distinguished_name;
pub mod file;
mod hex;
pub mod issue;
pub mod key;
pub mod name;
pub mod ocsp;
pub mod parse;
pub mod shape;
pub mod signature;
#[cfg(test)]
mod testing;
pub mod trust;

pub use chain::Chain;
pub use parse::Certificate;
