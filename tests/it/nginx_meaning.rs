//! The meaning of a configuration, compared with nginx: the server for a name, the values of variables, and whether
//! nginx accepts a patch.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;

use shakedown::audit::rule::RuleGroup;
use shakedown::audit::rules::configuration::rule;
use shakedown::nginx::build::Build;
use shakedown::nginx::defaults::NginxRelease;
use shakedown::nginx::edit::{Edit, patch};
use shakedown::nginx::facts::{Fact, FactKind, facts};
use shakedown::nginx::listener::{Listener, listeners};
use shakedown::nginx::source::Single;
use shakedown::nginx::tree::Tree;
use shakedown::nginx::upstream::{Upstream, upstreams};
use shakedown::nginx::variable::{Unresolved, Variables};
use shakedown::targets::disk::Disk;

use crate::support::dice::Dice;
use crate::support::pki::Pki;
use crate::support::server::{Nginx, free_port, nginx_binary};

/// The body of nginx's answer.
fn ask(port: u16, host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    body(stream)
}

/// The body of the answer that is read from there.
fn body(mut stream: impl Read) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

fn tree(http: &str) -> Tree {
    let text = format!("events {{}} http {{ {http} }}");
    let tree = Tree::read(&Single { path: "n", text: text.as_bytes() }, "n");
    assert_eq!(tree.problems, [], "{http}");
    tree
}

/// The names of each server.
fn names(listener: &Listener) -> Vec<Vec<String>> {
    let names = listener.servers.iter().map(|server| server.names.iter());
    names.map(|names| names.map(|name| name.value.to_string()).collect()).collect()
}

/// Overlapping names and patterns.
const NAMES: [&str; 14] = [
    "a.test",
    "b.a.test",
    "*.a.test",
    "*.b.a.test",
    ".a.test",
    ".c.test",
    "www.a.*",
    "www.*",
    "WWW.A.test",
    "c.test",
    "*.test",
    "www.c.*",
    "_",
    "a.*",
];

const HOSTS: [&str; 12] = [
    "a.test",
    "A.TEST",
    "b.a.test",
    "x.b.a.test",
    "www.a.test",
    "www.a.example",
    "c.test",
    "x.c.test",
    "www.c.x",
    "other.example",
    "www.c.test.",
    "a.b.test",
];

/// The number of generated sockets.
const SOCKETS: usize = 40;

