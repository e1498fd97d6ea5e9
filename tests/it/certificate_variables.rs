//! `ssl_certificate` and `ssl_certificate_key` with variables: the file that nginx loads for a socket and a name is known.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::pki::Pki;
use crate::support::program::{shakedown, text};
use crate::support::server::{Nginx, free_port};

/// Where the sockets are, and what each line of a server says.
fn configuration(folder: &str, (first, second): (u16, u16)) -> String {
    format!(
        "map $server_port $by_port {{ {first} one; {second} two; }}
         map $ssl_server_name $by_name {{ d.test two; default one; }}
         server {{ listen 127.0.0.1:{first} ssl; listen 127.0.0.1:{second} ssl; server_name a.test;
                  ssl_certificate {folder}/$by_port.pem; ssl_certificate_key {folder}/$by_port.key; return 200; }}
         server {{ listen 127.0.0.1:{first} ssl; server_name b.test;
                  ssl_certificate {folder}/$ssl_server_name.pem; ssl_certificate_key {folder}/$ssl_server_name.key; return 200; }}
         server {{ listen 127.0.0.1:{first} ssl; server_name c.test d.test;
                  ssl_certificate {folder}/$by_name.pem; ssl_certificate_key {folder}/$by_name.key; return 200; }}
         server {{ listen 127.0.0.2:{first} ssl; server_name one;
                  ssl_certificate {folder}/$server_name.pem; ssl_certificate_key {folder}/$host.key; return 200; }}
         server {{ listen 127.0.0.1:{first} ssl; server_name e.test; set $x one;
                  ssl_certificate {folder}/one$arg_x.pem; ssl_certificate_key {folder}/one.key; return 200; }}"
    )
}

/// What is said of each target whose served certificate is not that of the file.
fn compared(main: &str, ca_file: &str) -> BTreeMap<String, Option<String>> {
    let run = shakedown(&["nginx", main, "--ca-file", ca_file, "--no-detect", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let of = |target: &Value| {
        let mut found = target["findings"].as_array().unwrap().iter();
        let stale = found.find(|one| one["rule"] == "served-certificate-stale");
        stale.map(|one| text(&one["message"]).to_owned())
    };
    let targets = report["targets"].as_array().unwrap().iter();
    targets.map(|target| (text(&target["name"]).to_owned(), of(target))).collect()
}

#[test]
fn the_file_that_is_loaded_for_a_socket_and_a_name_is_compared_with_what_is_served() {
    let pki = Pki::new();
    let folder = pki.path("loaded");
    fs::create_dir(&folder).unwrap();
    let names = ["a.test", "b.test", "c.test", "d.test", "e.test", "one"];
    for name in ["one", "two", "b.test"] {
        let files = pki.server(name, &names);
        fs::copy(files.certificate, folder.join(format!("{name}.pem"))).unwrap();
        fs::copy(files.key, folder.join(format!("{name}.key"))).unwrap();
    }
    let folder = folder.display().to_string();
    let second = free_port();
    let nginx = Nginx::start_with(|first| {
        format!("http {{ access_log off; {} }}", configuration(&folder, (first, second)))
    });
    let first = nginx.port;
    let main = pki.path("nginx.conf").display().to_string();
    let written = |folder: &str| {
        let http = configuration(folder, (first, second));
        fs::write(&main, format!("events {{}}\nhttp {{\n{http}\n}}\n")).unwrap();
        compared(&main, &pki.ca_file())
    };
    let all = written(&folder);
    assert!(all.values().all(Option::is_none), "{all:#?}");
    // Where each name has another file than nginx loads, each comparison finds it.
    let swapped = pki.path("swapped");
    fs::create_dir(&swapped).unwrap();
    for (from, to) in [("one", "two"), ("two", "b.test"), ("b.test", "one")] {
        for end in ["pem", "key"] {
            fs::copy(format!("{folder}/{from}.{end}"), swapped.join(format!("{to}.{end}")))
                .unwrap();
        }
    }
    let swapped = swapped.display().to_string();
    let all = written(&swapped);
    let expected = [
        (format!("a.test:{first}"), "one"),
        (format!("a.test:{second}"), "two"),
        (format!("b.test:{first}"), "b.test"),
        (format!("c.test:{first}"), "one"),
        (format!("d.test:{first}"), "two"),
        (format!("one:{first}"), "one"),
    ];
    for (name, file) in &expected {
        let message = format!("what is served is not the certificate in {swapped}/{file}.pem");
        assert_eq!(all[name], Some(message), "{name}");
    }
    // There is no request yet that could have the variable.
    assert_eq!(all[&format!("e.test:{first}")], None);
}
