//! OpenSSL's configuration file (config(5)), as far as it decides about TLS: `openssl_conf` names a section, its
//! `ssl_conf` another, and `system_default` in that one the section whose commands apply to every connection before the
//! program's own settings.

use std::collections::HashMap;

/// The section of lines before any header, in which every name is looked up last.
const DEFAULT: &str = "default";

/// The longest value, in bytes (`MAX_CONF_VALUE_LENGTH`).
const MAX_VALUE: usize = 64 * 1024;

/// How deep files may include each other.
const MAX_DEPTH: usize = 10;

/// The most lines that are read.
const MAX_LINES: usize = 100_000;

/// A configuration file with all that it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpensslConfig {
    sections: HashMap<String, Vec<(String, String)>>,
    lines: usize,
    /// The files that could not be read.
    pub unread: Vec<String>,
}

/// The texts of the files at a path: of the file, or of every `.cnf` and `.conf` in the folder. `None` if it cannot be
/// read.
pub type Include<'a> = &'a dyn Fn(&str) -> Option<Vec<String>>;

impl OpensslConfig {
    /// Reads a file.
    pub fn read(text: &str, include: Include<'_>) -> Self {
        let mut config = Self::default();
        config.add(text, &mut DEFAULT.to_owned(), include, 0);
        config
    }

    /// The commands for every connection of this application, each `NAME VALUE`, in order. OpenSSL looks for a line with
    /// the application's name first, and then for `openssl_conf`.
    pub fn system_default(&self, application: Option<&str>) -> Vec<String> {
        let main = application.and_then(|name| self.get(DEFAULT, name));
        let Some(main) = main.or_else(|| self.get(DEFAULT, "openssl_conf")) else {
            return Vec::new();
        };
        // `ssl_conf.1` runs the same module.
        let is_module = |name: &str| name.split('.').next() == Some("ssl_conf");
        let modules = self.section(main).iter().filter(|(name, _)| is_module(name));
        let tables = modules.map(|(_, section)| self.section(section));
        let defaults = tables.flatten().filter(|(name, _)| name == "system_default");
        let lines = defaults.flat_map(|(_, section)| self.section(section));
        // A prefix keeps equal names apart.
        let command = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        lines.map(|(name, value)| format!("{} {value}", command(name))).collect()
    }

    fn section(&self, name: &str) -> &[(String, String)] {
        self.sections.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    fn get(&self, section: &str, name: &str) -> Option<&str> {
        let of = |section: &str| self.section(section).iter().find(|(known, _)| known == name);
        let found = of(section).or_else(|| of(DEFAULT));
        found.map(|(_, value)| value.as_str())
    }

    fn set(&mut self, section: &str, name: &str, value: String) {
        let lines = self.sections.entry(section.to_owned()).or_default();
        lines.retain(|(known, _)| known != name);
        lines.push((name.to_owned(), value));
    }

    fn add(&mut self, text: &str, section: &mut String, include: Include<'_>, depth: usize) {
        let mut joined = String::new();
        for line in text.lines() {
            self.lines += 1;
            if self.lines > MAX_LINES {
                return;
            }
            let line = without_comment(line);
            if let Some(begun) = continued(line) {
                joined.push_str(begun);
                if joined.len() > MAX_VALUE {
                    return;
                }
                continue;
            }
            joined.push_str(line);
            self.line(&std::mem::take(&mut joined), section, include, depth);
        }
        self.line(&joined, section, include, depth);
    }

    fn line(&mut self, line: &str, section: &mut String, include: Include<'_>, depth: usize) {
        let line = line.trim();
        if let Some(inside) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            inside.trim().clone_into(section);
            self.sections.entry(section.clone()).or_default();
            return;
        }
        if let Some(rest) = line.strip_prefix(".include") {
            let rest = rest.trim_start().trim_start_matches('=');
            let path = self.value(section, rest.trim());
            match include(&path).filter(|_| depth < MAX_DEPTH) {
                Some(texts) => {
                    for text in texts {
                        self.add(&text, section, include, depth + 1);
                    }
                }
                None => self.unread.push(path),
            }
            return;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('.')) else {
            return;
        };
        let name = name.trim();
        let (section, name) = match name.split_once("::") {
            Some((section, name)) => (section.to_owned(), name.to_owned()),
            None => (section.clone(), name.to_owned()),
        };
        let value = self.value(&section, value.trim());
        self.set(&section, &name, value);
    }

