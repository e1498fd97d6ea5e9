//! YAML whose aliases make it grow: a few lines may stand for any amount of text.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// How many times larger than its text a file may be once its aliases are followed.
const MAX_GROWTH: usize = 4;

/// The size to which any file may grow.
const ALWAYS: usize = 64 * 1024;

/// The file would grow too much.
#[derive(Debug, thiserror::Error)]
#[error("its aliases stand for more than {MAX_GROWTH} times its text")]
pub struct YamlGrowth;

/// Follows all aliases, and keeps nothing. What is no YAML is left to its reader.
pub fn check(text: &[u8]) -> Result<(), YamlGrowth> {
    if memchr::memchr(b'&', text).is_none() || memchr::memchr(b'*', text).is_none() {
        return Ok(());
    }
    let left = Cell::new((text.len() * MAX_GROWTH).max(ALWAYS));
    for document in serde_yaml_ng::Deserializer::from_slice(text) {
        if Grown(&left).deserialize(document).is_err() {
            break;
        }
    }
    if left.get() == 0 { Err(YamlGrowth) } else { Ok(()) }
}

/// Counts the bytes of a value down.
#[derive(Clone, Copy)]
struct Grown<'l>(&'l Cell<usize>);

impl Grown<'_> {
    fn spend<E: Error>(self, bytes: usize) -> Result<(), E> {
        self.0.set(self.0.get().saturating_sub(bytes + 1));
        if self.0.get() == 0 { Err(E::custom(YamlGrowth)) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Grown<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Grown<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("YAML")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.spend(1)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.spend(8)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.spend(8)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<(), E> {
        self.spend(16)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        self.spend(16)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.spend(8)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.spend(text.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.spend(0)?;
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.spend(0)?;
        while entries.next_entry_seed(self, self)?.is_some() {}
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let ((), value) = tagged.variant_seed(self)?;
        value.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(text: &str) -> bool {
        check(text.as_bytes()).is_err()
    }

    /// A text of a thousand letters, and as many aliases of it.
    fn thousand(tag: &str) -> String {
        format!("a: &a {}\nb: {tag} [{}]\n", "x".repeat(1000), ["*a"; 1000].join(", "))
    }

    #[test]
    fn aliases_that_stand_for_much_more_than_the_text_are_refused() {
        assert!(is_refused(&thousand("")) && is_refused(&thousand("!own")));
        assert!(is_refused(&format!("a: 1\n---\n{}", thousand(""))));
    }

    #[test]
    fn usual_aliases_and_what_is_no_yaml_are_not_refused() {
        let usual = "base: &base {a: 1, b: [x, y]}\none: {<<: *base}\ntwo: !tag [*base, 2]\n";
        for text in ["", usual, "a: &a [*b]", "a: [", "&*", &"x & * ".repeat(10_000)] {
            assert!(!is_refused(text), "{text}");
        }
    }
}
