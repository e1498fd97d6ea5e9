//! Valid inputs to start from: files of `testdata`, and certificates, handshakes and reports that are made here.

mod handshakes;

use std::sync::{Arc, LazyLock};

use rcgen::{KeyPair, RevokedCertParams, SerialNumber, SigningKey};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use shakedown::audit::finding::Severity;
use shakedown::audit::judge::{Standard, judge_file};
use shakedown::certificate::Certificate;
use shakedown::certificate::file::chains;
use shakedown::certificate::issue::{Authority, self_signed};
use shakedown::certificate::trust::{Assessor, TrustStore};
use shakedown::observation::{Observation, Untried};
use shakedown::report::{Format, Look, Report, ReportKind, ReportOptions};
use shakedown::run::TargetReport;
use shakedown::targets::options::Options;
use shakedown::targets::{FilePart, Host, TargetKind};
use time::OffsetDateTime;
use time::macros::datetime;

pub(super) use self::handshakes::{captures, flights};

/// The time at which everything is judged.
pub(super) const NOW: OffsetDateTime = datetime!(2026-06-15 12:00 UTC);

/// An authority that everyone trusts, and a chain of its.
pub(super) struct Public {
    pub(super) root: CertificateDer<'static>,
    pub(super) leaf: CertificateDer<'static>,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) store: Arc<TrustStore>,
    authority: Authority,
}

pub(super) static PUBLIC: LazyLock<Public> = LazyLock::new(|| {
    let authority = Authority::root("fuzz root", NOW).expect("a key");
    let issued = authority
        .intermediate("fuzz intermediate")
        .and_then(|lower| lower.issue(&["a.test", "*.a.test", "127.0.0.1"]))
        .expect("a certificate");
    let root = authority.certificate.clone();
    let (store, _) = TrustStore::from_certificates("root".to_owned(), vec![root.clone()], true);
    Public {
        root,
        leaf: authority.issue(&["a.test"]).expect("a certificate").certificate,
        chain: issued.chain(),
        key: issued.private_key(),
        store: Arc::new(store),
        authority,
    }
});

pub(super) fn certificates() -> Vec<Vec<u8>> {
    let own = self_signed(&["b.test"], NOW).expect("a certificate").certificate;
    let constrained = rcgen::NameConstraints {
        permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("a.test".to_owned())],
        excluded_subtrees: vec![rcgen::GeneralSubtree::DnsName("b.a.test".to_owned())],
    };
    let lower = PUBLIC
        .authority
        .intermediate_with("constrained", |params| params.name_constraints = Some(constrained))
        .and_then(|lower| lower.issue(&["c.a.test"]))
        .expect("a certificate");
    let mut seeds = vec![PUBLIC.leaf.to_vec(), PUBLIC.root.to_vec(), own.to_vec()];
    seeds.extend([&PUBLIC.chain, &lower.chain()].map(|chain| pem("CERTIFICATE", chain)));
    seeds
}

fn pem(label: &str, blocks: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut text = String::new();
    for block in blocks {
        text += &["-----BEGIN ", label, "-----\n"].concat();
        for line in base64(block.as_ref()).as_bytes().chunks(64) {
            text += &String::from_utf8_lossy(line);
            text.push('\n');
        }
        text += &["-----END ", label, "-----\n"].concat();
    }
    text.into_bytes()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(*group.get(at).unwrap_or(&0)));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() { '=' } else { digit.into() });
        }
    }
    text
}

/// Elements of DER with the shortest length.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let [high, low] = u16::try_from(body.len()).expect("a short element").to_be_bytes();
    let header = match body.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [header, body].concat()
}

