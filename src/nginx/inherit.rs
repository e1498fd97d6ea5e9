//! Which directives apply at a place: those of the innermost block that has any of that name. They replace the
//! directives of outer blocks (`ngx_conf_merge_value`) and never add to them.

use std::ops::Deref;
use std::rc::Rc;

use super::directives::{self, DirectiveName};
use super::problem::Span;
use super::tree::{Directive, Tree};

/// The most values of one setting that are kept, because they are copied to every place where the setting applies.
pub(super) const MAX_VALUES: usize = 100;

/// A value from the configuration, and the directive that sets it. `None` means nginx's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T> {
    /// The value.
    pub value: T,
    /// The directive; if there are several in one block, the first.
    pub span: Span,
}

impl<T> Set<T> {
    /// A value that does not come from a configuration.
    pub fn given(value: T) -> Self {
        Self { value, span: Span { file: "".into(), line: 0, column: 0 } }
    }

    /// The same place with a converted value.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Set<U> {
        Set { value: make(self.value), span: self.span }
    }
}

impl<T> Deref for Set<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A block and the blocks around it, up to the file itself.
#[derive(Clone, Debug)]
pub struct Scope<'t>(Rc<Level<'t>>);

#[derive(Debug)]
struct Level<'t> {
    /// The block; `None` for the file itself.
    block: Option<&'t Directive>,
    outer: Option<Scope<'t>>,
    /// The directives without a block, sorted by name; those of one name in their order.
    simple: Vec<&'t Directive>,
    /// The bits of their names: without its bit, a name is not among them.
    bits: u64,
    /// The same with the names in outer blocks.
    bits_around: u64,
}

impl<'t> Scope<'t> {
    /// The file itself.
    pub fn root(tree: &'t Tree) -> Self {
        Self::new(None, &tree.directives, None)
    }

    /// A block within this one.
    #[must_use]
    pub fn enter(&self, block: &'t Directive) -> Self {
        Self::new(Some(block), block.children(), Some(self.clone()))
    }

    fn new(block: Option<&'t Directive>, inside: &'t [Directive], outer: Option<Self>) -> Self {
        let mut simple: Vec<&Directive> = inside.iter().filter(|one| one.block.is_none()).collect();
        simple.sort_by(|one, other| one.name.cmp(&other.name));
        let bits = simple.iter().fold(0, |bits, one| bits | bit(&one.name));
        let bits_around = bits | outer.as_ref().map_or(0, |outer| outer.0.bits_around);
        Self(Rc::new(Level { block, outer, simple, bits, bits_around }))
    }

    /// The directive that opens the block; `None` for the file itself.
    pub fn block(&self) -> Option<&'t Directive> {
        self.0.block
    }

    /// The block around this one.
    pub fn outer(&self) -> Option<&Self> {
        self.0.outer.as_ref()
    }

    /// This block and those around it, from the inside out.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.outer())
    }

    /// The innermost block of this name, this one included.
    pub fn nearest(&self, name: &str) -> Option<&Self> {
        self.chain().find(|scope| scope.block().is_some_and(|block| block.name == name))
    }

    /// The directives of this name in the block itself.
    pub fn own(&self, name: &str) -> &[&'t Directive] {
        if self.0.bits & bit(name) == 0 { &[] } else { self.named(&name.into()) }
    }

    fn named(&self, name: &DirectiveName) -> &[&'t Directive] {
        let all = self.0.simple.as_slice();
        let from = &all[all.partition_point(|one| one.name < *name)..];
        &from[..from.partition_point(|one| one.name == *name)]
    }

    /// The directives of this name that apply, in order: those of the innermost block that has any.
    pub fn effective(&self, name: &str) -> &[&'t Directive] {
        let bit = bit(name);
        if self.0.bits_around & bit == 0 {
            return &[];
        }
        let name = DirectiveName::from(name);
        let near = self.chain().filter(|scope| scope.0.bits & bit != 0);
        near.map(|scope| scope.named(&name)).find(|own| !own.is_empty()).unwrap_or_default()
    }

    /// The argument of a directive that nginx allows once in a block.
    pub fn scalar(&self, name: &str) -> Option<Set<String>> {
        let first = self.effective(name).first()?;
        Some(Set { value: first.first().to_owned(), span: first.span.clone() })
    }

    /// The value of a directive with `on` or `off`.
    pub fn flag(&self, name: &str) -> Option<Set<bool>> {
        let first = self.effective(name).first()?;
        Some(Set { value: first.is_on(), span: first.span.clone() })
    }

    /// The value of a directive with a number; 0 if it is not a number.
    pub fn number(&self, name: &str) -> Option<Set<u32>> {
        Some(self.scalar(name)?.map(|text| directives::number(&text).unwrap_or(0)))
    }

    /// All arguments of a directive that may be repeated in a block, such as `ssl_protocols`; at most `MAX_VALUES`.
    pub fn words(&self, name: &str) -> Option<Set<Vec<String>>> {
        let all = self.effective(name);
        let words = all.iter().flat_map(|one| one.arguments.iter().cloned());
        let value = words.take(MAX_VALUES).collect();
        Some(Set { value, span: all.first()?.span.clone() })
    }

    /// Pairs of name and value, as in `ssl_conf_command`; those of an inner block replace the outer ones. At most
    /// `MAX_VALUES`.
    pub fn pairs(&self, name: &str) -> Vec<Set<(String, String)>> {
        let pair = |one: &&Directive| {
            let second = one.arguments.get(1).cloned().unwrap_or_default();
            Set { value: (one.first().to_owned(), second), span: one.span.clone() }
        };
        self.effective(name).iter().take(MAX_VALUES).map(pair).collect()
    }
}

/// One of 64 bits for a name, by its length and its last letter. Different names may share a bit.
fn bit(name: &str) -> u64 {
    let last = name.bytes().next_back().map_or(0, usize::from);
    1 << ((name.len() + last * 7) % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nginx::source::Single;

    #[test]
    fn names_that_share_a_bit_are_told_apart() {
        assert_eq!(bit("ssl_certificate"), bit("ssl_buffer_size"));
        let text = b"ssl_certificate a.pem; http { server { ssl_buffer_size 4k; } }";
        let tree = Tree::read(&Single { path: "/n.conf", text }, "/n.conf");
        let scope = Scope::root(&tree);
        let http = tree.blocks("http").next().unwrap();
        let scope = scope.enter(http).enter(&http.children()[0]);
        assert!(scope.own("ssl_certificate").is_empty());
        assert_eq!(scope.effective("ssl_certificate")[0].first(), "a.pem");
        assert_eq!(scope.effective("ssl_buffer_size")[0].first(), "4k");
        assert!(scope.effective("ssl_certificate_key").is_empty());
    }
}
