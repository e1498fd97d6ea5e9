//! Where the examples of a page run: a folder with their files, and real servers on loopback.
//!
//! The page shows a folder and addresses that are as long as the real ones, so that lines break where they do there.

use std::any::Any;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rcgen::PKCS_RSA_SHA256;

use crate::support::pki::Pki;
use crate::support::server::nginx_binary;

/// The folder that the page shows, without its first slash.
const FOLDER: &str = "srv/site";

/// The beginning of the addresses that the page shows: 192.0.2.110 and so on, which are for documentation.
const NETWORK: &str = "192.0.2.1";

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder, and servers that end with it.
pub(super) struct Scene {
    /// Before the folder, so that servers end before their files go.
    servers: Vec<Box<dyn Any>>,
    /// Certificates in the folder, which ends with the scene.
    pki: Option<Pki>,
    folder: PathBuf,
    network: String,
    _claim: Option<TcpListener>,
}

impl Scene {
    /// A folder with certificates, and a network of loopback addresses where nothing listens.
    pub(super) fn new() -> Self {
        let made = tempfile::Builder::new().prefix("").rand_bytes(4).tempdir_in("/tmp").unwrap();
        let pki = Pki::within(made, &PKCS_RSA_SHA256);
        let folder = pki.folder.path().to_owned();
        assert_eq!(folder.as_os_str().len(), FOLDER.len() + 1);
        // A socket on the network claims it, so that other scenes, of other processes as well, have others.
        let start = std::process::id() % 90;
        let mut networks = (0..90).map(|step| format!("127.0.{}.", 10 + (start + step) % 90));
        let claimed = |network: String| {
            Some((TcpListener::bind(format!("{network}99:18443")).ok()?, network))
        };
        let (claim, network) = networks.find_map(claimed).unwrap();
        assert_eq!(network.len(), NETWORK.len());
        Self { servers: Vec::new(), pki: Some(pki), folder, network, _claim: Some(claim) }
    }

    /// A folder that is already there, without servers.
    pub(super) fn of(folder: &Path) -> Self {
        let (folder, network) = (folder.to_owned(), String::new());
        Self { servers: Vec::new(), pki: None, folder, network, _claim: None }
    }

    pub(super) fn pki(&self) -> &Pki {
        self.pki.as_ref().unwrap()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file with the folder and the addresses of a page.
    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.real(text)).unwrap();
    }

    /// A text of a page as it is here.
    pub(super) fn real(&self, text: &str) -> String {
        let names = self.names().into_iter();
        names.fold(text.to_owned(), |text, (shown, real)| text.replace(shown, &real))
    }

    /// A text from here as a page shows it.
    pub(super) fn shown(&self, text: &str) -> String {
        let names = self.names().into_iter();
        names.fold(text.to_owned(), |text, (shown, real)| text.replace(&real, shown))
    }

    /// What the page shows instead of what there is.
    fn names(&self) -> Vec<(&'static str, String)> {
        if self.pki.is_none() {
            return Vec::new();
        }
        let folder = self.folder.display().to_string();
        vec![(NETWORK, self.network.clone()), (FOLDER, folder.trim_start_matches('/').to_owned())]
    }

    /// The programs of a page: `shakedown`, `nginx` for this folder's configuration, and the system's.
    pub(super) fn path(&self) -> String {
        let built = Path::new(env!("CARGO_BIN_EXE_shakedown")).parent().unwrap();
        format!("{}:{}:/usr/sbin:/usr/bin:/bin", self.file("bin").display(), built.display())
    }

    pub(super) fn keep(&mut self, server: impl Any) {
        self.servers.push(Box::new(server));
    }

    /// Starts nginx with a master and a worker, and with a configuration of this folder.
    pub(super) fn nginx(&mut self, configuration: &str) {
        let path = self.file(configuration);
        let pid = path.with_extension("pid");
        let options = [
            "-p".to_owned(),
            self.folder.display().to_string(),
            "-c".to_owned(),
            path.display().to_string(),
            "-g".to_owned(),
            format!("pid {};", pid.display()),
        ];
        let child = Command::new(nginx_binary())
            .args(&options[..5])
            .arg(format!("{} daemon off;", options[5]))
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is needed: install the package nginx-light or nginx");
        self.keep(Master(child));
        let started = Instant::now();
        // The sockets are open before it is written.
        while !fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')) {
            assert!(started.elapsed() < PATIENCE, "{configuration}");
            thread::sleep(Duration::from_millis(20));
        }
        let words: Vec<String> = options.iter().map(|word| format!("'{word}'")).collect();
        let script =
            format!("#!/bin/sh\nexec {} {} \"$@\"\n", nginx_binary().display(), words.join(" "));
        self.write("bin/nginx", &script);
        fs::set_permissions(self.file("bin/nginx"), Permissions::from_mode(0o755)).unwrap();
    }
}

/// A master of nginx, which ends its workers.
struct Master(Child);

impl Drop for Master {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// A process that ends with the scene.
pub(super) struct Ended(pub(super) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
