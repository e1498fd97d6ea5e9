//! The pages under `docs` show what the programs print, and are a book without dead links.

mod book;
mod examples;
mod scene;

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use shakedown::report::{Format, Look};

use self::scene::Scene;
use crate::capture::{recorded, s_client};
use crate::support::sample;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Checks that the commands of a page print what it shows. With `UPDATE=1`, the page shows what they print.
#[track_caller]
fn check(name: &str, scene: &Scene, least: usize) {
    let path = Path::new(ROOT).join("docs").join(name);
    let page = fs::read_to_string(&path).unwrap();
    let (fresh, commands) = examples::refreshed(&page, scene);
    assert!(commands >= least, "{name} has {commands} examples");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &fresh).unwrap();
        return;
    }
    let different = page.lines().zip(fresh.lines()).find(|(shown, printed)| shown != printed);
    assert!(
        fresh == page,
        "{name} is out of date: UPDATE=1 cargo test --test it -- pages; first (shown, printed): {different:#?}\n{fresh}"
    );
}

/// A server block at this address with this certificate.
fn server(address: &str, name: &str, certificate: &str) -> String {
    format!(
        "    server {{
        listen {address} ssl;
        server_name {name};
        ssl_certificate /srv/site/{certificate}.pem;
        ssl_certificate_key /srv/site/{certificate}.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:all:1m;
        return 200 \"ok\\n\";
    }}
"
    )
}

/// An nginx with these server blocks.
fn configuration(servers: &[String]) -> String {
    format!("events {{}}\nhttp {{\n    access_log off;\n{}}}\n", servers.concat())
}

#[test]
fn the_page_about_kubernetes_shows_what_is_printed() {
    check("kubernetes.md", &Scene::of(&Path::new(ROOT).join("testdata/kubernetes")), 3);
}

#[test]
fn the_page_from_a_log_line_to_a_fix_shows_what_is_printed() {
    let mut scene = Scene::new();
    scene.pki().server("api", &["api.example.com"]);
    let stranger = "    server {
        listen 192.0.2.120:8443 ssl default_server;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_reject_handshake on;
    }
";
    let api = server("192.0.2.120:8443", "api.example.com", "api");
    scene.write("upstream/nginx.conf", &configuration(&[stranger.to_owned(), api]));
    scene.nginx("upstream/nginx.conf");
    scene.write(
        "nginx.conf",
        "error_log /srv/site/error.log;

events {}

http {
    access_log off;

    upstream orders {
        server 192.0.2.120:8443;
    }

    server {
        listen 192.0.2.110:8080;

        location / {
            proxy_pass https://orders;
            proxy_ssl_protocols TLSv1.2 TLSv1.3;
            proxy_set_header Host api.example.com;
        }
    }
}
",
    );
    scene.nginx("nginx.conf");
    check("from-a-log-line-to-a-fix.md", &scene, 8);
}

/// The hello of a client that offers little.
const OLD_CLIENT: &str = "16030100730100006f03037368616b65646f776e2061736b7320616e64207361797320676f6f646279652e000008c02f\
    c013002f00ff0100003e00000016001400001173686f702e6578616d706c652e74657374000b000403000102000a0004\
    00020017002300000016000000170000000d000400020401";

/// Sends it, and waits for the answer.
fn old_client(port: u16) {
    let hello: Vec<u8> = (0..OLD_CLIENT.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&OLD_CLIENT[at..at + 2], 16).unwrap())
        .collect();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(&hello).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn the_page_about_a_client_that_cannot_connect_shows_what_is_printed() {
    let mut scene = Scene::new();
    let files = scene.pki().server("shop", &["shop.example.test"]);
    let ca_file = scene.pki().ca_file();
    let text = format!(
        "events {{}}
http {{
    server {{
        listen 192.0.2.110:8443 ssl;
        server_name shop.example.test;
        ssl_certificate {};
        ssl_certificate_key {};
        ssl_protocols       TLSv1.2 TLSv1.3;
        ssl_ciphers         ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305;
        ssl_session_cache   shared:shop:1m;
        return 200;
    }}
}}
",
        files.certificate.display(),
        files.key.display()
    );
    scene.write("copy/nginx.conf", &text);
    scene.nginx("copy/nginx.conf");
    // The packets of the recorder have this address.
    fs::write(scene.file("nginx.conf"), text.replace("192.0.2.110:8443", "192.0.2.1:443")).unwrap();
    let server = scene.real("192.0.2.110:8443").parse().unwrap();
    let capture = recorded(server, 7, |port| {
        for _ in 0..3 {
            let options = ["-servername", "shop.example.test", "-CAfile", &ca_file];
            s_client(port, &[&options[..], &["-tls1_3", "-groups", "X25519"]].concat());
        }
        (0..4).for_each(|_| old_client(port));
    });
    fs::write(scene.file("clients.pcap"), capture).unwrap();
    check("a-client-cannot-connect.md", &scene, 7);
}

