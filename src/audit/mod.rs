//! Judgement: observations in, findings out. Pure: no clock, no file, no socket.
//!
//! A rule is one file under `rules/<family>/` and one line in [`registry`]; the [`judge`] owns every loop.

pub mod finding;
pub mod judge;
pub mod registry;
pub mod reproduce;
pub mod rule;
pub mod rules;
