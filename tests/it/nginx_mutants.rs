//! Valid configurations with one changed line: `nginx -t` shows which of them it refuses, and at which line; our own
//! reading must agree.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use shakedown::audit::rule::RuleGroup;
use shakedown::audit::rules::configuration::rule;
use shakedown::nginx::build::Build;
use shakedown::nginx::defaults::NginxRelease;
use shakedown::nginx::facts::{Fact, FactKind, facts};
use shakedown::nginx::listener::listeners;
use shakedown::nginx::tree::Tree;
use shakedown::nginx::upstream::upstreams;
use shakedown::nginx::variable::Variables;
use shakedown::targets::disk::Disk;

use crate::support::dice::Dice;
use crate::support::pki::Pki;
use crate::support::server::nginx_binary;

/// Web servers with TLS, a proxy that verifies, and one with gRPC. `CERT`, `KEY` and `CA` are replaced by files.
const WEB: &str = "\
worker_processes 1;
error_log stderr;
pid nginx.pid;
events {
    worker_connections 64;
}
http {
    log_format short '$remote_addr $ssl_protocol';
    access_log off;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers HIGH;
    ssl_prefer_server_ciphers off;
    ssl_session_timeout 1d;
    ssl_session_cache shared:tls:1m;
    map $ssl_server_name $pool {
        default backend;
        a.test other;
    }
    upstream backend {
        server 127.0.0.1:8443 weight=2 max_fails=3;
        server 127.0.0.2:8443 backup;
        keepalive 8;
    }
    upstream other {
        server 127.0.0.3:8443;
    }
    server {
        listen 127.0.0.1:7443 ssl http2 default_server;
        listen 127.0.0.1:7444 ssl backlog=64;
        server_name a.test;
        ssl_certificate CERT;
        ssl_certificate_key KEY;
        ssl_verify_client optional;
        ssl_client_certificate CA;
        ssl_verify_depth 2;
        ssl_ecdh_curve auto;
        location / {
            proxy_pass https://backend;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate CA;
            proxy_ssl_server_name on;
            proxy_ssl_name a.test;
            proxy_ssl_protocols TLSv1.3;
            proxy_set_header Host $host;
            proxy_read_timeout 30s;
        }
        location = /exact {
            return 204;
        }
        location /grpc {
            grpc_pass grpcs://127.0.0.1:9443;
            grpc_ssl_verify off;
        }
        location ~ \\.php$ {
            access_log logs/a.log short;
            add_header X-Pool $pool;
            client_max_body_size 8m;
        }
    }
    server {
        listen 127.0.0.1:7443 ssl;
        server_name b.test;
        ssl_certificate CERT;
        ssl_certificate_key KEY;
        ssl_session_tickets off;
        return 301 https://$host$request_uri;
    }
    server {
        listen 127.0.0.1:7080;
        server_name b.test;
        if ($request_method = POST) {
            return 405;
        }
    }
}
";

/// TLS in `stream`: terminated, started and passed through.
const STREAM: &str = "\
MODULE
error_log stderr;
pid nginx.pid;
events {
}
stream {
    upstream backend {
        server 127.0.0.1:8443 max_fails=3;
        hash $remote_addr consistent;
    }
    map $ssl_preread_server_name $name {
        default 127.0.0.1:1;
    }
    server {
        listen 127.0.0.1:7853 ssl;
        ssl_certificate CERT;
        ssl_certificate_key KEY;
        ssl_protocols TLSv1.2;
        ssl_handshake_timeout 10s;
        proxy_pass backend;
        proxy_ssl on;
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate CA;
        proxy_ssl_name a.test;
        proxy_connect_timeout 1s;
    }
    server {
        listen 127.0.0.1:7854 so_keepalive=on;
        ssl_preread on;
        proxy_pass $name;
    }
}
";

