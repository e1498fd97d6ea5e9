use std::net::SocketAddr;

use super::*;
use crate::nginx::source::MemoryFiles;
use crate::nginx::tree::Tree;

/// A configuration whose sockets are moved to 127.0.0.9 with the same ports, or to ports from 9000.
fn relocated(files: &[(&str, &str)]) -> (Tree, Relocation) {
    let (tree, relocation) = relocated_any(files);
    assert_eq!(tree.problems, []);
    (tree, relocation)
}

/// The same, of a configuration that nginx may refuse.
fn relocated_any(files: &[(&str, &str)]) -> (Tree, Relocation) {
    let all = files.iter().map(|(name, text)| (*name, text.as_bytes()));
    let tree = Tree::read(&MemoryFiles::of(all), files[0].0);
    let stand_ins = sockets(&tree).unwrap().into_iter().enumerate().map(|(at, socket)| {
        let number = u16::try_from(at).unwrap();
        let there = SocketAddr::from(([127, 0, 0, 9], 9000 + number));
        (socket.address, ListenAddress::Ip(there))
    });
    let relocation = Relocation {
        folder: "/t".to_owned(),
        stand_ins: stand_ins.collect(),
        arguments: Vec::new(),
        replaced: BTreeMap::new(),
        removed: BTreeSet::new(),
        scripts: false,
    };
    (tree, relocation)
}

/// The copy's file of this name.
fn file(copy: &Relocated, name: &str) -> String {
    let there = place("/t", name);
    let (_, text) = copy.files.iter().find(|(place, _)| *place == there).unwrap();
    String::from_utf8(text.clone()).unwrap()
}

/// Checks the rewriting of one directive of a server.
#[track_caller]
fn check(block: &str, expected: &str) {
    let main = format!(
        "events {{}}\nhttp {{ access_log off; client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;\nserver {{ listen 1; {block}\n}}\n}}\n"
    );
    let (tree, relocation) = relocated(&[("/e/n.conf", &main)]);
    let copied = file(&copy(&tree, &relocation).unwrap(), "/e/n.conf");
    let line = copied.split('\n').nth(2).unwrap();
    let behind = line.split_once("listen 127.0.0.9:9000; ").unwrap().1;
    assert_eq!(behind, expected.replace("QUIET", "unix:/t/run/quiet.sock"), "{block}");
}

#[test]
fn every_line_keeps_its_number_and_its_file() {
    let site = "server {\n    listen\n      443 ssl # why\n ;\n  ssl_certificate\n a.pem;\n error_log /x\n   debug;\n}\n";
    let main = "user x;\nevents {\n}\nhttp\n{\n include sites/*.conf;\n include\n  /e/o.conf;\n}\nrtmp {\n a {\n include /e/o.conf; }\n}\n# end";
    let (tree, relocation) =
        relocated(&[("/e/n.conf", main), ("/e/o.conf", "\n\n"), ("/e/sites/a.conf", site)]);
    let copy = copy(&tree, &relocation).unwrap();
    for (name, text) in [("/e/n.conf", main), ("/e/sites/a.conf", site)] {
        let copied = file(&copy, name);
        assert_eq!(copied.matches('\n').count(), text.matches('\n').count(), "{copied}");
    }
    let copied = file(&copy, "/e/sites/a.conf");
    assert!(copied.contains("listen 127.0.0.9:9000 ssl\n\n;\n"), "{copied}");
    assert!(copied.contains("ssl_certificate /e/a.pem\n;"), "{copied}");
    assert!(copied.contains("error_log stderr error\n;"), "{copied}");
    let copied = file(&copy, "/e/n.conf");
    assert!(copied.contains("include /t/files/e/sites/*.conf;"), "{copied}");
    assert!(!copied.contains("rtmp"), "{copied}");
    assert_eq!(copy.left_out, [Omission::ForeignBlocks]);
}

