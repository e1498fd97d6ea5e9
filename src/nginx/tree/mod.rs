//! The configuration as a tree: directives with arguments, blocks and places, with every `include` resolved.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::directives::{self, BlockContext, DirectiveName};
use super::glob;
use super::problem::{ConfigurationProblem, Fault, Span};
use super::source::Source;
use super::token::{Lexer, Statement, Token};

/// The most nested blocks and includes; this also stops a file that includes itself.
const MAX_DEPTH: usize = 100;

/// The most bytes read in total; a file counts each time that it is included.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The most included files in total; a file counts each time that it is included.
const MAX_INCLUDES: usize = 20_000;

/// The most directives in total.
const MAX_DIRECTIVES: usize = 1_000_000;

/// The most problems that are kept; a file with more is not a configuration.
const MAX_PROBLEMS: usize = 1000;

/// One directive with the contents of its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name.
    pub name: DirectiveName,
    /// Its arguments, without quotes and escapes.
    pub arguments: Vec<String>,
    /// The contents of its block, with included files instead of their `include`; `None` if it has no block.
    pub block: Option<Vec<Self>>,
    /// The place of its name.
    pub span: Span,
    /// Its bytes in its file, from the name to the `;` or the `}`.
    pub extent: Range<usize>,
    /// The start of its block in its file: the offset after the `{`.
    pub opens_at: Option<usize>,
    /// The line of its `;` or `{`, which nginx reports if it refuses the directive.
    pub last_line: u32,
}

impl Directive {
    /// The place that nginx reports if it refuses the directive.
    pub fn judged_at(&self) -> Span {
        Span { line: self.last_line, ..self.span.clone() }
    }

    /// The contents of its block; empty if it has none.
    pub fn children(&self) -> &[Self] {
        self.block.as_deref().unwrap_or_default()
    }

    /// Its first argument, or an empty text.
    pub fn first(&self) -> &str {
        self.arguments.first().map(String::as_str).unwrap_or_default()
    }

    /// Whether its value is `on`.
    pub fn is_on(&self) -> bool {
        self.first().eq_ignore_ascii_case("on")
    }
}

/// A complete configuration, and its problems.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The file that was read first.
    pub main: String,
    /// The directives outside all blocks.
    pub directives: Vec<Directive>,
    /// Every file that was read, by its name.
    pub files: BTreeMap<Arc<str>, Arc<[u8]>>,
    /// Every `include`, each time that it was read; the included contents are in the tree.
    pub includes: Vec<Directive>,
    /// The problems in the order of reading; nginx stops at the first.
    pub problems: Vec<ConfigurationProblem>,
}

impl Tree {
    /// Reads a configuration, starting with its main file.
    pub fn read(source: &dyn Source, main: &str) -> Self {
        let mut reader = TreeReader {
            source,
            prefix: folder(main).to_owned(),
            tree: Self { main: main.to_owned(), ..Self::default() },
            bytes: 0,
            includes: 0,
            directives: 0,
            depth: 0,
            around: Vec::new(),
        };
        let mut block = OpenBlock::new(BlockContext::Main);
        reader.file(main, None, &mut block);
        let mut tree = reader.tree;
        tree.directives = block.directives;
        let has_events = tree.blocks("events").next().is_some();
        if tree.problems.is_empty() && !has_events {
            tree.problems.push(ConfigurationProblem { fault: Fault::NoEvents, span: None });
        }
        tree
    }

    /// The blocks of this name outside all others.
    pub fn blocks<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Directive> {
        self.directives.iter().filter(move |one| one.name == name && one.block.is_some())
    }

    /// The full name of a file: relative names start at the folder of the main file (`ngx_conf_full_name`).
    pub fn full_name(&self, path: &str) -> String {
        full_name(folder(&self.main), path)
    }

    /// The end of a directive, including its block.
    pub fn end(&self, directive: &Directive) -> Span {
        let text = self.files.get(&directive.span.file).map(|text| &text[..]).unwrap_or_default();
        let range = directive.extent.start..directive.extent.end.min(text.len());
        let lines = text.get(range).unwrap_or_default().split(|byte| *byte == b'\n').count() - 1;
        let line = directive.span.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        Span { line, ..directive.span.clone() }
    }

