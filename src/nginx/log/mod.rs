//! What nginx logs about TLS: bytes in, facts out. Pure.
//!
//! A line is taken apart by [`line`], its error codes by [`code`], verification errors by [`verify`]; [`classify`] holds
//! what was found against the [`table`] of mechanisms, one row a line.

pub mod classify;
pub mod code;
pub mod direction;
pub mod json;
pub mod line;
pub mod next;
pub mod table;
pub mod verify;

#[cfg(test)]
mod corpus;
