//! The running masters of nginx, from `/proc`.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use time::{Duration, OffsetDateTime};

use super::binary;
use super::command_line::{NginxCommand, NginxProcess};
use super::safe::may_run;
use crate::cli::settings;
use crate::nginx::build::Build;
use crate::targets::regular_file;

/// The most processes that are looked at.
const MAX_PROCESSES: usize = 200_000;

/// The longest file of `/proc` that is read, in bytes.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// The clock ticks in a second that `/proc` counts in; Linux has shown programs 100 on every current processor.
const TICKS: i64 = 100;

/// One of them.
const TICK: Duration = Duration::milliseconds(1000 / TICKS);

/// A running master, or an nginx without workers.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Master {
    /// Its process id.
    pub(in crate::cli) pid: u32,
    /// The program, as the process was started.
    pub(in crate::cli) binary: PathBuf,
    /// Whether the file of the program was replaced since.
    pub(in crate::cli) is_replaced: bool,
    /// The build of the file that is in its place now.
    pub(in crate::cli) replaced_by: Option<Build>,
    /// Its build; `None` if the program cannot be read.
    pub(in crate::cli) build: Option<Build>,
    /// The folder that relative names of logs start at.
    pub(in crate::cli) prefix: String,
    /// The file that it read first, by the name that it knows.
    pub(in crate::cli) configuration: Option<String>,
    /// The TLS library that is loaded; `None` if that cannot be read.
    pub(in crate::cli) library: Option<LoadedLibrary>,
    /// When the oldest worker that accepts connections was started, and its process id; without workers, when the
    /// process itself was.
    pub(in crate::cli) loaded: Option<(u32, StartTime)>,
}

/// When a process was started, as exactly as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct StartTime {
    pub(in crate::cli) earliest: OffsetDateTime,
    pub(in crate::cli) latest: OffsetDateTime,
}

/// A TLS library in the memory of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct LoadedLibrary {
    /// Its file, by the name that the process knows.
    pub(in crate::cli) path: String,
    /// What it calls itself; `None` if it is gone from the disk and cannot be read from memory.
    pub(in crate::cli) text: Option<String>,
    /// What is on the disk in its place, if it was replaced.
    pub(in crate::cli) replaced_by: Option<String>,
    /// The folder of its configuration file, as it was built.
    pub(in crate::cli) folder: Option<String>,
    /// Whether it was replaced or removed.
    pub(in crate::cli) is_replaced: bool,
}

/// A process of nginx.
struct RunningProcess {
    pid: u32,
    parent: u32,
    started: StartTime,
    kind: NginxProcess,
}

/// Every running master.
pub(in crate::cli) fn masters() -> Vec<Master> {
    let all = processes();
    let has_workers = |process: &RunningProcess| {
        all.iter().any(|one| one.parent == process.pid && one.kind == NginxProcess::Worker)
    };
    let is_child = |process: &RunningProcess| all.iter().any(|other| other.pid == process.parent);
    let mut masters = Vec::new();
    for process in &all {
        let NginxProcess::Master(command) = &process.kind else { continue };
        // A worker has the command line of its master until it sets its title. In an upgrade, the new master is a child
        // of the old one.
        if is_child(process) && !has_workers(process) {
            continue;
        }
        let workers = all.iter().filter(|one| one.parent == process.pid);
        let workers = workers.filter(|one| one.kind == NginxProcess::Worker);
        let oldest = workers.min_by_key(|one| one.started).unwrap_or(process);
        masters.push(master(process.pid, command, (oldest.pid, oldest.started)));
    }
    masters
}

fn processes() -> Vec<RunningProcess> {
    let Some(booted) = booted() else { return Vec::new() };
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.take(MAX_PROCESSES).filter_map(|pid| process(pid, booted)).collect()
}

fn process(pid: u32, booted: StartTime) -> Option<RunningProcess> {
    let read = |name: &str| regular_file::read(Path::new(&format!("/proc/{pid}/{name}")), MAX_FILE);
    let kind = NginxProcess::read(&read("cmdline").ok()?)?;
    let stat = String::from_utf8_lossy(&read("stat").ok()?).into_owned();
    // The name in parentheses may contain anything; the fourth field of the line is the second behind it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: i64 = fields.get(19)?.parse().ok()?;
    let since = Duration::milliseconds(ticks.checked_mul(1000 / TICKS)?);
    let started = StartTime {
        earliest: booted.earliest.checked_add(since)?,
        latest: booted.latest.checked_add(since)?.checked_add(TICK)?,
    };
    Some(RunningProcess { pid, parent: fields.get(1)?.parse().ok()?, started, kind })
}