#[test]
fn sockets_move_together() {
    let main = "events {}\nhttp { server { } server { listen 80 default_server; listen 127.0.0.1:1-2 ssl; }\n server { listen *:80; listen [::]:80 ipv6only=on; listen unix:/a; } }\nmail { auth_http h/; server { listen 993 ssl; } }";
    let (tree, relocation) = relocated(&[("/e/n.conf", main)]);
    let copied = file(&copy(&tree, &relocation).unwrap(), "/e/n.conf");
    let at = |text: &str| {
        let address = sockets(&tree).unwrap().into_iter().map(|one| one.address);
        let address = address.into_iter().find(|one| one.to_string() == text).unwrap();
        relocation.stand_ins[&address].to_string()
    };
    let any = at("0.0.0.0:80");
    assert!(copied.contains(&format!("server {{ listen {any}; }}")), "{copied}");
    assert!(
        copied.contains(&format!(
            "server {{ listen {any} default_server; listen {} ssl; listen {} ssl; }}",
            at("127.0.0.1:1"),
            at("127.0.0.1:2")
        )),
        "{copied}"
    );
    assert!(
        copied.contains(&format!(
            "listen {any}; listen {}; listen {};",
            at("[::]:80"),
            at("unix:/a")
        )),
        "{copied}"
    );
    assert!(
        copied.contains(&format!("server {{ protocol imap; listen {} ssl;", at("0.0.0.0:993"))),
        "{copied}"
    );
    assert!(copied.contains("auth_http unix:/t/run/quiet.sock:/;"), "{copied}");
}

#[test]
fn one_worker_takes_as_many_connections_as_many_do() {
    for (events, expected) in [
        ("events {}", "events { worker_connections 4096;}"),
        ("events {\nworker_connections 20;}", "events {\nworker_connections 4096;}"),
        ("events { worker_connections 9000; }", "events { worker_connections 9000; }"),
    ] {
        let (tree, relocation) = relocated(&[("/e/n.conf", events)]);
        let copied = file(&copy(&tree, &relocation).unwrap(), "/e/n.conf");
        assert!(copied.starts_with(expected), "{copied}");
    }
}

#[test]
fn nothing_is_connected_to() {
    check(
        "location / { proxy_pass https://up.test/a; }",
        "location / { proxy_pass https://QUIET:/a; }",
    );
    check("location / { proxy_pass http://up.test:1; }", "location / { proxy_pass http://QUIET; }");
    check(
        "location / { proxy_pass http://$host; }",
        "location / { proxy_pass http://QUIET:/http://$host; }",
    );
    check("location / { fastcgi_pass unix:/run/php; }", "location / { fastcgi_pass QUIET; }");
    check("ssl_stapling on;", "ssl_stapling off;");
    check("ssl_stapling on; ssl_stapling_file /a;", "ssl_stapling on; ssl_stapling_file /a;");
    check("resolver dns.test 10.0.0.1 valid=1s;", "resolver 127.0.0.1:1 valid=1s;");
}

#[test]
fn a_socket_for_tcp_and_quic_stays_one() {
    let main = "events {}\nhttp { server { listen 443 ssl; listen 443 quic reuseport; } server { listen 444 quic; } }\nstream { server { listen unix:/s ssl; allow unix:; deny all; } }";
    let (tree, relocation) = relocated(&[("/e/n.conf", main)]);
    let kinds =
        sockets(&tree).unwrap().into_iter().map(|one| (one.address.to_string(), one.tcp, one.udp));
    let expected =
        [("0.0.0.0:443", true, true), ("0.0.0.0:444", false, true), ("unix:/s", true, false)];
    let expected = expected.map(|(address, tcp, udp)| (address.to_owned(), tcp, udp));
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
    let copy = copy(&tree, &relocation).unwrap();
    let copied = file(&copy, "/e/n.conf");
    for words in [
        "listen 127.0.0.9:9000 ssl; listen 127.0.0.9:9000 quic reuseport;",
        "listen 127.0.0.9:9001 quic;",
        "listen 127.0.0.9:9002 ssl; allow unix:; allow all; deny all;",
    ] {
        assert!(copied.contains(words), "{copied}");
    }
    assert_eq!(copy.left_out, [Omission::AddressLists]);
}

