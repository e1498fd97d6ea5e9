//! Real servers on free loopback ports, ended when the test lets go of them.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tries at a free port; another process may take it first.
const TRIES: usize = 5;

/// A running nginx with a prefix of its own.
pub(crate) struct Nginx {
    child: Child,
    prefix: TempDir,
    pub(crate) port: u16,
}

impl Nginx {
    /// Starts nginx with these lines inside `http {}`, in which `PORT` stands for the port to listen on.
    pub(crate) fn start(http: &str) -> Self {
        Self::start_with(|port| {
            format!("http {{ access_log off; {} }}", http.replace("PORT", &port.to_string()))
        })
    }

    /// Starts nginx with these lines beside `events {}`.
    pub(crate) fn start_with(configuration: impl Fn(u16) -> String) -> Self {
        for _ in 0..TRIES {
            let port = free_port();
            let prefix = tempfile::tempdir().unwrap();
            let text = format!(
                "daemon off; master_process off; pid nginx.pid; error_log error.log info;\n\
                 events {{ worker_connections 512; }}\n{}\n",
                configuration(port)
            );
            fs::write(prefix.path().join("nginx.conf"), text).unwrap();
            let child = Command::new(nginx_binary())
                .arg("-p")
                .arg(prefix.path())
                .args(["-c", "nginx.conf", "-e", "error.log"])
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("nginx is needed: install the package nginx-light or nginx");
            let mut server = Self { child, prefix, port };
            if wait_for(port, &mut server.child) {
                return server;
            }
            eprintln!("nginx did not start:\n{}", server.error_log());
        }
        panic!("nginx did not start");
    }

    pub(crate) fn error_log(&self) -> String {
        let bytes = fs::read(self.prefix.path().join("error.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn nginx_binary() -> PathBuf {
    let system = Path::new("/usr/sbin/nginx");
    if system.exists() { system.to_owned() } else { PathBuf::from("nginx") }
}

/// A running `openssl s_server`.
pub(crate) struct OpenSsl {
    child: Child,
    pub(crate) port: u16,
}

impl OpenSsl {
    pub(crate) fn start(options: &[&str]) -> Self {
        for _ in 0..TRIES {
            let port = free_port();
            let child = Command::new("openssl")
                .args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")])
                .args(options)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the openssl command is needed: install the package openssl");
            let mut server = Self { child, port };
            if wait_for(port, &mut server.child) {
                return server;
            }
        }
        panic!("openssl s_server did not start with {options:?}");
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Answers every connection by a function of its own, each in a thread, until the test's process ends.
pub(crate) fn scripted(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let answer = std::sync::Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = std::sync::Arc::clone(&answer);
            thread::spawn(move || answer(stream));
        }
    });
    address
}

/// Reads what there is, then sends these bytes and hangs up.
pub(crate) fn says(words: &'static [u8]) -> SocketAddr {
    scripted(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(words);
    })
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until something listens; `false` where the server gave up.
fn wait_for(port: u16, child: &mut Child) -> bool {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
