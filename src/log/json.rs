//! Error lines in JSON: nginx's own format since 1.31, container logs, and formats of log shippers.
//!
//! Whatever the keys, the object is converted to the equivalent line of text.

use memchr::memmem;
use serde_json::{Map, Value};

use super::line::{LogLine, parse};

/// Like [`parse`], for a line that may be a JSON object or part of one; its text is in `buffer`.
pub fn parse_any<'a>(bytes: &'a [u8], buffer: &'a mut Vec<u8>) -> LogLine<'a> {
    parse(plain(bytes, buffer).unwrap_or(bytes))
}

/// The line of text for these bytes, if they are not plain text.
pub(super) fn plain<'a>(bytes: &[u8], buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let is_object = bytes.trim_ascii_start().starts_with(b"{") && to_text(bytes, buffer);
    (is_object || unescape(bytes, buffer)).then_some(&**buffer)
}

/// Keys of the message with the keys around it: plain, container logs, journald, Google Cloud, Loki and OpenTelemetry.
const MESSAGE: &[&str] = &[
    "message",
    "msg",
    "log",
    "MESSAGE",
    "textPayload",
    "line",
    "body",
    "text",
    "original",
    "error",
];

/// Keys of objects that may contain another one.
const AROUND: &[&str] =
    &["jsonPayload", "event", "body", "attributes", "entry", "fields", "_source", "result"];

/// The most nested wrappings.
const MAX_DEPTH: usize = 4;

/// Writes the line for an object; `false` if it does not contain one.
pub fn to_text(bytes: &[u8], buffer: &mut Vec<u8>) -> bool {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => unwrapped(&object, buffer, MAX_DEPTH),
        _ => false,
    }
}

fn unwrapped(object: &Map<String, Value>, buffer: &mut Vec<u8>, depth: usize) -> bool {
    let message = MESSAGE.iter().find_map(|name| words(object.get(*name)?));
    let Some(message) = message else {
        let inner = || AROUND.iter().filter_map(|name| object.get(*name)?.as_object());
        return depth > 0 && inner().any(|inner| unwrapped(inner, buffer, depth - 1));
    };
    // A log shipper may wrap JSON of a program.
    if depth > 0
        && message.trim_start().starts_with('{')
        && let Ok(Value::Object(inner)) = serde_json::from_str(&message)
        && unwrapped(&inner, buffer, depth - 1)
    {
        return true;
    }
    buffer.clear();
    if !starts_as_line(&message) {
        write_head(object, buffer);
    }
    buffer.extend_from_slice(message.trim_end().as_bytes());
    if !message.contains(", client: ") {
        write_fields(object, &message, buffer);
    }
    true
}

/// A text: plain, in OpenTelemetry's form, or as the bytes that journald writes for invalid UTF-8.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => object.get("stringValue")?.as_str().map(str::to_owned),
        Value::Array(items) => {
            let byte = |item: &Value| item.as_u64().and_then(|number| u8::try_from(number).ok());
            let bytes: Option<Vec<u8>> = items.iter().map(byte).collect();
            bytes
                .filter(|bytes| !bytes.is_empty())
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => None,
    }
}

/// Restores a line that was cut out of JSON or CSV, with escaped or doubled quotes; `false` if it is not one.
fn unescape(bytes: &[u8], buffer: &mut Vec<u8>) -> bool {
    let escape = if memmem::find(bytes, b": \\\"").is_some() {
        b'\\'
    } else if memmem::find(bytes, b": \"\"").is_some() && memmem::find(bytes, b"\"\", ").is_some() {
        b'"'
    } else {
        return false;
    };
    buffer.clear();
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let next = rest.next_if(|next| byte == escape && (*next == b'"' || *next == escape));
        buffer.push(next.unwrap_or(byte));
    }
    true
}

/// Container logs wrap complete lines.
fn starts_as_line(message: &str) -> bool {
    message.as_bytes().get(..19).and_then(super::time::read_time).is_some()
}

fn write_head(object: &Map<String, Value>, buffer: &mut Vec<u8>) {
    let time = text(object, &["time", "timestamp", "@timestamp", "ts", "date"]);
    if let Some(time) = time.as_deref().and_then(nginx_time) {
        buffer.extend_from_slice(time.as_bytes());
        buffer.push(b' ');
    }
    if let Some(level) = text(object, &["level", "severity", "log_level", "lvl"]) {
        buffer.extend_from_slice(format!("[{}] ", level.trim_matches(['[', ']'])).as_bytes());
    }
    let pid = text(object, &["pid", "process_id"]);
    if let Some(pid) = pid {
        let thread =
            text(object, &["tid", "thread", "thread_id"]).unwrap_or_else(|| "0".to_owned());
        buffer.extend_from_slice(format!("{pid}#{thread}: ").as_bytes());
    }
    if let Some(number) = text(object, &["connection", "connection_id", "cid", "conn"]) {
        buffer.extend_from_slice(format!("*{} ", number.trim_start_matches('*')).as_bytes());
    }
}

fn write_fields(object: &Map<String, Value>, message: &str, buffer: &mut Vec<u8>) {
    let action = text(object, &["action", "while", "context"]);
    if let Some(action) = action.filter(|_| !message.contains(" while ")) {
        let word = if action.starts_with("while ") { "" } else { "while " };
        buffer.extend_from_slice(format!(" {word}{action}").as_bytes());
    }
    for (name, quoted, others) in FIELDS {
        if let Some(value) = text(object, &[&[*name], *others].concat()) {
            let quote = if *quoted { "\"" } else { "" };
            buffer.extend_from_slice(format!(", {name}: {quote}{value}{quote}").as_bytes());
        }
    }
}

