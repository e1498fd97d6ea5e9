//! Faults of a configuration and their places, in nginx's words if nginx has a message for them.

use std::fmt;
use std::sync::Arc;

/// A place in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file, as nginx names it.
    pub file: Arc<str>,
    /// Line, from 1; 0 for the file as a whole.
    pub line: u32,
    /// Column, from 1, in bytes.
    pub column: u32,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// A fault of a configuration and its place; it prints as nginx's `[emerg]` line does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationProblem {
    /// What is wrong.
    pub fault: Fault,
    /// Where nginx was reading; `None` if no file could be opened, or for the configuration as a whole.
    pub span: Option<Span>,
}

impl fmt::Display for ConfigurationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.span {
            Some(span) => write!(f, "{} in {span}", self.fault),
            None => fmt::Display::fmt(&self.fault, f),
        }
    }
}

/// What can be wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Fault {
    /// A character that is not allowed here.
    #[error("unexpected \"{}\"", char::from(*.0))]
    Unexpected(u8),
    /// The file ends within a directive.
    #[error("unexpected end of file, expecting \";\" or \"}}\"")]
    UnexpectedEnd,
    /// The file ends within a block.
    #[error("unexpected end of file, expecting \"}}\"")]
    UnclosedBlock,
    /// A word, or a comment, does not fit nginx's buffer of 4096 bytes; its first ten bytes.
    #[error("too long parameter \"{0}...\" started")]
    TooLong(String),
    /// A quoted word does not fit nginx's buffer.
    #[error("too long parameter, probably missing terminating \"{0}\" character")]
    Unterminated(char),
    /// A simple directive is followed by a block.
    #[error("directive \"{0}\" is not terminated by \";\"")]
    NotTerminated(String),
    /// A block directive has no block.
    #[error("directive \"{0}\" has no opening \"{{\"")]
    NoOpening(String),
    /// A directive that nginx does not know.
    #[error("unknown directive \"{0}\"")]
    UnknownDirective(String),
    /// A variable that nothing defines.
    #[error("unknown \"{0}\" variable")]
    UnknownVariable(String),
    /// A log format that nothing defines.
    #[error("unknown log format \"{0}\"")]
    UnknownLogFormat(String),
    /// A directive in a block where nginx does not allow it.
    #[error("\"{0}\" directive is not allowed here")]
    NotAllowed(String),
    /// A directive has too few arguments or too many.
    #[error("invalid number of arguments in \"{0}\" directive")]
    ArgumentCount(String),
    /// A directive that is allowed once in a block, repeated.
    #[error("\"{0}\" directive is duplicate")]
    Duplicate(String),
    /// An invalid number.
    #[error("\"{0}\" directive invalid number")]
    InvalidNumber(String),
    /// A flag is neither on nor off.
    #[error("invalid value \"{value}\" in \"{name}\" directive, it must be \"on\" or \"off\"")]
    NotOnOff {
        /// The directive.
        name: String,
        /// What it was given.
        value: String,
    },
    /// A value is not one of those that the directive accepts.
    #[error("invalid value \"{0}\"")]
    InvalidValue(String),
    /// An invalid size or time; the directive.
    #[error("\"{0}\" directive invalid value")]
    InvalidValueOf(String),
    /// A parameter that the directive does not have.
    #[error("invalid parameter \"{0}\"")]
    InvalidParameter(String),
    /// The same, in the words of `mail`, and of `stream` before 1.25.5.
    #[error("the invalid \"{0}\" parameter")]
    TheInvalidParameter(String),
    /// A parameter with an invalid value.
    #[error("invalid {name} \"{text}\"")]
    InvalidOption {
        /// The name of the parameter.
        name: &'static str,
        /// What nginx quotes.
        text: String,
    },
    /// A parameter of `listen` that cannot be combined with another one.
    #[error("\"listen\" directive \"{parameter}\" parameter is incompatible with \"{other}\"")]
    Incompatible {
        /// The parameter.
        parameter: &'static str,
        /// The other one.
        other: &'static str,
    },
    /// The address of a `listen`.
    #[error("{reason} in \"{text}\" of the \"listen\" directive")]
    ListenAddress {
        /// What is wrong with it.
        reason: &'static str,
        /// The address.
        text: String,
    },
    /// A server listens on an address twice.
    #[error("a duplicate listen {0}")]
    DuplicateListen(String),
    /// Two `listen` directives with an address that nginx allows once.
    #[error("duplicate \"{0}\" address and port pair")]
    DuplicatePair(String),
    /// Options of a socket are set by two `listen` directives.
    #[error("duplicate listen options for {0}")]
    DuplicateOptions(String),
    /// A socket has two default servers.
    #[error("a duplicate default server for {0}")]
    DuplicateDefault(String),
    /// A server has two locations of the same name and kind.
    #[error("duplicate location \"{0}\"")]
    DuplicateLocation(String),
    /// Two `upstream` blocks have the same name.
    #[error("duplicate upstream \"{0}\"")]
    DuplicateUpstream(String),
    /// A log format that is defined twice.
    #[error("duplicate \"log_format\" name \"{0}\"")]
    DuplicateLogFormat(String),
    /// A row of `map` with too few words or too many.
    #[error("invalid number of the map parameters")]
    MapParameters,
    /// A second default in a `map`.
    #[error("duplicate default map parameter")]
    DuplicateMapDefault,
    /// An invalid status code.
    #[error("invalid return code \"{0}\"")]
    ReturnCode(String),
    /// An invalid log level.
    #[error("invalid log level \"{0}\"")]
    LogLevel(String),
    /// A location within one that cannot contain it.
    #[error("location \"{inner}\" cannot be inside the {kind} location \"{outer}\"")]
    LocationInside {
        /// The location.
        inner: String,
        /// The kind of the outer location.
        kind: &'static str,
        /// The outer location.
        outer: String,
    },
    /// A location whose path does not start with that of the outer location.
    #[error("location \"{inner}\" is outside location \"{outer}\"")]
    LocationOutside {
        /// The location.
        inner: String,
        /// The outer location.
        outer: String,
    },
    /// A server of `stream` or `mail` without `listen`.
    #[error("no \"listen\" is defined for server")]
    NoListen,
    /// A URL without the scheme that the directive needs.
    #[error("invalid URL prefix")]
    UrlPrefix,
    /// An address of an upstream without a port.
    #[error("no port in upstream \"{0}\"")]
    NoPort(String),
    /// An `upstream` block is empty.
    #[error("no servers are inside upstream")]
    NoServers,
    /// A value that only its directive's own parser refuses; nginx's message.
    #[error("{0}")]
    Said(String),
    /// The port of an `upstream` block.
    #[error("upstream \"{name}\" may not have port {port}")]
    PortOfGroup {
        /// The block.
        name: String,
        /// The port.
        port: u16,
    },
    /// A server of `stream` does nothing with its connections.
    #[error("no handler for server")]
    NoHandler,
    /// A file cannot be opened.
    #[error("open() \"{path}\" failed ({reason})")]
    Unreadable {
        /// The file, as nginx names it.
        path: String,
        /// The system's error number and message.
        reason: String,
    },
    /// The main file has no `events` block.
    #[error("no \"events\" section in configuration")]
    NoEvents,
    /// The dump contains no file, or not the requested one.
    #[error("no \"# configuration file\" line: this is not the output of nginx -T")]
    NoDump,
    /// Blocks and included files are nested deeper than the limit.
    #[error("could not test: blocks and included files are nested more than {0} deep")]
    TooDeep(usize),
    /// The configuration is larger than the limit.
    #[error("could not test: the configuration is too large to be read completely")]
    TooLarge,
    /// More files match a pattern of `include` than the limit.
    #[error("could not test: too many files match {0}")]
    TooManyMatches(String),
    /// A folder whose files are included may not be listed.
    #[error("could not test: the folder {0} cannot be listed (Permission denied)")]
    Unlisted(String),
    /// A Lua block does not end.
    #[error("the Lua code of \"{0}\" does not end")]
    UnclosedLua(String),
}

impl Fault {
    /// Whether it is a limit of this program, or a file that it may not read, and not a fault for nginx.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::NoDump
                | Self::TooDeep(_)
                | Self::TooLarge
                | Self::TooManyMatches(_)
                | Self::Unlisted(_)
        )
    }
}