/// Lines that are inserted.
const LINES: [&str; 92] = [
    "listen 127.0.0.1:7443 ssl;",
    "listen 127.0.0.1:7444 default_server;",
    "listen 127.0.0.1:7444 rcvbuf=8k;",
    "listen 127.0.0.1:7445 ssl http3;",
    "listen 127.0.0.1:7446 foo=bar;",
    "listen 127.0.0.1:70000;",
    "listen 127.0.0.1:7447 backlog=x;",
    "listen 127.0.0.1:7448 so_keepalive=x;",
    "listen 127.0.0.1:7449 quic;",
    "listen 127.0.0.1:7450 reuseport deferred fastopen=3;",
    "listen 127.0.0.1:7450 so_keepalive=30m::10 ipv6only=on;",
    "listen 127.0.0.1:7451 udp;",
    "events { }",
    "location / { }",
    "location = /exact { return 204; }",
    "location ^~ /grpc { }",
    "upstream backend { server 127.0.0.1; }",
    "upstream empty { }",
    "server 127.0.0.9:1 slow_start=3s;",
    "server 127.0.0.9:1 weight=0;",
    "server 127.0.0.9:1 fail_timeout=1x;",
    "server 127.0.0.9:1 down;",
    "http2 on;",
    "http2 yes;",
    "http3 on;",
    "ssl_reject_handshake on;",
    "ssl_verify_client maybe;",
    "ssl_protocols TLSv1.4;",
    "ssl_session_timeout 5x;",
    "ssl_certificate_compression on;",
    "ssl on;",
    "proxy_ssl_verfy on;",
    "proxy_ssl_server_nam on;",
    "ssl_protocol TLSv1.3;",
    "proxy_ssl_verify_depth two;",
    "proxy_ssl_certificate_cache max=10;",
    "add_header X-Y $nothing;",
    "add_header X-Y $ssl_client_s_dn;",
    "access_log logs/b.log long;",
    "access_log logs/b.log combined;",
    "server_name c.test;",
    "server_names_hash_bucket_size 128;",
    "client_body_timeout 1h 1s;",
    "proxy_read_timeout soon;",
    "proxy_buffers 0 8k;",
    "log_format short '$uri';",
    "resolver 127.0.0.1 valid=x;",
    "resolver 127.0.0.1:70000;",
    "resolver 127.0.0.1 ipv6=maybe;",
    "resolver [::1]:53 127.0.0.1 ipv6=off;",
    "resolver ::1;",
    "ssl_session_cache shared:a;",
    "ssl_session_cache shared:a:1k;",
    "ssl_session_cache builtin:1000 shared:b:1m;",
    "ssl_session_cache Shared:a:1m;",
    "ssl_ocsp_cache shared:o;",
    "ssl_ocsp_cache off;",
    "ssl_verify_depth 99999999999999999999;",
    "server 127.0.0.9:x;",
    "server 127.0.0.9:1/x;",
    "server [::1;",
    "server 127.0.0.9;",
    "server 127.0.0.9:1 backup;",
    "zone z 1k;",
    "zone z 64k;",
    "hash $host x;",
    "hash $nothing;",
    "ip_hash;",
    "keepalive x;",
    "server_name *a.test;",
    "server_name a*.test;",
    "server_name ~^(a;",
    "server_name ~a\\.(test|example)$;",
    "server_name ~;",
    "server_name a..test .c.test;",
    "server_name www.*;",
    "location ~ [a { }",
    "proxy_bind x;",
    "proxy_bind 127.0.0.1 transparent;",
    "proxy_pass https://backend:1;",
    "proxy_pass https://127.0.0.1:x;",
    "proxy_pass https:///;",
    "proxy_pass https://[::1]:8443/x;",
    "proxy_pass 127.0.0.1:70000;",
    "proxy_pass https://$;",
    "grpc_pass grpcs://127.0.0.1:1/x;",
    "grpc_pass https://127.0.0.1:1;",
    "uwsgi_pass suwsgi://127.0.0.1:1;",
    "proxy_http_version 2;",
    "uwsgi_ssl_certificate $nothing;",
    "ssl_certificate $nothing;",
    "a.test other;",
];

/// The number of configurations for each base.
const MUTANTS: usize = 360;

/// A configuration with one changed line.
struct Mutant {
    text: String,
    /// The change, for messages.
    change: String,
}

/// The original configuration, and one with a changed line.
fn mutants(base: &str, seed: u64) -> Vec<Mutant> {
    let mut dice = Dice(seed);
    let lines: Vec<&str> = base.lines().collect();
    let one = |dice: &mut Dice| {
        let at = dice.below(lines.len());
        let mut changed: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        let line = changed[at].clone();
        let indent = line.len() - line.trim_start().len();
        let change = match dice.below(10) {
            0 => {
                let at_letter = indent + dice.below(line.trim_start().len().max(1));
                changed[at] =
                    line[..at_letter].to_owned() + &line[(at_letter + 1).min(line.len())..];
                "a letter is gone"
            }
            1 => {
                changed.insert(at, line);
                "the line stands twice"
            }
            2 => {
                changed[at] = line.replacen(';', " foo=bar;", 1);
                "a parameter is added"
            }
            3 => {
                let word = line.trim_start().split([' ', ';']).next().unwrap_or_default();
                changed[at] = format!("{}{word} nonsense;", &line[..indent]);
                "the value is nonsense"
            }
            4 => {
                changed.remove(at);
                "the line is gone"
            }
            5 => {
                let other = lines[dice.below(lines.len())].to_owned();
                changed.insert(at, other);
                "another line is repeated here"
            }
            _ => {
                changed.insert(at, (*dice.pick(&LINES)).to_owned());
                "a line is added"
            }
        };
        let change = format!("{change}: line {}: {:?}", at + 1, changed.get(at));
        Mutant { text: changed.join("\n") + "\n", change }
    };
    let unchanged = Mutant { text: base.to_owned(), change: "nothing is changed".to_owned() };
    std::iter::once(unchanged).chain((0..MUTANTS).map(|_| one(&mut dice))).collect()
}

