//! Targets from the output of other programs: nmap (XML), masscan (JSON) and Prometheus' service discovery (JSON).

mod masscan;
mod nmap;

use std::collections::HashSet;

use serde_json::Value;

use super::address::Address;
use super::{Host, StartTls};

/// The most targets.
const MAX_TARGETS: usize = 1_000_000;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The targets, in the order of the input.
    pub addresses: Vec<Address>,
    /// Entries that are no targets, and why.
    pub problems: Vec<String>,
    /// Open ports that probably do not speak TLS.
    pub left_out: usize,
    /// What is a target already: scanners list a port again for each thing that they learn of it.
    known: HashSet<NamedSocket>,
    /// Whether there were more than [`MAX_TARGETS`].
    has_more: bool,
}

/// A host, a port, and where to connect instead.
type NamedSocket = (Host, Option<u16>, Option<(Host, u16)>);

impl Inventory {
    fn add(&mut self, address: Address) {
        if self.addresses.len() >= MAX_TARGETS {
            self.has_more = true;
            return;
        }
        let place = (address.host.clone(), address.port, address.connect_to.clone());
        if self.known.insert(place) {
            self.addresses.push(address);
        }
    }

    fn refuse(&mut self, problem: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }
}

/// The most problems that are reported.
const MAX_PROBLEMS: usize = 1000;

/// Some programs begin a text with it.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).trim_ascii_start()
}

/// Whether a text that begins so is one of these formats, and not a list of addresses.
pub fn is_inventory(begin: &[u8]) -> bool {
    let begin = without_mark(begin);
    match begin.first() {
        Some(b'<' | b'{') => true,
        // An IPv6 address begins with a bracket, too.
        Some(b'[') => matches!(begin[1..].trim_ascii_start().first(), Some(b'{' | b']')),
        _ => false,
    }
}

/// Reads the whole text.
pub fn read(text: &[u8]) -> Inventory {
    let text = without_mark(text);
    let mut found = if text.starts_with(b"<") { nmap::read(text) } else { of_json(text) };
    if found.has_more {
        found.problems.push(format!("there are more than {MAX_TARGETS} targets"));
    }
    found
}

fn of_json(text: &[u8]) -> Inventory {
    let mut found = Inventory::default();
    match serde_json::from_slice(text) {
        Ok(Value::Array(entries)) => of_entries(&entries, &mut found),
        Ok(entry) => of_entry(&entry, &mut found),
        // masscan writes an entry a line, and older releases leave a comma at the end of the list.
        Err(error) => {
            let (entries, damaged) = masscan::lines(text);
            if entries.is_empty() {
                found.refuse(format!("invalid JSON: {error}"));
            } else {
                for line in damaged {
                    found.refuse(format!("line {line} is damaged: it is no entry of masscan's"));
                }
            }
            of_entries(&entries, &mut found);
        }
    }
    found
}

fn of_entries(entries: &[Value], found: &mut Inventory) {
    for entry in entries {
        of_entry(entry, found);
    }
}

fn of_entry(entry: &Value, found: &mut Inventory) {
    if let Some(targets) = entry.get("targets").and_then(Value::as_array) {
        for target in targets {
            let text = target.as_str().unwrap_or_default();
            match text.parse() {
                Ok(address) => found.add(address),
                Err(error) => found.refuse(format!("{error}")),
            }
        }
    } else if entry.get("ip").is_some() {
        masscan::entry(entry, found);
    } else if entry.get("finished").is_none() {
        found.refuse("an entry has neither \"targets\" nor \"ip\"".to_owned());
    }
}

/// Ports whose services begin with TLS.
const TLS_PORTS: [u16; 17] =
    [443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 5061, 5671, 6697, 8443, 8883, 9443];

