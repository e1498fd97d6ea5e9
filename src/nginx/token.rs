//! nginx's tokenizer (`ngx_conf_read_token` in `src/core/ngx_conf_file.c`), byte for byte.

use std::borrow::Cow;

use super::directives::DirectiveName;
use super::lua;
use super::problem::Fault;

/// The size of nginx's buffer: a word, a comment or white space that fills it is an error (`NGX_CONF_BUFFER`).
const BUFFER: usize = 4096;

/// The number of bytes of an overlong word that nginx quotes.
const QUOTED: usize = 10;

/// The words up to a `;` or a `{`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The name, without quotes and escapes.
    pub name: DirectiveName,
    /// The arguments, without quotes and escapes.
    pub arguments: Vec<String>,
    /// Offset of the first byte of the first word.
    pub start: usize,
    /// Line of that byte, from 1.
    pub line: u32,
    /// Column of that byte, from 1.
    pub column: u32,
}

/// The next item in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A directive that ends in `;`.
    Simple(Statement),
    /// A directive that opens a block.
    Open(Statement),
    /// The end of a block.
    Close,
    /// The end of the file.
    End,
}

/// The state of the lexer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LexerState {
    /// Between words.
    Gap,
    /// In a comment.
    Comment,
    /// In a word without quotes.
    Bare,
    /// In a word within these quotes.
    Quoted(u8),
    /// After a closing quote, where a separator must follow.
    Closed,
}

/// The result of one byte.
enum LexerStep {
    Continue,
    End(u8),
}

/// Reads one file, statement by statement.
#[derive(Debug)]
pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    line_start: usize,
}

