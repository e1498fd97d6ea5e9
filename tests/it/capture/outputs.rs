//! What is written of a capture beside the table and the document: other formats, filters, placeholders, small captures.

use std::io::BufRead;
use std::path::PathBuf;

use super::*;

/// A capture with failures of several kinds, in a folder that stays as long as the certificates do.
struct Captured {
    pki: Pki,
    path: String,
    bytes: Vec<u8>,
}

impl Captured {
    fn new() -> Self {
        let pki = Pki::new();
        let packets = frames(&all_packets(&sample(&pki)), Link::Ethernet, false);
        let (path, bytes) = (pki.path("a.pcap"), plain_pcap(&packets, Link::Ethernet));
        fs::write(&path, &bytes).unwrap();
        Self { path: path.display().to_string(), pki, bytes }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.pki.path(name)
    }

    /// What the program prints with these options.
    fn prints(&self, options: &[&str]) -> String {
        let run = shakedown(&[&["capture", &self.path], options].concat());
        // With a configuration, a note says which nginx it is judged as.
        let said = run.stderr.lines().find(|line| !line.starts_with("shakedown: note: judged as "));
        assert_eq!((run.status, said), (1, None), "{}", run.stdout);
        run.stdout
    }

    fn document(&self, options: &[&str]) -> Value {
        serde_json::from_str(&self.prints(&[options, &["--format", "json"]].concat())).unwrap()
    }
}

