//! What nginx logs about TLS: bytes in, facts out. Pure.
//!
//! A line is taken apart by [`mod@line`], its error codes by [`crate::openssl::code`]; [`classify`] holds what was found against the [`table`] of mechanisms, one row a line. Whole logs go through [`intake`]: failures are
//! counted by [`tally`] and weighed by [`importance`], requests by [`traffic`].

pub mod access;
pub mod block;
pub mod buffer;
pub mod classify;
pub mod direction;
pub mod explanation;
pub mod format;
pub mod importance;
pub mod intake;
pub mod json;
mod known;
pub mod line;
pub mod logged_request;
pub mod next;
mod prefilter;
pub mod program;
mod quick;
pub mod reader;
mod recent;
pub mod requests;
pub mod scanners;
pub mod series;
pub mod shape;
pub mod sketch;
pub mod summary;
pub mod table;
pub mod tally;
pub mod time;
pub mod traffic;

#[cfg(test)]
mod corpus;
