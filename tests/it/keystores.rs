//! `cert` with keystores that OpenSSL, Java and NSS wrote, with Secrets, and with PEM in other text.

use std::fs;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::support::pki::{Files, Pki};
use crate::support::program::{Run, shakedown, text};

struct Store {
    pki: Pki,
    files: Files,
}

impl Store {
    fn new() -> Self {
        let pki = Pki::rsa();
        let files = pki.server("www", &["www.test"]);
        fs::write(pki.path("password"), "changeit\n").unwrap();
        Self { pki, files }
    }

    fn path(&self, name: &str) -> String {
        self.pki.path(name).display().to_string()
    }

    fn openssl(&self, name: &str, options: &[&str]) -> String {
        let out = self.path(name);
        let (certificate, key) = (&self.files.certificate, &self.files.key);
        let run = Command::new("openssl")
            .args(["pkcs12", "-export", "-out", &out, "-passout", "pass:changeit", "-in"])
            .arg(certificate)
            .arg("-inkey")
            .arg(key)
            .args(["-certfile", &self.pki.ca_file()])
            .args(options)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        out
    }

    fn cert(&self, file: &str, more: &[&str]) -> Run {
        let ca = self.pki.ca_file();
        shakedown(&[&["cert", file, "--format", "json", "--ca-file", &ca], more].concat())
    }

    fn passes(&self, file: &str, more: &[&str]) {
        let run = self.cert(file, more);
        let report: Value =
            serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{file}: {}", run.stderr));
        let target = &report["targets"][0];
        assert_eq!(target["host"], "www.test", "{report:#}");
        assert_eq!(target["status"], "pass", "{report:#}");
        assert!(text(&target["name"]).contains(file.split(' ').next().unwrap()), "{report:#}");
    }
}

#[test]
fn keystores_of_openssl_are_opened_with_their_password() {
    let store = Store::new();
    let password = ["--password-file", &store.path("password")];
    for (name, options) in [
        ("aes.p12", &[][..]),
        ("des.p12", &["-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"]),
        ("plain.p12", &["-certpbe", "NONE", "-keypbe", "NONE", "-nomac"]),
        ("aes128.p12", &["-certpbe", "AES-128-CBC", "-keypbe", "AES-128-CBC", "-iter", "5"]),
    ] {
        store.passes(&store.openssl(name, options), &password);
    }
    let other = store.path("other");
    fs::write(&other, "other").unwrap();
    let file = store.path("aes.p12");
    let wrong = store.cert(&file, &["--password-file", &other]);
    assert!(wrong.stderr.contains("the password is not that of the keystore"), "{}", wrong.stderr);
    let none = store.cert(&file, &[]);
    assert!(none.stderr.contains("--password-file or --password-env"), "{}", none.stderr);
    let unset = store.cert(&file, &["--password-env", "SHAKEDOWN_TEST_UNSET"]);
    assert!(unset.stderr.contains("no variable SHAKEDOWN_TEST_UNSET"), "{}", unset.stderr);
}

#[test]
fn a_key_that_does_not_belong_to_its_certificate_is_found_in_a_keystore() {
    let store = Store::new();
    let (other, file) = (store.pki.server("other", &["other.test"]), store.path("mixed.p12"));
    let run = Command::new("openssl")
        .args([
            "pkcs12",
            "-export",
            "-nocerts",
            "-out",
            &store.path("key.p12"),
            "-passout",
            "pass:changeit",
            "-inkey",
        ])
        .arg(&other.key)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let secret = serde_json::json!({ "kind": "Secret", "metadata": { "name": "mixed" }, "data": {
        "tls.crt": STANDARD.encode(fs::read(&store.files.certificate).unwrap()),
        "tls.key": STANDARD.encode(fs::read(&other.key).unwrap()),
    } });
    fs::write(&file, secret.to_string()).unwrap();
    let run = store.cert(&file, &[]);
    assert!(run.stdout.contains("\"key-mismatch\""), "{}", run.stdout);
}

#[test]
fn keystores_of_java_are_opened_with_and_without_their_password() {
    let store = Store::new();
    let p12 = store.openssl("in.p12", &["-name", "www"]);
    let password = ["--password-file", &store.path("password")];
    for (kind, name) in [("JKS", "store.jks"), ("PKCS12", "store.p12")] {
        let out = store.path(name);
        let run = Command::new("keytool")
            .args(["-importkeystore", "-noprompt", "-srckeystore", &p12, "-srcstoretype", "PKCS12"])
            .args(["-srcstorepass", "changeit", "-deststorepass", "changeit"])
            .args(["-destkeystore", &out, "-deststoretype", kind])
            .output()
            .expect("keytool is needed: install the package default-jre-headless");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
        store.passes(&out, &password);
    }
    store.passes(&store.path("store.jks"), &[]);
    let other = store.path("other");
    fs::write(&other, "other").unwrap();
    let wrong = store.cert(&store.path("store.jks"), &["--password-file", &other]);
    assert!(wrong.stderr.contains("the password is not that of the keystore"), "{}", wrong.stderr);
    let whole = fs::read(store.path("store.jks")).unwrap();
    fs::write(store.path("cut.jks"), &whole[..whole.len() / 2]).unwrap();
    let cut = store.cert(&store.path("cut.jks"), &password);
    assert!(cut.stderr.contains("damaged JKS keystore"), "{}", cut.stderr);
}

