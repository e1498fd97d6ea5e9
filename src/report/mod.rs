//! Reports: one file a format. They show what was judged and decide nothing.

use time::OffsetDateTime;

use crate::run::TargetReport;

/// A whole run.
#[derive(Clone, Debug)]
pub struct Report {
    /// When the first probe started.
    pub started_at: OffsetDateTime,
    /// When the last target was judged.
    pub finished_at: OffsetDateTime,
    /// The targets, in input order.
    pub targets: Vec<TargetReport>,
}
