//! masscan's JSON: a list (`-oJ`) or an object on each line (`-oD`).

use std::net::IpAddr;

use serde_json::Value;

use super::Inventory;
use crate::targets::address::Address;
use crate::targets::{Host, StartTls};

/// What older releases write as the last entry.
const END: &[u8] = b"{finished: 1}";

/// The objects on the lines of a text that is no JSON as a whole, and the numbers of lines that are damaged.
pub(super) fn lines(text: &[u8]) -> (Vec<Value>, Vec<usize>) {
    let (mut entries, mut damaged) = (Vec::new(), Vec::new());
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.map(|line| line.strip_suffix(b",").unwrap_or(line));
    for (index, line) in lines.enumerate() {
        if matches!(line, b"" | b"[" | b"]" | END) {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(entry @ Value::Object(_)) => entries.push(entry),
            _ => damaged.push(index + 1),
        }
    }
    (entries, damaged)
}

/// The letters of a damaged address that a message repeats.
const MAX_TOLD: usize = 60;

/// The open TCP ports of an entry; a scan for these ports was wanted, so none is left out.
pub(super) fn entry(entry: &Value, found: &mut Inventory) {
    let Some(ip) = entry["ip"].as_str().and_then(|text| text.parse::<IpAddr>().ok()) else {
        let told: String = entry["ip"].to_string().chars().take(MAX_TOLD).collect();
        found.refuse(format!("{told} is not an address"));
        return;
    };
    let several = entry["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let one = entry.get("port").map(|_| entry);
    for port in several.iter().chain(one) {
        let status = port["status"].as_str().or_else(|| port["data"]["status"].as_str());
        let number = port["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        let is_open = status.is_none_or(|status| status == "open");
        let is_tcp = port["proto"].as_str().is_none_or(|proto| proto == "tcp");
        let Some(number) = number.filter(|port| *port > 0 && is_open && is_tcp) else { continue };
        found.add(Address {
            host: Host::Ip(ip),
            port: Some(number),
            connect_to: None,
            starttls: StartTls::of_port(number),
        });
    }
}
