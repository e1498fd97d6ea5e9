//! The same packets in every kind of file, on every kind of link, give the same answer.

use flate2::Compression;
use flate2::write::GzEncoder;

use super::packets::{Frame, Pcap, fragmented, pcap, pcapng};
use super::*;
use crate::registry::check_generated;

/// The report without what depends on the file and the addresses.
fn essence(mut report: Value) -> String {
    let handshakes = report["handshakes"].take();
    let text = handshakes.to_string();
    text.replace("2001:db8::7", "192.0.2.7")
        .replace("2001:db8::1", "192.0.2.1")
        .replace(['[', ']'], "")
}

#[test]
fn every_file_link_and_fragment_gives_the_same_answer() {
    let pki = Pki::new();
    let packets = all_packets(&sample(&pki));
    let plain = frames(&packets, Link::Ethernet, false);
    let (report_of_plain, status) = report(&plain_pcap(&plain, Link::Ethernet), &[]);
    assert_eq!(status, 1);
    let expected = essence(report_of_plain);
    assert!(expected.contains("established") && expected.contains("unknown_ca"), "{expected}");
    let same = |bytes: &[u8], what: &str| {
        let (report, status) = report(bytes, &[]);
        assert_eq!((essence(report), status), (expected.clone(), 1), "{what}");
    };
    for (big_endian, nanoseconds) in [(true, false), (false, true), (true, true)] {
        same(&pcap(&plain, Link::Ethernet, Pcap { big_endian, nanoseconds }), "pcap");
    }
    same(&pcapng(&plain, Link::Ethernet, false), "pcapng");
    same(&pcapng(&plain, Link::Ethernet, true), "pcapng, big-endian");
    for link in Link::ALL {
        for v6 in [false, true] {
            same(&plain_pcap(&frames(&packets, link, v6), link), &format!("{link:?} {v6}"));
        }
    }
    for v6 in [false, true] {
        same(&plain_pcap(&fragmented(&packets, v6), Link::Ethernet), "fragments");
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&plain_pcap(&plain, Link::Ethernet)).unwrap();
    let packed = encoder.finish().unwrap();
    same(&packed, "gzip");
    let (part, _) = report(&packed[..packed.len() - 200], &[]);
    assert_eq!(part["files"][0]["error"], "it is cut short", "{part:#}");
}

#[test]
fn a_capture_comes_from_standard_input_as_well() {
    let pki = Pki::new();
    let plain = frames(&all_packets(&sample(&pki)), Link::Ethernet, false);
    let bytes = plain_pcap(&plain, Link::Ethernet);
    let mut child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["capture", "--only-failing", "--format", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for part in bytes.chunks(1000) {
        stdin.write_all(part).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(endings(&report).iter().all(|(result, ..)| result == "failed"), "{report:#}");
    assert_eq!(report["summary"]["established"], 3, "{report:#}");
}

#[test]
fn a_capture_that_is_still_being_made_is_reported_at_a_signal() {
    let pki = Pki::new();
    let plain = frames(&all_packets(&sample(&pki)), Link::Ethernet, false);
    // More than fits into a pipe, so that it has been read in part once it is written.
    let bytes = plain_pcap(&vec![plain.clone(); 10].concat(), Link::Ethernet);
    assert!(bytes.len() > 128 * 1024, "{}", bytes.len());
    let mut child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["capture", "--format", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&bytes).unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["files"][0]["error"]), (Some(1), &Value::Null));
    assert_eq!(report["traffic"]["frames"], plain.len() * 10, "{report:#}");
}

#[test]
fn a_pipe_by_its_name_is_read_once() {
    let pki = Pki::new();
    let plain = frames(&all_packets(&sample(&pki)), Link::Ethernet, false);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let (pipe, bytes) = (path.clone(), plain_pcap(&plain, Link::Ethernet));
    let writer = std::thread::spawn(move || fs::write(pipe, bytes));
    let run = shakedown(&["capture", &path.display().to_string()]);
    writer.join().unwrap().unwrap();
    assert!(run.stdout.starts_with("7 handshakes"), "{}{}", run.stdout, run.stderr);
}

#[test]
fn what_cannot_be_read_is_said_instead_of_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    for (bytes, words) in [
        (b"no capture at all, but text".as_slice(), "neither pcap nor pcapng"),
        (b"\xfd7zXZ\0", "xz -dc"),
    ] {
        fs::write(&path, bytes).unwrap();
        let run = shakedown(&["capture", &path.display().to_string()]);
        assert_eq!(run.status, 3);
        assert!(run.stdout.contains(words), "{}", run.stdout);
        assert!(!run.stdout.contains("handshake"), "{}", run.stdout);
    }
    let run = shakedown(&["capture", "-", "-"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{}", run.stderr);
}

#[test]
fn what_holds_no_handshake_could_not_be_tested() {
    let empty: &[Frame] = &[];
    for bytes in [plain_pcap(empty, Link::Ethernet), pcapng(empty, Link::Raw, false)] {
        let (report, status) = report(&bytes, &[]);
        assert_eq!((status, &report["summary"]["handshakes"]), (3, &0.into()), "{report:#}");
    }
    for bytes in [b"".as_slice(), b"no capture at all, but a long text", &[0x0a, 0x0d, 0x0d, 0x0a]]
    {
        let (report, status) = report(bytes, &[]);
        assert_eq!(status, 3, "{report:#}");
        assert!(report["files"][0]["error"].is_string(), "{report:#}");
    }
    let run = shakedown(&["capture", "/nowhere/at.all"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{}", run.stderr);
}

#[test]
fn the_report_keeps_to_its_schema_and_the_table_names_cause_and_fix() {
    let schema = shakedown::report::capture::schema();
    check_generated("docs/capture.schema.json", &schema);
    let pki = Pki::new();
    let plain = frames(&all_packets(&sample(&pki)), Link::Ethernet, false);
    let bytes = plain_pcap(&plain, Link::Ethernet);
    let (report, _) = report(&bytes, &[]);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&report).map(|it| it.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    fs::write(&path, bytes).unwrap();
    let run = shakedown(&["capture", &path.display().to_string()]);
    assert_eq!(run.status, 1);
    for words in
        ["7 handshakes", "3 succeeded, 4 failed, 0 unclear", "client-unknown-ca (likely)", "Fix: "]
    {
        assert!(run.stdout.contains(words), "{words} is not in\n{}", run.stdout);
    }
}
