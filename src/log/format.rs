//! A `log_format`, compiled into a parser of access lines: literals and variables, as in `ngx_http_log_compile_format`.

use memchr::memmem;

use super::access::{Access, Variable};

/// A compiled format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogFormat {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    /// `None` if the variable is not used; the flag is whether it may be a list of attempts.
    Variable(Option<Variable>, bool),
}

/// An error in a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Two adjacent variables cannot be separated.
    #[error("there is nothing between ${0} and ${1}, so lines cannot be parsed")]
    Adjacent(String, String),
    /// The format has no variables.
    #[error("the format has no variables, such as $ssl_protocol")]
    Empty,
}

/// nginx's default format.
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

impl AccessLogFormat {
    /// Compiles the text of a format, or the whole directive `log_format NAME '…' '…';`.
    pub fn compile(text: &str) -> Result<Self, FormatError> {
        let text = match text.trim() {
            "combined" => COMBINED.to_owned(),
            directive if directive.starts_with("log_format ") => arguments(directive),
            bare => bare.to_owned(),
        };
        let mut pieces = Vec::new();
        let mut last: Option<String> = None;
        let mut rest = text.as_str();
        while let Some(at) = rest.find('$') {
            let literal = &rest[..at];
            let (name, after) = variable(&rest[at + 1..]);
            if let Some(last) = last.filter(|_| literal.is_empty()) {
                return Err(FormatError::Adjacent(last, name.to_owned()));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.as_bytes().to_vec()));
            }
            let list = name.starts_with("upstream_");
            pieces.push(Piece::Variable(Variable::from_name(name), list));
            last = Some(name.to_owned());
            rest = after;
        }
        if last.is_none() {
            return Err(FormatError::Empty);
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.as_bytes().to_vec()));
        }
        Ok(Self { pieces })
    }

    /// How many variables and texts it has: the more, the less likely it is that a line of another format matches.
    pub fn length(&self) -> usize {
        self.pieces.len()
    }

    /// nginx's default format.
    pub fn combined() -> Self {
        Self::compile(COMBINED).unwrap_or(Self { pieces: Vec::new() })
    }

    /// Parses a line; `None` if it does not match.
    pub fn read<'a>(&self, line: &'a [u8]) -> Option<Access<'a>> {
        let (access, rest) = self.read_start(line)?;
        rest.is_empty().then_some(access)
    }

    /// Parses the start of a line, and returns the rest.
    pub fn read_start<'a>(&self, line: &'a [u8]) -> Option<(Access<'a>, &'a [u8])> {
        let mut access = Access::default();
        let mut rest = line;
        for (place, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Literal(literal) => rest = rest.strip_prefix(literal.as_slice())?,
                Piece::Variable(variable, list) => {
                    let end = match self.pieces.get(place + 1) {
                        Some(Piece::Literal(literal)) => end(rest, literal, *list)?,
                        _ => rest.len(),
                    };
                    if let Some(variable) = variable {
                        access.set(*variable, &rest[..end]);
                    }
                    rest = &rest[end..];
                }
            }
        }
        Some((access, rest))
    }
}

/// The end of a value: the next literal, but not the `, ` or ` : ` between two attempts.
fn end(rest: &[u8], literal: &[u8], list: bool) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memmem::find(&rest[from..], literal)?;
        let value = &rest[..at];
        let goes_on =
            value.ends_with(b",") || value.ends_with(b" :") || rest[at..].starts_with(b" : ");
        if !(list && literal[0] == b' ' && goes_on) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The name after a `$`, perhaps in braces, and the text after it.
fn variable(text: &str) -> (&str, &str) {
    if let Some((name, after)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (name, after);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

/// The arguments after the name and `escape=`, joined as nginx joins them.
fn arguments(directive: &str) -> String {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut quoted = false;
    let mut chars = directive.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', Some(_)) => word.extend(chars.next()),
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => (quote, quoted) = (Some(c), true),
            (c, None) if c.is_whitespace() || c == ';' => {
                if quoted || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                quoted = false;
                if c == ';' {
                    break;
                }
            }
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words.into_iter().skip(2).filter(|word| !word.starts_with("escape=")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn a_directive_is_compiled_as_nginx_joins_it() {
        let directive = "log_format tls escape=default '$remote_addr [$time_local] '\n  '\"$request\" $status ' \"${ssl_protocol} $ssl_cipher\";";
        let format = AccessLogFormat::compile(directive).unwrap();
        let line = b"192.0.2.1 [31/Jan/2026:10:00:00 +0000] \"GET / HTTP/2.0\" 200 TLSv1.3 TLS_AES_256_GCM_SHA384";
        let access = format.read(line).unwrap();
        assert_eq!(access.get(Variable::SslProtocol), Some(b"TLSv1.3".as_slice()));
        assert_eq!(access.get(Variable::SslCipher), Some(b"TLS_AES_256_GCM_SHA384".as_slice()));
        assert_eq!(access.get(Variable::Status), Some(b"200".as_slice()));
        assert_eq!(format.read(b"something else"), None);
    }

    #[test]
    fn a_json_format_is_read_by_its_literals() {
        let format = AccessLogFormat::compile(
            r#"{"a":"$remote_addr","p":"$ssl_protocol","r":"$ssl_session_reused"}"#,
        )
        .unwrap();
        let access = format.read(br#"{"a":"192.0.2.1","p":"TLSv1.2","r":"r"}"#).unwrap();
        assert_eq!(access.get(Variable::SslSessionReused), Some(b"r".as_slice()));
        let plain = format.read(br#"{"a":"192.0.2.1","p":"","r":"."}"#).unwrap();
        assert_eq!(plain.get(Variable::SslProtocol), None, "no TLS there");
    }

    #[test]
    fn several_tries_are_one_value() {
        let format = AccessLogFormat::compile(
            "$upstream_addr $upstream_status $upstream_connect_time $status",
        )
        .unwrap();
        let access = format
            .read(
                b"192.0.2.1:443, 192.0.2.2:443 : 192.0.2.3:443 502, 200 : 200 -, 0.001 : 0.002 200",
            )
            .unwrap();
        assert_eq!(access.get(Variable::UpstreamStatus), Some(b"502, 200 : 200".as_slice()));
        assert_eq!(access.get(Variable::UpstreamConnectTime), Some(b"-, 0.001 : 0.002".as_slice()));
        assert_eq!(access.get(Variable::Status), Some(b"200".as_slice()));
    }

    #[test]
    fn a_format_that_cannot_be_read_back_is_refused() {
        let adjacent = FormatError::Adjacent("status".to_owned(), "ssl_protocol".to_owned());
        assert_eq!(AccessLogFormat::compile("$status$ssl_protocol"), Err(adjacent));
        assert_eq!(AccessLogFormat::compile("no variables"), Err(FormatError::Empty));
    }

    proptest! {
        #[test]
        fn no_format_and_no_line_make_it_fail(format in ".{0,60}", line in any::<Vec<u8>>()) {
            if let Ok(format) = AccessLogFormat::compile(&format) {
                format.read(&line);
            }
            AccessLogFormat::combined().read_start(&line);
        }
    }
}
