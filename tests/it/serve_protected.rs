//! The exporter with a web configuration: TLS, client certificates and passwords, held against curl, openssl and
//! Prometheus.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::formats::promtool;
use crate::places::clock;
use crate::serve::{Exporter, becomes, prometheus};
use crate::serve_attacked::wait_until;
use crate::support::pki::{Files, Pki, openssl_req};

const PASSWORD: &str = "open sesame";

/// A hash of the password. The cost is the number of rounds, as a power of two.
pub(crate) fn hash(cost: u32) -> String {
    bcrypt::hash_with_salt(PASSWORD.as_bytes(), cost, [7; 16]).unwrap().to_string()
}

/// Writes `web.yml` and returns its path.
pub(crate) fn written(pki: &Pki, text: &str) -> String {
    let path = pki.path("web.yml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

pub(crate) fn started(web: &str) -> Exporter {
    Exporter::start(&["127.0.0.1:1", "--trust", "mozilla", "--web-config", web])
}

/// What curl got: the exit status, the HTTP status, and the body.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) exit: i32,
    pub(crate) status: String,
    pub(crate) body: String,
}

pub(crate) fn curl(exporter: &Exporter, url: &str, options: &[&str]) -> Got {
    let url = url.replace("ADDRESS", &format!("a.test:{}", exporter.address.port()));
    let resolve = format!("a.test:{}:127.0.0.1", exporter.address.port());
    let output = Command::new("curl")
        .args(["--silent", "--max-time", "60", "--resolve", &resolve])
        .args(["--write-out", "\n%{http_code}"])
        .args(options)
        .arg(url)
        .output()
        .expect("curl is needed: install the package curl");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap();
    Got { exit: output.status.code().unwrap(), status: status.to_owned(), body: body.to_owned() }
}

/// The metrics, once they hold all these lines.
#[track_caller]
fn counted(exporter: &Exporter, url: &str, options: &[&str], lines: &[&str]) {
    let mut metrics = String::new();
    wait_until(&lines.join(", "), || {
        metrics = curl(exporter, url, options).body;
        lines.iter().all(|line| metrics.lines().any(|one| one == *line))
    });
    promtool(&metrics);
}

#[test]
fn who_has_no_password_learns_nothing() {
    let pki = Pki::new();
    let web = written(&pki, &format!("basic_auth_users:\n  ali: {}\n", hash(4)));
    let exporter = started(&web);
    for path in ["/", "/metrics", "/probe?target=127.0.0.1:1", "/-/healthy", "/-/ready", "/none"] {
        let url = format!("http://ADDRESS{path}");
        for (options, expected) in [
            (&[][..], "401"),
            (&["--user", "ali:open"], "401"),
            (&["--user", "ali:"], "401"),
            (&["--user", "cassim:open sesame"], "401"),
            (&["--user", ":"], "401"),
            (&["--header", "Authorization: Basic !"], "401"),
            (&["--header", "Authorization: Bearer open sesame"], "401"),
        ] {
            let got = curl(&exporter, &url, options);
            assert_eq!(got.status, expected, "{path} {options:?}: {}", got.body);
            assert_eq!(got.body, "name and password are needed\n");
        }
    }
    let user: &[&str] = &["--user", "ali:open sesame"];
    wait_until("the first audit", || {
        curl(&exporter, "http://ADDRESS/-/ready", user).status == "200"
    });
    let head = curl(&exporter, "http://ADDRESS/metrics", &["--head"]).body.to_lowercase();
    assert!(head.contains("www-authenticate: basic realm="), "{head}");
    counted(
        &exporter,
        "http://ADDRESS/metrics",
        user,
        &[
            "shakedown_exporter_requests_refused_total{reason=\"no-password\"} 19",
            "shakedown_exporter_requests_refused_total{reason=\"wrong-password\"} 24",
            "shakedown_exporter_requests_total{path=\"/metrics\",code=\"401\"} 8",
        ],
    );
}

#[test]
fn guesses_do_not_keep_out_who_knows_the_password() {
    let pki = Pki::new();
    let web = written(&pki, &format!("basic_auth_users:\n  ali: {}\n", hash(8)));
    let exporter = started(&web);
    let user: &[&str] = &["--user", "ali:open sesame"];
    assert_eq!(curl(&exporter, "http://ADDRESS/-/healthy", user).status, "200");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for guesser in 0..24 {
            let (exporter, is_over) = (&exporter, &is_over);
            scope.spawn(move || {
                let mut guess = 0;
                while !is_over.load(Ordering::SeqCst) {
                    guess += 1;
                    let guess = format!("ali:{guesser} {guess}");
                    let got = curl(exporter, "http://ADDRESS/metrics", &["--user", &guess]);
                    assert!(["401", "429"].contains(&got.status.as_str()), "{got:?}");
                }
            });
        }
        let refused = || {
            let metrics = curl(&exporter, "http://ADDRESS/metrics", user);
            assert!(["200", "503"].contains(&metrics.status.as_str()), "{metrics:?}");
            metrics.body.contains("shakedown_exporter_requests_refused_total{reason=\"busy\"}")
        };
        wait_until("guesses are refused unheard", refused);
        for _ in 0..20 {
            assert_eq!(curl(&exporter, "http://ADDRESS/-/healthy", user).status, "200");
        }
        is_over.store(true, Ordering::SeqCst);
    });
}