#[test]
fn a_name_leads_to_the_same_server_as_in_nginx() {
    let mut dice = Dice(7);
    let mut text = String::from("server_names_hash_bucket_size 128; ");
    for socket in 0..SOCKETS {
        let default = dice.below(8);
        for server in 0..5 {
            let names: Vec<&str> = (0..=dice.below(3)).map(|_| *dice.pick(&NAMES)).collect();
            let flag = if server == default { " default_server" } else { "" };
            write!(
                text,
                "server {{ listen unix:DIR/{socket}.sock{flag} SSL; server_name {}; return 200 {server}; }} ",
                names.join(" ")
            )
            .unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let text = text.replace("DIR", folder.path().to_str().unwrap());
    // One more server forwards its requests to the socket in the path.
    let front =
        "server { listen 127.0.0.1:PORT; location ~ ^/(\\d+)$ { proxy_set_header Host $host;
        proxy_pass http://unix:DIR/$1.sock:/; } }";
    let front =
        front.replace("DIR", folder.path().to_str().unwrap()).replace("$host", "$http_host");
    let nginx = Nginx::start(&format!("{} {front}", text.replace("SSL", "")));
    let read: Vec<Listener> = listeners(&tree(&text.replace("SSL", "ssl")));
    assert_eq!(read.len(), SOCKETS);
    for (socket, listener) in read.iter().enumerate() {
        for host in HOSTS {
            let server = listener.server_for(host).unwrap();
            let at = listener.servers.iter().position(|one| one == server).unwrap();
            let theirs = ask(nginx.port, host, &format!("/{socket}"));
            assert_eq!(at.to_string(), theirs, "{host} on {:?}", names(listener));
        }
    }
}

/// Tables by names in requests, and by names from `set`.
const TABLES: &str =
    "map $host $m0 { hostnames; default m0d; a.test m00; .b.test m01; www.c.* m02; }
    map $v0 $m1 { default m1d; x m10; y $v1; ~^z m11; }
    map $m0 $m2 { default $m1; m00 m20; M01 m21; }
    map $http_x $m3 { default \"\"; x m30; }
    split_clients $remote_addr $m4 { 50% m40; * m41; }";

const VALUES: [&str; 12] =
    ["x", "y", "z", "w", "$m0", "$m1", "$m2", "$m3", "$m4", "${v0}q", "$v1", "x-$host"];

/// The number of generated locations.
const LOCATIONS: usize = 300;

#[test]
fn a_variable_has_a_predicted_value() {
    let mut dice = Dice(11);
    let mut text =
        format!("{TABLES} server {{ LISTEN server_name a.test x.b.test; set $v0 s; set $v1 t; ");
    for location in 0..LOCATIONS {
        let (open, close) = if dice.one_in(4) {
            (format!("location /{location} {{ set $v0 outer; "), "}")
        } else {
            (String::new(), "")
        };
        write!(text, "{open} location /{location}/ {{ ").unwrap();
        for _ in 0..dice.below(4) {
            let (name, value) = (dice.below(2), dice.pick(&VALUES));
            let set = format!("set $v{name} {value};");
            let condition = dice.one_in(3);
            let (open, close) = if condition { ("if ($arg_x) {", "}") } else { ("", "") };
            write!(text, "{open} {set} {close} ").unwrap();
        }
        write!(text, " PASS{} }} {close} ", dice.below(2)).unwrap();
    }
    text.push_str(" }");
    let pass = |name: &str| format!("proxy_pass https://p$v{name}.test;");
    let configured = text
        .replace("LISTEN", "listen 1 ssl;")
        .replace("PASS0", &pass("0"))
        .replace("PASS1", &pass("1"));
    let found: Vec<Upstream> = upstreams(&tree(&configured), &Variables::new());
    let answered = text
        .replace("LISTEN", "listen 127.0.0.1:PORT;")
        .replace("PASS0", "return 200 p$v0.test;")
        .replace("PASS1", "return 200 p$v1.test;");
    let nginx = Nginx::start(&answered);
    let mut known = 0;
    for location in 0..LOCATIONS {
        let path = format!("/{location}/");
        let own =
            |one: &&Upstream| one.blocks.last().is_some_and(|home| home.arguments == [&*path]);
        let own: Vec<&Upstream> = found.iter().filter(own).collect();
        let urls: Option<Vec<&str>> = own
            .iter()
            .map(|one| one.destination.as_ref().ok().map(|destination| destination.host.as_str()))
            .collect();
        // A variable that depends on the request has no values.
        let Some(urls) = urls.filter(|urls| !urls.is_empty()) else { continue };
        known += 1;
        for host in ["a.test", "x.b.test"] {
            for query in ["", "?x=1"] {
                let theirs = ask(nginx.port, host, &format!("{path}{query}"));
                assert!(
                    urls.contains(&&*theirs),
                    "{theirs:?} is none of {urls:?}: {location} in {answered}"
                );
            }
        }
    }
    assert!(known > LOCATIONS * 3 / 4, "{known} of {LOCATIONS}");
}

#[test]
fn what_the_socket_decides_has_a_value_for_each_socket() {
    let (second, third) = (free_port(), free_port());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s").display().to_string();
    let text = format!(
        "map $server_port $by {{ default first; {second} second; {third} third; \"\" none; }}
         server {{ listen 127.0.0.1:PORT; listen 127.0.0.2:{second}; listen [::1]:{third};
                  listen unix:{path}; location / {{ SAYS }} }}"
    );
    let value = "$by-$server_port-$server_addr";
    let nginx = Nginx::start(&text.replace("SAYS", &format!("return 200 {value};")));
    let mut theirs = vec![ask(nginx.port, "a.test", "/")];
    let request = b"GET / HTTP/1.0\r\n\r\n";
    for address in [format!("127.0.0.2:{second}"), format!("[::1]:{third}")] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request).unwrap();
        theirs.push(body(stream));
    }
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(request).unwrap();
    theirs.push(body(stream));
    let configured = text
        .replace("PORT", &nginx.port.to_string())
        .replace("SAYS", &format!("proxy_pass https://a.test; proxy_ssl_name {value};"));
    let found = upstreams(&tree(&configured), &Variables::new());
    let name = |one: &Upstream| one.ssl.name.as_ref().unwrap().value.value.clone().unwrap();
    let ours: Vec<String> = found.iter().map(name).collect();
    assert_eq!(ours, theirs);
    assert_eq!(found[1].assumed["server_port"], second.to_string());
    // A socket of all addresses leaves the address open, but not the port.
    let any = "server { listen 8443; location / { proxy_pass https://a.test; proxy_ssl_name V; } }";
    let of = |value: &str| {
        let found = upstreams(&tree(&any.replace('V', value)), &Variables::new());
        (found[0].name.clone(), found[0].assumed.len())
    };
    assert_eq!(of("$server_port"), (Ok("8443".to_owned()), 0));
    let open = Unresolved::PerRequest("server_addr".to_owned());
    assert_eq!(of("$server_addr"), (Err(open), 0));
    // More sockets than are counted.
    let many = any.replace("8443", "1-1001");
    let found = upstreams(&tree(&many.replace('V', "$server_port")), &Variables::new());
    assert_eq!(found[0].name, Err(Unresolved::PerRequest("server_port".to_owned())));
}

#[test]
fn the_first_name_of_a_server_is_its_own_as_nginx_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let names = ["A.test b.test", ".A.test", "*.A.test", "A.*", "~^(?<x>A)$", "_"];
    let mut text = String::new();
    for (number, name) in names.iter().enumerate() {
        let listen = format!("listen unix:{path}/{number};");
        writeln!(text, "server {{ {listen} server_name {name}; location / {{ SAYS }} }}").unwrap();
    }
    let answered = text.replace("SAYS", "return 200 $server_name;");
    let _nginx = Nginx::start(&format!("server {{ listen 127.0.0.1:PORT; }} {answered}"));
    let theirs = (0..names.len()).map(|number| {
        let mut stream = UnixStream::connect(format!("{path}/{number}")).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        body(stream)
    });
    let theirs: Vec<String> = theirs.collect();
    let passed = "proxy_pass https://a.test; proxy_ssl_name $server_name;";
    let found = upstreams(&tree(&text.replace("SAYS", passed)), &Variables::new());
    let name = |one: &Upstream| one.ssl.name.as_ref().unwrap().value.value.clone().unwrap();
    assert_eq!(found.iter().map(name).collect::<Vec<_>>(), theirs);
    // That of the machine is not known.
    let own = "server { listen 1; server_name $hostname; location / { proxy_pass https://$server_name; } }";
    let open = Unresolved::PerRequest("server_name".to_owned());
    assert_eq!(upstreams(&tree(own), &Variables::new())[0].destination, Err(open));
}

