//! nginx's own verdict on an upstream: whether its requests work as configured, what nginx logs, and what fixes it.
//!
//! [`verdict`] and [`error_log`] say what nginx does, [`mend`] what to change, [`identity`] what is wrong with its client
//! certificate, [`story`] which kind of fault it is, [`fault`] what the rule of that kind says, and [`outcome`] what it
//! means for the target as a whole.

pub mod error_log;
pub mod fault;
pub mod identity;
pub mod mend;
pub mod outcome;
pub mod story;
pub mod verdict;
