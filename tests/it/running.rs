//! The nginx that a configuration is judged as: the master that runs it, what it has loaded, and what it has not.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::pki::{Files, Pki};
use crate::support::program::{Run, shakedown, shakedown_with, text};
use crate::support::server::{free_port, nginx_binary};

/// How long nginx may take to start or to reload.
const PATIENCE: Duration = Duration::from_secs(20);

/// An nginx with a master and a worker, which runs a file of its own.
struct Running {
    child: Child,
    pki: Pki,
    files: Files,
    main: PathBuf,
}

impl Running {
    fn start(environment: &[(&str, &Path)]) -> Self {
        Self::start_as(environment, "")
    }

    /// With these directives in the server.
    fn start_with(server: &str) -> Self {
        Self::start_as(&[], server)
    }

    fn start_as(environment: &[(&str, &Path)], server: &str) -> Self {
        let pki = Pki::new();
        let files = pki.server("www", &["www.test"]);
        let main = pki.path("nginx.conf");
        fs::write(&main, configuration(&pki, &files, server)).unwrap();
        let child = Command::new(nginx_binary())
            .args(["-c", main.to_str().unwrap(), "-g", "daemon off;"])
            .envs(environment.iter().map(|(name, path)| (name, path.as_os_str())))
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is needed: install the package nginx-light or nginx");
        let running = Self { child, pki, files, main };
        running.waits_for("start worker process ");
        running
    }

    fn log(&self) -> String {
        fs::read_to_string(self.pki.path("error.log")).unwrap_or_default()
    }

    #[track_caller]
    fn waits_for(&self, words: &str) {
        self.waits_until(|log| log.contains(words));
    }

