//! Sessions that could be resumed.

pub mod session_resumption_unsupported;