/// The statement that is being read.
struct PartialStatement {
    name: Option<DirectiveName>,
    arguments: Vec<String>,
    state: LexerState,
    /// nginx's `quoted`: the next byte is literal.
    escaped: bool,
    /// nginx's `variable`: a following `{` belongs to the word.
    variable: bool,
    /// The start of the current word, comment or white space, and its line.
    start: (usize, u32),
    /// The start of the first word: offset, line and column.
    first: (usize, u32, u32),
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of a file.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, line: 1, line_start: 0 }
    }

    /// The number of bytes read.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The current line, which is the one in nginx's messages.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column of the last byte that was read.
    pub fn column(&self) -> u32 {
        column(self.at.saturating_sub(1).saturating_sub(self.line_start))
    }

    /// Reads up to the next `;`, `{` or `}`. After an error, reading cannot continue.
    pub fn token(&mut self) -> Result<Token, Fault> {
        let mut reading = PartialStatement {
            name: None,
            arguments: Vec::new(),
            state: LexerState::Gap,
            escaped: false,
            variable: false,
            start: (self.at, self.line),
            first: (self.at, self.line, 1),
        };
        loop {
            self.skip_plain(&reading);
            let Some(&byte) = self.text.get(self.at) else {
                let complete = matches!(reading.state, LexerState::Gap | LexerState::Comment);
                let done = complete && reading.name.is_none();
                return if done { Ok(Token::End) } else { Err(Fault::UnexpectedEnd) };
            };
            if self.at - reading.start.0 == BUFFER {
                self.line = reading.start.1;
                return Err(self.overlong(&reading));
            }
            self.advance(byte);
            match self.step(&mut reading, byte)? {
                LexerStep::Continue => {}
                LexerStep::End(end) => {
                    return Ok(match (reading.statement(), end) {
                        (None, _) => Token::Close,
                        (Some(statement), b'{') => Token::Open(statement),
                        (Some(statement), _) => Token::Simple(statement),
                    });
                }
            }
        }
    }

    /// Skips the bytes up to the next one that may change the state, or to where the buffer is full.
    fn skip_plain(&mut self, reading: &PartialStatement) {
        if reading.escaped || reading.variable {
            return;
        }
        let full = self.text.len().min(reading.start.0 + BUFFER);
        let rest = self.text.get(self.at..full).unwrap_or_default();
        let end = match reading.state {
            LexerState::Bare => rest.iter().position(|byte| {
                matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b'$' | b'\\')
            }),
            LexerState::Quoted(quote) => {
                rest.iter().position(|&byte| byte == quote || matches!(byte, b'\\' | b'$' | b'\n'))
            }
            LexerState::Gap => rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r')),
            LexerState::Comment => memchr::memchr(b'\n', rest),
            LexerState::Closed => return,
        };
        self.at += end.unwrap_or(rest.len());
    }

    /// Skips a block of Lua code whose `{` was just read; false if it does not end.
    pub fn skip_lua(&mut self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = lua::block_length(rest);
        for &byte in rest.iter().take(length.unwrap_or(rest.len())) {
            self.advance(byte);
        }
        length.is_some()
    }

    fn advance(&mut self, byte: u8) {
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
            self.line_start = self.at;
        }
    }

    fn overlong(&self, reading: &PartialStatement) -> Fault {
        if let LexerState::Quoted(quote) = reading.state {
            return Fault::Unterminated(char::from(quote));
        }
        let from = reading.start.0;
        Fault::TooLong(String::from_utf8_lossy(&self.text[from..from + QUOTED]).into_owned())
    }

    fn step(&self, reading: &mut PartialStatement, byte: u8) -> Result<LexerStep, Fault> {
        if reading.state == LexerState::Comment {
            if byte == b'\n' {
                reading.state = LexerState::Gap;
            }
            return Ok(LexerStep::Continue);
        }
        if reading.escaped {
            reading.escaped = false;
            return Ok(LexerStep::Continue);
        }
        match reading.state {
            LexerState::Closed => self.closed(reading, byte),
            LexerState::Gap => self.gap(reading, byte),
            _ => Ok(self.word(reading, byte)),
        }
    }

    /// After a closing quote.
    fn closed(&self, reading: &mut PartialStatement, byte: u8) -> Result<LexerStep, Fault> {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => reading.state = LexerState::Gap,
            b';' | b'{' => return Ok(LexerStep::End(byte)),
            b')' => return self.gap(reading, byte),
            _ => return Err(Fault::Unexpected(byte)),
        }
        Ok(LexerStep::Continue)
    }

    /// Between words; any other character than a space starts a token.
    fn gap(&self, reading: &mut PartialStatement, byte: u8) -> Result<LexerStep, Fault> {
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return Ok(LexerStep::Continue);
        }
        reading.start = (self.at - 1, self.line);
        match byte {
            b';' | b'{' if reading.name.is_none() => return Err(Fault::Unexpected(byte)),
            b'}' if reading.name.is_some() => return Err(Fault::Unexpected(byte)),
            b';' | b'{' | b'}' => return Ok(LexerStep::End(byte)),
            b'#' => {
                reading.state = LexerState::Comment;
                return Ok(LexerStep::Continue);
            }
            _ => {}
        }
        if reading.name.is_none() {
            reading.first = (self.at - 1, self.line, self.column());
        }
        reading.escaped = byte == b'\\';
        reading.variable = byte == b'$';
        reading.state = LexerState::Bare;
        if matches!(byte, b'"' | b'\'') {
            reading.start.0 += 1;
            reading.state = LexerState::Quoted(byte);
        }
        Ok(LexerStep::Continue)
    }

    /// Within a word.
    fn word(&self, reading: &mut PartialStatement, byte: u8) -> LexerStep {
        if byte == b'{' && reading.variable {
            return LexerStep::Continue;
        }
        reading.variable = byte == b'$';
        reading.escaped = byte == b'\\';
        let ends = match reading.state {
            LexerState::Quoted(quote) => byte == quote,
            _ => matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{'),
        };
        if !ends {
            return LexerStep::Continue;
        }
        let word = unescape(&self.text[reading.start.0..self.at - 1]);
        match reading.name {
            None => reading.name = Some(DirectiveName::from(&*word)),
            Some(_) => reading.arguments.push(word.into_owned()),
        }
        if matches!(reading.state, LexerState::Quoted(_)) {
            reading.state = LexerState::Closed;
            return LexerStep::Continue;
        }
        reading.state = LexerState::Gap;
        if matches!(byte, b';' | b'{') { LexerStep::End(byte) } else { LexerStep::Continue }
    }
}

impl PartialStatement {
    /// `None` if nothing was read.
    fn statement(self) -> Option<Statement> {
        let (start, line, column) = self.first;
        Some(Statement { name: self.name?, arguments: self.arguments, start, line, column })
    }
}

fn column(distance: usize) -> u32 {
    u32::try_from(distance).unwrap_or(u32::MAX).saturating_add(1)
}