/// The section with a server's certificate.
pub(crate) fn tls(files: &Files, rest: &str) -> String {
    format!(
        "tls_server_config:\n  cert_file: {}\n  key_file: {}\n{rest}",
        // Paths start at the file's folder.
        files.certificate.file_name().unwrap().display(),
        files.key.display()
    )
}

/// The end of `openssl s_client` with these options.
pub(crate) fn s_client(exporter: &Exporter, options: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &exporter.address.to_string()])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn it_speaks_tls_as_configured() {
    let pki = Pki::new();
    let files = pki.server("web", &["a.test"]);
    let ca = pki.ca_file();
    let web = written(
        &pki,
        &tls(
            &files,
            "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n  \
             curve_preferences: [CurveP384]\n\
             http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Strict-Transport-Security: max-age=60\n",
        ),
    );
    let exporter = started(&web);
    let trusting: &[&str] = &["--cacert", &ca];
    assert_eq!(curl(&exporter, "https://ADDRESS/-/healthy", trusting).body, "ok\n");
    let head = curl(&exporter, "https://ADDRESS/", &["--cacert", &ca, "--head"]).body;
    assert!(head.contains("x-frame-options: deny\r\n"), "{head}");
    assert!(head.contains("strict-transport-security: max-age=60\r\n"), "{head}");
    let both = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
    let old = s_client(&exporter, &["-tls1_2", "-cipher", both]);
    assert!(old.contains("Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"), "{old}");
    assert!(old.contains("secp384r1"), "{old}");
    for refused in [
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"][..],
        &["-tls1_3", "-groups", "X25519"],
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        &["-alpn", "h2"],
    ] {
        let text = s_client(&exporter, refused);
        assert!(text.contains("Cipher is (NONE)") || text.contains("alert"), "{refused:?}: {text}");
    }
    assert!(s_client(&exporter, &["-tls1_3"]).contains("Cipher is TLS_"));
    let plain = curl(&exporter, "http://ADDRESS/metrics", &[]);
    assert_eq!((&*plain.status, &*plain.body), ("400", "this port speaks HTTPS\n"), "{plain:?}");
    wait_until("the first audit", || {
        curl(&exporter, "https://ADDRESS/-/ready", trusting).status == "200"
    });
    counted(
        &exporter,
        "https://ADDRESS/metrics",
        trusting,
        &[
            "shakedown_exporter_handshakes_failed_total{reason=\"plain-http\"} 1",
            "shakedown_exporter_handshakes_failed_total{reason=\"other\"} 4",
        ],
    );
}

#[test]
fn the_newest_version_can_be_required() {
    let pki = Pki::new();
    let files = pki.server("web", &["a.test"]);
    let exporter = started(&written(&pki, &tls(&files, "  min_version: TLS13\n")));
    assert!(s_client(&exporter, &["-tls1_2"]).contains("alert protocol version"));
    assert!(s_client(&exporter, &["-tls1_3"]).contains("Cipher is TLS_"));
}

