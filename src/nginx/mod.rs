//! nginx's configuration as nginx reads it: tokens, the tree, inheritance, and its meaning for TLS on both sides. Pure:
//! files are read through [`source::Source`].

mod address;
mod arrival;
pub mod build;
pub mod defaults;
pub mod directives;
pub mod dump;
pub mod edit;
pub mod facts;
mod file_names;
pub mod glob;
pub mod inherit;
pub mod kubernetes;
pub mod listener;
mod lua;
pub mod name_example;
pub mod problem;
pub mod rehearsal;
pub mod server_name;
pub mod source;
mod table;
pub mod token;
pub mod tree;
pub mod upstream;
pub mod variable;
pub mod variable_text;

#[cfg(test)]
mod tests;
