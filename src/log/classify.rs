//! Classifies a line: compares what it shows with the table of mechanisms, and finds its causes.

use memchr::memmem;

use super::direction::{self, Direction};
use super::line::LogLine;
use super::program::{self, Program, ProgramRole};
use super::quick::has_tls_scheme;
use super::table::{self, Likelihood, LogCause, Mechanism, Sign, When};
use crate::openssl::code::reason::RECORD_LAYER_FAILURE;
use crate::openssl::code::{self, Code, ErrorLibrary, reason};
use crate::openssl::verify_error::VerifyError;

/// The diagnosis of a line.
#[derive(Clone, Debug)]
pub struct Diagnosis<'a> {
    /// Whose connection it is about.
    pub direction: Direction,
    /// The evidence for the direction.
    pub evidence: Evidence,
    /// The codes in the line, the most significant first.
    pub codes: Vec<Code<'a>>,
    /// The verification error in the line.
    pub verify: Option<VerifyError>,
    /// The matching row.
    pub mechanism: Option<&'static Mechanism>,
    /// The program that wrote the line, if it is known and not nginx.
    pub program: Option<Program>,
}

/// The evidence for a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The line contains it.
    Line,
    /// The OpenSSL function in the line only runs on one side.
    Function,
    /// The program that wrote the line is known.
    Program,
    /// Such lines come from this side mostly, or only.
    Mechanism,
    /// The direction is unknown.
    None,
}

impl Diagnosis<'_> {
    /// The causes, likeliest first.
    pub fn causes(&self) -> &'static [(&'static LogCause, Likelihood)] {
        self.mechanism.map_or(&[], |mechanism| &mechanism.causes)
    }

    /// The class that such lines are counted under.
    pub fn class(&self) -> Option<&'static str> {
        self.mechanism.map(|mechanism| mechanism.class)
    }
}

/// The diagnosis of a line.
pub fn classify<'a>(line: &'a LogLine<'_>) -> Diagnosis<'a> {
    let mut codes = code::find(&line.message);
    let mut verify = verify_result(&line.message);
    let text = String::from_utf8_lossy(&line.message);
    let foreign = !line.by_nginx && line.action.is_none();
    let program = foreign.then(|| program::of_text(&line.message)).flatten();
    if !line.by_nginx {
        verify = verify.or_else(|| VerifyError::find_text(&text));
        if codes.is_empty() && verify.is_none() {
            codes.extend(reason::find_text(&text));
        }
    }
    let foreign = foreign && (program.is_some() || is_of_library(&text));
    let dissected =
        DissectedLine { line, codes: &codes, verify, foreign, role: program.map(|it| it.role) };
    let (known, evidence) = known_direction(&dissected);
    let found = find(&dissected, known);
    if let Some((_, Some(at))) = found {
        codes[..=at].rotate_right(1);
    }
    let mechanism = found.map(|(mechanism, _)| mechanism);
    let (direction, evidence) = match (known, mechanism) {
        (Direction::Unknown, Some(row)) => (row.side, Evidence::Mechanism),
        _ => (known, evidence),
    };
    Diagnosis { direction, evidence, codes, verify, mechanism, program }
}

/// Whether a line of nginx matches no row, and would match none with any other fields: it has neither a code nor the
/// words of a row.
pub(super) fn matches_nothing(line: &LogLine<'_>) -> bool {
    let codes = &code::find(&line.message);
    let verify = verify_result(&line.message);
    let dissected = DissectedLine { line, codes, verify, foreign: false, role: None };
    let says = |row: &Mechanism| match row.sign {
        Sign::Says(words) => dissected.has(words),
        Sign::Begins(words) => dissected.begins(words),
        _ => false,
    };
    codes.is_empty() && verify.is_none() && !table::mechanisms().iter().any(says)
}

/// The meaning of a code, alert or verification error on each side, the more common side first.
pub fn meanings(sign: Sign) -> Vec<&'static Mechanism> {
    let any = match sign {
        Sign::Alert(_) => Sign::Alert(None),
        Sign::Reason(_) => Sign::Reason(None),
        Sign::Verify(_) => Sign::Verify(None),
        Sign::Release(part, _) => Sign::Release(part, None),
        Sign::Begins(_) | Sign::Says(_) => sign,
    };
    let of = |sign: Sign| {
        let rows = table::mechanisms().iter();
        rows.filter(|row| row.sign == sign && row.when.is_empty()).collect::<Vec<_>>()
    };
    let mut rows = of(sign);
    if rows.is_empty() {
        rows = of(any);
    }
    rows.sort_by_key(|row| !row.default);
    rows
}