    #[track_caller]
    fn waits_until(&self, is_so: impl Fn(&str) -> bool) {
        let started = Instant::now();
        while !is_so(&self.log()) {
            assert!(started.elapsed() < PATIENCE, "{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The processes of its workers.
    fn workers(&self) -> Vec<String> {
        let children = format!("/proc/{0}/task/{0}/children", self.pid());
        let children = fs::read_to_string(children).unwrap_or_default();
        children.split_whitespace().map(str::to_owned).collect()
    }

    fn reload(&self) {
        kill(self.pid(), Signal::SIGHUP).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    fn audit(&self, more: &[&str]) -> Run {
        let ca_file = self.pki.ca_file();
        let fixed =
            ["nginx", self.main.to_str().unwrap(), "--ca-file", &ca_file, "--format", "json"];
        shakedown(&[&fixed, more].concat())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The master ends its workers.
        let _ = kill(self.pid(), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn configuration(pki: &Pki, files: &Files, server: &str) -> String {
    format!(
        "pid {0}/nginx.pid;\nerror_log {0}/error.log notice;\nevents {{}}\nhttp {{ access_log off; server {{\n    \
         listen 127.0.0.1:{1} ssl;\n    server_name www.test;\n    ssl_certificate {2};\n    \
         ssl_certificate_key {3};\n{server}}} }}\n",
        pki.folder.path().display(),
        free_port(),
        files.certificate.display(),
        files.key.display()
    )
}

/// The findings of these rules: the rule and the message.
fn differences(run: &Run) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    let targets = report["targets"].as_array().unwrap().iter();
    let findings = targets.flat_map(|target| target["findings"].as_array().unwrap());
    let rules = ["configuration-not-loaded", "upgrade-not-running"];
    let findings = findings.filter(|one| rules.contains(&text(&one["rule"])));
    findings.map(|one| (text(&one["rule"]).to_owned(), text(&one["message"]).to_owned())).collect()
}

/// Gives a file a time that is later than the start of every process.
fn touch(path: &Path) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
}

#[test]
fn the_master_that_runs_the_configuration_says_which_nginx_it_is() {
    let running = Running::start(&[]);
    let run = running.audit(&[]);
    let version = Command::new(nginx_binary()).arg("-V").output().unwrap();
    let version = String::from_utf8(version.stderr).unwrap();
    let release = version.lines().next().unwrap().split('/').next_back().unwrap();
    let release = release.split(' ').next().unwrap();
    let words = format!("note: judged as nginx {release} with OpenSSL ");
    assert!(run.stderr.contains(&words), "{}", run.stderr);
    let words = format!("master process {} ({}) runs it", running.pid(), nginx_binary().display());
    assert!(run.stderr.contains(&words), "{}", run.stderr);
    assert_eq!(differences(&run), []);
    assert_eq!(run.status, 0, "{}", run.stdout);
    for silent in [&["--no-detect"][..], &["--nginx-version", "1.28.0"]] {
        assert!(!running.audit(silent).stderr.contains("judged as"), "{silent:?}");
    }
}

#[test]
fn a_change_that_nginx_has_not_loaded_is_found_and_so_is_a_reload_that_failed() {
    let running = Running::start(&[]);
    touch(&running.files.certificate);
    let not_loaded = "configuration-not-loaded".to_owned();
    let words = |path: &Path| {
        let path = path.display();
        (not_loaded.clone(), format!("nginx has not loaded {path} since it was changed"))
    };
    let found = differences(&running.audit(&[]));
    assert_eq!(found, [words(&running.files.certificate)]);

    let mut broken = File::options().append(true).open(&running.main).unwrap();
    broken.write_all(b"ssl_verify_depth 1;\n").unwrap();
    running.reload();
    running.waits_for("[emerg]");
    let found = differences(&running.audit(&[]));
    let failed = format!(
        "the last reload of nginx failed: \"ssl_verify_depth\" directive is not allowed here in {}:10",
        running.main.display()
    );
    assert!(found.contains(&(not_loaded.clone(), failed)), "{found:?}");
}

/// A log that says nothing about reloads that work, and one that does.
#[test]
fn a_reload_that_failed_is_no_longer_the_last_once_another_one_works() {
    for level in ["error", "notice"] {
        let running = Running::start(&[]);
        let written = fs::read_to_string(&running.main).unwrap();
        let written = written.replace("error.log notice", &format!("error.log {level}"));
        let failed = || {
            fs::write(&running.main, written.clone() + "ssl_verify_depth 1;\n").unwrap();
            let before = running.log().matches("[emerg]").count();
            running.reload();
            running.waits_until(|log| log.matches("[emerg]").count() > before);
        };
        failed();
        fs::write(&running.main, &written).unwrap();
        let workers = running.workers();
        running.reload();
        running.waits_until(|_| running.workers().iter().any(|pid| !workers.contains(pid)));
        running.waits_until(|_| running.workers().iter().all(|pid| !workers.contains(pid)));
        let run = running.audit(&["--static"]);
        assert!(!run.stdout.contains("the last reload of nginx failed"), "{level}: {}", run.stdout);
        assert!(level == "error" || run.status == 0, "{}", run.stdout);

        // The next second is certainly later.
        std::thread::sleep(Duration::from_millis(2500));
        failed();
        let found = differences(&running.audit(&["--static"]));
        assert!(found.iter().any(|(_, message)| message.contains("last reload")), "{found:?}");
    }
}

#[test]
fn a_library_that_was_replaced_under_the_master_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let linked = Command::new("ldd").arg(nginx_binary()).output().unwrap();
    let linked = String::from_utf8(linked.stdout).unwrap();
    let line = linked.lines().find(|line| line.contains("libcrypto.so")).unwrap();
    let real = line.split("=> ").nth(1).unwrap().split(' ').next().unwrap();
    let copy = folder.path().join(Path::new(real).file_name().unwrap());
    fs::copy(real, &copy).unwrap();
    let running = Running::start(&[("LD_LIBRARY_PATH", folder.path())]);
    assert_eq!(differences(&running.audit(&[])), []);

    fs::remove_file(&copy).unwrap();
    fs::write(&copy, b"\x7fELF\0OpenSSL 3.0.99 1 Jan 2027\0").unwrap();
    let found = differences(&running.audit(&[]));
    let [(rule, message)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(rule, "upgrade-not-running");
    assert!(message.starts_with("restart nginx: it still runs "), "{message}");
    // Only root can read what is gone from the disk.
    if nix::unistd::geteuid().is_root() {
        let now = format!(", and {} is now OpenSSL 3.0.99 1 Jan 2027", copy.display());
        assert!(message.starts_with("restart nginx: it still runs OpenSSL "), "{message}");
        assert!(message.ends_with(&now), "{message}");
    }
}

#[test]
fn a_dump_is_judged_by_this_machine_only_if_it_is_this_machine_s() {
    let running = Running::start(&[]);
    let dump = Command::new(nginx_binary())
        .args(["-T", "-c", running.main.to_str().unwrap()])
        .output()
        .unwrap();
    let dump = String::from_utf8(dump.stdout).unwrap();
    let judged = |dump: &str| {
        let run = shakedown_with(&["nginx", "-", "--static", "--format", "json"], dump);
        run.stderr.contains("judged as")
    };
    assert!(judged(&dump), "{dump}");
    assert!(!judged(&dump.replace("www.test", "web.test")));
}

#[test]
fn a_root_folder_is_judged_by_the_nginx_in_it() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, contents: &[u8]| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    };
    let upstream = "location / { proxy_pass https://127.0.0.1:9; }";
    let text = format!("events {{}}\nhttp {{ server {{ listen 127.0.0.1:9; {upstream} }} }}\n");
    write("etc/nginx/nginx.conf", text.as_bytes());
    write(
        "usr/sbin/nginx",
        b"\x7fELF\0nginx version: nginx/1.19.2\n\0OpenSSL 1.1.1d  10 Sep 2019\0libcrypto.so.1.1\0",
    );
    write("usr/lib/x86_64-linux-gnu/libcrypto.so.1.1", b"\x7fELF\0OpenSSL 1.1.1w  11 Sep 2023\0");
    let main = root.path().join("etc/nginx/nginx.conf");
    let audit = || {
        let args = ["nginx", "--root", root.path().to_str().unwrap(), main.to_str().unwrap()];
        shakedown(&[&args[..], &["--format", "json"]].concat())
    };
    let run = audit();
    let words = "judged as nginx 1.19.2 with OpenSSL 1.1.1w  11 Sep 2023: ";
    assert!(run.stderr.contains(words), "{}", run.stderr);

    write("usr/lib/x86_64-linux-gnu/libcrypto.so.1.1", b"\x7fELF\0LibreSSL 3.8.2\0");
    let run = audit();
    assert!(run.stderr.contains("LibreSSL 3.8.2 is not OpenSSL"), "{}", run.stderr);
    assert!(run.stdout.contains("nginx runs with LibreSSL 3.8.2"), "{}", run.stdout);
    assert_eq!(run.status, 3, "{}", run.stdout);
}

/// What the live sockets do otherwise than the file says, if this text in it is replaced.
fn otherwise(running: &Running, (old, new): (&str, &str)) -> Vec<String> {
    let written = fs::read_to_string(&running.main).unwrap();
    let changed = written.replace(old, new);
    assert_ne!(written, changed);
    fs::write(&running.main, changed).unwrap();
    let run = running.audit(&[]);
    fs::write(&running.main, written).unwrap();
    let report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    let targets = report["targets"].as_array().unwrap().iter();
    let findings = targets.flat_map(|target| target["findings"].as_array().unwrap());
    let stale = findings.filter(|one| one["rule"] == "served-settings-stale");
    stale.map(|one| text(&one["message"]).to_owned()).collect()
}

#[test]
fn what_the_sockets_do_otherwise_than_the_file_says_is_found() {
    for (runs, written, does) in [
        ("ssl_protocols TLSv1.3;", "ssl_protocols TLSv1.2;", "it refuses TLSv1.2"),
        ("ssl_ciphers ECDHE+AESGCM;", "ssl_ciphers ECDHE+CHACHA20;", "it uses TLS_ECDHE_"),
        ("ssl_ecdh_curve X25519;", "ssl_ecdh_curve secp521r1;", "it uses the group X25519"),
        (
            "ssl_verify_client optional_no_ca;",
            "ssl_verify_client off;",
            "it asks for a client certificate",
        ),
    ] {
        let running = Running::start_with(runs);
        let found = otherwise(&running, (runs, written));
        let says = format!(", and the file says {}", written.trim_end_matches(';'));
        let [message] = found.as_slice() else { panic!("{written}: {found:?}") };
        assert!(message.contains(does) && message.contains(&says), "{written}: {message}");
    }
    // What has another explanation, or is no difference.
    let running = Running::start(&[]);
    let name = "server_name www.test;";
    for more in [
        "ssl_ciphers HIGH:!aNULL;",
        "ssl_ecdh_curve X25519:secp384r1;",
        "ssl_conf_command Groups P-521;\nssl_conf_command MinProtocol TLSv1.3;",
        "ssl_ecdh_curve secp521r1;\nssl_conf_command Groups X25519;",
        "ssl_session_timeout 1m;",
    ] {
        let changed = format!("{name}\n{more}");
        assert_eq!(otherwise(&running, (name, &changed)), [""; 0], "{more}");
    }
}

#[test]
fn a_certificate_that_a_command_of_openssl_names_is_not_called_stale() {
    let other = Pki::new();
    let own = other.server("own", &["www.test"]);
    let running = Running::start_with(&format!(
        "ssl_conf_command Certificate {};\nssl_conf_command PrivateKey {};\n",
        own.certificate.display(),
        own.key.display()
    ));
    let run = running.audit(&[]);
    assert!(!run.stdout.contains("served-certificate-stale"), "{}", run.stdout);
}