/// Whether a port is usually one of TLS, or of a protocol with STARTTLS.
fn is_usual(port: u16) -> bool {
    TLS_PORTS.contains(&port) || StartTls::of_port(port).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<String> {
        let found = read(text.as_bytes());
        assert_eq!(found.problems, [""; 0]);
        let text = |one: &Address| {
            let to = one.connect_to.as_ref().map(|(host, port)| format!(" at {host}:{port}"));
            format!("{}:{}{}", one.host, one.port.unwrap_or(0), to.unwrap_or_default())
        };
        found.addresses.iter().map(text).collect()
    }

    #[test]
    fn nmap_says_which_open_ports_speak_tls() {
        let xml = r#"<?xml version="1.0"?><!DOCTYPE nmaprun><nmaprun><host><status state="up"/>
            <address addr="192.0.2.1" addrtype="ipv4"/><address addr="00:00:00:00:00:01" addrtype="mac"/>
            <hostnames><hostname name="www.test" type="user"/><hostname name="ptr.test" type="PTR"/></hostnames>
            <ports>
              <port protocol="tcp" portid="443"><state state="open"/><service name="http" tunnel="ssl"/></port>
              <port protocol="tcp" portid="22"><state state="open"/><service name="ssh"/></port>
              <port protocol="tcp" portid="8443"><state state="closed"/></port>
              <port protocol="udp" portid="443"><state state="open"/></port>
              <port protocol="tcp" portid="25"><state state="open"/><service name="smtp"/></port>
            </ports></host>
            <host><address addr="2001:db8::1" addrtype="ipv6"/><ports>
              <port protocol="tcp" portid="7443"><state state="open"/><service name="https"/></port></ports></host></nmaprun>"#;
        assert_eq!(
            addresses(xml),
            ["www.test:443 at 192.0.2.1:443", "www.test:25 at 192.0.2.1:25", "2001:db8::1:7443"]
        );
        let found = read(xml.as_bytes());
        assert_eq!(found.left_out, 1);
        assert_eq!(found.addresses[1].starttls, Some(StartTls::Smtp));
    }

    #[test]
    fn masscan_writes_a_list_or_lines() {
        let entry = r#"{ "ip": "192.0.2.1", "ports": [ {"port": 8443, "proto": "tcp", "status": "open"}, {"port": 53, "proto": "udp", "status": "open"} ] }"#;
        assert_eq!(addresses(&format!("[\n{entry}\n]\n")), ["192.0.2.1:8443"]);
        assert_eq!(addresses(&format!("[\n{entry},\n{{finished: 1}}\n]\n")), ["192.0.2.1:8443"]);
        let line = r#"{"ip":"192.0.2.2","port":443,"proto":"tcp","rec_type":"status","data":{"status":"open"}}"#;
        let banner =
            line.replace("status\",\"data\":{\"status\":\"open\"}", "banner\",\"data\":{}");
        assert_eq!(addresses(&format!("{line}\n{banner}\n")), ["192.0.2.2:443"]);
    }

    #[test]
    fn a_file_that_was_cut_off_is_not_read_in_part_without_a_word() {
        let found =
            read(b"[\n{\"ip\": \"192.0.2.1\", \"ports\": [{\"port\": 443}]},\n{\"ip\": \"192.0.");
        assert_eq!(found.addresses.len(), 1);
        assert_eq!(found.problems, ["line 3 is damaged: it is no entry of masscan's"]);
    }

    #[test]
    fn what_nmap_says_of_hosts_before_it_scans_them_names_no_target() {
        let hint = |end: u8| {
            format!(
                "<hosthint><status state=\"up\"/><address addr=\"192.0.2.{end}\" addrtype=\"ipv4\"/>\
                 <hostnames><hostname name=\"h{end}.test\" type=\"user\"/></hostnames></hosthint>"
            )
        };
        let xml = format!(
            "<nmaprun>{}{}<host><address addr=\"192.0.2.2\" addrtype=\"ipv4\"/><ports>\
             <port protocol=\"tcp\" portid=\"443\"><state state=\"open\"/></port></ports></host></nmaprun>",
            hint(1),
            hint(2)
        );
        assert_eq!(addresses(&xml), ["192.0.2.2:443"]);
    }

    #[test]
    fn a_byte_order_mark_changes_nothing() {
        let json = "\u{feff}[{\"targets\": [\"a.test:443\"]}]";
        assert!(is_inventory(json.as_bytes()));
        assert_eq!(addresses(json), ["a.test:443"]);
    }

    #[test]
    fn service_discovery_has_targets() {
        let json = r#"[{"targets": ["a.test:8443", "https://b.test/x"], "labels": {"team": "web"}}, {"targets": ["[::1]:443"]}]"#;
        assert_eq!(addresses(json), ["a.test:8443", "b.test:443", "::1:443"]);
        let bad = read(br#"[{"targets": ["a.test:0"]}, {"job": 1}]"#);
        assert_eq!(bad.problems.len(), 2);
    }

    #[test]
    fn a_list_of_addresses_is_no_inventory() {
        for list in ["[::1]:443\n", "[2001:db8::1]", "a.test", "# list", ""] {
            assert!(!is_inventory(list.as_bytes()), "{list}");
        }
        for inventory in ["<?xml", "[{", "[ \n {", "[]", "{\"ip\""] {
            assert!(is_inventory(inventory.as_bytes()), "{inventory}");
        }
    }

    #[test]
    fn damaged_files_are_problems() {
        for text in ["[{", "<nmaprun", "<nmaprun><host></port>", "{}", "[1]"] {
            assert!(!read(text.as_bytes()).problems.is_empty(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[\\[{<][ -~\n]{0,80}") {
            let _ = read(text.as_bytes());
        }
    }
}