/// Responses of the authority about a certificate of its: good, and revoked.
pub(super) fn staples() -> Vec<Vec<u8>> {
    const SHA1: [u8; 7] = [6, 5, 0x2b, 14, 3, 2, 0x1a];
    const ECDSA_SHA256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    const BASIC: [u8; 11] = [6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
    let key = KeyPair::from_pem(&PUBLIC.authority.key_pem()).expect("its own key");
    let leaf = Certificate::parse(&PUBLIC.leaf).expect("its own certificate");
    let time = tlv(0x18, &[b"20260615110000Z"]);
    let digit = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap_or("0"), 16);
    let serial: Vec<u8> =
        leaf.serial.as_bytes().chunks(2).filter_map(|pair| digit(pair).ok()).collect();
    let id = tlv(
        0x30,
        &[&tlv(0x30, &[&SHA1]), &tlv(4, &[&[0; 20]]), &tlv(4, &[&[0; 20]]), &tlv(2, &[&serial])],
    );
    let response = |status: Vec<u8>| {
        let answer = tlv(0x30, &[&id, &status, &time]);
        let data = tlv(0x30, &[&tlv(0xa1, &[&leaf.issuer.der]), &time, &tlv(0x30, &[&answer])]);
        let signature = key.sign(&data).expect("a signature");
        let basic = tlv(0x30, &[&data, &tlv(0x30, &[&ECDSA_SHA256]), &tlv(3, &[&[0], &signature])]);
        let bytes = tlv(0x30, &[&BASIC, &tlv(4, &[&basic])]);
        tlv(0x30, &[&tlv(10, &[&[0]]), &tlv(0xa0, &[&bytes])])
    };
    vec![response(tlv(0x80, &[])), response(tlv(0xa1, &[&time]))]
}

pub(super) fn revocation_lists() -> Vec<Vec<u8>> {
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from(7),
        revocation_time: NOW,
        reason_code: Some(rcgen::RevocationReason::KeyCompromise),
        invalidity_date: None,
    };
    let empty = PUBLIC.authority.revocation_list(|_| {}).expect("a list");
    let list = PUBLIC.authority.revocation_list(|params| params.revoked_certs.push(revoked));
    let list = list.expect("a list");
    vec![empty.to_vec(), list.to_vec(), pem("X509 CRL", &[empty, list])]
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(super) const CIPHERS: &[&str] = &[
    "HIGH",
    "ALL",
    "!aNULL",
    "kEECDH+AESGCM",
    "@STRENGTH",
    "@SECLEVEL=2",
    "-SHA1",
    "+RSA",
    "TLSv1.2",
    "EECDH",
    "PROFILE=SYSTEM",
    "COMPLEMENTOFDEFAULT",
];

pub(super) fn cipher_strings() -> Vec<Vec<u8>> {
    texts(&[
        "HIGH:!aNULL:!MD5",
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384",
        "ALL:!COMPLEMENTOFDEFAULT:+SHA1:-kRSA:@STRENGTH",
        "DEFAULT@SECLEVEL=0:kEECDH+AESGCM",
        "X25519:prime256v1:secp384r1",
    ])
}

pub(super) const DIRECTIVES: &[&str] = &[
    "server {",
    "location / {",
    "upstream b {",
    "if ($a) {",
    "map $a $b {",
    "listen 443 ssl;",
    "proxy_pass https://",
    "ssl_certificate ",
    "proxy_ssl_name ",
    "include ",
    "$host",
    "~^(?<n>.+)$",
    "default_server",
    "# shakedown: ignore[self-signed] why\n",
    "ssl_conf_command ",
    "resolver ",
    "ssl_preread on;",
    "# configuration file /etc/nginx/a.conf:\n",
    "\"",
    "'",
    "\\",
    "}",
    ";",
];

pub(super) fn configurations() -> Vec<Vec<u8>> {
    texts(&[
        include_str!("../../../testdata/fuzz/nginx.conf"),
        include_str!("../../../testdata/fuzz/stream.conf"),
        include_str!("../../../testdata/fuzz/dump.txt"),
    ])
}

pub(super) const FIELDS: &[&str] = &[
    "\"targets\":",
    "\"findings\":",
    "\"schema\":",
    "null",
    "[]",
    "{}",
    "18446744073709551616",
    "-1",
    "\"kind\":\"List\"",
    "\"annotations\":{",
    "nginx.ingress.kubernetes.io/backend-protocol",
    "nginx.ingress.kubernetes.io/proxy-ssl-secret",
    "\\ud800",
    "\"$text\":0",
];

