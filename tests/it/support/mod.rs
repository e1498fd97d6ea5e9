//! What the tests share: certificates on disk, all kinds of servers, and the program itself.

pub(crate) mod crds;
pub(crate) mod dice;
pub(crate) mod pki;
pub(crate) mod program;
pub(crate) mod sample;
pub(crate) mod script;
pub(crate) mod server;