/// A line, and what was found in it.
struct DissectedLine<'a> {
    line: &'a LogLine<'a>,
    codes: &'a [Code<'a>],
    verify: Option<VerifyError>,
    foreign: bool,
    role: Option<ProgramRole>,
}

fn known_direction(dissected: &DissectedLine<'_>) -> (Direction, Evidence) {
    match dissected.role {
        Some(ProgramRole::Client | ProgramRole::Server) => {
            return (Direction::Client, Evidence::Program);
        }
        Some(ProgramRole::Proxy) => return (Direction::Upstream, Evidence::Program),
        None => {}
    }
    let direction = direction::of_line(dissected.line);
    if direction != Direction::Unknown {
        return (direction, Evidence::Line);
    }
    match direction::of_function(dissected.codes) {
        Direction::Unknown => (Direction::Unknown, Evidence::None),
        direction => (direction, Evidence::Function),
    }
}

/// The best row, and the index of the code that it is about. An exact match takes precedence over a parsed one, and
/// that over a row for everything else.
fn find(
    dissected: &DissectedLine<'_>,
    direction: Direction,
) -> Option<(&'static Mechanism, Option<usize>)> {
    let order = by_significance(dissected.codes);
    let rows = || table::mechanisms().iter().filter(|row| dissected.allows(row, direction));
    let exact =
        rows().find(|row| dissected.verify.is_some_and(|v| row.sign == Sign::Verify(Some(v.0))));
    let coded = |any: bool| {
        order.iter().find_map(|at| {
            let sign = sign_of(&dissected.codes[*at], any)?;
            rows().find(|row| row.sign == sign).map(|row| (row, Some(*at)))
        })
    };
    let says = |general: bool| {
        let fits = |row: &&Mechanism| match row.sign {
            Sign::Says(words) => is_general(row) == general && dissected.has(words),
            Sign::Begins(words) => is_general(row) == general && dissected.begins(words),
            _ => false,
        };
        rows().find(fits).map(|row| (row, None))
    };
    let any_verify =
        || rows().find(|row| dissected.verify.is_some() && row.sign == Sign::Verify(None));
    exact
        .map(|row| (row, None))
        .or_else(|| any_verify().map(|row| (row, None)))
        .or_else(|| coded(false))
        .or_else(|| says(false))
        .or_else(|| coded(true))
        .or_else(|| says(true))
}

/// Rows that only report that something failed.
fn is_general(row: &Mechanism) -> bool {
    row.class == "handshake-unexplained"
}

/// Alerts are the most significant; `record layer failure` and shared reasons the least; of the rest, the newest.
fn by_significance(codes: &[Code<'_>]) -> Vec<usize> {
    let rank = |code: &Code<'_>| match code {
        code if code.alert().is_some() => 0,
        Code { part: ErrorLibrary::Ssl, common: false, reason: Some(reason), .. }
            if *reason != RECORD_LAYER_FAILURE =>
        {
            1
        }
        Code {
            part: ErrorLibrary::X509 | ErrorLibrary::Pem | ErrorLibrary::System,
            common: false,
            ..
        } => 2,
        Code { common: false, part: ErrorLibrary::Ssl, .. } => 3,
        Code { common: false, .. } => 4,
        _ => 5,
    };
    let mut order: Vec<usize> = (0..codes.len()).rev().collect();
    order.sort_by_key(|at| rank(&codes[*at]));
    order
}

fn sign_of(code: &Code<'_>, any: bool) -> Option<Sign> {
    let number = code.reason.filter(|_| !any);
    if let Some(alert) = code.alert() {
        return Some(Sign::Alert((!any).then_some(alert.0)));
    }
    if !any && number.is_none() {
        return None;
    }
    Some(match code.part {
        _ if code.common => Sign::Release("common", number),
        ErrorLibrary::Ssl => Sign::Reason(number),
        ErrorLibrary::X509 => Sign::Release("x509", number),
        ErrorLibrary::Pem => Sign::Release("pem", number),
        ErrorLibrary::Asn1 => Sign::Release("asn1", number),
        ErrorLibrary::System => Sign::Release("system", number),
        ErrorLibrary::Crypto => Sign::Release("crypto", number),
    })
}

