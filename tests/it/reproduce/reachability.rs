//! Connections that end before a handshake is complete.

use std::io::{Read, Write};
use std::net::SocketAddr;

use super::Row;
use super::scene::{Scene, Sign, block};
use crate::support::pki::Pki;
use crate::support::script;
use crate::support::server::{Nginx, free_port, says, scripted};

/// openssl's message for a handshake that ended early.
const NO_HANDSHAKE: &str = "no peer certificate available";

pub(super) const ROWS: &[Row] = &[
    ("connection-refused", || {
        faulty(|_| SocketAddr::from(([127, 0, 0, 1], free_port())), Sign::Fails)
    }),
    ("connection-closed", || faulty(|_| says(b""), Sign::Fails)),
    ("connection-reset", || faulty(|_| script::resets(), Sign::Fails)),
    ("not-tls", || faulty(|_| says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Sign::Fails)),
    ("handshake-timeout", || {
        let silent = |_| {
            scripted(|mut stream| {
                let _ = stream.read_to_end(&mut Vec::new());
            })
        };
        faulty(silent, Sign::Hangs)
    }),
    ("protocol-error", || {
        // A ServerHello that ends inside its random.
        faulty(|_| says(&[22, 3, 3, 0, 8, 2, 0, 0, 4, 3, 3, 1, 2]), Sign::Fails)
    }),
    ("connections-limited", || {
        faulty(|port| script::gate(port, |_, open| open < 1), Sign::says(NO_HANDSHAKE))
    }),
    ("unsteady-answers", || {
        faulty(|port| script::gate(port, |before, _| before % 2 == 0), Sign::says(NO_HANDSHAKE))
    }),
    ("turned-away", || faulty(|port| script::gate(port, |before, _| before < 3), Sign::Fails)),
    ("starttls-refused", || {
        let refusing = |_| {
            scripted(|mut stream| {
                for words in [&b"220 mail\r\n"[..], b"250 mail\r\n", b"454 no TLS\r\n"] {
                    let _ = stream.write_all(words);
                    let _ = stream.read(&mut [0; 512]);
                }
            })
        };
        let scene = faulty(refusing, Sign::Fails);
        let port = scene.healthy.rsplit(':').next().unwrap().parse().unwrap();
        let healthy = script::smtp(port).to_string();
        Scene { healthy, ..scene }.with(&["--starttls", "smtp"])
    }),
    ("dns-failure", || {
        let pki = Pki::new();
        let nginx = Nginx::start(&block(&pki.server("a", &["localhost"]), ""));
        let target = format!("ADDRESS:{}", nginx.port);
        Scene::new(&"no-such-host.invalid", &"localhost", Sign::Fails)
            .by(&["probe", &target, "--ca-file", &pki.ca_file()])
            .keep((nginx, pki))
    }),
];

/// A peer in front of a healthy server, compared with that server.
fn faulty(peer: impl Fn(u16) -> SocketAddr, sign: Sign) -> Scene {
    let pki = Pki::new();
    let healthy = Nginx::start(&block(&pki.server("a", &["a.test"]), ""));
    let ca_file = pki.ca_file();
    Scene::new(&peer(healthy.port), &format!("127.0.0.1:{}", healthy.port), sign)
        .with(&["--ca-file", &ca_file])
        .keep((healthy, pki))
}