/// The nginx on this machine.
fn build() -> Build {
    let output = Command::new(nginx_binary()).arg("-V").output().unwrap();
    Build::read(&String::from_utf8_lossy(&output.stderr)).unwrap()
}

/// The directive that loads `stream` if it is not built in.
fn stream_module(build: &Build) -> String {
    let folder = build.arguments.iter().find_map(|one| one.strip_prefix("--modules-path="));
    let path = Path::new(folder.unwrap_or("/usr/lib/nginx/modules")).join("ngx_stream_module.so");
    if path.exists() { format!("load_module {};", path.display()) } else { String::new() }
}

/// A refusal: its message, and its line if it has one.
type Refusal = (String, Option<u32>);

/// nginx's first `[emerg]` message.
fn theirs(folder: &Path, main: &Path) -> Option<Refusal> {
    let mut nginx = Command::new(nginx_binary());
    nginx.arg("-p").arg(folder).args(["-e", "stderr", "-t", "-c"]).arg(main);
    let output = nginx.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return None;
    }
    let words = said.lines().find_map(|line| line.split_once("[emerg] ")).map(|(_, words)| words);
    let words = words.unwrap_or(&said).to_owned();
    let line = words.rsplit_once(&format!("{}:", main.display()));
    Some((words.clone(), line.and_then(|(_, line)| line.parse().ok())))
}

/// Everything that our reading refuses.
fn ours(main: &Path, version: NginxRelease) -> Vec<Refusal> {
    let tree = Tree::read(&Disk::default(), main.to_str().unwrap());
    let (sockets, passes) = (listeners(&tree), upstreams(&tree, &Variables::new()));
    let known = facts(&tree, &sockets, &passes, Some(version));
    let is_refusal = |fact: &&Fact| {
        rule(&fact.kind).group() == Some(RuleGroup::Refused) && !fact.kind.is_untested()
    };
    let known = known.iter().filter(is_refusal).map(|fact| {
        let words = match &fact.kind {
            FactKind::Refused(fault) => fault.to_string(),
            kind => kind.to_string(),
        };
        (words, Some(fact.span.line))
    });
    let problems = tree.problems.iter();
    let problems =
        problems.map(|one| (one.fault.to_string(), one.span.as_ref().map(|span| span.line)));
    problems.chain(known).collect()
}

/// What the text does not show: files that nginx opens, hosts that it looks up, values that OpenSSL checks, words that a
/// module may define as directives, and the line of `ssl on`, which nginx no longer has.
const OUTSIDE: [&str; 9] = [
    "host not found",
    "open() \"",
    "could not build",
    "SSL_CTX_",
    "cannot load certificate",
    "unknown directive \"nonsense\"",
    "unknown directive \"ash\"",
    "unknown directive \"stream\"",
    "for the \"ssl\" directive",
];

fn disagreements(mutants: &[Mutant], version: NginxRelease) -> (Vec<String>, usize) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let main = folder.path().join("nginx.conf");
    let (mut wrong, mut refused) = (Vec::new(), 0);
    for mutant in mutants {
        fs::write(&main, &mutant.text).unwrap();
        let (theirs, ours) = (theirs(folder.path(), &main), ours(&main, version));
        refused += usize::from(theirs.is_some());
        let change = &mutant.change;
        match theirs {
            None if ours.is_empty() => {}
            None => wrong.push(format!("nginx accepts it: {change}: {ours:?}")),
            Some((words, _)) if OUTSIDE.iter().any(|outside| words.contains(outside)) => {}
            Some((words, _)) if ours.is_empty() => wrong.push(format!("silent: {change}: {words}")),
            Some((words, line)) => {
                let same = ours.iter().any(|(_, own)| line.is_none() || *own == line);
                if !same {
                    wrong.push(format!("another line: {change}: {words}, not {ours:?}"));
                }
            }
        }
    }
    (wrong, refused)
}

#[test]
fn one_changed_line_is_judged_as_nginx_judges_it() {
    let (pki, build) = (Pki::new(), build());
    let files = pki.server("a", &["a.test"]);
    let filled = |base: &str| {
        base.replace("MODULE", &stream_module(&build))
            .replace("CERT", &files.certificate.display().to_string())
            .replace("KEY", &files.key.display().to_string())
            .replace("CA;", &format!("{};", pki.ca_file()))
    };
    let version = build.version;
    let all: Vec<Vec<Mutant>> =
        vec![mutants(&filled(WEB), 0x5eed), mutants(&filled(STREAM), 0xfeed)];
    let results: Vec<(Vec<String>, usize)> = thread::scope(|scope| {
        let threads: Vec<_> = all
            .iter()
            .map(|mutants| scope.spawn(move || disagreements(mutants, version)))
            .collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let wrong: Vec<String> = results.iter().flat_map(|(wrong, _)| wrong.clone()).collect();
    let refused: usize = results.iter().map(|(_, refused)| refused).sum();
    assert!(wrong.is_empty(), "{} of {refused} refused:\n{}", wrong.len(), wrong.join("\n"));
    assert!(refused > MUTANTS / 2, "{refused}");
}
