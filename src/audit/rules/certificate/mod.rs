//! What is wrong with the leaf itself.

pub mod certificate_expired;
