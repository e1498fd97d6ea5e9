use super::*;
use crate::nginx::listener::listeners;
use crate::nginx::source::Single;
use crate::nginx::upstream::upstreams;
use crate::nginx::variable::Variables;

fn read(text: &str, version: Option<&str>) -> Vec<String> {
    let text = format!("events {{}}\n{text}");
    let source = Single { path: "n", text: text.as_bytes() };
    let tree = Tree::read(&source, "n");
    assert_eq!(tree.problems, [], "{text}");
    let version = version.map(|version| version.parse().unwrap());
    let found = facts(&tree, &listeners(&tree), &upstreams(&tree, &Variables::new()), version);
    found.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(read(text, None), expected, "{text}");
}

const SOUND: &str = "proxy_ssl_verify on; proxy_ssl_trusted_certificate ca; proxy_ssl_server_name on; proxy_ssl_name a.test;";

#[test]
fn a_sound_configuration_says_nothing() {
    check(
        &format!(
            "http {{ ssl_protocols TLSv1.2 TLSv1.3; {SOUND}
               server {{ listen 443 ssl; ssl_certificate a; ssl_certificate_key a; server_name a; location / {{ proxy_pass https://a.test; }} }}
               server {{ listen 443; ssl_certificate b; ssl_certificate_key b; server_name b _; ssl_protocols TLSv1.3 TLSv1.2; location / {{ proxy_pass https://a.test; }} }}
               server {{ listen 443; server_name _; return 204; }} server {{ listen 80; }} }}"
        ),
        &[],
    );
}

#[test]
fn the_default_server_decides_for_its_socket() {
    let text = "http {\nserver { listen 1 ssl; ssl_certificate a; ssl_certificate_key a;\nssl_ecdh_curve P-384; }\n\
        server { listen 1 ssl; ssl_certificate b; ssl_certificate_key b;\nssl_protocols TLSv1.3;\nssl_ecdh_curve X25519; } }";
    let curve = "n:7: ssl_ecdh_curve of the socket's default server (n:4) applies here";
    check(
        text,
        &[
            "n:6: ssl_protocols of the socket's default server (n:3) applies here before nginx 1.29.2",
            curve,
        ],
    );
    assert_eq!(read(text, Some("1.29.2")), [curve]);
}

#[test]
fn servers_that_lack_something_are_reported() {
    check(
        "http {\nserver { listen 1 ssl; } }",
        &["n:3: no \"ssl_certificate\" is defined for a server with TLS"],
    );
    check("http { server { listen 1 ssl; ssl_reject_handshake on; } }", &[]);
    check(
        "http { server { listen 1 ssl; ssl_certificate a; } }",
        &["n:2: the certificate has no key"],
    );
    check(
        "http { server { listen 1 ssl; ssl_certificate a; ssl_certificate_key a; ssl_verify_client on; } }",
        &["n:2: no ssl_client_certificate for ssl_verify_client"],
    );
    let trusted = "http { server { listen 1 ssl; ssl_certificate a; ssl_certificate_key a; ssl_verify_client on; ssl_trusted_certificate b; } }";
    let since = "n:2: no ssl_client_certificate for ssl_verify_client (ssl_trusted_certificate is enough from nginx 1.27.2 on)";
    assert_eq!(read(trusted, Some("1.26.3")), [since]);
    check(trusted, &[]);
    assert_eq!(read(trusted, Some("1.28.0")), [""; 0]);
    let plain = "n:2: port 443 is served without TLS: listen has no ssl";
    check("http { server { listen 1; listen *:443; } }", &[plain]);
    let reject = "ssl_reject_handshake on;";
    let other = format!("server {{ listen 127.0.0.1:443 ssl; {reject} }}");
    check(&format!("http {{ server {{ listen 443; }} {other} }}"), &[plain]);
    let same = format!("server {{ listen 443 ssl; {reject} }}");
    check(&format!("http {{ {reject} server {{ listen *:443; }} {same} }}"), &[]);
}

#[test]
fn names_that_are_taken_are_reported() {
    let server = "listen 1 ssl; ssl_certificate a; ssl_certificate_key a;";
    check(
        &format!(
            "http {{\nserver {{ {server} server_name a *.b; }}\nserver {{ {server} server_name c a .b; }} }}"
        ),
        &[
            "n:4: conflicting server name \".b\": n:3 has it already, so it is ignored",
            "n:4: conflicting server name \"a\": n:3 has it already, so it is ignored",
        ],
    );
}

#[test]
fn settings_without_effect_are_reported() {
    let pass = |more: &str| {
        format!("http {{ server {{ location / {{\nproxy_pass https://a.test;\n{more}\n}} }} }}")
    };
    check(
        &pass("proxy_ssl_trusted_certificate a;"),
        &["n:4: proxy_ssl_trusted_certificate has no effect while verification is off"],
    );
    check(
        &pass("proxy_ssl_name a;"),
        &["n:4: the name is neither sent nor verified: server_name and verify are off"],
    );
    check(&pass("proxy_ssl_verify on;"), &["n:4: no *_ssl_trusted_certificate for *_ssl_verify"]);
    check(
        &pass("grpc_ssl_verify on;"),
        &["n:4: grpc_ssl_verify has no effect here: the proxy_ssl_* directives apply"],
    );
    check(
        &pass("proxy_ssl_ciphers HIGH:TLS_AES_128_GCM_SHA256;"),
        &["n:4: TLS 1.3 suites cannot be set in this list: TLS_AES_128_GCM_SHA256"],
    );
    check(&pass("proxy_ssl_ciphers HIGH:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;"), &[]);
    check(
        &pass("proxy_ssl_protocols TLSv1.2; proxy_ssl_conf_command Protocol ALL;"),
        &["n:4: the OpenSSL command Protocol ALL overrides proxy_ssl_protocols"],
    );
    check(&pass("proxy_ssl_certificate a;"), &["n:4: the certificate has no key"]);
    check(
        "http { server { location / { proxy_pass http://a.test:443; } } }",
        &["n:2: http:// to port 443, which is the port for TLS"],
    );
}

#[test]
fn upstream_blocks_give_their_name_and_port_80() {
    check(
        "http { proxy_ssl_verify on; proxy_ssl_trusted_certificate a;\nupstream g { server a.test; }\nserver { location / { proxy_pass https://g; } } }",
        &[
            "n:3: a server without a port: nginx uses port 80",
            "n:4: the name sent or verified is \"g\", the name of the upstream block",
        ],
    );
}

#[test]
fn shared_sessions_are_reported() {
    let location = |path: &str, more: &str| {
        format!("\nlocation {path} {{ proxy_pass https://a.test; proxy_ssl_verify {more}; }}")
    };
    let (strict, lax) = (location("/a", "on"), location("/b", "off"));
    let text = |one: &str, two: &str| {
        format!(
            "http {{ proxy_ssl_trusted_certificate a; proxy_ssl_server_name on; server {{ {one} {two} }} }}"
        )
    };
    let shared = "n:3: TLS sessions are shared with n:4, which verifies less: they are accepted here unverified";
    check(&text(&strict, &lax), &[shared]);
    let alone = location("/a", "on; proxy_ssl_session_reuse off");
    check(&text(&alone, &lax), &[]);
    check(&text(&strict, &location("/b", "on")), &[]);
    let known = location("/b", "on; proxy_ssl_certificate b; proxy_ssl_certificate_key b");
    let other = |line: u32| {
        format!(
            "TLS sessions are shared with n:{line}, which has another client certificate or none: requests from here may be sent with that one"
        )
    };
    check(&text(&strict, &known), &[&format!("n:3: {}", other(4)), &format!("n:4: {}", other(3))]);
    check(&text(&known.replace("/b", "/a"), &known), &[]);
}

#[test]
fn releases_decide_which_directives_exist() {
    let text = "http {\nssl_conf_command Groups P-256;\nserver { ssl on; listen 1; ssl_certificate a; ssl_certificate_key a; } }";
    assert_eq!(
        read(text, Some("1.18.0")),
        ["n:3: unknown directive \"ssl_conf_command\" (it exists from nginx 1.19.4 on)"]
    );
    assert_eq!(
        read(text, Some("1.25.1")),
        ["n:4: unknown directive \"ssl\" (removed in nginx 1.25.1)"]
    );
    check(text, &[]);
}

#[test]
fn names_that_only_a_request_brings_need_a_resolver() {
    let text = |more: &str| {
        format!(
            "http {{ {more} {SOUND} set_real_ip_from x; server {{ set $x a.test; location / {{ proxy_pass https://$x; }} }} }}"
        )
    };
    check(&text(""), &["n:2: no resolver is configured to look up \"a.test\""]);
    check(&text("resolver 127.0.0.1;"), &[]);
    check(&text("upstream a.test { server b:443; }"), &[]);
    let certificate =
        "http { server { listen 1 ssl; ssl_certificate $host; ssl_certificate_key $host; } }";
    assert_eq!(
        read(certificate, Some("1.14.2")),
        ["n:2: cannot load certificate \"$host\": variables are supported from nginx 1.15.9 on"]
    );
}

#[test]
fn upstream_settings_without_tls_are_reported_where_they_stand() {
    let unused = |line: u32, directive: &str, why: &str| {
        format!("n:{line}: {directive} has no effect: {why}")
    };
    let off = "proxy_ssl is off, so nginx does not start TLS here";
    let http = "proxy_pass uses http://, without TLS";
    let stream = |inside: &str| read(&format!("stream {{\n{inside} }}"), None);
    let pass = "ssl_preread on; proxy_pass 127.0.0.1:1;";
    assert_eq!(
        stream(&format!("server {{ listen 1; {pass}\nproxy_ssl_verify on;\nproxy_ssl_name a; }}")),
        [unused(4, "proxy_ssl_verify", off), unused(5, "proxy_ssl_name", off)]
    );
    assert_eq!(
        stream(&format!(
            "proxy_ssl on; server {{ listen 1; {pass} proxy_ssl_protocols TLSv1.2; }}"
        )),
        [""; 0]
    );
    assert_eq!(
        stream(&format!(
            "proxy_ssl_verify_depth 2; server {{ listen 1; {pass} }} server {{ listen 2; {pass} proxy_ssl_verify off; }}"
        )),
        [""; 0]
    );
    let server = |inside: &str| read(&format!("http {{ server {{ listen 80; {inside} }} }}"), None);
    assert_eq!(
        server("location / { proxy_pass HTTP://a;\nproxy_ssl_server_name on; }"),
        [unused(3, "proxy_ssl_server_name", http)]
    );
    check(
        "http { server { listen 80; location / {\nproxy_ssl_protocols TLSv1.2; if ($arg_x) { proxy_pass http://a; } } } }",
        &[],
    );
}

#[test]
fn upstream_settings_that_another_place_may_use_are_not_reported() {
    let quiet = |inside: &str| check(&format!("http {{ server {{ listen 80; {inside} }} }}"), &[]);
    quiet("proxy_ssl_server_name on; location / { proxy_pass http://a; }");
    quiet("location / { proxy_pass http://a; proxy_ssl_server_name off; }");
    quiet("location / { proxy_ssl_server_name on; proxy_pass $scheme://127.0.0.1; }");
    quiet(
        "location / { proxy_ssl_server_name on; proxy_pass http://a; location /b { proxy_pass https://b; } }",
    );
    quiet(
        "location / { proxy_ssl_server_name on; proxy_pass http://a; if ($arg_x) { proxy_pass $arg_b; } }",
    );
}

#[test]
fn a_client_ca_needs_verification_somewhere() {
    let server = |port: u8, more: &str| {
        format!("server {{ listen {port} ssl; ssl_certificate a; ssl_certificate_key a; {more} }}")
    };
    let unused = "ssl_client_certificate has no effect: ssl_verify_client is off";
    let ca = "\nssl_client_certificate ca;";
    check(&format!("http {{ {} }}", server(1, ca)), &[&format!("n:3: {unused}")]);
    check(
        &format!("mail {{ {} }}", server(1, &format!("{ca} ssl_verify_client off;"))),
        &[&format!("n:3: {unused}")],
    );
    check(
        &format!("http {{ {ca} {} {} }}", server(1, ""), server(2, "")),
        &[&format!("n:3: {unused}")],
    );
    check(
        &format!(
            "http {{ {ca} {} {} }}",
            server(1, ""),
            server(2, "ssl_verify_client optional_no_ca;")
        ),
        &[],
    );
    check(&format!("http {{ ssl_verify_client on; {} }}", server(1, ca)), &[]);
    check(
        &format!("http {{ {} }}", server(1, "ssl_trusted_certificate ca; ssl_stapling on;")),
        &[],
    );
}

#[test]
fn a_plain_server_on_a_tls_socket_collides() {
    let tls = "server {\nlisten 1 ssl; ssl_certificate a; ssl_certificate_key a; server_name a; }";
    let beside = |line: u32, other: u32| {
        format!(
            "n:{line}: listen has no ssl, but n:{other} makes this socket a TLS socket: plain requests get 400"
        )
    };
    check(&format!("http {{ {tls}\nserver {{ listen 1; server_name b; }} }}"), &[&beside(4, 3)]);
    check(&format!("http {{ {tls}\nserver {{ listen 1; }} }}"), &[&beside(4, 3)]);
    // nginx refuses a default server without a certificate.
    check(
        &format!("http {{ server {{ listen *:1; server_name b; }}\n{tls} }}"),
        &["n:2: no \"ssl_certificate\" is defined for a server with TLS", &beside(2, 4)],
    );
    // Meant for TLS, or reached by nobody.
    let quiet = |other: &str| check(&format!("http {{ {tls} server {{ {other} }} }}"), &[]);
    quiet("listen 1; server_name b; ssl_certificate b; ssl_certificate_key b;");
    quiet("listen 1; server_name _;");
    quiet("listen 2; server_name b;");
    quiet("listen 1; ssl_reject_handshake on; server_name b;");
    quiet("listen 1 ssl; server_name b;");
}

#[test]
fn what_is_only_misspelt_is_not_missing_as_well() {
    let text =
        b"events {}\nhttp { server { listen 1 ssl; ssl_certficate a; ssl_certificate_key a; } }";
    let tree = Tree::read(&Single { path: "n", text }, "n");
    let faults: Vec<_> = tree.problems.iter().map(|problem| intended(&problem.fault)).collect();
    assert_eq!(faults, [Some("ssl_certificate")]);
    let found = facts(&tree, &listeners(&tree), &[], None);
    assert!(found.is_empty(), "{found:?}");
}
