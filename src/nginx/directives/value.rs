//! The values that a directive accepts, and how nginx parses numbers, sizes and times.

use std::str::FromStr;

use crate::nginx::problem::Fault;
use crate::tls::version::ProtocolVersion;

/// The values that a directive accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// Anything, any number of times.
    Any,
    /// Anything, but only once in a block.
    Once,
    Flag,
    Number,
    /// Bytes: `16k`.
    Size,
    /// Bytes, also in gigabytes.
    Offset,
    /// A time in milliseconds.
    Time,
    /// A time in seconds.
    Seconds,
    /// A number and a size.
    Buffers,
    /// One of these words, separated by bars.
    Enum(&'static str),
    /// Some of these words; repeated directives are combined.
    Mask(&'static str),
    Protocols,
}

impl ValueKind {
    /// Parses the word in the table.
    pub(super) fn read(text: &'static str) -> Self {
        match text.split_once(':') {
            Some(("enum", words)) => Self::Enum(words),
            Some(("mask", words)) => Self::Mask(words),
            _ => match text {
                "once" => Self::Once,
                "flag" => Self::Flag,
                "number" => Self::Number,
                "size" => Self::Size,
                "offset" => Self::Offset,
                "time" => Self::Time,
                "seconds" => Self::Seconds,
                "buffers" => Self::Buffers,
                "protocols" => Self::Protocols,
                _ => Self::Any,
            },
        }
    }

    pub(super) fn stands_once(self) -> bool {
        !matches!(self, Self::Any | Self::Protocols | Self::Mask(_))
    }

    pub(super) fn check(self, name: &str, arguments: &[String]) -> Result<(), Fault> {
        let first = arguments.first().map(String::as_str).unwrap_or_default();
        let invalid = || Fault::InvalidValueOf(name.to_owned());
        let one_of =
            |words: &str, text: &str| words.split('|').any(|word| word.eq_ignore_ascii_case(text));
        let unknown =
            |known: &dyn Fn(&str) -> bool| match arguments.iter().find(|text| !known(text)) {
                Some(unknown) => Err(Fault::InvalidValue(unknown.clone())),
                None => Ok(()),
            };
        match self {
            Self::Flag if !one_of("on|off", first) => {
                Err(Fault::NotOnOff { name: name.to_owned(), value: first.to_owned() })
            }
            Self::Number if number(first).is_none() => Err(Fault::InvalidNumber(name.to_owned())),
            Self::Size if !is_size(first, "kKmM") => Err(invalid()),
            Self::Offset if !is_size(first, "kKmMgG") => Err(invalid()),
            Self::Time if !is_time(first, false) => Err(invalid()),
            Self::Seconds if !is_time(first, true) => Err(invalid()),
            Self::Buffers => {
                let size = arguments.get(1).map(String::as_str).unwrap_or_default();
                let positive = number(first).is_some_and(|count| count > 0);
                if positive && is_size(size, "kKmM") { Ok(()) } else { Err(invalid()) }
            }
            Self::Enum(words) if !one_of(words, first) => {
                Err(Fault::InvalidValue(first.to_owned()))
            }
            Self::Mask(words) => unknown(&|text| one_of(words, text)),
            Self::Protocols => unknown(&|text| protocol(text).is_some()),
            _ => Ok(()),
        }
    }
}

/// Parses a number as nginx does (`ngx_atoi`): only digits.
pub fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // nginx's own limit is that of a signed word; larger numbers than fit here make no difference.
    let value: i64 = text.parse().ok().filter(|_| digits)?;
    Some(u32::try_from(value).unwrap_or(u32::MAX))
}

/// Whether nginx accepts it as a size (`ngx_parse_size`, `ngx_parse_offset`).
pub(in crate::nginx) fn is_size(text: &str, units: &str) -> bool {
    number(text.strip_suffix(|unit| units.contains(unit)).unwrap_or(text)).is_some()
}

/// Whether nginx accepts it as a time (`ngx_parse_time`): numbers with decreasing units; the last may have none.
pub(in crate::nginx) fn is_time(text: &str, whole_seconds: bool) -> bool {
    const UNITS: [&str; 8] = ["y", "M", "w", "d", "h", "m", "s", "ms"];
    let (mut rest, mut smallest) = (text, None);
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return false;
        }
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = &rest[..letters];
        if unit.is_empty() {
            let seconds = 6;
            return rest.trim_matches(' ').is_empty()
                && smallest.is_none_or(|known| known < seconds);
        }
        let rank = UNITS.iter().position(|known| *known == unit);
        let Some(rank) = rank.filter(|rank| smallest.is_none_or(|known| known < *rank)) else {
            return false;
        };
        if whole_seconds && unit == "ms" {
            return false;
        }
        smallest = Some(rank);
        rest = rest[letters..].trim_start_matches(' ');
    }
    true
}

/// A protocol of `ssl_protocols`; `SSLv2` is accepted but never offered.
pub(crate) fn protocol(text: &str) -> Option<ProtocolVersion> {
    let known = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    let name = known.into_iter().find(|name| name.eq_ignore_ascii_case(text))?;
    Some(ProtocolVersion::from_str(name).unwrap_or(ProtocolVersion(0x0002)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_nginx_reads_them() {
        for time in ["5", "5s", "1h30m", "1d", "500ms", "1y 2d", "1m30"] {
            assert!(is_time(time, false), "{time}");
        }
        for time in ["", "s", "5x", "5m5h", "1.5s", "-1", "5s5s", "1ms2"] {
            assert!(!is_time(time, false), "{time}");
        }
        assert!(!is_time("500ms", true));
        assert!(is_size("16k", "kK") && is_size("0", "kK"));
        assert!(!is_size("16g", "kKmM") && !is_size("k", "kK") && !is_size("1kb", "kK"));
    }
}
