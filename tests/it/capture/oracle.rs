//! tshark reads the same file: versions, suites, names, protocols and alerts are the same.

use std::collections::BTreeMap;

use super::*;

/// These fields of the packets that this filter lets through, by the client's port; the first that is not empty counts.
pub(super) fn tshark(file: &[u8], filter: &str, fields: &[&str]) -> BTreeMap<String, Vec<String>> {
    tshark_with(file, &[], filter, fields)
}

/// The same with these options.
pub(super) fn tshark_with(
    file: &[u8],
    options: &[&str],
    filter: &str,
    fields: &[&str],
) -> BTreeMap<String, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.pcap");
    fs::write(&path, file).unwrap();
    let mut command = Command::new("tshark");
    command.args(options).args(["-n", "-r"]).arg(&path).args([
        "-Y",
        filter,
        "-T",
        "fields",
        "-E",
        "occurrence=a",
    ]);
    let quic = filter.starts_with("quic");
    for field in if quic { ["udp.srcport", "udp.dstport"] } else { ["tcp.srcport", "tcp.dstport"] }
    {
        command.args(["-e", field]);
    }
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().expect("tshark is needed: install the package tshark");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let port = if cells[0] == "443" { cells[1] } else { cells[0] };
        let values = cells[2..].iter().map(|cell| (*cell).to_owned()).collect();
        found.entry(port.to_owned()).or_insert(values);
    }
    found
}

pub(super) fn port(handshake: &Value) -> String {
    let client = handshake["client"].as_str().unwrap();
    client.rsplit(':').next().unwrap().to_owned()
}

/// A number of tshark's, decimal or hexadecimal.
pub(super) fn number(text: &str) -> u16 {
    match text.strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16).unwrap(),
        None => text.parse().unwrap(),
    }
}

fn names(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn tshark_sees_the_same_hellos_answers_and_alerts() {
    let pki = Pki::new();
    let packets = all_packets(&sample(&pki));
    let file = plain_pcap(&frames(&packets, Link::Ethernet, false), Link::Ethernet);
    let (report, _) = report(&file, &[]);
    let handshakes = report["handshakes"].as_array().unwrap();
    let hellos = tshark(
        &file,
        "tls.handshake.type == 1",
        &[
            "tls.handshake.ciphersuite",
            "tls.handshake.extensions_server_name",
            "tls.handshake.extensions_alpn_str",
            "tls.handshake.extensions_supported_group",
            "tls.handshake.extension.type",
            "tls.handshake.ja3",
        ],
    );
    let answers = tshark(
        &file,
        "tls.handshake.type == 2",
        &["tls.handshake.ciphersuite", "tls.handshake.extensions.supported_version"],
    );
    let alerts = tshark(&file, "tls.alert_message.desc", &["tls.alert_message.desc"]);
    assert_eq!((handshakes.len(), hellos.len()), (7, 7), "{report:#}");
    let list =
        |cell: &str| cell.split(',').filter(|it| !it.is_empty()).map(number).collect::<Vec<u16>>();
    for handshake in handshakes {
        let port = port(handshake);
        let (hello, seen) = (&hellos[&port], &handshake["hello"]);
        let suites: Vec<String> = list(&hello[0])
            .into_iter()
            .map(shakedown::tls::suite::CipherSuite)
            .filter(|suite| suite.0 != 0xff)
            .map(|suite| suite.to_string())
            .collect();
        assert_eq!(names(&seen["cipher_suites"]), suites, "{port}");
        assert_eq!(seen["server_name"].as_str().unwrap_or_default(), hello[1], "{port}");
        assert_eq!(names(&seen["alpn"]).join(","), hello[2], "{port}");
        let groups: Vec<String> = list(&hello[3])
            .into_iter()
            .map(|it| shakedown::tls::group::NamedGroup(it).to_string())
            .collect();
        assert_eq!(names(&seen["groups"]), groups, "{port}");
        let extensions: Vec<u16> = seen["extensions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| u16::try_from(it.as_u64().unwrap()).unwrap())
            .collect();
        assert_eq!(extensions, list(&hello[4]), "{port}");
        assert_eq!(seen["ja3"].as_str(), Some(&*hello[5]), "{port}");
        let answer = answers.get(&port);
        let chosen =
            answer.map(|it| shakedown::tls::suite::CipherSuite(number(&it[0])).to_string());
        assert_eq!(handshake["cipher_suite"].as_str(), chosen.as_deref(), "{port}");
        let version = answer.map(|it| if it[1].is_empty() { "TLSv1.2" } else { "TLSv1.3" });
        assert_eq!(handshake["version"].as_str(), version, "{port}");
        let alert = alerts.get(&port).map(|it| number(&it[0]).into());
        let own = handshake["alerts"].as_array().unwrap().iter().find(|it| it["inferred"] == false);
        assert_eq!(own.and_then(|it| it["number"].as_u64()), alert, "{port}");
    }
}

#[test]
fn tshark_sees_the_same_hellos_in_every_tunnel() {
    let pki = Pki::new();
    let packets = all_packets(&sample(&pki));
    for link in Link::ALL {
        for v6 in [false, true] {
            let file = plain_pcap(&frames(&packets, link, v6), link);
            let names =
                tshark(&file, "tls.handshake.type == 1", &["tls.handshake.extensions_server_name"]);
            let (report, _) = report(&file, &[]);
            let handshakes = report["handshakes"].as_array().unwrap();
            assert_eq!((handshakes.len(), names.len()), (7, 7), "{link:?} {v6} {names:?}");
            for handshake in handshakes {
                let name = handshake["hello"]["server_name"].as_str().unwrap_or_default();
                assert_eq!(name, names[&port(handshake)][0], "{link:?} {v6}");
            }
        }
    }
}
