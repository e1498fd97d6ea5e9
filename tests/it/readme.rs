//! The example of a pull-request check in the README shows what the program prints.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::pki::Pki;
use crate::support::server::nginx_binary;

/// The command of the example, and the pieces of its output between lines of three dots.
fn example(page: &str) -> (&str, Vec<Vec<&str>>) {
    let is_command =
        |line: &&str| line.starts_with("    shakedown nginx") && line.contains("--against");
    let command = page.lines().find(is_command).unwrap().trim();
    let (_, after) = page.split_once(command).unwrap();
    let block = after.split("```").nth(1).unwrap().trim_matches('\n');
    let pieces = block.split("\n...\n").map(|piece| piece.lines().collect());
    (command, pieces.collect())
}

/// Two configurations that differ in `ssl_protocols`, and a log of the old one.
fn prepare(pki: &Pki) {
    let files = pki.server("www", &["www.example.com"]);
    let format = "$remote_addr [$time_local] $status \"$http_user_agent\" $ssl_protocol $ssl_cipher $ssl_ciphers";
    for (folder, protocols) in [("site", "TLSv1.3"), ("main", "TLSv1.2 TLSv1.3")] {
        let folder = pki.path(folder);
        fs::create_dir_all(folder.join("conf.d")).unwrap();
        let main = format!(
            "events {{}}\nhttp {{\n    log_format tls '{format}';\n    include conf.d/*.conf;\n}}\n"
        );
        fs::write(folder.join("nginx.conf"), main).unwrap();
        let server = format!(
            "server {{\n    listen 443 ssl;\n    server_name www.example.com;\n    ssl_certificate {};\n    ssl_certificate_key {};\n    ssl_protocols {protocols};\n    ssl_session_cache shared:www:1m;\n}}\n",
            files.certificate.display(),
            files.key.display()
        );
        fs::write(folder.join("conf.d/www.conf"), server).unwrap();
    }
    let line = |agent: &str, negotiated: &str, offered: &str| {
        format!("192.0.2.1 [29/Nov/2026:02:00:00 +0000] 200 \"{agent}\" {negotiated} {offered}\n")
    };
    let own = "ECDHE-RSA-CHACHA20-POLY1305";
    let current = line("Mozilla/5.0", "TLSv1.3 TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256");
    let old = line("billing/2.1", &format!("TLSv1.2 {own}"), own);
    fs::write(pki.path("access.log"), current.repeat(39_788) + &old.repeat(312)).unwrap();
}

#[test]
fn the_pull_request_check_prints_what_the_readme_shows() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (command, pieces) = example(&page);
    let pki = Pki::rsa();
    prepare(&pki);
    let words = shlex::split(command).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(&words[1..])
        .args(["--ca-file", &pki.ca_file(), "--nginx-binary"])
        .arg(nginx_binary())
        .current_dir(pki.folder.path())
        .env_clear()
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let folder = fs::canonicalize(pki.folder.path()).unwrap();
    let shown = shown.replace(&folder.display().to_string(), "/srv");
    let lines: Vec<&str> = shown.lines().collect();
    let mut from = 0;
    for piece in &pieces {
        // Releases differ from machine to machine.
        let piece: Vec<&str> =
            piece.iter().copied().filter(|line| !line.starts_with("Rehearsed in")).collect();
        if piece.is_empty() {
            continue;
        }
        let found = lines[from..].windows(piece.len()).position(|window| window == piece);
        let found = found.unwrap_or_else(|| panic!("{piece:#?}\nis not in\n{shown}"));
        from += found + piece.len();
    }
    assert!(pieces.len() > 3 && shown.contains("\nRehearsed in a private nginx "), "{shown}");
    assert_eq!(output.status.code(), Some(0), "{shown}");
}
