//! Clients of a capture as a file that `scan --clients` takes.

use std::fmt::Write;

use super::utc;
use crate::capture::kept_clients::{KeptClient, KeptClients};
use crate::capture::placeholders::Placeholders;
use crate::report::escape::escape;
use crate::targets::clients::{MAX_CLIENTS, SCHEMA};
use crate::tls::hex::hex;

const HEAD: &str = "\
# Clients out of captures, for shakedown scan --clients FILE, nginx --clients FILE, and expect.clients in a targets file.
# Each hello is sent as it stands here, but for random, session id, keys and the server's name, which are fresh.
# Names and titles may be changed.
";

/// Hexadecimal digits on one line.
const DIGITS: usize = 96;

/// A file of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientsText {
    /// The whole file.
    pub text: String,
    /// Clients in it.
    pub clients: usize,
    /// Clients that are left out because there are too many.
    pub left_out: usize,
}

/// The clients that failed at least so often.
pub fn text(kept: &KeptClients, failures: u64, placeholders: &Placeholders) -> ClientsText {
    let ranked = kept.ranked(failures);
    let mut text = format!("{HEAD}schema = {}\n", quoted(SCHEMA));
    for (digest, client) in ranked.iter().take(MAX_CLIENTS) {
        text += &entry(digest, client, placeholders);
    }
    let clients = ranked.len().min(MAX_CLIENTS);
    ClientsText { text, clients, left_out: ranked.len() - clients }
}

fn entry(digest: &[u8; 32], client: &KeptClient, placeholders: &Placeholders) -> String {
    let short = &hex(digest)[..8];
    let like = match client.seen.likeness() {
        Some(likeness) => {
            let known = likeness.clients.first().map_or("", |known| &known.title);
            let how = if likeness.differences.is_empty() { "as" } else { "nearly" };
            format!("{how} {known}")
        }
        None => "like no known client".to_owned(),
    };
    let names = client.server_names.iter().map(|name| quoted(&placeholders.text(name.clone())));
    let names: Vec<String> = names.collect();
    let mut text = String::new();
    let (first, last) = client.span;
    let lines = [
        ("name", quoted(&format!("captured-{short}"))),
        ("title", quoted(&format!("captured {short} ({like})"))),
        ("ja4", quoted(&client.seen.ja4())),
        ("handshakes", client.handshakes.to_string()),
        ("failed", client.failed.to_string()),
        ("addresses", client.addresses.count().0.to_string()),
        ("first_seen", quoted(&utc(first))),
        ("last_seen", quoted(&utc(last))),
        ("server_names", format!("[{}]", names.join(", "))),
    ];
    text += "\n[[client]]\n";
    for (key, value) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{key} = {value}");
    }
    text += "hello = \"\"\"\n";
    let digits = hex(&client.hello.record());
    for line in digits.as_bytes().chunks(DIGITS) {
        text += &String::from_utf8_lossy(line);
        text += "\n";
    }
    text + "\"\"\"\n"
}

fn quoted(text: &str) -> String {
    // A quote or a backslash is all that is left to escape.
    let plain = escape(text).replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{plain}\"")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::capture::exchange::{Conclusion, Doubt, Exchange, ExchangeTransport};
    use crate::capture::seen_hello::SeenHello;
    use crate::capture::turns::RequestTurns;
    use crate::targets::clients;
    use crate::tls::profile;

    /// A handshake of a known client with a server of that name.
    fn exchange(client: &str, server_name: &str, conclusion: Conclusion) -> Exchange {
        let sent = profile::select(client).unwrap()[0].hello(Some(server_name)).encode().unwrap();
        let seen = SeenHello::parse(&sent[9..]).unwrap();
        Exchange {
            transport: ExchangeTransport::Tcp,
            client: "192.0.2.1:4000".parse().unwrap(),
            server: "192.0.2.2:443".parse().unwrap(),
            proxied: None,
            preface: None,
            opened: 0,
            hello_time: None,
            answer_time: None,
            hello: Some(Arc::new(SeenHello { record_version: 0x0301, ..seen })),
            first_hello: Some(sent[9..].into()),
            retry: None,
            answer: None,
            version: None,
            group: None,
            chain: Vec::new(),
            client_chain: Vec::new(),
            authorities: None,
            resumed: None,
            client_certificate: None,
            alerts: Vec::new(),
            is_opened: false,
            end: None,
            whole: true,
            packets: None,
            turns: RequestTurns::default(),
            conclusion,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut kept = KeptClients::default();
        let failed = Conclusion::Failed(crate::capture::exchange::Breakdown::PlainHttp);
        kept.add(&exchange("java-7", "a.test", failed));
        kept.add(&exchange("java-7", "b\"\\\n.test", failed));
        kept.add(&exchange("chrome", "a.test", Conclusion::Established));
        kept.add(&exchange("openssl-3.0", "a.test", Conclusion::Unclear(Doubt::Unfinished)));
        let placeholders = Placeholders::default();
        let (failed, all) = (text(&kept, 1, &placeholders), text(&kept, 0, &placeholders));
        assert_eq!((failed.clients, all.clients, kept.unusual), (1, 3, 0), "{}", all.text);
        let read = clients::read(&failed.text).unwrap();
        let java = profile::select("java-7").unwrap()[0];
        assert_eq!(read[0].hello(Some("c.test")).encode(), java.hello(Some("c.test")).encode());
        assert!(read[0].title.contains(" (as Java "), "{}", read[0].title);
        assert_eq!(clients::read(&all.text).unwrap().len(), 3, "{}", all.text);
    }
}