#[test]
fn clients_need_a_certificate_of_the_authority_with_the_name() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let files = pki.server("web", &["a.test"]);
    let named = pki.client("scraper");
    let chain = fs::read_to_string(&named.certificate).unwrap();
    assert!(chain.contains("CERTIFICATE"));
    let other = pki.changed("other", &["other.test"], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    let server = pki.server("server", &["client"]);
    let foreign = stranger.client("foreign");
    let alone = openssl_req(pki.folder.path(), "alone", &[]);
    let own = fs::read_to_string(pki.path("ca.pem")).unwrap()
        + &fs::read_to_string(&alone.certificate).unwrap();
    fs::write(pki.path("clients.pem"), own).unwrap();
    let ca = pki.ca_file();
    let web = written(
        &pki,
        &tls(
            &files,
            "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.pem\n  \
             client_allowed_sans: [client, a.test, '192.0.2.1']\n",
        ),
    );
    let exporter = started(&web);
    for version in ["1.2", "1.3"] {
        let with = |files: Option<&Files>| {
            let pair = files.map(|files| {
                (files.certificate.display().to_string(), files.key.display().to_string())
            });
            let mut options = vec!["--cacert", &ca, "--tls-max", version];
            if let Some((certificate, key)) = &pair {
                options.extend(["--cert", certificate, "--key", key]);
            }
            curl(&exporter, "https://ADDRESS/-/healthy", &options)
        };
        let known = with(Some(&named));
        assert_eq!((known.exit, &*known.body), (0, "ok\n"), "{version}");
        assert_eq!(with(Some(&alone)).body, "ok\n", "{version}");
        for (who, client) in [
            ("nobody", None),
            ("other name", Some(&other)),
            ("stranger", Some(&foreign)),
            ("server", Some(&server)),
        ] {
            let got = with(client);
            assert!(got.exit != 0 && got.body.is_empty(), "{version}, {who}: {got:?}");
        }
    }
    let (certificate, key) =
        (named.certificate.display().to_string(), named.key.display().to_string());
    let options: &[&str] = &["--cacert", &ca, "--cert", &certificate, "--key", &key];
    wait_until("the first audit", || {
        curl(&exporter, "https://ADDRESS/-/ready", options).status == "200"
    });
    counted(
        &exporter,
        "https://ADDRESS/metrics",
        options,
        &[
            "shakedown_exporter_handshakes_failed_total{reason=\"no-client-certificate\"} 2",
            "shakedown_exporter_handshakes_failed_total{reason=\"client-certificate\"} 6",
        ],
    );
}

