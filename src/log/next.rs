//! The next command to run, with the values from the line.

use memchr::memmem;

use super::classify::{Diagnosis, upstream_port};
use super::line::LogLine;
use super::table::NextStep;

/// Commands for the causes of a line, the likeliest cause's first, quoted for a shell. Each can be run as it is.
pub fn commands(line: &LogLine<'_>, diagnosis: &Diagnosis<'_>) -> Vec<String> {
    let mut commands = Vec::new();
    for (cause, _) in diagnosis.causes() {
        let words = command(line, diagnosis, cause.next);
        // Only nginx's configuration can be rehearsed.
        let rehearsal = (cause.rehearse && diagnosis.program.is_none()).then(rehearsal);
        for words in [Some(words), rehearsal].into_iter().flatten() {
            let Ok(command) = shlex::try_join(words.iter().map(String::as_str)) else { continue };
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
    }
    commands
}

/// Runs the configuration in a private nginx, replays every known client there, and tries fixes.
fn rehearsal() -> Vec<String> {
    ["shakedown", "nginx", CONFIGURATION, "--rehearse", "--clients", "all"]
        .map(str::to_owned)
        .to_vec()
}

/// The commands to print where there is little room: the first, and a rehearsal.
pub fn first(commands: &[String]) -> impl Iterator<Item = &String> {
    let is_rehearsal = |command: &str| command.contains(" --rehearse ");
    let rehearsal = commands.iter().skip(1).find(|command| is_rehearsal(command));
    commands.first().into_iter().chain(rehearsal)
}

/// Where distributions keep nginx's configuration.
const CONFIGURATION: &str = "/etc/nginx/nginx.conf";

fn command(line: &LogLine<'_>, diagnosis: &Diagnosis<'_>, step: NextStep) -> Vec<String> {
    let words: &[&str] = match step {
        NextStep::AsNginx if diagnosis.program.is_none() => &["probe", "--as-nginx"],
        NextStep::AsNginx | NextStep::ProbeUpstream => &["probe", "--role", "upstream"],
        NextStep::ProbeListener => &["probe"],
        NextStep::ScanUpstream => &["scan", "--role", "upstream"],
        NextStep::ScanListener => &["scan"],
        NextStep::Configuration => &["nginx"],
        NextStep::Certificate => &["cert"],
    };
    let mut command: Vec<String> =
        ["shakedown"].iter().chain(words).map(ToString::to_string).collect();
    match step {
        NextStep::Configuration => command.push(CONFIGURATION.to_owned()),
        NextStep::Certificate => command.push(file(line)),
        _ if diagnosis.program.is_some() => command.push(server(&line.message)),
        NextStep::AsNginx => {
            command.extend(proven(line, diagnosis));
            command.push(upstream(line));
        }
        NextStep::ProbeUpstream | NextStep::ScanUpstream => command.push(upstream(line)),
        NextStep::ProbeListener | NextStep::ScanListener => command.extend(listener(line)),
    }
    command
}

/// Directives that must be on if nginx writes such a line. The trusted file is not in the line.
fn proven(line: &LogLine<'_>, diagnosis: &Diagnosis<'_>) -> Vec<String> {
    let mismatch = memmem::find(&line.message, b"SSL certificate does not match \"");
    if mismatch.is_none() && diagnosis.verify.is_none() {
        return Vec::new();
    }
    let mut options = ["--proxy-ssl-verify", "on", "--proxy-ssl-trusted-certificate", TRUSTED]
        .map(str::to_owned)
        .to_vec();
    let quoted = mismatch.and_then(|at| line.message[at..].split(|byte| *byte == b'"').nth(1));
    // nginx verifies the chain before the name, so a line about the chain does not contain the name.
    let name = quoted.and_then(plain_name).unwrap_or_else(|| NAME.to_owned());
    options.extend(["--proxy-ssl-name".to_owned(), name]);
    options
}

/// A placeholder for the file of `proxy_ssl_trusted_certificate`.
const TRUSTED: &str = "TRUSTED.pem";

/// A placeholder for the value of `proxy_ssl_name`.
const NAME: &str = "NAME";

/// The upstream's address in the line. The name in the client's request is not the upstream's.
fn upstream(line: &LogLine<'_>) -> String {
    let Some(authority) = line.upstream.and_then(authority) else {
        return "UPSTREAM:443".to_owned();
    };
    let port = upstream_port(authority.as_bytes()).unwrap_or(443);
    let host = without_port(&authority);
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The server in a program's line.
fn server(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let url = text.split("https://").nth(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-._:[]".contains(c)));
        rest[..end.unwrap_or(rest.len())].trim_end_matches([':', '.']).to_owned()
    });
    match url.filter(|authority| !authority.is_empty()) {
        Some(authority) => {
            let port = upstream_port(authority.as_bytes()).unwrap_or(443);
            format!("{}:{port}", without_port(&authority))
        }
        None => "SERVER:443".to_owned(),
    }
}

/// The listener's address in the line.
fn listener(line: &LogLine<'_>) -> Vec<String> {
    let server =
        line.server.and_then(|server| std::str::from_utf8(server).ok()).unwrap_or_default();
    // A server that is a name has no port; the host in the request has one if it is not the default.
    let asked = || line.host.and_then(upstream_port);
    let port = upstream_port(server.as_bytes()).or_else(asked).unwrap_or(443);
    let name = line.host.and_then(plain_name);
    match without_port(server) {
        "" | "_" | "0.0.0.0" | "[::]" | "::" => {
            let address = if server.starts_with('[') { "[::1]" } else { "127.0.0.1" };
            match name {
                Some(name) => vec!["--server-name".to_owned(), name, format!("{address}:{port}")],
                None => vec![format!("{address}:{port}")],
            }
        }
        host if host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[') => {
            vec![format!("{host}:{port}")]
        }
        host => vec![
            plain_name(host.as_bytes())
                .map_or("SERVER".to_owned(), |name| format!("{name}:{port}")),
        ],
    }
}

/// The file in the message.
fn file(line: &LogLine<'_>) -> String {
    let quoted = line.message.split(|byte| *byte == b'"').nth(1);
    let path = quoted.and_then(|path| std::str::from_utf8(path).ok());
    path.filter(|path| path.starts_with('/') && !path.chars().any(char::is_control))
        .unwrap_or("/etc/nginx")
        .to_owned()
}

/// `192.0.2.1:443` of `https://192.0.2.1:443/path`; `None` for a unix socket, which cannot be probed.
fn authority(upstream: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(upstream).ok()?;
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split('/').next()?;
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    let is_plain = !authority.is_empty() && authority.chars().all(plain);
    (is_plain && !authority.starts_with("unix:")).then(|| authority.to_owned())
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port))
            if port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        _ => authority,
    }
}

/// A Host header that is a DNS name, without its port.
fn plain_name(host: &[u8]) -> Option<String> {
    let name = without_port(std::str::from_utf8(host).ok()?);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let address = name.parse::<std::net::IpAddr>().is_ok();
    let option = name.starts_with('-');
    (!name.is_empty() && name.chars().all(plain) && !address && !option).then(|| name.to_owned())
}
