//! The passwords of keys, read as nginx reads the file of `ssl_password_file` (`ngx_ssl_read_password_file`).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The size of nginx's buffer, in bytes: a line with its end must fit.
const MAX_LINE: usize = 4096;

/// The bytes of a password that OpenSSL uses (`PEM_BUFSIZE`).
const MAX_PASSWORD: usize = 1024;

/// A file of passwords.
pub(super) struct PasswordFile {
    path: PathBuf,
    passwords: Vec<Password>,
}

/// A password of a file.
pub(super) struct Password {
    /// Its line, from 1.
    line: usize,
    text: Vec<u8>,
    ends_with_cr: bool,
}

impl AsRef<[u8]> for Password {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// Where the password of a key is, for commands that reproduce a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordPlace {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// Whether the line ends with a carriage return, which is not part of the password.
    pub ends_with_cr: bool,
}

impl PasswordFile {
    /// The file with this content; `None` if nginx refuses it for a line that is too long.
    pub(super) fn of(path: &Path, bytes: &[u8]) -> Option<Self> {
        Some(Self { path: path.to_owned(), passwords: passwords(bytes)? })
    }

    /// The passwords, in the order in which nginx tries them.
    pub(super) fn all(&self) -> &[Password] {
        &self.passwords
    }

    /// The place of a password; the empty one of an empty file has none.
    pub(super) fn place(&self, index: usize) -> Option<PasswordPlace> {
        let Password { line, ends_with_cr, .. } = *self.passwords.get(index)?;
        (line > 0).then(|| PasswordPlace { file: self.path.clone(), line, ends_with_cr })
    }
}

/// Every line that is not empty; a file without one is an empty password. `None` if a line is too long.
fn passwords(bytes: &[u8]) -> Option<Vec<Password>> {
    let mut all = Vec::new();
    for (index, whole) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if whole.len() >= MAX_LINE {
            return None;
        }
        let text = whole.strip_suffix(b"\r").unwrap_or(whole);
        let ends_with_cr = text.len() < whole.len();
        let text = text[..text.len().min(MAX_PASSWORD)].to_vec();
        if !text.is_empty() {
            all.push(Password { line: index + 1, text, ends_with_cr });
        }
    }
    if all.is_empty() {
        all.push(Password { line: 0, text: Vec::new(), ends_with_cr: false });
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(usize, &str)]) {
        let read = passwords(text.as_bytes()).unwrap();
        let read: Vec<(usize, &str)> =
            read.iter().map(|one| (one.line, std::str::from_utf8(&one.text).unwrap())).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn every_line_is_a_password() {
        check("a\nb c \n", &[(1, "a"), (2, "b c ")]);
        check("\r\n\na\r\nb", &[(3, "a"), (4, "b")]);
        check("", &[(0, "")]);
        check("\n\r\n", &[(0, "")]);
    }

    #[test]
    fn a_line_must_fit_in_nginxs_buffer() {
        let long = "x".repeat(MAX_LINE - 1);
        check(&long, &[(1, &long[..MAX_PASSWORD])]);
        assert!(passwords(format!("a\n{long}x\n").as_bytes()).is_none());
    }
}