pub(super) fn ingresses() -> Vec<Vec<u8>> {
    texts(&[include_str!("../../../testdata/fuzz/ingress.json")])
}

pub(super) fn inventories() -> Vec<Vec<u8>> {
    texts(&[
        "<?xml version=\"1.0\"?><nmaprun><host><address addr=\"192.0.2.1\" addrtype=\"ipv4\"/><hostnames>\
         <hostname name=\"a.test\" type=\"user\"/></hostnames><ports><port protocol=\"tcp\" portid=\"443\">\
         <state state=\"open\"/><service name=\"http\" tunnel=\"ssl\"/></port></ports></host></nmaprun>",
        "[\n{\"ip\": \"192.0.2.1\", \"ports\": [{\"port\": 443, \"proto\": \"tcp\", \"status\": \"open\"}]},\n\
         {finished: 1}\n]\n",
        "[{\"targets\": [\"a.test:8443\", \"[::1]:443\"], \"labels\": {\"team\": \"web\"}}]",
        "192.0.2.0/30:8443\n[2001:db8::/126]:443\na.test:443:192.0.2.1,[::1]\na.test:443:b.test:8443\n",
    ])
}

pub(super) fn openssl_configs() -> Vec<Vec<u8>> {
    texts(&[
        "level = 1\nopenssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n.include /etc/policy\n\
         CipherString = \"DEFAULT@SECLEVEL=$level\"\nTLS.MinProtocol = TLSv1.2 # as usual\nGroups = ${level}\\\n:P-256\n\
         Options = -SessionTicket\nSignatureAlgorithms = RSA+SHA256:ed25519\n",
    ])
}

pub(super) fn key_logs() -> Vec<Vec<u8>> {
    let (random, secret) = ("0a".repeat(32), "11".repeat(48));
    let text = format!(
        "# keys\nCLIENT_RANDOM {random} {secret}\r\nSERVER_TRAFFIC_SECRET_0 {random} {}\n",
        "22".repeat(32)
    );
    texts(&[&text])
}

pub(super) const MESSAGES: &[&str] = &[
    "SSL_do_handshake() failed",
    "(SSL: error:",
    ":SSL routines::",
    "SSL alert number 40",
    " while SSL handshaking to upstream, client: ",
    ", upstream: \"",
    ", host: \"",
    "[error] 1#1: *2 ",
    "{\"message\":\"",
    "upstream SSL certificate verify error: (20:",
    "\\u0022",
    "no \"ssl_certificate\"",
];

/// The lines of the table of known messages.
pub(super) fn error_lines() -> Vec<Vec<u8>> {
    let rows = include_str!("../../../testdata/logs/error-lines.jsonl").lines();
    rows.filter_map(|row| {
        let text = row.strip_prefix("{\"line\": \"")?.split("\", \"").next()?;
        Some(text.replace("\\\"", "\"").into_bytes())
    })
    .step_by(7)
    .collect()
}

pub(super) const VARIABLES: &[&str] = &[
    "$ssl_protocol",
    "$ssl_cipher",
    "$remote_addr",
    "$time_local",
    "$time_iso8601",
    "$request",
    "$status",
    "$upstream_status",
    "$upstream_response_time",
    "${ssl_session_reused}",
    "log_format a escape=json '",
    ", ",
    " : ",
    "\\x22",
    "[01/Jan/2026:00:00:00 +0000]",
];

pub(super) fn access_logs() -> Vec<Vec<u8>> {
    texts(&[
        "combined\n192.0.2.1 - - [15/Jun/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl/8.0\"\n",
        "$remote_addr $ssl_protocol/$ssl_cipher $ssl_session_reused $upstream_addr $upstream_response_time\n\
         192.0.2.1 TLSv1.3/TLS_AES_128_GCM_SHA256 r 192.0.2.2:443, 192.0.2.3:443 0.001, 0.002\n",
        "log_format a escape=json '{\"time\":\"$time_iso8601\",\"tls\":\"$ssl_protocol\"}';\n\
         {\"time\":\"2026-06-15T12:00:00+00:00\",\"tls\":\"TLSv1.2\"}\n",
    ])
}

