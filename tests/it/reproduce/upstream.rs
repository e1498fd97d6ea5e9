//! Upstreams of nginx.

use time::Duration;

use super::Row;
use super::scene::{Scene, Sign, pair};
use crate::support::pki::{Pki, pem_of};
use crate::support::script;

pub(super) const ROWS: &[Row] = &[
    ("upstream-protocol-mismatch", || plain("ssl_protocols TLSv1.3;", &[])),
    ("upstream-protocol-default", || {
        let scene = plain("ssl_protocols TLSv1.3;", &[]);
        // Without the release.
        let args = [&scene.args[..3], &scene.args[5..]].concat();
        Scene { healthy_args: args.clone(), args, ..scene }
    }),
    ("upstream-cipher-mismatch", || {
        let settings = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE+CHACHA20;";
        plain(settings, &["--proxy-ssl-ciphers", "ECDHE+AES128"])
    }),
    ("upstream-handshake-failed", || {
        let pki = Pki::new();
        let [issued, other] =
            ["api.test", "api.test"].map(|name| pki.intermediate.issue(&[name]).unwrap());
        let faulty = script::tls(issued.chain(), other.private_key()).to_string();
        Scene { faulty, ..plain("", &[]) }
    }),
    ("upstream-name-mismatch", || {
        let pki = Pki::new();
        let [api, www] =
            ["api.test", "www.test"].map(|name| serve(&pair(&pki.server(name, &[name])), ""));
        verifying(&pki.ca_file(), &api, &www, &["--proxy-ssl-name", "www.test"]).keep(pki)
    }),
    ("upstream-untrusted", || {
        let (pki, stranger) = (Pki::new(), Pki::new());
        let [faulty, healthy] =
            [&stranger, &pki].map(|pki| serve(&pair(&pki.server("api", &["api.test"])), ""));
        let name = ["--proxy-ssl-name", "api.test"];
        verifying(&pki.ca_file(), &faulty, &healthy, &name).keep((pki, stranger))
    }),
    ("upstream-verify-depth", || {
        let pki = Pki::new();
        let lower = pki.intermediate.intermediate("it lower").unwrap();
        let issued = lower.issue(&["api.test"]).unwrap();
        let faulty = serve(&pair(&pki.write("deep", &issued, &issued.chain())), "");
        let healthy = serve(&pair(&pki.server("api", &["api.test"])), "");
        let name = ["--proxy-ssl-name", "api.test"];
        verifying(&pki.ca_file(), &faulty, &healthy, &name).keep(pki)
    }),
    ("crl-missing", || lists(None)),
    ("crl-expired", || lists(Some(-1))),
    ("upstream-sni-missing", || {
        let pki = Pki::new();
        let pair = pair(&pki.server("api", &["api.test"]));
        let reject =
            "server { listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }";
        let named = format!("server {{ listen 127.0.0.1:PORT ssl; server_name api.test; {pair} }}");
        let strict = format!("{reject} {named}");
        let healthy = format!("server {{ listen 127.0.0.1:PORT ssl; {pair} }}");
        as_nginx(&strict, &healthy, Sign::Fails, &["--proxy-pass", "api.test"]).keep(pki)
    }),
    ("upstream-scheme-mismatch", || {
        let pki = Pki::new();
        let encrypted = serve(&pair(&pki.server("api", &["api.test"])), "");
        let plain = "server { listen 127.0.0.1:PORT; location / { return 204; } }";
        let scene = Scene::served(&encrypted, plain, Sign::says("400 Bad Request"));
        let [args, healthy_args] = [&scene.faulty, &scene.healthy].map(|address| {
            let path = pki.path(&format!("{}.conf", address.replace(':', "-")));
            let location = format!("location / {{ proxy_pass http://{address}; }}");
            let text =
                format!("events {{}} http {{ server {{ listen 127.0.0.1:1; {location} }} }}");
            std::fs::write(&path, text).unwrap();
            let path = path.display().to_string();
            ["nginx", "--nginx-version", "1.22.1", "--openssl-version", "3.0", &path]
                .map(str::to_owned)
                .to_vec()
        });
        Scene { args, healthy_args, ..scene }.keep(pki)
    }),
    ("upstream-client-certificate", || {
        let pki = Pki::new();
        let pair = pair(&pki.server("api", &["api.test"]));
        let asks = format!("ssl_verify_client on; ssl_client_certificate {};", pki.ca_file());
        let sign = Sign::says("400 No required SSL certificate");
        as_nginx(&serve(&pair, &asks), &serve(&pair, ""), sign, &[]).keep(pki)
    }),
];

fn serve(pair: &str, more: &str) -> String {
    format!("server {{ listen 127.0.0.1:PORT ssl; {pair} {more} }}")
}

/// Two upstreams of nginx 1.22.1 with these options.
fn as_nginx(faulty: &str, healthy: &str, sign: Sign, options: &[&str]) -> Scene {
    let fixed =
        ["probe", "ADDRESS", "--as-nginx", "--nginx-version", "1.22.1", "--trust", "mozilla"];
    Scene::served(faulty, healthy, sign).by(&[&fixed[..], options].concat())
}

fn plain(settings: &str, options: &[&str]) -> Scene {
    let pki = Pki::new();
    let pair = pair(&pki.server("api", &["api.test"]));
    as_nginx(&serve(&pair, settings), &serve(&pair, ""), Sign::Fails, options).keep(pki)
}

fn verifying(ca_file: &str, faulty: &str, healthy: &str, options: &[&str]) -> Scene {
    let verify = ["--proxy-ssl-verify", "on", "--proxy-ssl-trusted-certificate", ca_file];
    as_nginx(faulty, healthy, Sign::Fails, &[&verify[..], options].concat())
}

/// Two authorities below one root, whose lists nginx has; that of one is missing, or ends in this number of days.
fn lists(ends: Option<i64>) -> Scene {
    let pki = Pki::new();
    let other = pki.root.intermediate("it other").unwrap();
    let issued = other.issue(&["api.test"]).unwrap();
    let faulty = serve(&pair(&pki.write("other", &issued, &issued.chain())), "");
    let healthy = serve(&pair(&pki.server("api", &["api.test"])), "");
    let mut lists =
        vec![pki.root.revocation_list(|_| {}), pki.intermediate.revocation_list(|_| {})];
    lists.extend(ends.map(|days| {
        other.revocation_list(|list| list.next_update = pki.now + Duration::days(days))
    }));
    let lists: Vec<_> = lists.into_iter().map(Result::unwrap).collect();
    let file = pki.path("lists.pem").display().to_string();
    std::fs::write(&file, pem_of("X509 CRL", &lists)).unwrap();
    let options = ["--proxy-ssl-name", "api.test", "--proxy-ssl-crl", &file];
    verifying(&pki.ca_file(), &faulty, &healthy, &options).keep(pki)
}