/// Forms of a location, with `N` as its number.
const LAYOUTS: [&str; 8] = [
    "location /N {\n  proxy_pass https://127.0.0.1:1;\n}\n",
    "location /N { proxy_pass https://127.0.0.1:1; }\n",
    "location /N {\r\n\tproxy_pass https://127.0.0.1:1; # why\r\n\tproxy_ssl_verify off;\r\n}\r\n",
    "location /N {\n  # proxy_ssl_verify on;\n  proxy_ssl_verify   off; proxy_pass https://127.0.0.1:1;\n}\n",
    "location /N { if ($arg_x) { proxy_pass https://127.0.0.1:1; } }\n",
    "location /N {proxy_ssl_trusted_certificate \"x\";proxy_pass https://127.0.0.1:1;}",
    "location /N\n{\n    limit_except GET\n    {\n        proxy_pass https://127.0.0.1:1;\n    }\n}\n",
    "location /N { include inc/N.conf; }",
];

/// The number of locations whose settings are changed.
const PATCHED: usize = 60;

#[test]
fn nginx_accepts_patched_files() {
    let mut dice = Dice(5);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("inc")).unwrap();
    fs::copy(Pki::new().ca_file(), path("ca.pem")).unwrap();
    let mut text = String::from(
        "pid nginx.pid; error_log stderr; events {}\nhttp {\nproxy_ssl_conf_command Groups P-256;\nserver {\n",
    );
    for location in 0..PATCHED {
        let layout = *dice.pick(&LAYOUTS);
        text.push_str(&layout.replace('N', &location.to_string()));
        fs::write(path(&format!("inc/{location}.conf")), "proxy_pass https://127.0.0.1:1;")
            .unwrap();
    }
    text.push_str("}\n}\n");
    let main = path("nginx.conf");
    fs::write(&main, text).unwrap();
    let tree = Tree::read(&Disk::default(), main.to_str().unwrap());
    let edits = upstreams(&tree, &Variables::new()).into_iter().flat_map(|upstream| {
        let edit = |name: &str, words: &[&str]| Edit {
            name: format!("proxy_ssl_{name}"),
            arguments: words.iter().map(|&word| word.to_owned()).collect(),
            at: upstream.span.clone(),
        };
        [
            edit("verify", &["on"]),
            edit("trusted_certificate", &["ca.pem"]),
            edit("name", &["a b;{"]),
            edit("conf_command", &["Options", "UnsafeLegacyServerConnect"]),
        ]
    });
    let edits: Vec<Edit> = edits.collect();
    assert_eq!(edits.len(), 4 * PATCHED);
    let patch = patch(&tree, &edits).unwrap();
    assert_eq!(patch.fault(&tree), None);
    for file in &patch.files {
        fs::write(&*file.path, &file.after).unwrap();
    }
    let mut nginx = Command::new(nginx_binary());
    nginx.arg("-p").arg(folder.path()).args(["-e", "stderr", "-t", "-c"]).arg(&main);
    let output = nginx.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let after = Tree::read(&Disk::default(), main.to_str().unwrap());
    for upstream in upstreams(&after, &Variables::new()) {
        assert!(upstream.ssl.verifies());
        assert_eq!(upstream.name.as_deref(), Ok("a b;{"));
        assert_eq!(upstream.ssl.conf_command.len(), 2);
        let trusted = upstream.ssl.trusted_certificate.as_ref().unwrap();
        assert!(trusted.value.ends_with("/ca.pem"), "{}", trusted.value);
    }
}

