//! nginx's directives: the blocks in which each is allowed, its number of arguments, its values, and its releases. An
//! unlisted directive is accepted unless it is misspelt, because another module may define it.

mod misspelt;
mod name;
mod table;
pub(super) mod value;

pub use self::misspelt::intended;
pub use self::name::DirectiveName;
pub use self::value::number;
pub(in crate::nginx) use self::value::{is_size, is_time};
use super::defaults::NginxRelease;
use super::problem::Fault;

/// The kind of block that contains a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockContext {
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
    /// A block of data, such as `map`; true if `include` is allowed in it.
    Data(bool),
    /// A block that this crate does not know; anything is accepted in it.
    Unknown,
}

impl BlockContext {
    /// The letter in the table; `None` if no table applies.
    pub(super) fn letter(self) -> Option<char> {
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

    /// Whether it is a `server` block that listens.
    pub fn is_server(self) -> bool {
        matches!(self, Self::Server | Self::StreamServer | Self::MailServer)
    }

    /// The module that it belongs to; `None` outside all modules and in blocks without a table.
    pub fn module(self) -> Option<Module> {
        match self {
            Self::Main | Self::Events | Self::Data(_) | Self::Unknown => None,
            Self::Http
            | Self::Server
            | Self::Location
            | Self::ServerIf
            | Self::LocationIf
            | Self::LimitExcept
            | Self::Upstream => Some(Module::Http),
            Self::Stream | Self::StreamServer | Self::StreamUpstream => Some(Module::Stream),
            Self::Mail | Self::MailServer => Some(Module::Mail),
        }
    }

    /// The context inside the block of this directive.
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

/// The module whose blocks contain a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Module {
    /// `http`.
    Http,
    /// `stream`.
    Stream,
    /// `mail`.
    Mail,
}

/// Checks a directive against the table, in the order of `ngx_conf_handler`; `block` is whether `{` follows it. If its
/// name is allowed only once in a block, its number is added to `seen`.
pub(super) fn check(
    context: BlockContext,
    name: &DirectiveName,
    arguments: &[String],
    block: bool,
    seen: &mut Vec<usize>,
) -> Result<(), Fault> {
    let Some(letter) = context.letter() else { return Ok(()) };
    let Some(known) = name.known() else {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        return if misspelt::is_misspelt(name) || !name.bytes().all(plain) {
            Err(Fault::UnknownDirective(name.to_string()))
        } else {
            Ok(())
        };
    };
    let Some(row) = known.rows.iter().find(|row| row.contexts.contains(letter)) else {
        return Err(Fault::NotAllowed(name.to_string()));
    };
    match (row.block, block) {
        (false, true) => return Err(Fault::NotTerminated(name.to_string())),
        (true, false) => return Err(Fault::NoOpening(name.to_string())),
        _ => {}
    }
    if !row.takes(arguments.len()) {
        return Err(Fault::ArgumentCount(name.to_string()));
    }
    if row.value.stands_once() {
        if seen.contains(&known.number) {
            return Err(Fault::Duplicate(name.to_string()));
        }
        seen.push(known.number);
    }
    row.value.check(name, arguments)
}

/// Whether a directive is allowed only once in a block.
pub fn stands_once(name: &str) -> bool {
    table::find(name).is_some_and(|known| known.rows.iter().any(|row| row.value.stands_once()))
}

/// Whether nginx itself has a directive of this name; others belong to third-party modules.
pub(super) fn is_known(name: &DirectiveName) -> bool {
    name.known().is_some()
}

/// Whether a current directive of nginx exists in a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It exists in this block.
    Here,
    /// It was added in a later release.
    Later {
        /// The first release that has it.
        since: NginxRelease,
        /// Whether the release has it in other blocks.
        elsewhere: bool,
    },
    /// It was removed.
    Gone {
        /// The first release without it.
        until: NginxRelease,
    },
}

