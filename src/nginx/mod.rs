//! nginx's own words: what it logs.

pub mod log;
