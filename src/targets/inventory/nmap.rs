//! nmap's XML (`-oX`): open ports that speak TLS, as far as nmap knows, or that usually do.

use std::net::IpAddr;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::{Inventory, is_usual};
use crate::targets::address::{Address, parse_host};
use crate::targets::{Host, StartTls};

/// What was read of one host.
#[derive(Debug, Default)]
struct ScannedHost {
    ip: Option<IpAddr>,
    /// The name that was scanned; names from reverse DNS are not what clients ask for.
    name: Option<Host>,
    ports: Vec<ScannedPort>,
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are what nmap says of a port")]
struct ScannedPort {
    number: u16,
    is_tcp: bool,
    is_open: bool,
    speaks_tls: bool,
    is_known: bool,
}

/// Services that begin with TLS, by the names that nmap gives them.
const TLS_SERVICES: [&str; 12] = [
    "https",
    "https-alt",
    "imaps",
    "pop3s",
    "smtps",
    "submissions",
    "ldapssl",
    "ldaps",
    "ftps",
    "nntps",
    "ircs-u",
    "domain-s",
];

/// The most ports of one host.
const MAX_PORTS: usize = 65_536;

pub(super) fn read(text: &[u8]) -> Inventory {
    let mut found = Inventory::default();
    let mut reader = Reader::from_reader(text);
    let mut host = ScannedHost::default();
    let mut depth = 0_usize;
    loop {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                depth += 1;
                // What stands before a host, such as `hosthint`, may be about another one.
                if element.local_name().as_ref() == "host" {
                    host = ScannedHost::default();
                }
                begin(&element, &mut host);
            }
            Ok(Event::Empty(element)) => begin(&element, &mut host),
            Ok(Event::End(element)) => {
                depth = depth.saturating_sub(1);
                if element.local_name().as_ref() == "host" {
                    std::mem::take(&mut host).hand_over(&mut found);
                }
            }
            Ok(Event::Eof) if depth > 0 => {
                found.refuse("the XML ends too early".to_owned());
                break;
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => {
                found.refuse(format!("invalid XML: {error}"));
                break;
            }
        }
    }
    found
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned)
}

fn begin(element: &BytesStart<'_>, host: &mut ScannedHost) {
    let get = |name: &str| attribute(element, name);
    match element.local_name().as_ref() {
        "address" if host.ip.is_none() => {
            host.ip = get("addr").and_then(|text| text.parse().ok());
        }
        "hostname" if get("type").as_deref() == Some("user") => {
            host.name = get("name").and_then(|name| parse_host(&name).ok());
        }
        "port" if host.ports.len() < MAX_PORTS => {
            let number = get("portid").and_then(|text| text.parse().ok()).unwrap_or(0);
            let is_tcp = get("protocol").as_deref() == Some("tcp");
            host.ports.push(ScannedPort { number, is_tcp, ..ScannedPort::default() });
        }
        "state" => {
            if let Some(port) = host.ports.last_mut() {
                port.is_open = get("state").as_deref() == Some("open");
            }
        }
        "service" => {
            let Some(port) = host.ports.last_mut() else { return };
            let name = get("name").unwrap_or_default();
            port.speaks_tls =
                get("tunnel").as_deref() == Some("ssl") || TLS_SERVICES.contains(&&*name);
            // Without version detection, the name is only that of the port.
            port.is_known = get("method").as_deref() == Some("probed");
        }
        _ => {}
    }
}

impl ScannedHost {
    fn hand_over(self, found: &mut Inventory) {
        let Some(ip) = self.ip else { return };
        let open = self.ports.iter().filter(|port| port.is_open && port.is_tcp && port.number > 0);
        for port in open {
            let starttls = StartTls::of_port(port.number).filter(|_| !port.speaks_tls);
            let is_plain = port.is_known && starttls.is_none();
            if !port.speaks_tls && (is_plain || !is_usual(port.number)) {
                found.left_out += 1;
                continue;
            }
            let host = self.name.clone().unwrap_or(Host::Ip(ip));
            let connect_to = self.name.is_some().then_some((Host::Ip(ip), port.number));
            found.add(Address { host, port: Some(port.number), connect_to, starttls });
        }
    }
}
