//! Real servers on free loopback ports, which end with the test.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::pki::Files;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Attempts to find a free port; another process may take it first.
const TRIES: usize = 5;

/// A running nginx with its own prefix.
pub(crate) struct Nginx {
    process: Process,
    _prefix: TempDir,
    pub(crate) port: u16,
}

impl Nginx {
    /// Starts nginx with these lines inside `http {}`, with `PORT` as the port to listen on.
    pub(crate) fn start(http: &str) -> Self {
        Self::start_with(|port| {
            format!("http {{ access_log off; {} }}", http.replace("PORT", &port.to_string()))
        })
    }

    /// Starts nginx with one server of these files and directives.
    pub(crate) fn with_tls(files: &Files, directives: &str) -> Self {
        Self::start(&format!(
            "server {{ listen 127.0.0.1:PORT ssl; ssl_certificate {}; ssl_certificate_key {}; {directives} }}",
            files.certificate.display(),
            files.key.display()
        ))
    }

    /// Starts nginx with these lines next to `events {}`.
    pub(crate) fn start_with(configuration: impl Fn(u16) -> String) -> Self {
        Self::start_configured(configuration, None)
    }

    /// The same, with this configuration file for its OpenSSL.
    pub(crate) fn start_configured(
        configuration: impl Fn(u16) -> String,
        openssl_conf: Option<&Path>,
    ) -> Self {
        let program = || {
            let mut command = Command::new(nginx_binary());
            command.envs(openssl_conf.map(|file| ("OPENSSL_CONF", file)));
            command
        };
        Self::start_as(program, configuration)
    }

    /// Starts the nginx that verdicts are compared with, with these lines inside `http {}`.
    pub(crate) fn start_proxy(http: &str) -> Self {
        Self::start_as(proxy_command, |port| {
            format!("http {{ access_log off; {} }}", http.replace("PORT", &port.to_string()))
        })
    }

    /// The same with this configuration file for its OpenSSL.
    pub(crate) fn start_proxy_with(http: &str, openssl_conf: &Path) -> Self {
        let program = || {
            let mut command = proxy_command();
            command.env("OPENSSL_CONF", openssl_conf);
            command
        };
        Self::start_as(program, |port| {
            format!("http {{ access_log off; {} }}", http.replace("PORT", &port.to_string()))
        })
    }

    fn start_as(program: impl Fn() -> Command, configuration: impl Fn(u16) -> String) -> Self {
        for _ in 0..TRIES {
            let port = free_port();
            let prefix = tempfile::tempdir().unwrap();
            let blocks = configuration(port);
            let text = format!(
                "daemon off; master_process off; pid nginx.pid; error_log stderr info;\n\
                 {}events {{ worker_connections 2048; }}\n{blocks}\n",
                modules_for(&blocks)
            );
            fs::write(prefix.path().join("nginx.conf"), text).unwrap();
            let mut command = program();
            command.arg("-p").arg(prefix.path()).arg("-c").arg(prefix.path().join("nginx.conf"));
            let needed = "nginx is needed: install the package nginx-light or nginx";
            let process = Process::spawn(command.stderr(Stdio::piped()), needed);
            // The event module starts after the sockets are bound.
            if process.log.comes("event method") {
                return Self { process, _prefix: prefix, port };
            }
            eprintln!("nginx did not start:\n{}", process.log.text());
        }
        panic!("nginx did not start");
    }

    /// What nginx has logged so far, at level info.
    pub(crate) fn error_log(&self) -> String {
        self.process.log.text()
    }

    /// Whether nginx logs this text; waits for it.
    pub(crate) fn logs(&self, words: &str) -> bool {
        self.process.log.comes(words)
    }
}

/// Lines that load the modules for these blocks, if the distribution has them as files.
fn modules_for(blocks: &str) -> String {
    let needed = ["stream", "mail"].into_iter().filter(|name| {
        let block = format!("{name} {{");
        blocks.lines().any(|line| line.starts_with(&block))
    });
    let files = needed.map(|name| format!("/usr/lib/nginx/modules/ngx_{name}_module.so"));
    let found: Vec<String> = files.filter(|file| Path::new(file).exists()).collect();
    found.iter().fold(String::new(), |lines, file| lines + "load_module " + file + ";\n")
}

/// The nginx that is the proxy: that of another system, if an environment variable names its folder, as
/// `scripts/nginx-matrix` does.
pub(crate) fn proxy_command() -> Command {
    match std::env::var_os("SHAKEDOWN_NGINX_ROOT") {
        None => Command::new(nginx_binary()),
        Some(root) => {
            let mut command = Command::new("chroot");
            command.arg(root).arg("/usr/sbin/nginx");
            command
        }
    }
}

/// The nginx that runs and rehearses configurations: the system's, unless an environment variable names another, as
/// `scripts/nginx-matrix` does.
pub(crate) fn nginx_binary() -> PathBuf {
    if let Some(named) = std::env::var_os("SHAKEDOWN_NGINX") {
        return named.into();
    }
    let system = Path::new("/usr/sbin/nginx");
    if system.exists() { system.to_owned() } else { PathBuf::from("nginx") }
}

