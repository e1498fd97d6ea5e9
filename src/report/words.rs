//! Words that several formats share.

use std::fmt::Display;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::log::table::Likelihood;
use crate::run::Status;

/// RFC 3339 in UTC, to the second for certificates and as fine as the clock for the run.
pub(crate) fn timestamp(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(time::UtcOffset::UTC);
    moment.format(&Rfc3339).unwrap_or_else(|_| moment.to_string())
}

/// A number with its noun: "1 target", "2 targets".
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let ending = match noun {
        _ if count == N::from(1) => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{count} {noun}{ending}")
}

/// How likely a cause is.
pub(crate) fn likelihood(likelihood: Likelihood) -> &'static str {
    match likelihood {
        Likelihood::Likely => "likely",
        Likelihood::Possible => "possible",
        Likelihood::Rare => "rare",
    }
}

/// What became of a target, as people read it: a failure stands out.
pub(crate) fn status(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Fail => "FAIL",
        Status::Untested => "untested",
    }
}