#[test]
fn handshakes_that_do_not_end_keep_nobody_out() {
    let pki = Pki::new();
    let files = pki.server("web", &["a.test"]);
    let ca = pki.ca_file();
    let exporter = started(&written(&pki, &tls(&files, "")));
    let mut begun = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(exporter.address).unwrap();
        // Nothing, the head of a record, or a hello that is never whole.
        let bytes: &[u8] =
            [&b""[..], b"\x16\x03\x01\x02\x00", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
                [number % 3];
        let _ = stream.write_all(bytes);
        begun.push(stream);
        if number % 50 == 49 {
            let got = curl(&exporter, "https://ADDRESS/-/healthy", &["--cacert", &ca]);
            assert_eq!(got.body, "ok\n", "behind {number}");
        }
    }
    // The last of them is not closed for others, but in its time.
    let mut last = begun.pop().unwrap();
    last.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let ended = last.read_to_end(&mut Vec::new());
    assert!(!ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    let reason = "shakedown_exporter_handshakes_failed_total{reason=\"timeout\"}";
    wait_until("the time is up", || {
        curl(&exporter, "https://ADDRESS/metrics", &["--cacert", &ca]).body.contains(reason)
    });
}

#[test]
fn its_clock_may_say_anything() {
    let pki = Pki::new();
    let files = pki.server("web", &["a.test"]);
    let client = pki.client("scraper");
    let checked = "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n";
    let web = written(&pki, &tls(&files, checked));
    let (ca, cert, key) =
        (pki.ca_file(), client.certificate.display().to_string(), client.key.display().to_string());
    for date in ["1970-01-01", "2038-01-20", "2100-02-28"] {
        let clock = clock(date);
        let clock = clock.each_ref().map(|(name, value)| (*name, value.as_str()));
        let args = ["127.0.0.1:1", "--trust", "mozilla", "--web-config", &web];
        let exporter = Exporter::start_in(&clock, &args);
        // Its certificate is for curl's clock to judge, and curl's for its own.
        let got = curl(&exporter, "https://ADDRESS/-/healthy", &["--cacert", &ca]);
        assert_eq!(got.body, "ok\n", "{date}");
        let options = ["--cacert", &ca, "--cert", &cert, "--key", &key];
        assert_ne!(curl(&exporter, "https://ADDRESS/-/healthy", &options).exit, 0, "{date}");
    }
}

#[test]
fn too_many_requests_are_refused() {
    let pki = Pki::new();
    let exporter = started(&written(&pki, "rate_limit:\n  interval: 1h\n  burst: 3\n"));
    let statuses = [(); 5].map(|()| exporter.get("/-/healthy").0);
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

#[test]
fn certificate_and_key_may_be_in_the_file_itself() {
    let pki = Pki::new();
    let files = pki.server("web", &["a.test"]);
    let client = pki.client("scraper");
    let indented = |path: &Path| fs::read_to_string(path).unwrap().replace('\n', "\n    ");
    let web = written(
        &pki,
        &format!(
            "tls_server_config:\n  cert: |\n    {}\n  key: |\n    {}\n  client_ca: |\n    {}\n  client_auth_type: RequireAndVerifyClientCert\n",
            indented(&files.certificate),
            indented(&files.key),
            indented(&pki.path("ca.pem")),
        ),
    );
    let exporter = started(&web);
    let (ca, cert, key) =
        (pki.ca_file(), client.certificate.display().to_string(), client.key.display().to_string());
    let got = curl(
        &exporter,
        "https://ADDRESS/-/healthy",
        &["--cacert", &ca, "--cert", &cert, "--key", &key],
    );
    assert_eq!(got.body, "ok\n");
    assert_ne!(curl(&exporter, "https://ADDRESS/-/healthy", &["--cacert", &ca]).exit, 0);
}

#[test]
fn prometheus_scrapes_it_with_a_certificate_and_a_password() {
    let pki = Pki::new();
    let files = pki.server("web", &["a.test"]);
    let client = pki.client("scraper");
    let web = written(
        &pki,
        &tls(
            &files,
            &format!(
                "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\nbasic_auth_users:\n  ali: {}\n",
                hash(4)
            ),
        ),
    );
    let exporter = started(&web);
    let job = |name: &str, password: &str, client: &str| {
        format!(
            "  - job_name: {name}\n    scrape_interval: 1s\n    scheme: https\n    \
             tls_config: {{ ca_file: {}, server_name: a.test{client} }}\n    \
             basic_auth: {{ username: ali, password: '{password}' }}\n    \
             static_configs: [{{ targets: ['{}'] }}]\n",
            pki.ca_file(),
            exporter.address
        )
    };
    let pair = format!(
        ", cert_file: {}, key_file: {}",
        client.certificate.display(),
        client.key.display()
    );
    let configuration = format!(
        "scrape_configs:\n{}{}{}",
        job("right", PASSWORD, &pair),
        job("wrong", "open", &pair),
        job("bare", PASSWORD, "")
    );
    let (_prometheus, address) = prometheus(pki.folder.path(), &configuration);
    for (query, expected) in [
        ("up{job=\"right\"}", "1"),
        ("up{job=\"wrong\"}", "0"),
        ("up{job=\"bare\"}", "0"),
        ("shakedown_exporter_requests_refused_total{reason=\"wrong-password\"} > bool 0", "1"),
        (
            "shakedown_exporter_handshakes_failed_total{reason=\"no-client-certificate\"} > bool 0",
            "1",
        ),
    ] {
        becomes(address, query, expected);
    }
}

#[test]
fn who_listens_to_everybody_is_told_so() {
    let pki = Pki::new();
    let files = pki.server("web", &["a.test"]);
    let users = format!("basic_auth_users:\n  ali: {}\n", hash(4));
    let clear = written(&pki, &users);
    let check = |address: &str, web: &[&str], words: Option<&str>| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
            .args(["serve", "127.0.0.1:1", "--trust", "mozilla", "--listen", address])
            .args(web)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.contains("listening on http"), "{first}");
        if words.is_none() {
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()),
                Signal::SIGTERM,
            )
            .unwrap();
        }
        let second = lines.next().map(Result::unwrap);
        let is_said =
            second.as_deref().zip(words).is_some_and(|(line, words)| line.contains(words));
        let _ = child.kill();
        let _ = child.wait();
        assert!(is_said || (words.is_none() && second.is_none()), "{address}: {second:?}");
    };
    check("127.0.0.1:0", &[], None);
    check("0.0.0.0:0", &[], Some("--web-config"));
    check("0.0.0.0:0", &["--web-config", &clear], Some("in the clear"));
    let both = written(&pki, &tls(&files, &users));
    check("0.0.0.0:0", &["--web-config", &both], None);
    let named = "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n";
    let optional = written(&pki, &tls(&files, named));
    check("0.0.0.0:0", &["--web-config", &optional], Some("--web-config"));
    let named = written(&pki, &tls(&files, &format!("{named}  client_allowed_sans: [client]\n")));
    check("0.0.0.0:0", &["--web-config", &named], None);
}