#[test]
fn keystores_of_nss_are_opened_with_their_password() {
    let store = Store::new();
    let p12 = store.openssl("in.p12", &["-name", "www", "-macalg", "sha1"]);
    let folder = store.path("nss");
    fs::create_dir(&folder).unwrap();
    let (database, none, own) =
        (format!("sql:{folder}"), store.path("none"), store.path("password"));
    fs::write(&none, "\n").unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let run = Command::new(program).args(["-d", &database]).args(arguments).output();
        let run = run.expect("pk12util and certutil are needed: install the package libnss3-tools");
        assert!(run.status.success(), "{program}: {}", String::from_utf8_lossy(&run.stderr));
    };
    run("certutil", &["-N", "--empty-password"]);
    run("pk12util", &["-i", &p12, "-k", &none, "-w", &own]);
    for (name, options) in [
        ("usual.p12", &[][..]),
        ("aes.p12", &["-c", "AES-256-CBC", "-C", "AES-128-CBC"]),
        ("des.p12", &["-c", "PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC", "-C", "none"]),
    ] {
        let out = store.path(name);
        run("pk12util", &[&["-o", &out, "-n", "www", "-k", &none, "-w", &own], options].concat());
        assert!(fs::read(&out).unwrap().starts_with(b"\x30\x80"), "{name} is not BER");
        store.passes(&out, &["--password-file", &own]);
        let locked = store.cert(&out, &[]);
        assert!(locked.stderr.contains("--password-file or --password-env"), "{}", locked.stderr);
    }
}

#[test]
fn each_chain_of_a_keystore_is_held_against_its_own_key() {
    let store = Store::new();
    let both = store.path("both.p12");
    let other = Store { files: store.pki.server("shop", &["shop.test"]), pki: store.pki };
    for (name, from) in [("www", &store.files), ("shop", &other.files)] {
        let (one, password) = (other.path("one.p12"), "pass:changeit");
        let made = Command::new("openssl")
            .args(["pkcs12", "-export", "-name", name, "-out", &one, "-passout", password, "-in"])
            .arg(&from.certificate)
            .arg("-inkey")
            .arg(&from.key)
            .status();
        assert!(made.unwrap().success());
        let run = Command::new("keytool")
            .args(["-importkeystore", "-noprompt", "-srckeystore", &one, "-destkeystore", &both])
            .args(["-srcstorepass", "changeit", "-deststorepass", "changeit"])
            .output()
            .expect("keytool is needed: install the package default-jre-headless");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    }
    let run = other.cert(&both, &["--password-file", &other.path("password")]);
    let report: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
    let targets = report["targets"].as_array().unwrap();
    let hosts: Vec<&str> = targets.iter().map(|target| text(&target["host"])).collect();
    assert_eq!(hosts, ["www.test", "shop.test"], "{report:#}");
    assert!(!run.stdout.contains("key-mismatch"), "{report:#}");
}

#[test]
fn a_keystore_within_a_secret_is_opened() {
    let store = Store::new();
    let bytes = fs::read(store.openssl("aes.p12", &[])).unwrap();
    let secret = serde_json::json!({ "kind": "Secret", "metadata": { "name": "web" }, "data": {
        "keystore.p12": STANDARD.encode(bytes),
    } });
    let file = store.path("secret.json");
    fs::write(&file, secret.to_string()).unwrap();
    store.passes(&file, &["--password-file", &store.path("password")]);
}

#[test]
fn a_revocation_list_is_judged_by_its_end() {
    let pki = Pki::new();
    let now = OffsetDateTime::now_utc();
    let write = |name: &str, days: i64| {
        let path = pki.path(name);
        let der = pki.root.revocation_list(|list| {
            list.this_update = now - Duration::days(20);
            list.next_update = now + Duration::days(days);
        });
        let body = STANDARD.encode(der.unwrap());
        fs::write(&path, format!("-----BEGIN X509 CRL-----\n{body}\n-----END X509 CRL-----\n"))
            .unwrap();
        path.display().to_string()
    };
    let check = |file: &str, more: &[&str], expected: &str| {
        let run = shakedown(&[&["cert", file, "--format", "json"], more].concat());
        let report: Value =
            serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
        let findings = report["targets"][0]["findings"].as_array().unwrap().iter();
        let rules: Vec<&str> = findings.map(|one| text(&one["rule"])).collect();
        assert_eq!(rules.join(" "), expected, "{report:#}");
        assert!(run.stderr.contains(": revocation list of CN="), "{}", run.stderr);
    };
    let current = write("current.crl", 20);
    check(&current, &[], "");
    check(&current, &["--warning-days", "30"], "crl-expiring");
    check(&write("old.crl", -1), &[], "crl-expired");
    check(&write("late.crl", 1), &[], "crl-expiring");
}

#[test]
fn secrets_data_urls_and_pem_in_text_are_read() {
    let store = Store::new();
    let pem = fs::read_to_string(&store.files.certificate).unwrap();
    let yaml = store.path("secret.yaml");
    let body = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: www\n  namespace: shop\ntype: kubernetes.io/tls\ndata:\n  tls.crt: {}\n  tls.key: {}\n",
        STANDARD.encode(&pem),
        STANDARD.encode(fs::read(&store.files.key).unwrap())
    );
    fs::write(&yaml, body).unwrap();
    store.passes(&yaml, &[]);
    let around = store.path("s_client.txt");
    fs::write(&around, format!("CONNECTED(00000003)\n---\n{pem}---\nDONE\n")).unwrap();
    store.passes(&around, &[]);
    let url = format!("data:application/x-pem-file;base64,{}", STANDARD.encode(&pem));
    let run = store.cert(&url, &[]);
    assert!(run.stdout.contains("\"www.test\""), "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("base64,"), "{}", run.stdout);
}
