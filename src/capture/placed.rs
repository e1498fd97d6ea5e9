//! The directive of nginx's configuration that a failed handshake leads to.

/// A directive with its place, as it applies to a handshake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlacedDirective {
    /// Its name.
    pub name: &'static str,
    /// What it is set to; `None` where nginx's default applies.
    pub value: Option<String>,
    /// The file that sets it, or that the server block is in.
    pub file: String,
    /// The line there; 0 for the file as a whole.
    pub line: u32,
    /// The first name of the server whose setting applies.
    pub server_name: Option<String>,
    /// Whether the socket's default server decides, and not the one that the name selects.
    pub of_default_server: bool,
}
