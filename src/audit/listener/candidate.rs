//! A candidate: edits that may fix a finding, and what they weaken.

use std::fmt;

use super::chain_file::ChainFile;
use crate::audit::finding::{Fix, ProposedDirective};
use crate::nginx::edit::{Edit, is_pair};
use crate::nginx::tree::{Directive, Tree};
use crate::tls::suite::SuiteWeakness;
use crate::tls::version::ProtocolVersion;

/// Changes that may fix a finding; only a trial shows whether they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The directives to change, each in the block where it takes effect.
    pub edits: Vec<Edit>,
    /// The certificate files to rewrite.
    pub files: Vec<ChainFile>,
    /// What clients can do after the change but not before, least severe first.
    pub admits: Vec<Admits>,
}

/// What a change allows that was refused before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admits {
    /// Clients that send no name.
    NoName,
    /// Sessions whose keys are protected by one RSA key.
    StaticRsa,
    /// Requests without a client certificate.
    NoClientCertificate,
    /// A version that RFC 8996 forbids.
    Version(ProtocolVersion),
    /// Keys and signatures of a lower OpenSSL security level.
    SecurityLevel(u8),
    /// Breakable suites.
    Weak(SuiteWeakness),
}

impl Candidate {
    /// Changed directives that weaken nothing.
    pub(super) fn of(edits: Vec<Edit>) -> Self {
        Self { edits, files: Vec::new(), admits: Vec::new() }
    }

    /// A rewritten certificate file.
    pub(super) fn file(file: ChainFile) -> Self {
        Self { edits: Vec::new(), files: vec![file], admits: Vec::new() }
    }

    /// Adds what it allows.
    pub(super) fn admitting(mut self, admits: impl IntoIterator<Item = Admits>) -> Self {
        self.admits.extend(admits);
        self.admits.sort_unstable();
        self.admits.dedup();
        self
    }

    /// The size of the change.
    pub fn size(&self) -> usize {
        self.edits.len() + self.files.len()
    }

    /// The fix, after a trial has shown that it works.
    pub fn fix(&self, tree: &Tree) -> Fix {
        let directives = self.edits.iter().map(|edit| directive(tree, edit)).collect();
        Fix { text: self.to_string(), directives, verified: Some(true), assumes: None }
    }
}

fn directive(tree: &Tree, edit: &Edit) -> ProposedDirective {
    // If the block has the directive, its line is changed.
    let block = tree.at(&edit.at);
    let is_it = |one: &&Directive| {
        let differs = is_pair(&edit.name) && edit.arguments.first() != one.arguments.first();
        *one.name == *edit.name && !differs
    };
    let own = block.and_then(|block| block.children().iter().find(is_it));
    let span = own.map_or(&edit.at, |own| &own.span);
    ProposedDirective {
        context: block.map_or_else(|| "server".to_owned(), |block| block.name.to_string()),
        name: edit.name.clone(),
        value: edit.arguments.join(" "),
        file: Some(span.file.to_string()),
        line: Some(span.line),
    }
}

/// The text of the fix, in a sentence or two.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edits = self.edits.iter().map(|edit| match &edit.arguments[..] {
            [] => format!("take out {}", edit.name),
            words => format!("set {} to {}", edit.name, words.join(" ")),
        });
        let files = self.files.iter().map(ToString::to_string);
        let steps: Vec<String> = edits.chain(files).collect();
        let mut text = steps.join(", ");
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        write!(f, "{text}; then reload.")?;
        let admits: Vec<String> = self.admits.iter().map(ToString::to_string).collect();
        if admits.is_empty() { Ok(()) } else { write!(f, " This admits {}.", admits.join(", ")) }
    }
}

impl fmt::Display for Admits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str("clients that send no server name"),
            Self::StaticRsa => f.write_str("static RSA, which lacks forward secrecy"),
            Self::NoClientCertificate => f.write_str("requests without a client certificate"),
            Self::Version(version) => write!(f, "{version}"),
            Self::SecurityLevel(level) => {
                write!(f, "keys and signatures of security level {level}")
            }
            Self::Weak(weakness) => f.write_str(match weakness {
                SuiteWeakness::NoEncryption => "suites without encryption",
                SuiteWeakness::Anonymous => "suites without authentication",
                SuiteWeakness::Export => "export keys",
                SuiteWeakness::Des => "DES",
                SuiteWeakness::Rc4 => "RC4",
                SuiteWeakness::SmallBlock => "64-bit blocks (3DES)",
            }),
        }
    }
}