pub(super) fn json_logs() -> Vec<Vec<u8>> {
    let lines: Vec<Vec<u8>> = error_lines().into_iter().take(12).collect();
    let wrapped = lines.iter().map(|line| {
        let text = String::from_utf8_lossy(line).replace('\\', "\\\\").replace('"', "\\\"");
        format!("{{\"log\":\"{text}\\n\",\"stream\":\"stderr\"}}").into_bytes()
    });
    let wrapped: Vec<Vec<u8>> = wrapped.collect();
    vec![lines.join(&b'\n'), wrapped.join(&b'\n')]
}

pub(super) const KEYS: &[&str] = &[
    "[[target]]\n",
    "[defaults]\n",
    "[target.expect]\n",
    "[target.proxy_ssl]\n",
    "[[allow]]\n",
    "address = ",
    "protocols = [",
    "clients = [\"all\"]\n",
    "alpn = [",
    "until = 2027-01-01\n",
    "rule = ",
    "[severity]\n",
    "starttls = \"smtp\"\n",
    "\"\"\"",
];

pub(super) fn targets() -> Vec<Vec<u8>> {
    texts(&[
        include_str!("../../../targets.example.toml"),
        include_str!("../../../testdata/targets/mistakes.toml"),
        include_str!("../../../testdata/targets/mistakes.txt"),
    ])
}

pub(super) fn gates() -> Vec<Vec<u8>> {
    texts(&[include_str!("../../../gate.example.toml")])
}

pub(super) fn observations() -> Vec<Vec<u8>> {
    texts(&[
        include_str!("../../../testdata/observations/client-certificate.jsonl"),
        include_str!("../../../testdata/observations/incomplete-chain.jsonl"),
        include_str!("../../../testdata/observations/refused.jsonl"),
        include_str!("../../../testdata/observations/scan.jsonl"),
        include_str!("../../../testdata/observations/sni-required.jsonl"),
        include_str!("../../../testdata/observations/upstream-fixed.jsonl"),
    ])
}

pub(super) const MARKUP: &[&str] =
    &["<b>", "]]>", "::error::", "##[", "=1+1", "\u{1b}[31m", "\u{202e}", "`", "|", "\"", "%0A"];

/// The report about a chain, as a document, as lines, and as a part of a run.
pub(super) fn saved_reports() -> Vec<Vec<u8>> {
    let certificates = PUBLIC.chain.iter().filter_map(|der| Certificate::parse(der).ok());
    let certificates: Vec<Arc<Certificate>> = certificates.map(Arc::new).collect();
    let assessor = Assessor::new(Arc::clone(&PUBLIC.store), NOW);
    let mut targets = Vec::new();
    for file in chains("a.pem", &certificates, None) {
        let kind =
            TargetKind::File { host: Host::Name("other.test".to_owned()), part: FilePart::Chain };
        let target = Arc::new(Options::default().target_of(kind, file.path.clone(), None));
        let standard = Standard { assessor: &assessor, policy: None, now: NOW };
        let judgement = judge_file(&target, &file, standard);
        let seen = Observation::not_tried(Untried::TextOnly);
        targets.push(TargetReport::new(target, seen, judgement, Severity::Error));
    }
    let report = Report {
        started_at: NOW,
        finished_at: NOW,
        targets,
        interrupted: false,
        kind: ReportKind::Files,
        options: ReportOptions::default(),
    };
    let look = Look { width: 80, colour: false, show_chain: false };
    let written = |format| {
        let mut out = Vec::new();
        report.render(format, look, &mut out).expect("memory can be written");
        out
    };
    let part = [
        written(Format::Ndjson),
        b"{\"schema\":\"shakedown/manifest/v1\",\"version\":\"0.1.0\",\"run\":\"00\",\"fail_on\":\"error\",\
          \"shard\":1,\"shards\":1,\"targets\":1,\"positions\":[0]}\n"
            .to_vec(),
    ];
    vec![written(Format::Json), written(Format::Ndjson), part.concat()]
}
