//! What is specific to OpenSSL or to its releases: security levels, cipher strings, error codes, verification errors
//! and the name check. The tables contain OpenSSL's own output.

pub mod check_host;
mod cipher_rule;
pub mod cipher_string;
pub mod code;
pub mod conf_command;
pub mod conf_value;
pub mod config_file;
pub mod group_name;
pub mod library;
pub mod release;
pub mod security_level;
pub mod verify_error;

/// The rows of a table: lines that are neither empty nor a comment.
pub(crate) fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|row| !row.starts_with('#') && !row.is_empty())
}
