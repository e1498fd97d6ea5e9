//! `targets.toml`: defaults and targets. Every problem is reported with its place, and an unknown word with the closest
//! known one.

mod proxy_ssl;

use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::targets::address::{Address, parse_host};
use crate::targets::advice::{Shown, suggestion};
use crate::targets::clients::select;
use crate::targets::options::{Options, parse_alpn, parse_duration};
use crate::targets::places::Places;
use crate::targets::{ClientCertificatePolicy, Host, Origin, Role, Roots, StartTls};
use crate::tls::profile::Profile;
use crate::tls::version::ProtocolVersion;

/// Keys of a target; `[defaults]` has all but the first three.
const TARGET_KEYS: &[&str] = &[
    "address",
    "name",
    "server_name",
    "extra_names",
    "role",
    "trust",
    "ca_file",
    "add_ca_files",
    "client_cert",
    "client_key",
    "starttls",
    "proxy_protocol",
    "timeout",
    "expect",
    "proxy_ssl",
];

/// Keys of `[defaults]`.
const DEFAULT_KEYS: &[&str] = TARGET_KEYS.split_at(3).1;

/// Keys of an `expect` table.
const EXPECT_KEYS: &[&str] =
    &["protocols", "client_certificate", "warning_days", "critical_days", "alpn", "clients"];

/// One error in a targets file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}:{}: {message}", origin.file, origin.line, origin.column)]
pub struct TargetsProblem {
    /// Its place.
    pub origin: Origin,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// A target in the file, with defaults applied.
#[derive(Clone, Debug)]
pub struct TargetEntry {
    /// Its address.
    pub address: Address,
    /// Its options.
    pub options: Options,
    /// Its place.
    pub origin: Origin,
}

/// Reads the text of a targets file. File names in it are relative to `folder`.
pub fn read(file: &str, folder: &Path, text: &str) -> (Vec<TargetEntry>, Vec<TargetsProblem>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader =
        TargetsReader { folder, places: Places::new(file, text), problems: Vec::new() };
    let (document, errors) = DeTable::parse_recoverable(text);
    // After a syntax error everything else is a guess, so nothing else is reported.
    let entries = if errors.is_empty() { reader.document(document.get_ref()) } else { Vec::new() };
    for error in errors {
        let message = error.message().trim_end().replace('\n', "; ");
        reader.problem(error.span().unwrap_or(text.len()..text.len()), message);
    }
    (entries, reader.finish())
}

type TomlValue<'i> = Spanned<DeValue<'i>>;

struct TargetsReader<'a> {
    folder: &'a Path,
    places: Places<'a>,
    problems: Vec<TargetsProblem>,
}

