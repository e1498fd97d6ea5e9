//! Words that several formats share.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// RFC 3339 in UTC, to the second for certificates and as fine as the clock for the run.
pub(super) fn timestamp(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(time::UtcOffset::UTC);
    moment.format(&Rfc3339).unwrap_or_else(|_| moment.to_string())
}
