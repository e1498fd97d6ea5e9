//! Moments on the command line: dates, and how long ago.

use std::time::Duration;

use time::OffsetDateTime;

use super::errors::UsageError;
use super::settings;
use crate::log::access::read_moment;
use crate::targets::options::parse_duration;

/// The most days ago.
const MAX_DAYS: u64 = 36_500;

/// Seconds since 1970 of `2h` ago or a date, on a clock that is ahead of UTC by `offset` of now.
pub(super) fn seconds(
    option: &str,
    text: &str,
    offset: impl Fn(OffsetDateTime) -> i64,
) -> anyhow::Result<i64> {
    if let Some(moment) = read_moment(text) {
        return Ok(moment);
    }
    let days = text.trim().strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let days = days.filter(|days| (1..=MAX_DAYS).contains(days));
    let ago = days.map(|days| Duration::from_secs(days * 86_400));
    let ago = ago.map_or_else(|| parse_duration(text), Ok).map_err(|_| {
        UsageError::new(
            format!("invalid time {option} {text:?}"),
            "use 90m, 2h or 1d, or a date such as 2026-01-31 or 2026-01-31T10:00",
        )
    })?;
    let now = settings::now();
    let now = now.unix_timestamp() + offset(now);
    Ok(now.saturating_sub_unsigned(ago.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_a_duration() {
        let since = |text: &str| seconds("--since", text, |_| 0);
        assert_eq!(since("1970-01-02").unwrap(), 86_400);
        assert!(since("2h").unwrap() > 1_700_000_000);
        assert!(since("2h").unwrap() - since("1d").unwrap() >= 22 * 3600 - 1);
        assert!(since("0d").is_err() && since("99999999999999999999d").is_err());
        assert!(since("yesterday").is_err());
    }
}