#[test]
fn every_format_tells_the_same() {
    let captured = Captured::new();
    let document = captured.document(&[]);
    let lines = captured.prints(&["--format", "ndjson"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::Array(lines), document["handshakes"]);
    let metrics = captured.prints(&["--format", "prometheus"]);
    crate::formats::promtool(&metrics);
    for sample in [
        "shakedown_capture_handshakes_total{result=\"failed\"} 4\n",
        "shakedown_capture_failures_total{class=\"alert-unknown-ca\",server=\"192.0.2.1:443\"}",
    ] {
        assert!(metrics.contains(sample), "{sample} is not in\n{metrics}");
    }
    let page = captured.prints(&["--format", "html"]);
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Content-Security-Policy"));
    for words in
        ["<dt>failed</dt><dd>4</dd>", "Sizes of hellos", "client-unknown-ca", "id=\"timeline\""]
    {
        assert!(page.contains(words), "{words} is not in\n{page}");
    }
    for outside in ["http-equiv=\"refresh\"", "src=", "href=\"http", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn filters_let_through_what_is_asked_for() {
    let captured = Captured::new();
    let of = |options: &[&str]| {
        let report = captured.document(options);
        let summary = &report["summary"];
        (summary["handshakes"].as_u64().unwrap(), summary["filtered_out"].as_u64().unwrap())
    };
    assert_eq!(of(&[]), (7, 0));
    // Two clients of the sample ask for no name, as they were not told one.
    assert_eq!(of(&["--server-name", "A.test"]), (5, 2));
    assert_eq!(of(&["--server-name", "*.test"]), (5, 2));
    assert_eq!(of(&["--address", "192.0.2.7"]), (7, 0));
    assert_eq!(of(&["--address", "10.0.0.0/8", "--address", "192.0.2.0/24"]), (7, 0));
    assert_eq!(of(&["--since", "2027-01-15T08:00"]), (7, 0));
    let nothing = ["capture", &captured.path, "--until", "2027-01-15T08:00"];
    let run = shakedown(&nothing);
    assert_eq!(run.status, 3, "{}", run.stdout);
    assert!(run.stdout.contains("7 handshakes not asked for"), "{}", run.stdout);
    for wrong in [["--since", "soon"], ["--address", "a.test"]] {
        let run = shakedown(&[&["capture", &captured.path], &wrong[..]].concat());
        assert_eq!(run.status, 2, "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn no_output_has_an_address_where_placeholders_are_wanted() {
    let captured = Captured::new();
    let (ticket, clients) = (captured.file("t.pcapng"), captured.file("c.toml"));
    let [ticket, clients] = [ticket, clients].map(|path| path.display().to_string());
    let conf = captured.file("nginx.conf");
    let certificate = crate::rehearse::pair(&captured.pki.server("b", &["b.test"]));
    let text =
        format!("events {{}} http {{ server {{ listen 192.0.2.1:443 ssl; {certificate} }} }}");
    fs::write(&conf, text).unwrap();
    let conf = conf.display().to_string();
    for format in ["table", "json", "ndjson", "prometheus", "html"] {
        let options = ["--anonymize", "--format", format, "--nginx", &conf];
        let more = ["--write-failing", &ticket, "--write-clients", &clients];
        let text = captured.prints(&[&options[..], &more].concat());
        assert!(!text.contains("192.0.2."), "{text}");
        assert!(text.contains("198.18.0."), "{text}");
        assert!(!fs::read_to_string(&clients).unwrap().contains("192.0.2."));
        let bytes = fs::read(&ticket).unwrap();
        let has = |address: [u8; 4]| bytes.windows(4).any(|part| part == address);
        assert!(!has([192, 0, 2, 1]) && !has([192, 0, 2, 7]));
    }
    // The same address is the same placeholder, run after run.
    let again = captured.prints(&["--anonymize"]);
    assert_eq!(again, captured.prints(&["--anonymize"]));
}

#[test]
fn the_packets_of_failures_tell_the_same_by_themselves() {
    let captured = Captured::new();
    let ticket = captured.file("ticket.pcapng").display().to_string();
    captured.prints(&["--write-failing", &ticket]);
    let failures = |report: &Value| -> Vec<Value> {
        let all = report["handshakes"].as_array().unwrap().iter();
        let failed = all.filter(|it| it["result"] == "failed");
        failed
            .map(|it| {
                serde_json::json!([it["time"], it["client"], it["hello"], it["failure"]["class"]])
            })
            .collect()
    };
    let bytes = fs::read(&ticket).unwrap();
    assert!(bytes.len() < captured.bytes.len());
    let (again, status) = report(&bytes, &[]);
    assert_eq!((status, failures(&again)), (1, failures(&captured.document(&[]))));
    assert_eq!(again["summary"]["handshakes"], 4, "{again:#}");
    let fields =
        ["-T", "fields", "-e", "frame.comment", "-e", "tls.handshake.extensions_server_name"];
    let output = Command::new("tshark").args(["-n", "-r", &ticket]).args(fields).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("alert-unknown-ca: client-unknown-ca"), "{text}");
    assert!(text.contains("a.test"), "{text}");
    let bad = [
        "-o",
        "tcp.check_checksum:TRUE",
        "-o",
        "ip.check_checksum:TRUE",
        "-Y",
        "tcp.checksum.status==0 or ip.checksum.status==0 or _ws.malformed",
    ];
    let output = Command::new("tshark").args(["-n", "-r", &ticket]).args(bad).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[test]
fn a_request_of_plain_http_is_not_in_the_packets() {
    let pki = Pki::new();
    let nginx = listener(&pki.server("a", &["a.test"]), "");
    let recorder = Recorder::before(nginx.port);
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", recorder.port)).unwrap();
    stream.write_all(b"GET /secret HTTP/1.1\r\nHost: a.test\r\nCookie: secret\r\n\r\n").unwrap();
    let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
    drop(stream);
    let packets = frames(&all_packets(&recorder.connections(1)), Link::Ethernet, false);
    let (path, ticket) = (pki.path("a.pcap"), pki.path("ticket.pcapng"));
    fs::write(&path, plain_pcap(&packets, Link::Ethernet)).unwrap();
    let [path, name] = [&path, &ticket].map(|path| path.display().to_string());
    let run = shakedown(&["capture", &path, "--write-failing", &name]);
    assert_eq!(run.stderr, "", "{}", run.stdout);
    let bytes = fs::read(&ticket).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"secret"));
    assert!(bytes.windows(6).any(|part| part == b"GET xx"), "{}", String::from_utf8_lossy(&bytes));
    let (again, _) = report(&bytes, &[]);
    assert_eq!(endings(&again)[0].2, "client-plain-http", "{again:#}");
}

#[test]
fn a_stream_is_summed_up_while_it_lasts() {
    let captured = Captured::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["capture", "-", "--interval", "100ms"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&captured.bytes).unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let said = lines.next().unwrap().unwrap();
    assert!(said.starts_with("shakedown: ") && said.contains(" handshake"), "{said}");
    drop(stdin);
    // Whoever writes must be able to.
    let rest = std::thread::spawn(move || lines.count());
    let output = child.wait_with_output().unwrap();
    rest.join().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("7 handshakes"), "{text}");
}
