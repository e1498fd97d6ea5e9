//! nginx's configuration as nginx reads it: tokens, the tree, what is inherited, and what that means for TLS on either
//! side; and what it logs. Pure: files come through [`source::Source`].

mod address;
pub mod defaults;
pub mod directives;
pub mod dump;
pub mod edit;
pub mod facts;
pub mod glob;
pub mod ingress;
pub mod inherit;
pub mod listener;
mod lua;
pub mod problem;
pub mod rehearsal;
pub mod relocate;
pub mod server_name;
pub mod source;
mod table;
pub mod token;
pub mod tree;
pub mod upstream;
pub mod variable;

#[cfg(test)]
mod tests;
