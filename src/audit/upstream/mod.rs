//! nginx's own verdict over an upstream: would the handshake work as configured, what would nginx log, and what mends it.
//!
//! [`verdict`] and [`error_log`] say what nginx does, [`mend`] what to change, [`story`] which rule the fault belongs to, [`fault`] what that says,
//! [`outcome`] what it comes to for the target as a whole.

pub mod error_log;
pub mod fault;
pub mod mend;
pub mod outcome;
pub mod story;
pub mod verdict;
