//! How the lines of an access log are parsed: by the given formats, or by what most formats have in common.

use std::cmp::Reverse;

use serde_json::Value;

use super::access::{Access, NAMES, Variable, is_version};
use super::format::AccessLogFormat;

/// How access lines are parsed.
#[derive(Clone, Debug)]
pub enum AccessLineShape {
    /// By the first of these formats that matches.
    Given(Vec<AccessLogFormat>),
    /// By the common start of most formats, or as JSON by the names of its keys.
    Guess(AccessLogFormat),
}

impl AccessLineShape {
    /// By these formats or nginx's default, the longest first: a short one may match lines of a longer one.
    pub fn given(mut formats: Vec<AccessLogFormat>) -> Self {
        formats.push(AccessLogFormat::combined());
        formats.sort_by_key(|format| Reverse(format.length()));
        Self::Given(formats)
    }
}

impl Default for AccessLineShape {
    fn default() -> Self {
        Self::Guess(AccessLogFormat::combined())
    }
}

impl AccessLineShape {
    /// Parses a line; `None` if it is not from an access log.
    pub fn read<'a>(&self, line: &'a [u8]) -> Option<Access<'a>> {
        match self {
            Self::Given(formats) => formats.iter().find_map(|format| format.read(line)),
            Self::Guess(_) if line.starts_with(b"{") => object(line),
            Self::Guess(combined) => guess(combined, line),
        }
    }
}

/// The start is nginx's default format; after it, only words that can be a version, a cipher or session reuse are used.
fn guess<'a>(combined: &AccessLogFormat, line: &'a [u8]) -> Option<Access<'a>> {
    let (mut access, rest) = combined.read_start(line)?;
    access.time()?;
    for word in rest.split(|byte| matches!(byte, b' ' | b'"' | b'=' | b',' | b'|' | b'\t')) {
        if is_version(word) {
            access.set(Variable::SslProtocol, word);
        } else if is_cipher(word) {
            access.set(Variable::SslCipher, word);
        }
    }
    Some(access)
}

fn is_cipher(word: &[u8]) -> bool {
    let starts = [b"TLS_".as_slice(), b"ECDHE-", b"DHE-", b"AES128-", b"AES256-", b"DES-CBC3"];
    starts.iter().any(|start| word.starts_with(start))
}

fn object(line: &[u8]) -> Option<Access<'static>> {
    let Ok(Value::Object(object)) = serde_json::from_slice(line) else { return None };
    let mut access = Access::default();
    for (key, value) in &object {
        let key = key.trim_start_matches(['$', '@']).to_ascii_lowercase();
        let known = NAMES.iter().find(|(_, names)| names.contains(&&*key));
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        if let Some((variable, _)) = known.filter(|(variable, _)| !access.has(*variable)) {
            access.set(*variable, text.into_bytes());
        }
    }
    let telling = [Variable::Status, Variable::SslProtocol, Variable::UpstreamStatus];
    telling.iter().any(|variable| access.has(*variable)).then_some(access)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_is_not_given_is_guessed() {
        let shape = AccessLineShape::default();
        let line = br#"192.0.2.1 - - [31/Jan/2026:23:59:59 +0000] "GET /TLSv1 HTTP/1.1" 200 5 "-" "curl TLSv1.1" TLSv1.2/ECDHE TLSv1.3 TLS_AES_128_GCM_SHA256"#;
        let access = shape.read(line).unwrap();
        assert_eq!(access.get(Variable::SslProtocol), Some(b"TLSv1.3".as_slice()));
        assert_eq!(access.get(Variable::SslCipher), Some(b"TLS_AES_128_GCM_SHA256".as_slice()));
        let object = br#"{"@timestamp":"2026-01-31T23:59:59Z","client_ip":"192.0.2.1","status":502,"tls_version":"TLSv1.2"}"#;
        let access = shape.read(object).unwrap();
        assert_eq!(access.get(Variable::SslProtocol), Some(b"TLSv1.2".as_slice()));
        assert_eq!(access.get(Variable::Status), Some(b"502".as_slice()));
        assert!(access.time().is_some());
        assert!(shape.read(b"{\"a\":1}").is_none() && shape.read(b"junk").is_none());
    }
}
