//! Error lines in JSON: nginx's own form since 1.31, a container's wrapping, and what shippers make of a line.
//!
//! Whatever the names are, the object is written out as the line in text that it stands for.

use serde_json::{Map, Value};

/// Where the message stands.
const MESSAGE: &[&str] = &["message", "msg", "log", "text", "error", "MESSAGE"];

/// Writes the line that an object stands for; `false` where it is none.
pub fn to_text(bytes: &[u8], buffer: &mut Vec<u8>) -> bool {
    let Ok(Value::Object(object)) = serde_json::from_slice(bytes) else {
        return false;
    };
    let Some(message) = MESSAGE.iter().find_map(|name| object.get(*name)?.as_str()) else {
        return false;
    };
    buffer.clear();
    if !starts_as_line(message) {
        write_head(&object, buffer);
    }
    buffer.extend_from_slice(message.trim_end().as_bytes());
    if !message.contains(", client: ") {
        write_fields(&object, message, buffer);
    }
    true
}

/// A container wraps whole lines.
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

/// nginx's fields in their order, whether they stand in quotes, and what else they may be called.
const FIELDS: &[(&str, bool, &[&str])] = &[
    ("client", false, &["client_addr", "remote_addr"]),
    ("server", false, &["server_name"]),
    ("request", true, &[]),
    ("subrequest", true, &[]),
    ("upstream", true, &["upstream_addr"]),
    ("host", true, &["http_host"]),
    ("referrer", true, &["referer"]),
];

/// A value, from the object itself or from one in it.
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

/// `2026-01-31T23:59:59+01:00` as nginx writes it: the wall clock of its host.
fn nginx_time(text: &str) -> Option<String> {
    let bytes = text.get(..19)?;
    let time = bytes.replace(['-'], "/").replace('T', " ");
    super::time::read_time(time.as_bytes()).map(|_| time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::line::parse_any;

    #[test]
    fn an_object_is_the_line_that_it_stands_for() {
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
    fn what_is_no_object_is_read_as_text() {
        let mut buffer = Vec::new();
        assert!(!to_text(b"{not json", &mut buffer));
        assert!(!to_text(b"{\"a\":1}", &mut buffer));
        assert_eq!(&*parse_any(b"{not json", &mut buffer).message, b"{not json");
    }
}