/// Replaces the escapes that nginx knows and keeps all others. Invalid UTF-8 is replaced.
fn unescape(raw: &[u8]) -> Cow<'_, str> {
    // Nearly every word is valid, and that is known much sooner than what is wrong with one.
    if memchr::memchr(b'\\', raw).is_none() {
        return str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed);
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        let known = match (byte, after.first()) {
            (b'\\', Some(&next @ (b'"' | b'\'' | b'\\'))) => Some(next),
            (b'\\', Some(b't')) => Some(b'\t'),
            (b'\\', Some(b'r')) => Some(b'\r'),
            (b'\\', Some(b'n')) => Some(b'\n'),
            _ => None,
        };
        bytes.push(known.unwrap_or(byte));
        rest = if known.is_some() { &after[1..] } else { after };
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// A word as written in a file, quoted if necessary.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:*$~^@!+,=[]%&?|<>".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the first statement, or nginx's message.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let words = match Lexer::new(text.as_bytes()).token() {
            Ok(
                Token::Simple(Statement { name, arguments, .. })
                | Token::Open(Statement { name, arguments, .. }),
            ) => [vec![name.to_string()], arguments].concat(),
            other => panic!("{text:?}: {other:?}"),
        };
        assert_eq!(words, expected, "{text:?}");
    }

    #[track_caller]
    fn refused(text: &str, message: &str) {
        let mut lexer = Lexer::new(text.as_bytes());
        let fault = loop {
            match lexer.token() {
                Ok(Token::End) => panic!("{text:?} is accepted"),
                Ok(_) => {}
                Err(fault) => break fault,
            }
        };
        assert_eq!(fault.to_string(), message, "{text:?}");
    }

    #[test]
    fn words_end_at_separators_only() {
        check("a b\tc\r\nd;", &["a", "b", "c", "d"]);
        check("a b}c d#e;", &["a", "b}c", "d#e"]);
        check("a b\"c\";", &["a", "b\"c\""]);
        check("a # b ; c\n d;", &["a", "d"]);
        check("a{", &["a"]);
    }

    #[test]
    fn quotes_hold_words_together_and_only_six_escapes_are_converted() {
        check(r#"a "b c;{}#" 'd "e"';"#, &["a", "b c;{}#", "d \"e\""]);
        check(r#"a "\"\'\\\t\r\n\.\d" b\ c\;;"#, &["a", "\"'\\\t\r\n\\.\\d", "b\\ c\\;"]);
        check("a \"b\"{", &["a", "b"]);
        check("if (\"a\");", &["if", "(\"a\")"]);
        check("if ( \"a\");", &["if", "(", "a", ")"]);
        refused("a \"b\"c;", "unexpected \"c\"");
        refused("a \"b\"\"c\";", "unexpected \"\"\"");
    }

    #[test]
    fn a_brace_after_a_dollar_belongs_to_the_word() {
        check("a ${b}c;", &["a", "${b}c"]);
        check("a x${b};", &["a", "x${b}"]);
        check("a b{2};", &["a", "b"]);
    }

    #[test]
    fn broken_files_are_named_in_the_words_of_nginx() {
        refused(";", "unexpected \";\"");
        refused("{", "unexpected \"{\"");
        refused("a }", "unexpected \"}\"");
        refused("a b", "unexpected end of file, expecting \";\" or \"}\"");
        refused("a \"b", "unexpected end of file, expecting \";\" or \"}\"");
    }

    #[test]
    fn whatever_fills_the_buffer_is_too_long() {
        let long = "x".repeat(4095);
        check(&format!("a {long};"), &["a", &long]);
        refused(&format!("a {long}x;"), "too long parameter \"xxxxxxxxxx...\" started");
        check(&format!("a \"{}\";", &long[1..]), &["a", &long[1..]]);
        refused(&format!("a \"{long}\";"), "too long parameter \"xxxxxxxxxx...\" started");
        let message = "too long parameter, probably missing terminating \"'\" character";
        refused(&format!("a '{long}x';"), message);
        refused(&format!("a;#{long}\nb;"), "too long parameter \"#xxxxxxxxx...\" started");
        let gap = " ".repeat(4096);
        refused(&format!("a;{gap}b;"), "too long parameter \"          ...\" started");
    }

    #[test]
    fn places_are_those_of_the_first_word() {
        let mut lexer = Lexer::new(b"a;\n  b c\n d;\n }");
        assert!(matches!(lexer.token(), Ok(Token::Simple(s)) if (s.line, s.column) == (1, 1)));
        assert!(matches!(lexer.token(), Ok(Token::Simple(s)) if (s.line, s.column) == (2, 3)));
        assert_eq!(lexer.line(), 3);
        assert_eq!(lexer.token(), Ok(Token::Close));
        assert_eq!((lexer.line(), lexer.column()), (4, 2));
    }

    #[test]
    fn a_word_that_is_written_out_is_read_back() {
        for word in ["", "a", "a b", "a\"b", "a\\", "\\d{2}", "${a}", "a;b", "#", "a'b", "é\n\t"] {
            check(&format!("x {};", quoted(word)), &["x", word]);
        }
    }
}
