//! Field by field, tshark reads the same: of every hello and answer that real programs send, and of odd ones.

use std::net::UdpSocket;
use std::time::Duration;

use shakedown::tls::group::NamedGroup;
use shakedown::tls::profile;
use shakedown::tls::scheme::SignatureScheme;
use shakedown::tls::suite::CipherSuite;

use super::oracle::{number, port, tshark};
use super::quic::udp_capture;
use super::recorder::Event;
use super::*;
use crate::log::wire::hello;

/// A connection on which the client says this, then the server that, and both leave.
fn spoken(client: &[u8], server: &[u8]) -> Vec<Happened> {
    let said = |by_client, event, time| Happened { by_client, event, time };
    vec![
        said(true, Event::Data(client.to_vec()), 1000),
        said(false, Event::Data(server.to_vec()), 2000),
        said(false, Event::Fin, 3000),
        said(true, Event::Fin, 4000),
    ]
}

fn file(connections: &[Vec<Happened>]) -> Vec<u8> {
    let frames = frames(&all_packets(connections), Link::Ethernet, false);
    plain_pcap(&frames, Link::Ethernet)
}

/// Numbers in a cell, without those of GREASE.
fn numbers(cell: &str) -> Vec<u16> {
    let all = cell.split(',').filter(|it| !it.is_empty()).map(number);
    all.filter(|it| it & 0x0f0f != 0x0a0a || it >> 8 != it & 0xff).collect()
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

fn named<T: ToString>(cell: &str, name: impl Fn(u16) -> T) -> Vec<String> {
    numbers(cell).into_iter().map(|it| name(it).to_string()).collect()
}

#[test]
fn the_hellos_of_all_known_clients_have_the_same_fields() {
    let clients = profile::all();
    let connections: Vec<Vec<Happened>> = clients
        .iter()
        .map(|client| {
            spoken(&client.hello(Some("a.test")).encode().unwrap(), &[21, 3, 3, 0, 2, 2, 40])
        })
        .collect();
    let file = file(&connections);
    let (report, _) = report(&file, &[]);
    let fields = [
        "tls.handshake.ciphersuite",
        "tls.handshake.extensions_server_name",
        "tls.handshake.extensions_supported_group",
        "tls.handshake.sig_hash_alg",
        "tls.handshake.extensions_key_share_group",
        "tls.handshake.extensions.supported_version",
        "tls.handshake.extension.type",
        "tls.handshake.ja3",
        "tls.handshake.length",
        "tls.handshake.extensions_alpn_str",
    ];
    let theirs = tshark(&file, "tls.handshake.type == 1", &fields);
    let handshakes = report["handshakes"].as_array().unwrap();
    assert_eq!((handshakes.len(), theirs.len()), (clients.len(), clients.len()));
    for handshake in handshakes {
        let (seen, cells) = (&handshake["hello"], &theirs[&port(handshake)]);
        let signals = [0x00ff, 0x5600];
        let suites = numbers(&cells[0]).into_iter().filter(|it| !signals.contains(it));
        let suites: Vec<String> = suites.map(|it| CipherSuite(it).to_string()).collect();
        assert_eq!(words(&seen["cipher_suites"]), suites);
        assert_eq!(seen["server_name"].as_str().unwrap_or_default(), cells[1]);
        assert_eq!(words(&seen["groups"]), named(&cells[2], NamedGroup));
        // tshark has one field for the schemes of several extensions.
        let schemes = named(&cells[3], SignatureScheme);
        let own = words(&seen["signature_schemes"]);
        let is_part = own.is_empty() || schemes.windows(own.len()).any(|part| part == own);
        assert!(is_part, "{seen:#}");
        assert_eq!(words(&seen["key_shares"]), named(&cells[4], NamedGroup));
        let versions = named(&cells[5], shakedown::tls::version::ProtocolVersion);
        assert!(versions.is_empty() || words(&seen["versions"]) == versions, "{seen:#}");
        let kinds: Vec<u64> = numbers(&cells[6]).into_iter().map(u64::from).collect();
        let extensions = seen["extensions"].as_array().unwrap().iter();
        assert_eq!(extensions.map(|it| it.as_u64().unwrap()).collect::<Vec<_>>(), kinds);
        assert_eq!(seen["ech"], kinds.contains(&0xfe0d));
        assert_eq!(seen["ja3"].as_str(), Some(&*cells[7]));
        assert_eq!(seen["size"], cells[8].parse::<u64>().unwrap() + 4);
        assert_eq!(words(&seen["alpn"]).join(","), cells[9]);
    }
}

#[test]
fn answers_and_chains_of_tls12_have_the_same_fields() {
    let pki = Pki::new();
    let file = file(&sample(&pki));
    let (report, _) = report(&file, &[]);
    let curves = tshark(&file, "tls.handshake.type == 12", &["tls.handshake.server_named_curve"]);
    let chains = tshark(&file, "tls.handshake.type == 11", &["tls.handshake.certificate"]);
    assert!(curves.len() >= 2 && chains.len() >= 2, "{report:#}");
    for handshake in report["handshakes"].as_array().unwrap() {
        let port = port(handshake);
        if let Some(cells) = curves.get(&port) {
            let group = NamedGroup(number(&cells[0])).to_string();
            assert_eq!(handshake["group"], group.as_str());
        }
        let ders = chains.get(&port).map(|cells| cells[0].clone()).unwrap_or_default();
        let ders = ders.split(',').filter(|it| !it.is_empty());
        let prints: Vec<String> = ders
            .map(|der| shakedown::tls::hex::bytes(der).unwrap())
            .map(|der| shakedown::certificate::parse::Fingerprint::of(&der).to_string())
            .collect();
        assert_eq!(words(&handshake["chain"]), prints);
    }
}

#[test]
fn drafts_of_tls13_are_told_as_such() {
    // supported_versions with a draft, and a group.
    let offered = |draft: u16| {
        let [high, low] = draft.to_be_bytes();
        hello(0x0303, &[0x1301], &[0, 43, 0, 3, 2, high, low, 0, 10, 0, 4, 0, 2, 0, 29])
    };
    let answer = |draft: u16| {
        let [high, low] = draft.to_be_bytes();
        let mut body =
            [[3, 3].as_slice(), &[9; 32], &[0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, high, low]].concat();
        // Before the 22nd draft the version stood first, and there was no session.
        if draft < 0x7f16 {
            body = [[high, low].as_slice(), &[9; 32], &[0x13, 1, 0, 0]].concat();
        }
        let length = u8::try_from(body.len()).unwrap();
        [&[22, 3, 3, 0, length + 4, 2, 0, 0, length], body.as_slice()].concat()
    };
    for (draft, name) in [
        (0x7f1c, "TLSv1.3 (draft 28)"),
        (0x7f17, "TLSv1.3 (draft 23)"),
        (0x7f12, "TLSv1.3 (draft 18)"),
    ] {
        let file = file(&[spoken(&offered(draft), &answer(draft))]);
        let (report, _) = report(&file, &[]);
        let handshake = &report["handshakes"][0];
        let theirs = tshark(&file, "tls.handshake.type == 2", &["tls.handshake.ciphersuite"]);
        let suite = number(&theirs[&port(handshake)][0]);
        assert_eq!(
            handshake["cipher_suite"],
            CipherSuite(suite).to_string().as_str(),
            "{handshake:#}"
        );
        assert_eq!(handshake["hello"]["versions"][0], name);
        assert_eq!(handshake["version"], name, "{handshake:#}");
    }
}

#[test]
fn a_hello_in_the_form_of_sslv2_has_the_same_fields() {
    let specs = [0, 0, 0x2f, 0, 0, 0x35, 1, 0, 0x80, 0, 0, 0x0a];
    let body = [[1, 3, 1, 0, 12, 0, 0, 0, 16].as_slice(), &specs, &[7; 16]].concat();
    let length = u8::try_from(body.len()).unwrap();
    let hello = [&[0x80, length], body.as_slice()].concat();
    let file = file(&[spoken(&hello, &[21, 3, 1, 0, 2, 2, 40])]);
    let (report, _) = report(&file, &[]);
    let handshake = &report["handshakes"][0];
    let fields = ["tls.handshake.cipherspec", "tls.handshake.version"];
    let theirs = tshark(&file, "tls.handshake.type == 1", &fields);
    let cells = &theirs[&port(handshake)];
    let specs = cells[0].split(',').map(|it| u32::from_str_radix(&it[2..], 16).unwrap());
    let suites: Vec<String> = specs
        .filter_map(|spec| u16::try_from(spec).ok())
        .map(|suite| CipherSuite(suite).to_string())
        .collect();
    assert_eq!(words(&handshake["hello"]["cipher_suites"]), suites, "{cells:?}");
    assert_eq!(handshake["hello"]["versions"][0], "TLSv1", "{cells:?}");
    assert_eq!(number(&cells[1]), 0x0301);
    assert_eq!(handshake["hello"]["sslv2_form"], true);
}

#[test]
fn hellos_of_dtls_are_named() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    for (option, newest) in [("-dtls1_2", "DTLSv1.2"), ("-dtls1", "DTLSv1")] {
        let mut client = Command::new("openssl");
        client.args(["s_client", option, "-connect", &address, "-servername", "dtls.test"]);
        client.args(["-cipher", "DEFAULT:@SECLEVEL=0"]).env("OPENSSL_CONF", "/dev/null");
        client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut client = client.spawn().unwrap();
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        let _ = client.kill();
        client.wait().unwrap();
        let file = udp_capture(&[(0, buffer[..length].to_vec())]);
        let (report, status) = report(&file, &[]);
        assert_eq!((status, &report["traffic"]["dtls_hellos"]), (3, &1.into()), "{report:#}");
        let seen = &report["dtls"][0];
        assert_eq!(
            (&seen["versions"][0], &seen["server_name"]),
            (&newest.into(), &"dtls.test".into())
        );
        let note = format!("1 hello of {newest} for dtls.test: what follows them is not read.");
        assert!(report["notes"].as_array().unwrap().contains(&note.into()), "{report:#}");
        let fields = ["dtls.handshake.extensions_server_name", "dtls.handshake.version"];
        let theirs = tshark(&file, "dtls.handshake.type == 1", &fields);
        let cells = theirs.values().next().expect("tshark finds no hello");
        assert_eq!(seen["server_name"], cells[0].as_str());
        let version = if newest == "DTLSv1" { 0xfeff } else { 0xfefd };
        assert_eq!(number(&cells[1]), version);
    }
}
