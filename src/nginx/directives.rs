//! Which directives nginx takes where, with how many arguments and which values: those that this crate reads and those
//! that stand beside them everywhere. A directive that is not listed passes, as a module may know it.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::LazyLock;

use super::problem::Fault;
use crate::tls::version::ProtocolVersion;

/// One line a directive and kind of use: name, contexts, arguments, values. Contexts are letters, see [`Context`];
/// arguments are the counts that are taken, or `+` and `++` for at least one or two, behind `{` for a block. A context
/// that any release allows is listed.
const TABLE: &str = include_str!("directives.txt");

/// What kind of block a directive stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// The file itself.
    Main,
    /// `events`.
    Events,
    /// `http`.
    Http,
    /// `server` in `http`.
    Server,
    /// `location`.
    Location,
    /// `if` in a server.
    ServerIf,
    /// `if` in a location.
    LocationIf,
    /// `limit_except`.
    LimitExcept,
    /// `upstream` in `http`.
    Upstream,
    /// `stream`.
    Stream,
    /// `server` in `stream`.
    StreamServer,
    /// `upstream` in `stream`.
    StreamUpstream,
    /// `mail`.
    Mail,
    /// `server` in `mail`.
    MailServer,
    /// A block of data, as of `map`; true where `include` is taken in it.
    Data(bool),
    /// A block that this crate does not know; anything passes in it.
    Unknown,
}

impl Context {
    /// The letter in the table; none where no table applies.
    fn letter(self) -> Option<char> {
        Some(match self {
            Self::Main => 'm',
            Self::Events => 'e',
            Self::Http => 'h',
            Self::Server => 's',
            Self::Location => 'l',
            Self::ServerIf => 'i',
            Self::LocationIf => 'j',
            Self::LimitExcept => 'x',
            Self::Upstream => 'u',
            Self::Stream => 'H',
            Self::StreamServer => 'S',
            Self::StreamUpstream => 'U',
            Self::Mail => 'M',
            Self::MailServer => 'N',
            Self::Data(_) | Self::Unknown => return None,
        })
    }

    /// What stands in the block of this directive.
    #[must_use]
    pub fn inside(self, name: &str) -> Self {
        match (self, name) {
            (Self::Main, "events") => Self::Events,
            (Self::Main, "http") => Self::Http,
            (Self::Main, "stream") => Self::Stream,
            (Self::Main, "mail") => Self::Mail,
            (Self::Http, "server") => Self::Server,
            (Self::Http, "upstream") => Self::Upstream,
            (Self::Stream, "server") => Self::StreamServer,
            (Self::Stream, "upstream") => Self::StreamUpstream,
            (Self::Mail, "server") => Self::MailServer,
            (Self::Server | Self::Location, "location") => Self::Location,
            (Self::Server, "if") => Self::ServerIf,
            (Self::Location, "if") => Self::LocationIf,
            (Self::Location, "limit_except") => Self::LimitExcept,
            (_, "map" | "geo" | "types") => Self::Data(true),
            (_, "split_clients" | "charset_map") => Self::Data(false),
            _ => Self::Unknown,
        }
    }
}

/// What a directive's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// Anything, any number of times.
    Any,
    /// Anything, but once in a block.
    Once,
    Flag,
    Number,
    Protocols,
    VerifyClient,
}

/// One kind of use of a directive.
struct Row {
    contexts: &'static str,
    block: bool,
    counts: &'static str,
    value: Value,
}

static ROWS: LazyLock<HashMap<&'static str, Vec<Row>>> = LazyLock::new(|| {
    let mut rows: HashMap<&str, Vec<Row>> = HashMap::new();
    for line in TABLE.lines() {
        let mut columns = line.split(' ');
        let mut column = || columns.next().unwrap_or_default();
        let (name, contexts, arguments, value) = (column(), column(), column(), column());
        let row = Row {
            contexts,
            block: arguments.starts_with('{'),
            counts: arguments.trim_start_matches('{'),
            value: match value {
                "once" => Value::Once,
                "flag" => Value::Flag,
                "number" => Value::Number,
                "protocols" => Value::Protocols,
                "verify" => Value::VerifyClient,
                _ => Value::Any,
            },
        };
        rows.entry(name).or_default().push(row);
    }
    rows
});

/// Holds a directive against the table, in the order of `ngx_conf_handler`; `block` is whether `{` follows it. Its name
/// is put into `seen` where it may stand only once in a block.
pub fn check(
    context: Context,
    words: &[String],
    block: bool,
    seen: &mut Vec<&'static str>,
) -> Result<(), Fault> {
    let [name, arguments @ ..] = words else { return Ok(()) };
    let Some(letter) = context.letter() else { return Ok(()) };
    let Some((&known, rows)) = ROWS.get_key_value(name.as_str()) else { return Ok(()) };
    let Some(row) = rows.iter().find(|row| row.contexts.contains(letter)) else {
        return Err(Fault::NotAllowed(name.clone()));
    };
    match (row.block, block) {
        (false, true) => return Err(Fault::NotTerminated(name.clone())),
        (true, false) => return Err(Fault::NoOpening(name.clone())),
        _ => {}
    }
    if !row.takes(arguments.len()) {
        return Err(Fault::ArgumentCount(name.clone()));
    }
    if row.value.stands_once() {
        if seen.contains(&known) {
            return Err(Fault::Duplicate(name.clone()));
        }
        seen.push(known);
    }
    row.value.check(name, arguments)
}