    /// The directive that starts at this place.
    pub fn at(&self, span: &Span) -> Option<&Directive> {
        fn find<'a>(directives: &'a [Directive], span: &Span) -> Option<&'a Directive> {
            directives.iter().find_map(|one| {
                if one.span.line == span.line && one.span == *span {
                    Some(one)
                } else {
                    find(one.children(), span)
                }
            })
        }
        find(&self.directives, span)
    }
}

/// The folder of a path, with its final slash.
pub(super) fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..=at])
}

pub(super) fn full_name(prefix: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{prefix}{path}") }
}

/// A block that is being read.
struct OpenBlock {
    context: BlockContext,
    directives: Vec<Directive>,
    /// The directives that are allowed once and have been seen.
    seen: Vec<usize>,
}

impl OpenBlock {
    fn new(context: BlockContext) -> Self {
        Self { context, directives: Vec::new(), seen: Vec::new() }
    }
}

/// How a block or a file ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BlockEnd {
    Brace,
    File,
    /// Reading cannot continue.
    Broken,
}

struct TreeReader<'s> {
    source: &'s dyn Source,
    prefix: String,
    tree: Tree,
    bytes: usize,
    includes: usize,
    directives: usize,
    /// The number of blocks and included files around the current position.
    depth: usize,
    /// The files around it.
    around: Vec<Arc<str>>,
}

impl TreeReader<'_> {
    /// Reads a file into the block that includes it; `from` is the place of the `include`.
    fn file(&mut self, path: &str, from: Option<&Span>, into: &mut OpenBlock) {
        self.includes += 1;
        if self.depth > MAX_DEPTH {
            return self.report(Fault::TooDeep(MAX_DEPTH), from.cloned());
        }
        let (name, text) = match self.text(path) {
            Ok(file) => file,
            Err(fault) => return self.report(fault, from.cloned()),
        };
        // nginx goes on until it has no file descriptors; two such lines would be read over and over.
        if self.around.contains(&name) {
            return self.report(Fault::TooDeep(MAX_DEPTH), from.cloned());
        }
        self.bytes += text.len();
        if self.bytes > MAX_BYTES || self.includes > MAX_INCLUDES {
            return self.report(Fault::TooLarge, from.cloned());
        }
        let mut file = File { name, lexer: Lexer::new(&text) };
        self.depth += 1;
        self.around.push(Arc::clone(&file.name));
        let ending = self.block(&mut file, into);
        self.around.pop();
        self.depth -= 1;
        if ending == BlockEnd::Brace {
            self.report(Fault::Unexpected(b'}'), Some(file.here()));
        }
    }

    fn text(&mut self, path: &str) -> Result<(Arc<str>, Arc<[u8]>), Fault> {
        if let Some((name, text)) = self.tree.files.get_key_value(path) {
            return Ok((Arc::clone(name), Arc::clone(text)));
        }
        let text = self.source.read(path).map_err(|failure| Fault::Unreadable {
            path: path.to_owned(),
            reason: failure.to_string(),
        })?;
        let (name, text): (Arc<str>, Arc<[u8]>) = (path.into(), text.into());
        self.tree.files.insert(Arc::clone(&name), Arc::clone(&text));
        Ok((name, text))
    }

    /// Reads directives up to the end of the block or the file.
    fn block(&mut self, file: &mut File<'_>, into: &mut OpenBlock) -> BlockEnd {
        loop {
            let (statement, opens) = match file.lexer.token() {
                Ok(Token::Simple(statement)) => (statement, false),
                Ok(Token::Open(statement)) => (statement, true),
                Ok(Token::Close) => return BlockEnd::Brace,
                Ok(Token::End) => return BlockEnd::File,
                Err(fault) => {
                    self.report(fault, Some(file.here()));
                    return BlockEnd::Broken;
                }
            };
            if self.tree.problems.len() >= MAX_PROBLEMS {
                return BlockEnd::Broken;
            }
            self.directives += 1;
            if self.directives > MAX_DIRECTIVES {
                self.report(Fault::TooLarge, Some(file.here()));
                return BlockEnd::Broken;
            }
            if self.directive(file, statement, opens, into) == BlockEnd::Broken {
                return BlockEnd::Broken;
            }
        }
    }

    /// Reads one statement and, if it opens a block, that block.
    fn directive(
        &mut self,
        file: &mut File<'_>,
        statement: Statement,
        opens: bool,
        into: &mut OpenBlock,
    ) -> BlockEnd {
        if opens && matches!(into.context, BlockContext::Data(_)) {
            self.report(Fault::Unexpected(b'{'), Some(file.here()));
        }
        let checked = check(into, &statement, opens);
        if let Err(fault) = checked {
            self.report(fault, Some(file.here()));
        } else if !opens && is_include(into.context, &statement) {
            let from = file.here();
            self.include(&statement.arguments[0], &from, into);
            let mut directive = file.directive(statement);
            directive.extent.end = file.lexer.offset();
            self.tree.includes.push(directive);
            return BlockEnd::File;
        }
        let mut directive = file.directive(statement);
        let mut ending = BlockEnd::File;
        if opens {
            ending = self.body(file, &mut directive, into.context);
        }
        directive.extent.end = file.lexer.offset();
        into.directives.push(directive);
        ending
    }

    /// Reads the block of a directive whose `{` was just read.
    fn body(
        &mut self,
        file: &mut File<'_>,
        directive: &mut Directive,
        context: BlockContext,
    ) -> BlockEnd {
        directive.opens_at = Some(file.lexer.offset());
        directive.block = Some(Vec::new());
        if directive.name.ends_with("_by_lua_block") {
            if file.lexer.skip_lua() {
                return BlockEnd::Brace;
            }
            self.report(Fault::UnclosedLua(directive.name.to_string()), Some(file.here()));
            return BlockEnd::Broken;
        }
        if self.depth > MAX_DEPTH {
            self.report(Fault::TooDeep(MAX_DEPTH), Some(file.here()));
            return BlockEnd::Broken;
        }
        let mut inner = OpenBlock::new(context.inside(&directive.name));
        self.depth += 1;
        let mut ending = self.block(file, &mut inner);
        self.depth -= 1;
        if ending == BlockEnd::File {
            self.report(Fault::UnclosedBlock, Some(file.here()));
            ending = BlockEnd::Broken;
        }
        directive.block = Some(inner.directives);
        ending
    }

    fn include(&mut self, path: &str, from: &Span, into: &mut OpenBlock) {
        let path = full_name(&self.prefix, path);
        if !glob::is_pattern(&path) {
            return self.file(&path, Some(from), into);
        }
        self.includes += 1;
        if self.includes > MAX_INCLUDES {
            return self.report(Fault::TooLarge, Some(from.clone()));
        }
        if let Some(folder) = self.source.unlisted(&path) {
            return self.report(Fault::Unlisted(folder), Some(from.clone()));
        }
        let Some(matches) = self.source.glob(&path) else {
            return self.report(Fault::TooManyMatches(path), Some(from.clone()));
        };
        for path in matches {
            if self.includes > MAX_INCLUDES {
                break;
            }
            self.file(&path, Some(from), into);
        }
    }

    fn report(&mut self, fault: Fault, span: Option<Span>) {
        if self.tree.problems.len() < MAX_PROBLEMS {
            self.tree.problems.push(ConfigurationProblem { fault, span });
        }
    }
}

