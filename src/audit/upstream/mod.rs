//! nginx's own verdict on an upstream: whether its requests work as configured, what nginx logs, and what fixes it.
//!
//! [`verdict`] and [`error_log`] say what nginx does, [`candidates`] what to try, [`identity`] what is wrong with its client
//! certificate, [`case`] which kind of fault it is, [`findings`] what the rule of that kind says, and [`outcome`] what it
//! means for the target as a whole.

pub mod candidates;
pub mod case;
pub mod error_log;
pub mod findings;
pub mod identity;
pub mod outcome;
pub mod verdict;