#[test]
fn scripts_do_not_run_unless_they_are_wanted() {
    check("content_by_lua_block { if a then\n'}' end }", "");
    check("js_set $x f;", "set $x \"\";");
    check("access_by_lua_no_postpone on;", "");
    let main = "load_module modules/ngx_http_js_module.so;\nevents {}\nhttp { js_set $y f; }\n";
    let (tree, relocation) = relocated(&[("/e/n.conf", main)]);
    let silent = copy(&tree, &relocation).unwrap();
    let text = file(&silent, "/e/n.conf");
    assert!(
        text.starts_with("\nevents { worker_connections 4096;}")
            && text.contains("map \"\" $y { default \"\"; }"),
        "{text}"
    );
    assert_eq!(silent.left_out, [Omission::Scripts]);
    let loud = copy(&tree, &Relocation { scripts: true, ..relocation }).unwrap();
    assert!(file(&loud, "/e/n.conf").starts_with("load_module modules/ngx_http_js_module.so;\n"));
}

#[test]
fn messages_name_the_original() {
    let (tree, relocation) = relocated(&[
        ("/e/n.conf", "events {}\nhttp { include a/*; }"),
        ("/e/a/b.conf", "server { listen 443; }"),
    ]);
    let said = "12#12: a duplicate listen 127.0.0.9:9000 in /t/files/e/a/b.conf:7";
    let message = original(&tree, &relocation, said);
    assert_eq!(message.words, "a duplicate listen 0.0.0.0:443");
    assert_eq!(message.span.to_string(), "/e/a/b.conf:7");
    let message = original(
        &tree,
        &relocation,
        "open() \"/t/files/e/x\" failed (2: No such file) in /t/files/e/n.conf:2",
    );
    assert_eq!(message.words, "open() \"/e/x\" failed (2: No such file)");
}

#[test]
fn a_copy_for_a_test_has_its_own_files_and_every_line_stays() {
    let tested = |text: &str| {
        let (tree, relocation) = relocated_any(&[("/e/n.conf", text), ("/e/a.conf", "")]);
        file(&test_copy(&tree, &relocation), "/e/n.conf")
    };
    let check = |text: &str, expected: &str| assert_eq!(tested(text), expected);
    check("user b;\npid /run/n.pid; # x\n", "user b;\npid /t/run/pid; # x\n");
    check("include\n  /e/a*.conf ;\nuser b;", "include /t/files/e/a*.conf\n;\nuser b;");
    check(
        "include a.conf; error_log stderr info;",
        "include /t/files/e/a.conf; error_log stderr info;",
    );
    check(
        "http { access_log /var/log/a.log short; access_log off; }",
        "http { access_log /t/run/_var_log_a.log short; access_log off; }",
    );
    check(
        "error_log syslog:server=a; error_log memory:1m debug;",
        "error_log syslog:server=a; error_log memory:1m debug;",
    );
    check(
        "http { access_log /$host.log; proxy_pass https://a; }",
        "http { access_log /$host.log; proxy_pass https://a; }",
    );
    check("x_by_lua_block { pid = 'a;' } pid p;", "x_by_lua_block { pid = 'a;' } pid /t/run/pid;");
    check("ssl_certificate /a.pem;\nroot \"x", "ssl_certificate /a.pem;\nroot \"x");
    check("ssl_certificate a.pem;", "ssl_certificate /e/a.pem;");
    let (tree, relocation) = relocated_any(&[("/e/n.conf", "user b;")]);
    assert_eq!(test_copy(&tree, &relocation).globals, "pid /t/run/pid;");
}

#[test]
fn a_message_without_a_place_is_about_the_directive_that_names_the_file() {
    let (tree, relocation) =
        relocated(&[("/e/n.conf", "events {}\nhttp { server {\nssl_certificate\na.pem; } }")]);
    let said = "1#1: cannot load certificate \"/e/a.pem\": PEM_read_bio_X509_AUX() failed (SSL: x)";
    let message = original(&tree, &relocation, said);
    assert_eq!((message.file(), message.span.line), (Some("/e/a.pem"), 4));
}