#[test]
fn the_page_before_a_deployment_shows_what_is_printed() {
    let scene = Scene::new();
    let files = scene.pki().server("fullchain", &["www.example.com"]);
    fs::rename(&files.key, scene.file("privkey.pem")).unwrap();
    let chain = fs::read_to_string(&files.certificate).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let (leaf, _) = chain.split_once(end).unwrap();
    scene.write("leaf.pem", &format!("{leaf}{end}"));
    let format = "$remote_addr [$time_local] $status \"$http_user_agent\" $ssl_protocol $ssl_cipher $ssl_ciphers";
    for (folder, settings) in [
        ("main", "ssl_protocols TLSv1.2 TLSv1.3;"),
        ("site", "ssl_protocols TLSv1.3;\n    ssl_client_certificate /srv/site/ca.pem;"),
    ] {
        scene.write(
            &format!("{folder}/nginx.conf"),
            &format!("events {{}}\nhttp {{\n    log_format tls '{format}';\n    include conf.d/*.conf;\n}}\n"),
        );
        scene.write(
            &format!("{folder}/conf.d/www.conf"),
            &format!(
                "server {{\n    listen 443 ssl;\n    server_name www.example.com;\n    ssl_certificate /srv/site/fullchain.pem;\n    ssl_certificate_key /srv/site/privkey.pem;\n    {settings}\n    ssl_session_cache shared:www:1m;\n}}\n"
            ),
        );
    }
    let line = |agent: &str, negotiated: &str, offered: &str| {
        format!("192.0.2.7 [29/Nov/2026:02:00:00 +0000] 200 \"{agent}\" {negotiated} {offered}\n")
    };
    let own = "ECDHE-RSA-CHACHA20-POLY1305";
    let current = line("Mozilla/5.0", "TLSv1.3 TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256");
    let old = line("billing/2.1", &format!("TLSv1.2 {own}"), own);
    fs::write(scene.file("access.log"), current.repeat(39_788) + &old.repeat(312)).unwrap();
    check("before-a-deployment.md", &scene, 4);
}

/// Four hosts: two that are sound, one with a chain that lacks its intermediate, and one that is down.
fn hosts() -> Scene {
    let mut scene = Scene::new();
    scene.pki().server("www", &["www.example.com", "shop.example.com"]);
    let issued = scene.pki().intermediate.issue(&["old.example.com"]).unwrap();
    scene.pki().write("old", &issued, &issued.chain()[..1]);
    let servers = [
        server("192.0.2.110:8443", "www.example.com", "www"),
        server("192.0.2.111:8443", "old.example.com", "old"),
        server("192.0.2.113:8443", "shop.example.com", "www"),
    ];
    scene.write("hosts/nginx.conf", &configuration(&servers));
    scene.nginx("hosts/nginx.conf");
    scene.write(
        "targets.toml",
        "[defaults]
ca_file = \"ca.pem\"

[[target]]
address = \"www.example.com:443:192.0.2.110:8443\"

[[target]]
address = \"old.example.com:443:192.0.2.111:8443\"

[[target]]
address = \"gone.example.com:443:192.0.2.112:8443\"

[[target]]
address = \"shop.example.com:443:192.0.2.113:8443\"
",
    );
    scene
}

#[test]
fn the_page_about_a_fleet_shows_what_is_printed() {
    let scene = hosts();
    let yesterday = || {
        let output = Command::new(env!("CARGO_BIN_EXE_shakedown"))
            .args(["probe", "--config", "targets.toml", "--output", "json=yesterday.json"])
            .current_dir(scene.folder())
            .output();
        assert!(output.unwrap().status.code().is_some_and(|status| status < 2));
    };
    {
        // The third host was there yesterday.
        scene.pki().server("gone", &["gone.example.com"]);
        let third = server("192.0.2.112:8443", "gone.example.com", "gone");
        let mut day = Scene::of(scene.folder());
        day.write("third/nginx.conf", &scene.real(&configuration(&[third])));
        day.nginx("third/nginx.conf");
        yesterday();
    }
    check("a-fleet-by-night.md", &scene, 7);
}

#[test]
fn the_page_about_statuses_and_formats_shows_what_is_printed() {
    let scene = hosts();
    scene.write(
        "gate.toml",
        "[[allow]]
rule = \"chain-incomplete\"
target = \"old.example.com\"
reason = \"it is switched off in spring\"
until = 9999-12-31
",
    );
    check("exit-statuses-and-formats.md", &scene, 8);
}

#[test]
fn the_page_about_formats_has_all_of_them() {
    let page =
        fs::read_to_string(Path::new(ROOT).join("docs/exit-statuses-and-formats.md")).unwrap();
    for format in Format::value_variants() {
        assert!(page.contains(&format!("\n| `{}` | ", format.name())), "{}", format.name());
    }
}

#[test]
fn the_page_about_prometheus_shows_what_is_printed() {
    let mut scene = hosts();
    let listen = scene.real("192.0.2.110:9219");
    let exporter = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["serve", "--config", "targets.toml", "--listen", &listen])
        .current_dir(scene.folder())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    scene.keep(scene::Ended(exporter));
    let started = Instant::now();
    let is_ready = || {
        let url = format!("http://{listen}/metrics");
        Command::new("curl")
            .args(["-s", "-f", &url])
            .stdout(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    while !is_ready() {
        assert!(started.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(50));
    }
    check("prometheus.md", &scene, 3);
}

#[test]
fn the_page_about_prometheus_names_every_metric_and_alert() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/prometheus.md")).unwrap();
    let mut out = Vec::new();
    let look = Look { width: 100, colour: false, show_chain: false };
    sample::report().render(Format::Prometheus, look, &mut out).unwrap();
    let shown = String::from_utf8(out).unwrap();
    let metrics = shown.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for metric in metrics {
        assert!(page.contains(&format!("`{metric}`")), "{metric}");
    }
    let alerts = fs::read_to_string(Path::new(ROOT).join("contrib/prometheus/alerts.yml")).unwrap();
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(page.contains(&format!("`{alert}`")), "{alert}");
    }
}

#[test]
fn the_page_about_limits_shows_what_is_printed() {
    let scene = Scene::new();
    scene.write(
        "nginx.conf",
        "events {}
http {
    server {
        listen 192.0.2.110:8080;
        location /shops {
            proxy_pass https://$arg_shop;
        }
        location /tills {
            proxy_pass https://192.0.2.121:8443;
        }
    }
}
",
    );
    check("what-it-cannot-tell.md", &scene, 1);
}
