//! Possible fixes of a listener of nginx: candidates, the smallest change first, and whether one that was tried is a
//! fix.
//!
//! Pure, like all judgement: the caller runs nginx with each candidate, and compares what it sees with what was seen
//! before.

pub mod candidate;
pub mod chain_file;
pub mod effect;
pub mod goal;
mod propose;
mod settings;
pub mod site;

pub use self::candidate::{Admits, Candidate};
pub use self::chain_file::ChainFile;
pub use self::effect::{Effect, Loss, Sight};
pub use self::goal::Goal;
pub use self::propose::candidates;
pub use self::site::Site;