/// When the machine was booted, by its clock of now: to the second, or as exactly as the time since then is known.
fn booted() -> Option<StartTime> {
    let read = |path: &str| {
        let bytes = regular_file::read(Path::new(path), MAX_FILE).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let stat = read("/proc/stat")?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    let second = OffsetDateTime::from_unix_timestamp(seconds.trim().parse().ok()?).ok()?;
    let before = settings::now();
    let uptime = read("/proc/uptime");
    let after = settings::now();
    let uptime = uptime.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    Some(narrowed(second, uptime.and_then(Duration::checked_seconds_f64), (before, after)))
}

/// The whole second in which the machine was booted, narrowed by the time since then. In a container that may be the
/// container's own, and then does not count.
fn narrowed(
    second: OffsetDateTime,
    uptime: Option<Duration>,
    (before, after): (OffsetDateTime, OffsetDateTime),
) -> StartTime {
    // The kernel may round either way.
    let wide = StartTime { earliest: second - Duration::SECOND, latest: second + Duration::SECOND };
    let Some(uptime) = uptime else { return wide };
    let exact = before.checked_sub(uptime).zip(after.checked_sub(uptime));
    let exact = exact.map(|(earliest, latest)| StartTime { earliest: earliest - TICK, latest });
    exact
        .filter(|one| one.earliest >= wide.earliest && one.latest <= wide.latest + TICK)
        .unwrap_or(wide)
}

fn master(pid: u32, command: &NginxCommand, loaded: (u32, StartTime)) -> Master {
    let link = PathBuf::from(format!("/proc/{pid}/exe"));
    // Only root and the process's own user can read the link.
    let named = fs::read_link(&link).ok().map(|path| path.display().to_string());
    let is_replaced = named.as_ref().is_some_and(|path| path.ends_with(DELETED));
    let binary = named.as_deref().map(|path| path.trim_end_matches(DELETED));
    let is_absolute = command.program.starts_with('/').then_some(&*command.program);
    let binary = PathBuf::from(binary.or(is_absolute).unwrap_or("nginx"));
    let build = binary::build(&link).or_else(|| binary::build(&binary));
    let maps = regular_file::read(Path::new(&format!("/proc/{pid}/maps")), MAX_FILE);
    let library = maps.ok().and_then(|maps| {
        loaded_library(pid, &String::from_utf8_lossy(&maps))
            .or_else(|| contained_library(build.as_ref(), &binary))
    });
    let in_root = PathBuf::from(format!("/proc/{pid}/root{}", binary.display()));
    let prefix = prefix(command, build.as_ref());
    Master {
        pid,
        replaced_by: is_replaced.then(|| binary::build(&in_root)).flatten(),
        configuration: configuration(pid, command, build.as_ref(), &prefix),
        prefix,
        binary,
        is_replaced,
        build,
        library,
        loaded: Some(loaded),
    }
}

/// What the kernel appends to the name of a file that is no longer there.
const DELETED: &str = " (deleted)";

/// The library that a process has loaded, from the list of its memory.
fn loaded_library(pid: u32, maps: &str) -> Option<LoadedLibrary> {
    // ADDRESS PERMISSIONS OFFSET DEVICE INODE PATH
    let line = ["/libcrypto.so", "/libcrypto-", "/libssl.so"].iter().find_map(|name| {
        maps.lines().find(|line| {
            line.find('/').is_some_and(|at| {
                let path = &line[at..];
                path.rfind('/').is_some_and(|last| path[last..].starts_with(name))
            })
        })
    })?;
    let shown = &line[line.find('/')?..];
    let is_replaced = shown.ends_with(DELETED);
    let path = shown.trim_end_matches(DELETED).to_owned();
    let on_disk = binary::library(Path::new(&format!("/proc/{pid}/root{path}")));
    let text = if is_replaced {
        // Root can still read a file that is gone, by its place in memory.
        let range = line.split(' ').next()?;
        binary::library(Path::new(&format!("/proc/{pid}/map_files/{range}")))
    } else {
        on_disk.clone()
    };
    let replaced_by = on_disk.filter(|_| is_replaced);
    let folder = binary::openssl_folder(Path::new(&format!("/proc/{pid}/root{path}")));
    Some(LoadedLibrary { path, text, replaced_by, folder, is_replaced })
}

/// The library in the program itself.
fn contained_library(build: Option<&Build>, binary: &Path) -> Option<LoadedLibrary> {
    let text = build?.library.clone()?;
    Some(LoadedLibrary {
        path: binary.display().to_string(),
        text: Some(text),
        replaced_by: None,
        folder: binary::openssl_folder(binary),
        is_replaced: false,
    })
}

/// The file that a master read first (`ngx_process_options`).
fn configuration(
    pid: u32,
    command: &NginxCommand,
    build: Option<&Build>,
    prefix: &str,
) -> Option<String> {
    let built = build.and_then(|build| build.argument("--conf-path"));
    let named = command.configuration.as_deref().or(built).unwrap_or("conf/nginx.conf");
    let full = below_prefix(prefix, named);
    if full.starts_with('/') {
        return Some(full);
    }
    let folder = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    Some(folder.join(full).display().to_string())
}

/// `-p`, or the prefix that the program was built with.
fn prefix(command: &NginxCommand, build: Option<&Build>) -> String {
    let built = build.and_then(|build| build.argument("--prefix"));
    command.prefix.as_deref().or(built).unwrap_or("/usr/local/nginx").to_owned()
}

fn below_prefix(prefix: &str, name: &str) -> String {
    if name.starts_with('/') {
        name.to_owned()
    } else {
        format!("{}/{name}", prefix.trim_end_matches('/'))
    }
}

impl Master {
    /// The full name of a log (`ngx_conf_full_name`).
    pub(in crate::cli) fn full_name(&self, name: &str) -> String {
        below_prefix(&self.prefix, name)
    }

    /// Whether it runs the configuration with this main file of this machine.
    pub(in crate::cli) fn runs(&self, main: &Metadata) -> bool {
        let Some(name) = self.configuration.as_ref().filter(|_| may_run(self.pid, main)) else {
            return false;
        };
        let its = fs::metadata(format!("/proc/{}/root{name}", self.pid));
        let its = match its {
            Ok(its) => its,
            // Another user's process: its root is unknown, but it is this one unless it runs in a container.
            Err(_) if !is_contained(self.pid) => match fs::metadata(name) {
                Ok(its) => its,
                Err(_) => return false,
            },
            Err(_) => return false,
        };
        (its.dev(), its.ino()) == (main.dev(), main.ino())
    }
}

/// Whether a process is in a process namespace of its own, as in a container.
fn is_contained(pid: u32) -> bool {
    let status = regular_file::read(Path::new(&format!("/proc/{pid}/status")), MAX_FILE);
    let status = status.unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    ids.is_none_or(|ids| ids.split_whitespace().count() != 1)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn command(configuration: Option<&str>, prefix: Option<&str>) -> NginxCommand {
        NginxCommand {
            program: "nginx".to_owned(),
            configuration: configuration.map(str::to_owned),
            prefix: prefix.map(str::to_owned),
            directives: None,
        }
    }

    #[test]
    fn the_main_file_is_found_as_nginx_finds_it() {
        let build = Build::read(
            "nginx version: nginx/1.22.1\nconfigure arguments: --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf",
        );
        let of = |configuration, prefix| {
            let command = command(configuration, prefix);
            let prefix = super::prefix(&command, build.as_ref());
            super::configuration(0, &command, build.as_ref(), &prefix).unwrap()
        };
        assert_eq!(of(None, None), "/etc/nginx/nginx.conf");
        assert_eq!(of(Some("/a.conf"), Some("/p")), "/a.conf");
        assert_eq!(of(Some("a.conf"), Some("/p/")), "/p/a.conf");
        assert_eq!(of(Some("a.conf"), None), "/usr/share/nginx/a.conf");
        let plain = command(None, None);
        let folder = prefix(&plain, None);
        let plain = configuration(0, &plain, None, &folder);
        assert_eq!(plain.as_deref(), Some("/usr/local/nginx/conf/nginx.conf"));
    }

    #[test]
    fn the_time_since_the_boot_says_when_that_was() {
        let second = datetime!(2026-06-15 12:00:05 UTC);
        let now = datetime!(2026-06-15 13:00:00 UTC);
        let of = |uptime| {
            let StartTime { earliest, latest } = narrowed(second, uptime, (now, now));
            (earliest - second, latest - second)
        };
        let ms = Duration::milliseconds;
        assert_eq!(of(Some(ms(3_594_700))), (ms(290), ms(300)));
        // That of a container.
        assert_eq!(of(Some(Duration::minutes(1))), (ms(-1000), ms(1000)));
        assert_eq!(of(None), (ms(-1000), ms(1000)));
    }

    #[test]
    fn a_library_that_is_gone_from_the_disk_was_replaced() {
        let maps = "55d0-55d1 r--p 00000000 fe:00 7 /usr/sbin/nginx\n\
                    7f00-7f01 r--p 00000000 fe:00 8 /nonexistent/libcrypto.so.3 (deleted)\n\
                    7f02-7f03 r--p 00000000 fe:00 9 /nonexistent/libssl.so.3\n";
        let library = loaded_library(u32::MAX, maps).unwrap();
        assert_eq!(library.path, "/nonexistent/libcrypto.so.3");
        assert!(library.is_replaced && library.text.is_none());
        assert_eq!(loaded_library(u32::MAX, "7f00-7f01 r--p 0 fe:00 8 /lib/libc.so.6\n"), None);
    }
}
