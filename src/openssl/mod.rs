//! What differs by OpenSSL, or is its alone: releases, security levels, cipher strings, error codes, results of verification
//! and the check of a name. Tables beside the code hold what OpenSSL itself printed.

pub mod check_host;
pub mod cipher_string;
pub mod code;
pub mod conf_command;
pub mod release;
pub mod security_level;
pub mod verify_error;

/// The rows of a table: lines that are neither empty nor a comment.
pub(crate) fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|row| !row.starts_with('#') && !row.is_empty())
}