/// Whether a directive exists in a block at a release.
pub fn availability(
    context: BlockContext,
    name: &DirectiveName,
    version: NginxRelease,
) -> Availability {
    let rows = name.known().map(|known| &known.rows[..]).unwrap_or_default();
    let row =
        context.letter().and_then(|letter| rows.iter().find(|row| row.contexts.contains(letter)));
    let Some(row) = row else { return Availability::Here };
    match (row.since, row.until) {
        (Some(since), _) if since > version => {
            let elsewhere = rows.iter().any(|row| row.since.is_none_or(|since| since <= version));
            Availability::Later { since, elsewhere }
        }
        (_, Some(until)) if until <= version => Availability::Gone { until },
        _ => Availability::Here,
    }
}

#[cfg(test)]
mod tests {
    use super::table::TABLE;
    use super::value::ValueKind;
    use super::*;

    #[track_caller]
    fn checked(context: BlockContext, text: &str, expected: &str) {
        let block = text.ends_with('{');
        let mut words = text.trim_end_matches(['{', ';']).split_whitespace();
        let name = words.next().unwrap_or_default().into();
        let arguments: Vec<String> = words.map(str::to_owned).collect();
        let said = check(context, &name, &arguments, block, &mut Vec::new());
        assert_eq!(said.map_or_else(|fault| fault.to_string(), |()| String::new()), expected);
    }

    #[test]
    fn the_table_is_whole() {
        let names: Vec<&str> = TABLE.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(names.is_sorted(), "directives are compared by their place in the table");
        for line in TABLE.lines() {
            let columns: Vec<&str> = line.split(' ').collect();
            assert_eq!(columns.len(), 6, "{line}");
            assert!(columns[1].chars().all(|c| "mehslijxuHSUMN".contains(c)), "{line}");
            let counts = columns[2].trim_start_matches('{');
            let digits = counts.bytes().all(|byte| byte.is_ascii_digit());
            assert!(["+", "++", "*"].contains(&counts) || digits, "{line}");
            let known = columns[3] == "-" || ValueKind::read(columns[3]) != ValueKind::Any;
            assert!(known, "{line}");
            for release in &columns[4..] {
                assert!(*release == "-" || release.parse::<NginxRelease>().is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn faults_read_as_those_of_nginx() {
        use BlockContext::{Http, Location, LocationIf, Main, Unknown, Upstream};
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
    fn directives_know_the_releases_that_have_them() {
        use BlockContext::{Http, Server, StreamServer};
        let since = |context, name: &str, version: &str| {
            availability(context, &name.into(), version.parse().unwrap())
        };
        let later = |version: &str, elsewhere| Availability::Later {
            since: version.parse().unwrap(),
            elsewhere,
        };
        assert_eq!(since(Http, "grpc_ssl_conf_command", "1.19.3"), later("1.19.4", false));
        assert_eq!(since(Http, "grpc_ssl_conf_command", "1.19.4"), Availability::Here);
        assert_eq!(since(StreamServer, "server_name", "1.24.0"), later("1.25.5", true));
        assert_eq!(since(Server, "server_name", "1.24.0"), Availability::Here);
        let until = NginxRelease::new(1, 25, 1);
        assert_eq!(since(Server, "ssl", "1.26.0"), Availability::Gone { until });
        for name in [
            "http3",
            "quic_retry",
            "proxy_ssl_certificate_cache",
            "ssl_certificate_compression",
            "ssl_ech_file",
        ] {
            assert!(matches!(since(Http, name, "1.22.1"), Availability::Later { .. }), "{name}");
        }
    }

    #[test]
    fn a_scalar_may_stand_once() {
        let mut seen = Vec::new();
        let mut once = || {
            check(
                BlockContext::Http,
                &"ssl_verify_depth".into(),
                &["1".to_owned()],
                false,
                &mut seen,
            )
        };
        assert_eq!(once(), Ok(()));
        let again = once();
        assert_eq!(again, Err(Fault::Duplicate("ssl_verify_depth".to_owned())));
    }
}