/// A running `openssl s_server`, which serves one connection at a time.
pub(crate) struct OpenSsl {
    _process: Process,
    pub(crate) port: u16,
}

impl OpenSsl {
    pub(crate) fn start(options: &[&str]) -> Self {
        for _ in 0..TRIES {
            let port = free_port();
            let mut command = Command::new("openssl");
            command.args(["s_server", "-www", "-accept", &format!("127.0.0.1:{port}")]);
            // The system's configuration may disable the versions that the test needs.
            command.args(options).env("OPENSSL_CONF", "/dev/null").stderr(Stdio::null());
            let needed = "the openssl command is needed: install the package openssl";
            let process = Process::spawn(command.stdout(Stdio::piped()), needed);
            if process.log.comes("ACCEPT") {
                return Self { _process: process, port };
            }
        }
        panic!("openssl s_server did not start with {options:?}");
    }
}

/// A running Apache httpd with its own folder, in one process.
pub(crate) struct Apache {
    _process: Process,
    _folder: TempDir,
    pub(crate) port: u16,
}

impl Apache {
    /// Starts it with these virtual hosts, with `ADDRESS` as the address to listen on.
    pub(crate) fn start(hosts: &str) -> Self {
        for _ in 0..TRIES {
            let port = free_port();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().display();
            let address = format!("127.0.0.1:{port}");
            let modules: String = ["mpm_event", "ssl", "authz_core"]
                .map(|name| {
                    format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")
                })
                .concat();
            let hosts = hosts.replace("ADDRESS", &address).replace("FOLDER", &path.to_string());
            let text = format!(
                "ServerRoot {path}\nPidFile {path}/pid\nListen {address}\nServerName a.test\n{modules}\
                 ErrorLog /dev/stderr\nLogLevel info\nSSLSessionCache none\nDocumentRoot {path}\n{hosts}\n"
            );
            for page in ["index", "private/index"] {
                let file = folder.path().join(page);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "page\n").unwrap();
            }
            fs::write(folder.path().join("apache.conf"), text).unwrap();
            let mut command = Command::new("/usr/sbin/apache2");
            command.arg("-X").arg("-f").arg(folder.path().join("apache.conf"));
            let needed = "apache2 is needed: install the package apache2-bin";
            let process = Process::spawn(command.stderr(Stdio::piped()), needed);
            if process.log.comes("AH01873") {
                return Self { _process: process, _folder: folder, port };
            }
            eprintln!("apache2 did not start:\n{}", process.log.text());
        }
        panic!("apache2 did not start");
    }
}

/// A child process that is ended, by its own id, with the test.
struct Process {
    child: Child,
    log: Log,
}

impl Process {
    /// Starts a command with a pipe as its stdout or stderr.
    fn spawn(command: &mut Command, needed: &str) -> Self {
        let mut child = command.stdin(Stdio::null()).spawn().expect(needed);
        let log = match child.stdout.take() {
            Some(stdout) => Log::of(stdout),
            None => Log::of(child.stderr.take().unwrap()),
        };
        Self { child, log }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, for example after a port conflict.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The output of a process. It shows when the process is ready, because another server may answer on the port.
#[derive(Clone)]
struct Log {
    shared: Arc<(Mutex<Said>, Condvar)>,
}

#[derive(Default)]
struct Said {
    text: String,
    ended: bool,
}

impl Log {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let log = Self { shared: Arc::default() };
        let writer = log.clone();
        thread::spawn(move || {
            let mut lines = BufReader::new(stream);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                writer.add(|said| said.text.push_str(&String::from_utf8_lossy(&line)));
                line.clear();
            }
            writer.add(|said| said.ended = true);
        });
        log
    }

    fn add(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.shared.0.lock().unwrap());
        self.shared.1.notify_all();
    }

    /// Whether this text appears before the process ends or the time is up.
    fn comes(&self, words: &str) -> bool {
        let missing = |said: &mut Said| !said.ended && !said.text.contains(words);
        let said = self.shared.0.lock().unwrap();
        let (said, _) = self.shared.1.wait_timeout_while(said, PATIENCE, missing).unwrap();
        said.text.contains(words)
    }

    fn text(&self) -> String {
        self.shared.0.lock().unwrap().text.clone()
    }
}

/// Answers every connection with a function, each in a thread, until the test process ends.
pub(crate) fn scripted(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || answer(stream));
        }
    });
    address
}

/// Reads the available data, then sends these bytes and disconnects.
pub(crate) fn says(words: &'static [u8]) -> SocketAddr {
    scripted(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(words);
    })
}

/// Ports for servers: below those that the system gives to clients, which could take one before its server does.
const PORTS: Range<u32> = 12_000..28_000;

/// A port that is free for TCP and for UDP. Each is given once, and tests in other processes begin elsewhere.
pub(crate) fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(997);
    let is_free = |port: &u16| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
            && UdpSocket::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
    };
    let next = |_| {
        let at = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        u16::try_from(PORTS.start + at % (PORTS.end - PORTS.start)).unwrap()
    };
    PORTS.map(next).find(is_free).expect("a port must be free")
}
