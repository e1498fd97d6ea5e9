//! A running count of a stream that has no end yet, which another thread may look at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::exchange::Conclusion;

/// What was counted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunningCount {
    /// Handshakes that succeeded.
    pub established: u64,
    /// Handshakes that failed.
    pub failed: u64,
    /// Handshakes of which the capture does not tell.
    pub unclear: u64,
    /// Failures by class.
    pub classes: BTreeMap<&'static str, u64>,
}

/// The count, shared.
#[derive(Clone, Debug, Default)]
pub struct RunningTally(Arc<Mutex<RunningCount>>);

impl RunningTally {
    /// Takes a handshake, and the class of its failure.
    pub(super) fn add(&self, conclusion: Conclusion, class: Option<&'static str>) {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *match conclusion {
            Conclusion::Established => &mut count.established,
            Conclusion::Failed(_) => &mut count.failed,
            Conclusion::Unclear(_) => &mut count.unclear,
        } += 1;
        if let Some(class) = class {
            *count.classes.entry(class).or_default() += 1;
        }
    }

    /// What was counted so far.
    pub fn now(&self) -> RunningCount {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
