//! Reports: the judgements in the requested format. Nothing is decided here.
//!
//! A format is one file in `formats` and one variant of [`Format`]. All remote text passes through [`escape`] before it
//! is shown.

pub mod capture;
mod chain;
pub mod changes;
pub mod escape;
pub mod explanation;
mod exposition;
pub mod format;
pub mod formats;
pub mod inert_json;
mod items;
pub mod log;
mod matrix;
mod names;
mod overview;
pub mod place;
pub mod run_report;
pub mod saved;
mod scan;
pub mod summary;
pub mod text;
pub mod tool;
pub(crate) mod words;

pub use self::format::Format;
pub use self::run_report::{Comparison, Rehearsed, Report, ReportKind, ReportOptions};
pub use self::summary::{Counts, Summary};
pub use self::text::Look;