impl DissectedLine<'_> {
    fn allows(&self, row: &Mechanism, direction: Direction) -> bool {
        let side = row.side == direction || direction == Direction::Unknown && row.default;
        // Other programs' lines about their servers have their own rows: those of nginx are about its clients.
        let kind =
            self.role != Some(ProgramRole::Client) || row.when.contains(&When::ClientProgram);
        side && kind && row.when.iter().all(|when| self.holds(*when))
    }

    fn has(&self, words: &str) -> bool {
        let action = self.line.action.unwrap_or_default();
        let find = |text: &[u8]| memmem::find(text, words.as_bytes()).is_some();
        match words.split_once(" while ") {
            Some((before, after)) => {
                memmem::find(&self.line.message, before.as_bytes()).is_some()
                    && action.starts_with(after.as_bytes())
            }
            None => find(&self.line.message) || find(action),
        }
    }

    fn begins(&self, words: &str) -> bool {
        let action = self.line.action.unwrap_or_default();
        match words.split_once(" while ") {
            Some((before, after)) => {
                self.line.message.starts_with(before.as_bytes())
                    && action.starts_with(after.as_bytes())
            }
            None => self.line.message.starts_with(words.as_bytes()),
        }
    }

    fn holds(&self, when: When) -> bool {
        let action = self.line.action.unwrap_or_default();
        let message = &self.line.message;
        let upstream = self.line.upstream.unwrap_or_default();
        match when {
            When::AfterHandshake => {
                !action.is_empty() && memmem::find(action, b"handshaking").is_none()
                    || message.starts_with(b"SSL_read()")
                    || message.starts_with(b"SSL_write()")
            }
            When::Grpc => upstream.starts_with(b"grpc"),
            When::CatchAll => self.line.server == Some(b"_"),
            When::Foreign => self.foreign,
            When::Stream => self.line.stream,
            When::Reset => {
                memmem::find(message, b"reset by peer").is_some()
                    || memmem::find(message, b"(104:").is_some()
            }
            When::OtherPort => upstream_port(upstream).is_some_and(|port| port != 443),
            When::TlsUpstream => has_tls_scheme(upstream),
            When::PlainUpstream => upstream.starts_with(b"http:"),
            When::BrokenPipe => memmem::find(message, b"(32:").is_some(),
            When::ClientProgram => self.role == Some(ProgramRole::Client),
            When::Loading => {
                let functions = [&b"SSL_use_certificate("[..], b"SSL_set0_chain("];
                functions.iter().any(|function| message.starts_with(function))
            }
        }
    }
}

/// The port of `https://192.0.2.1:8443/path`, if it has one.
pub fn upstream_port(upstream: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(upstream).ok()?;
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = authority.split('/').next()?;
    let (host, port) = authority.rsplit_once(':')?;
    (!host.contains(':') || host.ends_with(']')).then(|| port.parse().ok())?
}

/// `(20:unable to get …)`, as nginx writes it, or `num=20:` and `code: 20 (`, as OpenSSL's commands do.
fn verify_result(message: &[u8]) -> Option<VerifyError> {
    for words in [
        b"verify error: (".as_slice(),
        b"verify error:num=",
        b"erify return code: ",
        b"verify result: ",
    ] {
        let Some(at) = memmem::find(message, words) else { continue };
        let digits = &message[at + words.len()..];
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).take(5).count();
        let number = std::str::from_utf8(&digits[..count]).ok()?.parse().ok()?;
        return VerifyError::by_number(number);
    }
    let name = memmem::find(message, b"X509_V_ERR_")?;
    let end =
        message[name..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_');
    VerifyError::by_name(std::str::from_utf8(&message[name..name + end.count()]).ok()?)
}

/// Whether a program prints OpenSSL's text: a thread number before the code, or a source file after it.
fn is_of_library(text: &str) -> bool {
    let source = text.contains(".c:") || text.contains(".cc:");
    let thread = text.split_once(":error:").is_some_and(|(before, _)| {
        let word = before.rsplit(' ').next().unwrap_or_default();
        word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    source || thread
}