/// Whether a directive may stand only once in a block.
pub fn stands_once(name: &str) -> bool {
    let rows = ROWS.get(name).map(Vec::as_slice).unwrap_or_default();
    rows.iter().any(|row| row.value.stands_once())
}

impl Row {
    fn takes(&self, count: usize) -> bool {
        match self.counts {
            "+" => count >= 1,
            "++" => count >= 2,
            counts => counts.bytes().any(|digit| usize::from(digit - b'0') == count),
        }
    }
}

impl Value {
    fn stands_once(self) -> bool {
        !matches!(self, Self::Any | Self::Protocols)
    }

    fn check(self, name: &str, arguments: &[String]) -> Result<(), Fault> {
        let first = arguments.first().map(String::as_str).unwrap_or_default();
        let is = |value: &&str| value.eq_ignore_ascii_case(first);
        match self {
            Self::Flag if !["on", "off"].iter().any(is) => {
                Err(Fault::NotOnOff { name: name.to_owned(), value: first.to_owned() })
            }
            Self::Number if number(first).is_none() => Err(Fault::InvalidNumber(name.to_owned())),
            Self::VerifyClient if !VERIFY_CLIENT.iter().any(is) => {
                Err(Fault::InvalidValue(first.to_owned()))
            }
            Self::Protocols => match arguments.iter().find(|text| protocol(text).is_none()) {
                Some(unknown) => Err(Fault::InvalidValue(unknown.clone())),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

/// What `ssl_verify_client` takes.
const VERIFY_CLIENT: [&str; 4] = ["off", "on", "optional", "optional_no_ca"];

/// A number as nginx reads it (`ngx_atoi`): digits and nothing else.
pub fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // nginx's own limit is that of a signed word; nobody means more than fits here.
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// A protocol as `ssl_protocols` takes it; `SSLv2` is known and never offered.
pub fn protocol(text: &str) -> Option<ProtocolVersion> {
    let known = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    let name = known.into_iter().find(|name| name.eq_ignore_ascii_case(text))?;
    Some(ProtocolVersion::from_str(name).unwrap_or(ProtocolVersion(0x0002)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn checked(context: Context, text: &str, expected: &str) {
        let block = text.ends_with('{');
        let words: Vec<String> =
            text.trim_end_matches(['{', ';']).split_whitespace().map(str::to_owned).collect();
        let said = check(context, &words, block, &mut Vec::new());
        assert_eq!(said.map_or_else(|fault| fault.to_string(), |()| String::new()), expected);
    }

    #[test]
    fn the_table_is_whole() {
        for line in TABLE.lines() {
            let columns: Vec<&str> = line.split(' ').collect();
            assert_eq!(columns.len(), 4, "{line}");
            assert!(columns[1].chars().all(|c| "mehslijxuHSUMN".contains(c)), "{line}");
            let counts = columns[2].trim_start_matches('{');
            let digits = counts.bytes().all(|byte| byte.is_ascii_digit());
            assert!(["+", "++"].contains(&counts) || digits, "{line}");
            let values = ["-", "once", "flag", "number", "protocols", "verify"];
            assert!(values.contains(&columns[3]), "{line}");
        }
    }

    #[test]
    fn faults_read_as_those_of_nginx() {
        use Context::{Http, Location, LocationIf, Main, Unknown, Upstream};
        checked(
            LocationIf,
            "proxy_ssl_verify on",
            "\"proxy_ssl_verify\" directive is not allowed here",
        );
        checked(Main, "http ;", "directive \"http\" has no opening \"{\"");
        checked(Http, "root a {", "directive \"root\" is not terminated by \";\"");
        checked(Http, "server a {", "invalid number of arguments in \"server\" directive");
        checked(Upstream, "server a weight=2;", "");
        checked(Location, "proxy_ssl_protocols TLSv1.2 tlsv1.3;", "");
        checked(Location, "proxy_ssl_protocols TLSv2;", "invalid value \"TLSv2\"");
        checked(
            Location,
            "proxy_ssl_verify_depth x;",
            "\"proxy_ssl_verify_depth\" directive invalid number",
        );
        checked(Location, "nobody_knows a b c d e f g h i {", "");
        checked(Unknown, "http ;", "");
    }

    #[test]
    fn a_scalar_may_stand_once() {
        let mut seen = Vec::new();
        let words = ["ssl_verify_depth".to_owned(), "1".to_owned()];
        assert_eq!(check(Context::Http, &words, false, &mut seen), Ok(()));
        let again = check(Context::Http, &words, false, &mut seen);
        assert_eq!(again, Err(Fault::Duplicate("ssl_verify_depth".to_owned())));
    }
}