/// A file that is being read.
struct File<'a> {
    name: Arc<str>,
    lexer: Lexer<'a>,
}

impl File<'_> {
    /// The place that nginx would report.
    fn here(&self) -> Span {
        let (line, column) = (self.lexer.line(), self.lexer.column());
        Span { file: Arc::clone(&self.name), line, column }
    }

    fn directive(&self, statement: Statement) -> Directive {
        let Statement { name, arguments, start, line, column } = statement;
        Directive {
            name,
            arguments,
            block: None,
            span: Span { file: Arc::clone(&self.name), line, column },
            extent: start..self.lexer.offset(),
            opens_at: None,
            last_line: self.lexer.line(),
        }
    }
}

/// Whether a statement is an `include`; in a `map` it may be data.
fn is_include(context: BlockContext, statement: &Statement) -> bool {
    context != BlockContext::Data(false)
        && statement.arguments.len() == 1
        && statement.name == "include"
}

/// The error that nginx would report for a statement before it evaluates it.
fn check(into: &mut OpenBlock, statement: &Statement, opens: bool) -> Result<(), Fault> {
    let Statement { name, arguments, .. } = statement;
    let is_include = *name == "include" && !matches!(into.context, BlockContext::Data(_));
    if is_include && opens {
        return Err(Fault::NotTerminated(name.to_string()));
    }
    if is_include && arguments.len() != 1 {
        return Err(Fault::ArgumentCount(name.to_string()));
    }
    directives::check(into.context, name, arguments, opens, &mut into.seen)
}

#[cfg(test)]
mod tests;