    /// A value without quotes and escapes, with its variables (`str_copy`). Those of the environment are empty here.
    fn value(&self, section: &str, text: &str) -> String {
        let mut value = String::new();
        let mut rest = text;
        let mut quote = None;
        while let Some(first) = rest.chars().next() {
            rest = &rest[first.len_utf8()..];
            match (first, quote) {
                ('"' | '\'' | '`', None) => quote = Some(first),
                (mark, Some(open)) if mark == open => quote = None,
                ('\\', _) => {
                    let Some(escaped) = rest.chars().next() else { break };
                    rest = &rest[escaped.len_utf8()..];
                    value.push(match escaped {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'b' => '\u{8}',
                        other => other,
                    });
                }
                ('$', None | Some('"')) => {
                    let (name, after) = variable(rest);
                    rest = after;
                    let (of, name) = name.split_once("::").unwrap_or((section, name));
                    value.push_str(self.get(of, name).unwrap_or_default());
                }
                (other, _) => value.push(other),
            }
            if value.len() > MAX_VALUE {
                break;
            }
        }
        value
    }
}

/// The name of a variable behind `$`, and the rest of the text.
fn variable(text: &str) -> (&str, &str) {
    let end = match text.chars().next() {
        Some('{') => Some('}'),
        Some('(') => Some(')'),
        _ => None,
    };
    if let Some(end) = end {
        return text[1..].split_once(end).unwrap_or((&text[1..], ""));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()))
}

/// The line up to an unquoted `#`.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' | '\'' | '`' if quote.is_none() => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            '#' if quote.is_none() => return &line[..at],
            _ => {}
        }
    }
    line
}

/// The line without the backslash that continues it; an escaped one does not.
fn continued(line: &str) -> Option<&str> {
    let bare = line.trim_end_matches('\\');
    ((line.len() - bare.len()) % 2 == 1).then(|| &line[..line.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults(text: &str, application: Option<&str>) -> Vec<String> {
        OpensslConfig::read(text, &|_| None).system_default(application)
    }

    const HEAD: &str = "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = sys\n";

    #[test]
    fn the_system_s_commands_are_those_of_system_default() {
        let text = format!("{HEAD}[sys]\nMinProtocol = TLSv1.2 # as usual\nTLS.Groups = P-256\n");
        assert_eq!(defaults(&text, None), ["MinProtocol TLSv1.2", "Groups P-256"]);
        assert_eq!(defaults("[sys]\nGroups = P-256\n", None), [""; 0]);
        let other = format!(
            "{HEAD}[sys]\nGroups = P-256\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nGroups=X25519\n"
        );
        assert_eq!(defaults(&format!("nginx = a\n{other}"), Some("nginx")), ["Groups X25519"]);
        assert_eq!(defaults(&format!("nginx = a\n{other}"), None), ["Groups P-256"]);
        assert_eq!(defaults(&other, Some("nginx")), ["Groups P-256"]);
    }

    #[test]
    fn values_are_read_as_openssl_reads_them() {
        let text = format!(
            "level = 1\n{HEAD}[sys]\nCipherString = \"DEFAULT@SECLEVEL=$level\"\nGroups = ${{level}}\\\n:P-256\nGroups = a\\$b\nsys::Options = '$x'\n"
        );
        assert_eq!(
            defaults(&text, None),
            ["CipherString DEFAULT@SECLEVEL=1", "Groups a$b", "Options $x"]
        );
    }

    #[test]
    fn included_files_are_read_in_place() {
        let text = format!("{HEAD}[sys]\n.include /etc/policy.config\n.include = /none\n");
        let read =
            |path: &str| (path == "/etc/policy.config").then(|| vec!["Groups = P-256".to_owned()]);
        let config = OpensslConfig::read(&text, &read);
        assert_eq!(config.system_default(None), ["Groups P-256"]);
        assert_eq!(config.unread, ["/none"]);
        let endless = |_: &str| Some(vec![".include /again\n.include /again".to_owned()]);
        assert!(OpensslConfig::read(".include /a", &endless).lines <= 2 * MAX_LINES);
    }
}
