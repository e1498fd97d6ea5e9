use super::*;
use crate::nginx::source::Single;
use crate::nginx::tree::Tree;

fn read(text: &str) -> Vec<Listener> {
    let text = format!("events {{}} {text}");
    let source = Single { path: "/etc/nginx/nginx.conf", text: text.as_bytes() };
    let tree = Tree::read(&source, "/etc/nginx/nginx.conf");
    assert_eq!(tree.problems, [], "{text}");
    listeners(&tree)
}

/// The address, the servers' first names with the default in brackets, and other properties.
fn line(listener: &Listener) -> String {
    let names = listener.servers.iter().enumerate().map(|(at, server)| {
        let name = match server.names.first().map(|name| &name.value) {
            Some(ServerName::Exact(name)) => name.as_str(),
            Some(_) => "?",
            None => "-",
        };
        if at == listener.default { format!("[{name}]") } else { name.to_owned() }
    });
    let flags = [
        (listener.proxy_protocol, "proxy_protocol"),
        (listener.http2 == Http2Offer::Default, "http2"),
        (listener.quic, "quic"),
        (listener.starttls == MailStartTls::On, "starttls"),
        (listener.starttls == MailStartTls::Only, "starttls-only"),
    ];
    let flags = flags.iter().filter(|(on, _)| *on).map(|(_, flag)| (*flag).to_owned());
    let words: Vec<String> =
        [listener.address.to_string()].into_iter().chain(names).chain(flags).collect();
    words.join(" ")
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(read(text).iter().map(line).collect::<Vec<_>>(), expected, "{text}");
}

#[test]
fn servers_meet_on_their_sockets() {
    check(
        "http { server { listen 443 ssl; server_name a; } server { listen *:443; listen [::]:443 ssl; server_name b; }
                server { listen 80; } server { listen 0.0.0.0:443 default_server; server_name c; } }",
        &["0.0.0.0:443 a b [c]", "[::]:443 [b]"],
    );
    check(
        "http { server { listen 127.0.0.1:1 ssl; } server { listen 1 ssl; } }",
        &["127.0.0.1:1 [-]", "0.0.0.0:1 [-]"],
    );
    check("http { server { } server { listen 80; } server { listen bad:x ssl; } }", &[]);
}

#[test]
fn options_of_a_socket_apply_to_all_its_servers() {
    check(
        "http { server { listen 443; server_name a; } server { listen 443 ssl http2 proxy_protocol; server_name b; } }",
        &["0.0.0.0:443 [a] b proxy_protocol http2"],
    );
    check(
        "http { server { listen 443 ssl; listen 443 quic; http2 on; } }",
        &["0.0.0.0:443 [-] http2", "0.0.0.0:443 [-] http2 quic"],
    );
    check("http { server { listen 443; ssl on; } }", &["0.0.0.0:443 [-]"]);
    check("http { server { listen unix:/run/s ssl; } }", &["unix:/run/s [-]"]);
}

#[test]
fn stream_and_mail_are_read() {
    check("stream { server { listen 853 ssl; } server { listen 53 udp; } }", &["0.0.0.0:853 [-]"]);
    let mail = "mail { starttls only; server { listen 25; } server { listen 143; starttls on; }
                server { listen 995 ssl; } server { listen 1; protocol pop3; starttls off; } server { listen 2; protocol imap; } }";
    check(
        mail,
        &[
            "0.0.0.0:25 [-] starttls-only",
            "0.0.0.0:143 [-] starttls",
            "0.0.0.0:995 [-]",
            "0.0.0.0:2 [-] starttls-only",
        ],
    );
    let protocols: Vec<Protocol> = read(mail).iter().map(|listener| listener.protocol).collect();
    assert_eq!(protocols, [Protocol::Smtp, Protocol::Imap, Protocol::Pop3, Protocol::Imap]);
}

#[test]
fn settings_are_inherited_as_a_whole() {
    let found = read(
        "http { ssl_certificate a.pem; ssl_certificate b.pem; ssl_certificate_key a.key; ssl_certificate_key b.key;
           ssl_protocols TLSv1.2; ssl_protocols TLSv1.3; ssl_session_cache shared:s:1m;
           server { listen 1 ssl; }
           server { listen 2 ssl; ssl_certificate $ssl_server_name.pem; ssl_certificate_key data:$key; ssl_verify_client OPTIONAL; } }",
    );
    let first = &found[0].servers[0].ssl;
    let files: Vec<&Material> =
        first.certificates.iter().map(|pair| &pair.certificate.value).collect();
    assert_eq!(
        files,
        [
            &Material::File("/etc/nginx/a.pem".to_owned()),
            &Material::File("/etc/nginx/b.pem".to_owned())
        ]
    );
    assert_eq!(
        first.certificates[1].key.as_ref().unwrap().value,
        Material::File("/etc/nginx/b.key".to_owned())
    );
    assert_eq!(**first.protocols.as_ref().unwrap(), ["TLSv1.2", "TLSv1.3"]);
    let second = &found[1].servers[0].ssl;
    assert_eq!(second.certificates.len(), 1);
    let Material::Variable(file) = &second.certificates[0].certificate.value else { panic!() };
    assert_eq!(file.written, "$ssl_server_name.pem");
    assert_eq!(
        second.certificates[0].key.as_ref().unwrap().value,
        Material::Data("$key".to_owned())
    );
    assert_eq!(**second.verify_client.as_ref().unwrap(), "optional");
}

#[test]
fn a_name_leads_to_its_server() {
    let found = read(
        "http { server { listen 1 ssl; server_name a.test; } server { listen 1; server_name *.a.test; }
                server { listen 1; server_name *.x.a.test a.test; } server { listen 1; server_name www.a.*; }
                server { listen 1 default_server; } }",
    );
    let listener = &found[0];
    let at = |name: &str| {
        listener.servers.iter().position(|server| Some(server) == listener.server_for(name))
    };
    assert_eq!(at("A.test."), Some(0));
    assert_eq!(at("b.a.test"), Some(1));
    assert_eq!(at("b.x.a.test"), Some(2));
    assert_eq!(at("www.a.example"), Some(3));
    assert_eq!(at("other"), Some(4));
    let found = read("http { server { listen 1 ssl; server_name a ~^b; } }");
    assert!(found[0].server_for("a").is_some());
    assert_eq!(found[0].server_for("b"), None);
}

#[test]
fn the_default_server_decides_on_protocols_before_1_29_2() {
    let found = read(
        "http { server { listen 1 ssl; ssl_protocols TLSv1.3; } server { listen 1 ssl; ssl_protocols TLSv1.2; ssl_certificate a; } }",
    );
    let protocols =
        |version: &str| found[0].protocols(&found[0].servers[1], version.parse().unwrap());
    assert_eq!(protocols("1.29.1"), [ProtocolVersion::TLS1_3]);
    assert_eq!(protocols("1.29.2"), [ProtocolVersion::TLS1_2]);
}