impl TargetsReader<'_> {
    /// The problems, in the order of the file.
    fn finish(mut self) -> Vec<TargetsProblem> {
        self.problems.sort_by_key(|problem| (problem.origin.line, problem.origin.column));
        self.problems
    }

    fn document(&mut self, document: &DeTable<'_>) -> Vec<TargetEntry> {
        self.check_keys(document, &["defaults", "target"]);
        let defaults = match document.get("defaults") {
            Some(value) => {
                self.table(value).map(|table| self.options(table, DEFAULT_KEYS)).unwrap_or_default()
            }
            None => Options::default(),
        };
        match document.get("target").map(|value| (value, value.get_ref())) {
            Some((_, DeValue::Array(targets))) => {
                targets.iter().filter_map(|target| self.entry(target, &defaults)).collect()
            }
            Some((value, _)) => {
                self.problem(
                    value.span(),
                    "expected [[target]] tables, one for each target".to_owned(),
                );
                Vec::new()
            }
            None => {
                self.problem(0..0, "no [[target]] table".to_owned());
                Vec::new()
            }
        }
    }

    fn entry(&mut self, target: &TomlValue<'_>, defaults: &Options) -> Option<TargetEntry> {
        let table = self.table(target)?;
        let options = self.options(table, TARGET_KEYS);
        let Some(address) = table.get("address") else {
            self.problem(target.span(), "the target has no `address`".to_owned());
            return None;
        };
        let address = self.parsed(address)?;
        let origin = self.places.origin(target.span().start);
        Some(TargetEntry { address, options: options.over(defaults), origin })
    }

    fn options(&mut self, table: &DeTable<'_>, known: &[&str]) -> Options {
        self.check_keys(table, known);
        let mut options = Options {
            name: self.at(table, "name", Self::string),
            server_name: self.at(table, "server_name", Self::dns_name),
            extra_names: self
                .at(table, "extra_names", |reader, value| reader.list(value, Self::covered_name)),
            role: self.at(table, "role", |reader, value| {
                reader.word(value, &[("listener", Role::Listener), ("upstream", Role::Upstream)])
            }),
            roots: self.roots(table),
            add_ca_files: self
                .at(table, "add_ca_files", |reader, value| reader.list(value, Self::path)),
            client_certificate: self.at(table, "client_cert", Self::path),
            client_key: self.at(table, "client_key", Self::path),
            starttls: self.at(table, "starttls", |reader, value| {
                let known = StartTls::all().map(|protocol| (protocol.name(), protocol));
                reader.word(value, &known.collect::<Vec<_>>())
            }),
            proxy_protocol: self.at(table, "proxy_protocol", Self::switch),
            timeout: self.at(table, "timeout", Self::duration),
            as_nginx: self.at(table, "proxy_ssl", Self::proxy_ssl),
            ..Options::default()
        };
        if let (Some(key), None) = (table.get("client_key"), table.get("client_cert")) {
            self.problem(
                key.span(),
                "`client_key` needs the `client_cert` that it belongs to".to_owned(),
            );
        }
        if let Some(expect) = table.get("expect").and_then(|value| self.table(value)) {
            self.expectations(expect, &mut options);
        }
        options
    }

    fn expectations(&mut self, table: &DeTable<'_>, options: &mut Options) {
        self.check_keys(table, EXPECT_KEYS);
        options.protocols = self.at(table, "protocols", Self::protocols);
        options.client_certificate_policy =
            self.at(table, "client_certificate", |reader, value| {
                reader.word(
                    value,
                    &[
                        ("none", ClientCertificatePolicy::None),
                        ("optional", ClientCertificatePolicy::Optional),
                        ("required", ClientCertificatePolicy::Required),
                    ],
                )
            });
        options.warning_days = self.at(table, "warning_days", Self::days);
        options.critical_days = self.at(table, "critical_days", Self::days);
        options.alpn =
            self.at(table, "alpn", |reader, value| reader.list(value, Self::parsed_alpn));
        options.clients = self
            .at(table, "clients", |reader, value| reader.list(value, Self::selected_clients))
            .map(|selections| selections.concat());
    }

    fn roots(&mut self, table: &DeTable<'_>) -> Option<Roots> {
        if let (Some(_), Some(file)) = (table.get("trust"), table.get("ca_file")) {
            self.problem(
                file.span(),
                "`trust` and `ca_file` exclude each other; remove one".to_owned(),
            );
        }
        let named = self.at(table, "trust", |reader, value| {
            reader.word(value, &[("native", Roots::Native), ("mozilla", Roots::Mozilla)])
        });
        self.at(table, "ca_file", Self::path).map(Roots::File).or(named)
    }

    fn at<T>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        read: impl FnOnce(&mut Self, &TomlValue<'_>) -> Option<T>,
    ) -> Option<T> {
        read(self, table.get(key)?)
    }

    fn table<'v, 'i>(&mut self, value: &'v TomlValue<'i>) -> Option<&'v DeTable<'i>> {
        value.get_ref().as_table().or_else(|| self.expected("a table", value))
    }

    fn string(&mut self, value: &TomlValue<'_>) -> Option<String> {
        match value.get_ref().as_str() {
            Some("") => {
                self.problem(value.span(), "the text is empty".to_owned());
                None
            }
            Some(text) => Some(text.to_owned()),
            None => self.expected("text in quotes", value),
        }
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, value: &TomlValue<'_>) -> Option<T> {
        let text = self.string(value)?;
        text.parse().map_err(|error: T::Err| self.problem(value.span(), error.to_string())).ok()
    }

    fn dns_name(&mut self, value: &TomlValue<'_>) -> Option<String> {
        let text = self.string(value)?;
        if let Ok(Host::Name(name)) = parse_host(&text) {
            return Some(name);
        }
        let message = format!("{text:?} is not a DNS name; an address is never sent as SNI");
        self.problem(value.span(), message);
        None
    }

    fn covered_name(&mut self, value: &TomlValue<'_>) -> Option<String> {
        let text = self.string(value)?;
        let host = parse_host(&text).map_err(|error| self.problem(value.span(), error.to_string()));
        host.ok().map(|host| host.to_string())
    }

    fn path(&mut self, value: &TomlValue<'_>) -> Option<PathBuf> {
        self.string(value).map(|text| self.folder.join(text))
    }

    fn duration(&mut self, value: &TomlValue<'_>) -> Option<Duration> {
        let text = match value.get_ref() {
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            _ => self.string(value)?,
        };
        parse_duration(&text).map_err(|error| self.problem(value.span(), error.to_string())).ok()
    }

    fn protocols(&mut self, value: &TomlValue<'_>) -> Option<Vec<ProtocolVersion>> {
        let named = |version: ProtocolVersion| Some((version.name()?, version));
        let known: Vec<_> = ProtocolVersion::ALL.into_iter().filter_map(named).collect();
        match self.list(value, |reader, item| reader.word(item, &known))? {
            protocols if protocols.is_empty() => {
                self.expected("at least one version, such as \"TLSv1.3\"", value)
            }
            protocols => Some(protocols),
        }
    }

    fn parsed_alpn(&mut self, value: &TomlValue<'_>) -> Option<String> {
        let text = self.string(value)?;
        parse_alpn(&text).map_err(|error| self.problem(value.span(), error.to_string())).ok()
    }

    fn selected_clients(&mut self, value: &TomlValue<'_>) -> Option<Vec<&'static Profile>> {
        let text = self.string(value)?;
        select(&text, self.folder)
            .map_err(|error| self.problem(value.span(), error.to_string()))
            .ok()
    }

    fn days(&mut self, value: &TomlValue<'_>) -> Option<u32> {
        let number = value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
        number.or_else(|| self.expected("a number of days, from 0", value))
    }

    fn list<T>(
        &mut self,
        value: &TomlValue<'_>,
        read: impl Fn(&mut Self, &TomlValue<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(items) = value.get_ref().as_array() else {
            return self.expected("a list: [\"…\"]", value);
        };
        let read_all: Vec<Option<T>> = items.iter().map(|item| read(self, item)).collect();
        read_all.into_iter().collect()
    }

    fn word<T: Clone>(&mut self, value: &TomlValue<'_>, known: &[(&str, T)]) -> Option<T> {
        let text = self.string(value)?;
        if let Some((_, meaning)) = known.iter().find(|(word, _)| *word == text) {
            return Some(meaning.clone());
        }
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let advice = suggestion(&text, &words);
        self.problem(value.span(), format!("unknown value \"{}\"{advice}", Shown(&text)));
        None
    }

    fn check_keys(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let advice = if EXPECT_KEYS.contains(&name.as_ref()) {
                "; it belongs in the `expect` table".to_owned()
            } else {
                suggestion(name, known)
            };
            self.problem(key.span(), format!("unknown key `{}`{advice}", Shown(name)));
        }
    }

    fn expected<T>(&mut self, what: &str, value: &TomlValue<'_>) -> Option<T> {
        self.problem(
            value.span(),
            format!("expected {what}, found {}", value.get_ref().type_str()),
        );
        None
    }

    fn problem(&mut self, span: Range<usize>, message: String) {
        let origin = self.places.origin(span.start);
        self.problems.push(TargetsProblem { origin, message });
    }
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::*;

    #[track_caller]
    fn check_problems(text: &str, expected: &[&str]) {
        let (_, problems) = read("t.toml", Path::new("/etc"), text);
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_example_file_is_valid_and_shows_every_key() {
        let text = include_str!("../../../targets.example.toml");
        let (entries, problems) = read("targets.example.toml", Path::new("."), text);
        assert_eq!(problems, []);
        assert!(entries.len() > 2);
        for key in TARGET_KEYS.iter().chain(EXPECT_KEYS).chain(proxy_ssl::KEYS) {
            assert!(
                text.lines().any(|line| line.starts_with(&format!("{key} = "))
                    || line.contains(&format!(".{key}]"))),
                "{key}"
            );
        }
    }

    #[test]
    fn a_target_inherits_the_defaults_and_overrides_them() {
        let text = "[defaults]\nrole = 'upstream'\ntimeout = '2s'\nca_file = 'ca.pem'\n[[target]]\naddress = 'a.test:1'\n\
                    timeout = 3\nexpect = { protocols = ['TLSv1.3'], warning_days = 9 }\n";
        let (entries, problems) = read("t.toml", Path::new("/etc"), text);
        assert_eq!(problems, []);
        let [TargetEntry { options, origin, .. }] = entries.as_slice() else {
            panic!("one target")
        };
        assert_eq!(options.role, Some(Role::Upstream));
        assert_eq!(options.timeout, Some(Duration::from_secs(3)));
        assert_eq!(options.roots, Some(Roots::File("/etc/ca.pem".into())));
        assert_eq!(options.protocols, Some(vec![ProtocolVersion::TLS1_3]));
        assert_eq!((origin.line, options.warning_days), (5, Some(9)));
    }

    #[test]
    fn unknown_words_come_with_the_closest_known_one() {
        check_problems(
            "[[target]]\naddress = 'a.test'\nserver_nam = 'b.test'\nrole = 'upstraem'\n",
            &[
                "t.toml:3:1: unknown key `server_nam`; did you mean `server_name`?",
                "t.toml:4:8: unknown value \"upstraem\"; did you mean `upstream`?",
            ],
        );
        check_problems(
            "[[target]]\naddress = 'a.test'\n[target.expect]\nwarn_days = 3\n",
            &["t.toml:4:1: unknown key `warn_days`; did you mean `warning_days`?"],
        );
    }

    #[test]
    fn bad_values_name_their_place_and_what_is_expected() {
        check_problems("[[target]]\nname = 'x'\n", &["t.toml:1:1: the target has no `address`"]);
        check_problems("", &["t.toml:1:1: no [[target]] table"]);
        check_problems(
            "[[target]]\naddress = 'a.test:0'\ntimeout = '5 parsecs'\n",
            &[
                "t.toml:2:11: invalid port \"0\": expected 1 to 65535",
                "t.toml:3:11: invalid duration \"5 parsecs\": expected 5s, 500ms or 2m (at most 24h)",
            ],
        );
        check_problems(
            "[[target]]\naddress = 'a.test'\nexpect.warning_days = -1\nexpect.alpn = 'h2'\n",
            &[
                "t.toml:3:23: expected a number of days, from 0, found integer",
                "t.toml:4:15: expected a list: [\"…\"], found string",
            ],
        );
    }

    #[test]
    fn expectations_that_mean_nothing_are_refused() {
        check_problems(
            "[[target]]\naddress = 'a.test'\nprotocols = []\nclient_key = 'k'\n[target.expect]\n\
             protocols = ['TLS1.3']\nalpn = ['']\n",
            &[
                "t.toml:3:1: unknown key `protocols`; it belongs in the `expect` table",
                "t.toml:4:14: `client_key` needs the `client_cert` that it belongs to",
                "t.toml:6:14: unknown value \"TLS1.3\"; did you mean `TLSv1.3`?",
                "t.toml:7:9: the text is empty",
            ],
        );
        check_problems(
            "[[target]]\naddress = 'a.test'\nexpect.protocols = []\n",
            &["t.toml:3:20: expected at least one version, such as \"TLSv1.3\", found array"],
        );
    }

    #[test]
    fn every_syntax_error_names_its_place() {
        check_problems(
            "[[target]\naddress = 'a'\n",
            &["t.toml:1:10: unclosed array table, expected `]`"],
        );
        check_problems(
            "\u{feff}[defaults]\nrole = 'x'\nrole = 'upstream'\naddress = a.test",
            &[
                "t.toml:3:1: duplicate key",
                "t.toml:4:11: string values must be quoted, expected literal string",
            ],
        );
    }

    #[test]
    fn names_of_the_file_cannot_speak_to_the_terminal() {
        let (_, problems) =
            read("t.toml", Path::new("."), "\"\\u001b[2J\" = 1\n[[target]]\naddress = 'a'\n");
        assert!(!problems[0].message.contains('\u{1b}'), "{}", problems[0]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(\\[\\[target\\]\\]|\\[defaults\\]|address|=|'a'|\"|\n|expect|\\PC){0,30}") {
            let _ = read("t.toml", Path::new("."), &text);
        }
    }
}
