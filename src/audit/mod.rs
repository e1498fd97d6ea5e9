//! Judgement: turns observations into findings. Pure: no clock, no file, no socket.
//!
//! A rule is one file under `rules/<family>/` and one line in [`registry`]; the [`judge`] contains every loop.

pub mod allowance;
pub mod client_fix;
pub mod client_verdict;
pub mod document;
pub mod example;
pub mod finding;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod ignore;
pub mod judge;
pub mod listener;
pub mod missing;
pub mod policy;
pub mod registry;
pub mod reproduce;
pub mod rule;
mod rule_outcomes;
pub mod rules;
#[cfg(test)]
mod specimens;
pub mod trouble;
pub mod upstream;
pub mod weight;
