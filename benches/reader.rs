//! What it costs to read an nginx configuration of 2 000 servers and 2 000 upstreams, one file each, and to work out every
//! socket and every upstream.
//!
//! `cargo bench --bench reader` prints milliseconds of one core, the median of some rounds.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it cost")]

#[path = "support/figures.rs"]
mod figures;

use std::time::Instant;

use shakedown::nginx::listener::listeners;
use shakedown::nginx::source::MemoryFiles;
use shakedown::nginx::tree::Tree;
use shakedown::nginx::upstream::upstreams;
use shakedown::nginx::variable::Variables;

const SERVERS: usize = 2000;

const ROUNDS: usize = 15;

const MAIN: &str = "/etc/nginx/nginx.conf";

fn main() -> std::io::Result<()> {
    let files = files();
    let mut times: Vec<[f64; 3]> = (0..ROUNDS).map(|_| round(&files)).collect();
    times.sort_by(|a, b| a.iter().sum::<f64>().total_cmp(&b.iter().sum()));
    let [read, sockets, passes] = times[ROUNDS / 2];
    let whole = read + sockets + passes;
    println!(
        "{SERVERS} servers and upstreams: {whole:.1} ms (files {read:.1}, listeners {sockets:.1}, upstreams {passes:.1})"
    );
    figures::keep("reader", &[("ms".to_owned(), whole)])
}

fn round(files: &MemoryFiles) -> [f64; 3] {
    let mut started = Instant::now();
    let tree = Tree::read(files, MAIN);
    let read = lap(&mut started);
    assert_eq!(tree.problems, []);
    let sockets = listeners(&tree);
    let listed = lap(&mut started);
    let servers: usize = sockets.iter().map(|listener| listener.servers.len()).sum();
    assert_eq!(servers, SERVERS);
    let passes = upstreams(&tree, &Variables::new());
    let done = lap(&mut started);
    assert_eq!(passes.len(), SERVERS);
    [read, listed, done]
}

/// Milliseconds since then, and from now on.
fn lap(started: &mut Instant) -> f64 {
    let elapsed = started.elapsed();
    *started = Instant::now();
    elapsed.as_secs_f64() * 1000.0
}

fn files() -> MemoryFiles {
    let main = "events {}\nhttp {\n  ssl_protocols TLSv1.2 TLSv1.3;\n  proxy_ssl_server_name on;\n  include sites/*.conf;\n}\n";
    let mut files = MemoryFiles::of([(MAIN, main.as_bytes())]);
    for number in 0..SERVERS {
        files.put(&format!("/etc/nginx/sites/{number:04}.conf"), site(number).as_bytes());
    }
    files
}

fn site(number: usize) -> String {
    format!(
        "upstream backend{number} {{\n  server 10.0.{high}.{low}:8443 weight=2;\n  server backup{number}.test:8443 backup;\n}}\n\
         server {{\n  listen 443 ssl;\n  server_name s{number}.test www.s{number}.test; # the site\n\
         \x20 ssl_certificate /etc/ssl/s{number}.pem;\n  ssl_certificate_key /etc/ssl/s{number}.key;\n\
         \x20 location / {{\n    proxy_pass https://backend{number};\n    proxy_set_header Host \"$host\";\n\
         \x20   proxy_ssl_name s{number}.internal;\n    proxy_ssl_verify on;\n    proxy_ssl_trusted_certificate ca.pem;\n  }}\n}}\n",
        high = number / 250,
        low = number % 250 + 1,
    )
}
