//! The block that an edit is made in.

use crate::nginx::inherit::Scope;
use crate::nginx::problem::Span;
use crate::nginx::tree::{Directive, Tree};

/// A block, and the directive after which a new one is inserted.
pub(super) struct Home<'t> {
    pub scope: Scope<'t>,
    /// A directive in the block, or the block itself.
    pub anchor: &'t Directive,
}

impl<'t> Home<'t> {
    pub(super) fn find(tree: &'t Tree, at: &Span, name: &str) -> Option<Self> {
        let path = path(&tree.directives, at)?;
        let (&found, around) = path.split_last()?;
        let is_block = found.block.is_some();
        let mut blocks = if is_block { &path[..] } else { around };
        let mut anchor = found;
        while let Some((&last, outer)) = blocks.split_last()
            && (name.contains("ssl_") || name.ends_with("_set_header"))
            && ["if", "limit_except"].contains(&&*last.name)
            && let Some(around) = outer.last()
        {
            blocks = outer;
            anchor = around;
        }
        let scope = blocks.iter().fold(Scope::root(tree), |scope, block| scope.enter(block));
        Some(Self { scope, anchor })
    }

    /// Whether both are the same block.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let place = |home: &Self| home.scope.block().map(std::ptr::from_ref);
        place(self) == place(other)
    }

    /// The directives of this name directly in the block.
    pub(super) fn own(&self, name: &str) -> Vec<&'t Directive> {
        self.scope.own(name).to_vec()
    }
}

/// The directive that starts at a place, after the blocks around it.
fn path<'t>(directives: &'t [Directive], at: &Span) -> Option<Vec<&'t Directive>> {
    for one in directives {
        if one.span.line == at.line && one.span == *at {
            return Some(vec![one]);
        }
        if let Some(mut found) = path(one.children(), at) {
            found.insert(0, one);
            return Some(found);
        }
    }
    None
}
