//! Lines of logs.

use shakedown::log::explanation::of_line;
use shakedown::log::format::AccessLogFormat;
use shakedown::log::intake::Intake;
use shakedown::log::shape::AccessLineShape;
use shakedown::openssl::code;

/// One line of an error log, explained.
pub(super) fn error_line(input: &[u8]) {
    drop(of_line(input));
    drop(code::find(input));
    if let Ok(text) = str::from_utf8(input) {
        drop(code::parse(text));
    }
}

/// An access log whose first line is its format.
pub(super) fn access_log(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (format, lines) = input.split_at(at);
    let Ok(format) = AccessLogFormat::compile(&String::from_utf8_lossy(format)) else { return };
    let shape = AccessLineShape::given(vec![format]);
    read(lines, Intake { shape, ..Intake::default() });
}

/// Any log, in text or in JSON.
pub(super) fn any_log(input: &[u8]) {
    read(input, Intake::default());
}

fn read(lines: &[u8], mut intake: Intake) {
    for line in lines.split(|byte| *byte == b'\n') {
        let _ = intake.line(line);
    }
}