/// Lines in `http` that nginx may accept or refuse; `CERT` is replaced by a certificate with its key, `CA` by a file.
const TAKEN_OR_NOT: [&str; 24] = [
    "server { listen PORT ssl; }",
    "CERT server { listen PORT ssl; }",
    "server { listen PORT ssl; ssl_reject_handshake on; }",
    "server { listen PORT ssl; ssl_reject_handshake on; } server { listen PORT; server_name a; }",
    "server { listen PORT ssl; ssl_certificate CA; }",
    "server { listen PORT ssl; CERT ssl_certificate CA; }",
    "server { listen PORT ssl; CERT } server { listen PORT; server_name a; }",
    "server { listen PORT; } server { listen PORT ssl; server_name a; CERT }",
    "server { listen PORT ssl; CERT ssl_verify_client on; }",
    "server { listen PORT ssl; CERT ssl_verify_client optional; ssl_client_certificate CA; }",
    "server { listen PORT ssl; CERT ssl_verify_client on; ssl_trusted_certificate CA; }",
    "server { listen PORT ssl; CERT ssl_verify_client optional_no_ca; }",
    "server { listen PORT; ssl_verify_client on; }",
    "proxy_ssl_verify on; server { listen PORT; location / { proxy_pass https://127.0.0.1; } }",
    "proxy_ssl_verify on; server { listen PORT; location / { proxy_pass http://127.0.0.1; } }",
    "proxy_ssl_verify on; server { listen PORT; location / { proxy_pass https://127.0.0.1; proxy_ssl_trusted_certificate CA; } }",
    "proxy_ssl_verify on; server { listen PORT; location / { proxy_pass https://127.0.0.1; proxy_ssl_verify off; } }",
    "server { listen PORT; location / { proxy_pass https://127.0.0.1; proxy_ssl_certificate CA; } }",
    "server { listen PORT; location / { proxy_pass http://127.0.0.1; proxy_ssl_certificate CA; } }",
    "grpc_ssl_verify on; server { listen PORT; location / { grpc_pass grpcs://127.0.0.1:1; } }",
    "server { listen PORT; http2 on; }",
    "upstream g { server 127.0.0.1; } server { listen PORT; location / { proxy_pass https://g:1; } }",
    "server { listen PORT; location / { grpc_pass grpcs://127.0.0.1; } }",
    "server { listen PORT; set $x 127.0.0.1; location / { proxy_pass https://$x; proxy_ssl_verify on; } }",
];

#[test]
fn what_is_said_to_be_refused_is_refused() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let pair = format!("ssl_certificate {certificate}; ssl_certificate_key {key};");
    let version = nginx_version();
    for snippet in TAKEN_OR_NOT {
        let http = snippet.replace("CERT", &pair).replace("CA", &pki.ca_file());
        let http = http.replace("PORT", "127.0.0.1:65000");
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("nginx.conf");
        fs::write(&main, format!("pid p; error_log stderr; events {{}} http {{ {http} }}"))
            .unwrap();
        let tree = Tree::read(&Disk::default(), main.to_str().unwrap());
        let (sockets, passes) = (listeners(&tree), upstreams(&tree, &Variables::new()));
        let known = facts(&tree, &sockets, &passes, Some(version));
        let refused: Vec<&Fact> = known.iter().filter(|fact| is_refusal(&fact.kind)).collect();
        let invalid = passes.iter().any(|pass| {
            matches!(&pass.destination, Err(reason) if matches!(reason, Unresolved::Invalid { .. }))
        });
        let ours = !refused.is_empty() || invalid;
        let mut nginx = Command::new(nginx_binary());
        nginx.arg("-p").arg(folder.path()).args(["-e", "stderr", "-t", "-c"]).arg(&main);
        let output = nginx.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(ours, !output.status.success(), "{snippet}: {refused:?}, nginx: {said}");
    }
}

fn nginx_version() -> NginxRelease {
    let output = Command::new(nginx_binary()).arg("-V").output().unwrap();
    Build::read(&String::from_utf8_lossy(&output.stderr)).unwrap().version
}

fn is_refusal(kind: &FactKind) -> bool {
    rule(kind).group() == Some(RuleGroup::Refused)
}