/// nginx's fields in order, whether they are quoted, and their other names.
const FIELDS: &[(&str, bool, &[&str])] = &[
    ("client", false, &["client_addr", "remote_addr"]),
    ("server", false, &["server_name"]),
    ("request", true, &[]),
    ("subrequest", true, &[]),
    ("upstream", true, &["upstream_addr"]),
    ("host", true, &["http_host"]),
    ("referrer", true, &["referer"]),
];

/// A value of the object itself, or of one inside it.
fn text(object: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let inner = || object.values().filter_map(Value::as_object);
    names.iter().find_map(|name| {
        let outer = object.get(*name).and_then(plain);
        outer.or_else(|| inner().find_map(|object| plain(object.get(*name)?)))
    })
}

/// `2026-01-31T23:59:59+01:00` in nginx's format: the local time of its host.
fn nginx_time(text: &str) -> Option<String> {
    let bytes = text.get(..19)?;
    let time = bytes.replace(['-'], "/").replace('T', " ");
    super::time::read_time(time.as_bytes()).map(|_| time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_the_line_that_it_contains() {
        let mut buffer = Vec::new();
        let object = br#"{"time":"2026-05-20T10:11:12+02:00","level":"error","pid":7,"tid":7,"connection":42,
            "message":"SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112)",
            "action":"SSL handshaking to upstream","client":"192.0.2.1","server":"a.test","request":"GET / HTTP/1.1",
            "upstream":"https://192.0.2.2:443/","host":"a.test"}"#;
        let line = parse_any(object, &mut buffer);
        assert_eq!((line.level, line.pid, line.connection), (Some("error"), Some(7), Some(42)));
        assert_eq!(line.action, Some(b"SSL handshaking to upstream".as_slice()));
        assert_eq!(line.upstream, Some(b"https://192.0.2.2:443/".as_slice()));
        assert_eq!(line.host, Some(b"a.test".as_slice()));
        assert_eq!(line.time, super::super::line::read_time(b"2026/05/20 10:11:12"));
    }

    #[test]
    fn a_container_wraps_a_whole_line() {
        let mut buffer = Vec::new();
        let object = br#"{"log":"2026/05/20 10:11:12 [info] 7#7: *1 client closed connection while SSL handshaking, client: 192.0.2.1, server: 0.0.0.0:443\n","stream":"stderr","time":"2026-05-20T08:11:12.5Z"}"#;
        let line = parse_any(object, &mut buffer);
        assert_eq!((line.level, line.connection), (Some("info"), Some(1)));
        assert_eq!(line.server, Some(b"0.0.0.0:443".as_slice()));
    }

    #[test]
    fn whoever_wraps_a_line_it_is_the_same() {
        let line = r#"2026/05/20 10:11:12 [error] 7#7: *42 SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: 192.0.2.1, server: a.test, request: "GET / HTTP/1.1", upstream: "https://192.0.2.2:443/", host: "a.test""#;
        let text = serde_json::to_string(line).unwrap();
        let bytes = serde_json::to_string(line.as_bytes()).unwrap();
        let inner = serde_json::to_string(&format!("{{\"log\":{text}}}")).unwrap();
        let escaped = line.replace('"', "\\\"");
        let doubled = line.replace('"', "\"\"");
        for wrapped in [
            format!(
                r#"{{"insertId":"x","resource":{{"type":"k8s_container"}},"textPayload":{text},"severity":"ERROR"}}"#
            ),
            format!(r#"{{"jsonPayload":{{"message":{text}}},"severity":"ERROR"}}"#),
            format!(
                r#"{{"labels":{{"app":"nginx"}},"line":{text},"timestamp":"2026-05-20T10:11:12Z"}}"#
            ),
            format!(r#"{{"body":{text},"severityText":"ERROR"}}"#),
            format!(r#"{{"body":{{"stringValue":{text}}}}}"#),
            format!(r#"{{"log":{text},"stream":"stderr"}}"#),
            format!(r#"{{"__REALTIME_TIMESTAMP":"1","MESSAGE":{text}}}"#),
            format!(r#"{{"MESSAGE":{bytes}}}"#),
            format!(r#"{{"@timestamp":"2026-05-20T10:11:12Z","event":{{"original":{text}}}}}"#),
            format!(r#"{{"message":{inner}}}"#),
            format!("2026-05-20T10:11:12.5Z stderr F {line}"),
            escaped.clone(),
            format!("\"{escaped}\","),
            doubled.clone(),
            format!("2026-05-20,\"{doubled}\",web-1"),
        ] {
            let mut buffer = Vec::new();
            let parsed = parse_any(wrapped.as_bytes(), &mut buffer);
            assert_eq!((parsed.level, parsed.connection), (Some("error"), Some(42)), "{wrapped}");
            assert_eq!(parsed.host, Some(b"a.test".as_slice()), "{wrapped}");
            assert_eq!(parsed.upstream, Some(b"https://192.0.2.2:443/".as_slice()), "{wrapped}");
            let mut reader = crate::log::reader::LogReader::default();
            let kind = reader.line(wrapped.as_bytes());
            assert!(matches!(kind, crate::log::reader::LineKind::Failure(_)), "{wrapped}");
            let class = reader.tally.classes().next().unwrap();
            assert_eq!(class.upstreams.count(b"192.0.2.2:443"), 1, "{wrapped}");
        }
    }

    #[test]
    fn anything_but_an_object_is_read_as_text() {
        let mut buffer = Vec::new();
        assert!(!to_text(b"{not json", &mut buffer));
        assert!(!to_text(b"{\"a\":1}", &mut buffer));
        assert_eq!(&*parse_any(b"{not json", &mut buffer).message, b"{not json");
    }
}
