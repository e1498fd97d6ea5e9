//! What runs, held against what is written: a change that nginx has not loaded, and a program or library that was
//! replaced while it ran.

use std::fmt;

/// One such difference. Its text stays the same from run to run; what was seen is the evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unloaded {
    /// A file is newer than the workers.
    File {
        /// The file.
        path: String,
        /// Its time and that of the workers.
        seen: String,
    },
    /// The last reload failed.
    Reload {
        /// nginx's message.
        words: String,
        /// When it was logged, and where.
        seen: String,
    },
    /// The file of the program or of its TLS library was replaced.
    Replaced {
        /// The file.
        path: String,
        /// What runs: `OpenSSL 3.0.15 3 Sep 2024`; `None` if that cannot be read.
        running: Option<String>,
        /// What the file is now.
        now: Option<String>,
        /// The process.
        seen: String,
    },
}

impl Unloaded {
    /// What was seen, in the words of evidence.
    pub fn seen(&self) -> &str {
        match self {
            Self::File { seen, .. } | Self::Reload { seen, .. } | Self::Replaced { seen, .. } => {
                seen
            }
        }
    }

    /// Whether a restart is needed, because a reload would not load it.
    pub fn needs_restart(&self) -> bool {
        matches!(self, Self::Replaced { .. })
    }
}

impl fmt::Display for Unloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => {
                write!(f, "nginx has not loaded {path} since it was changed")
            }
            Self::Reload { words, .. } => write!(f, "the last reload of nginx failed: {words}"),
            Self::Replaced { path, running: Some(running), now: Some(now), .. }
                if running != now =>
            {
                write!(f, "restart nginx: it still runs {running}, and {path} is now {now}")
            }
            Self::Replaced { path, running: Some(running), .. } => {
                write!(f, "restart nginx: it still runs the {running} that was replaced in {path}")
            }
            Self::Replaced { path, .. } => {
                write!(f, "restart nginx: it still runs the old {path}, which was replaced")
            }
        }
    }
}
