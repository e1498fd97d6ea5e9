//! Times on the host's clock.

/// The length of a time in nginx's format.
const LENGTH: usize = 19;

/// Seconds since 1970 of `2026/01/31 23:59:59`, as if it were UTC.
pub fn read_time(text: &[u8]) -> Option<i64> {
    let digit = |at: usize| {
        text.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0'))
    };
    let two = |at: usize| Some(digit(at)? * 10 + digit(at + 1)?);
    let separators = [(4, b'/'), (7, b'/'), (10, b' '), (13, b':'), (16, b':')];
    if text.len() < LENGTH || separators.iter().any(|(at, byte)| text[*at] != *byte) {
        return None;
    }
    let year = two(0)? * 100 + two(2)?;
    let (month, day) = (two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    (valid && second <= 60)
        .then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days since 1970-01-01 in the Gregorian calendar: the months are counted from March, so that leap days come last.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}
