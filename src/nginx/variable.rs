//! Variables of a configuration: the values from `set`, `map` and similar directives, as far as they are known without
//! a request. A variable with several possible values leads to several results.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ptr;

use super::address;
use super::arrival::{self, arrivals};
use super::inherit::Scope;
use super::listener::ListenAddress;
use super::server_name::{ServerName, own_name, server_names};
use super::table::{MapTable, MappedValue};
use super::tree::Directive;
use super::variable_text::{TextPart, behind, parts};

/// Values from the command line, by the variable's name without `$`.
pub type Variables = BTreeMap<String, String>;

/// Why a text with variables has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// It depends on the request, or on code that is not interpreted.
    #[error("${0} depends on the request; give a value with --var {0}=VALUE")]
    PerRequest(String),
    /// A regular expression captures it.
    #[error("${0} is captured by a regular expression; give a value with --var {0}=VALUE")]
    Captured(String),
    /// A variable that is defined through itself, or through too many others.
    #[error("${0} is defined through too many other variables")]
    TooDeep(String),
    /// A port of a Kubernetes Service that is known only by name.
    #[error("only the name of the port of the Service {0:?} is known; add Services to the input")]
    ServicePort(String),
    /// A Kubernetes Service without a ready endpoint.
    #[error("the Service {0:?} has no ready endpoint")]
    NoEndpoint(String),
    /// More combinations of values than the limit.
    #[error("its variables have too many possible values; give them with --var NAME=VALUE")]
    TooMany,
    /// The result is not an address that nginx accepts.
    #[error("nginx refuses it: {what} in upstream \"{url}\"")]
    Invalid {
        /// nginx's words.
        what: &'static str,
        /// The address.
        url: String,
    },
}

/// How deep variables may be defined through others.
const MAX_DEPTH: usize = 20;

/// The most combinations of values for one directive.
const MAX_CHOICES: usize = 1000;

/// The most steps in total: values, names and rows that are examined.
const MAX_STEPS: usize = 2_000_000;

/// The longest value, in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// The variables that `map`, `geo` and `split_clients` define, for the whole of `http` or `stream`.
#[derive(Debug)]
pub(super) struct Definitions<'t> {
    tables: BTreeMap<&'t str, MapTable<'t>>,
    /// The keys of all tables with the same source.
    keys: BTreeMap<&'t str, Vec<&'t str>>,
    /// Steps that may still be made.
    budget: Cell<usize>,
}

/// A point where several values are possible.
#[derive(Debug)]
pub(super) struct Fork {
    /// Identifies the choice: equal for everything that depends on the same choice.
    key: String,
    /// The values; empty if there are too many.
    options: Vec<String>,
}

/// Values known at one place, with one choice for each fork so far.
#[derive(Debug)]
pub(super) struct Lookup<'a, 't> {
    definitions: &'a Definitions<'t>,
    scope: &'a Scope<'t>,
    given: &'a Variables,
    chosen: Vec<(String, String)>,
    /// Whether a URL is being expanded, of which only scheme, host and port matter.
    is_url: bool,
    /// The socket of the connection that is beginning, before there is a request.
    arrival: Option<ListenAddress>,
    /// Values that apply only at this place, such as `$proxy_host`.
    pub(super) local: Variables,
    /// The variables with given or chosen values.
    pub(super) assumed: Variables,
}

/// A text's value, or the fork that must be decided first.
type Evaluated<T> = Result<Result<T, Unresolved>, Fork>;

impl<'t> Definitions<'t> {
    /// Reads the blocks of `http` or `stream`.
    pub(super) fn read(scope: &Scope<'t>) -> Self {
        let blocks = scope.block().map(Directive::children).unwrap_or_default();
        let tables: BTreeMap<&str, MapTable<'_>> =
            blocks.iter().filter_map(MapTable::read).collect();
        let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for table in tables.values() {
            keys.entry(table.source).or_default().extend(table.keys());
        }
        for keys in keys.values_mut() {
            keys.sort_unstable();
            keys.dedup();
        }
        Self { tables, keys, budget: Cell::new(MAX_STEPS) }
    }

    /// Builds something from the variables at a place, once for each combination of values that they can have.
    pub(super) fn each<T: PartialEq>(
        &self,
        scope: &Scope<'t>,
        given: &Variables,
        build: impl Fn(&mut Lookup<'_, 't>) -> Result<T, Fork>,
    ) -> Result<Vec<(Variables, T)>, Unresolved> {
        let mut built: Vec<(Variables, T)> = Vec::new();
        let mut waiting = vec![Vec::new()];
        while let Some(chosen) = waiting.pop() {
            let mut lookup = Lookup {
                definitions: self,
                scope,
                given,
                chosen,
                is_url: false,
                arrival: None,
                local: Variables::new(),
                assumed: Variables::new(),
            };
            match build(&mut lookup) {
                Ok(one) if built.iter().any(|(_, known)| *known == one) => {}
                Ok(one) => built.push((lookup.assumed, one)),
                Err(fork) => {
                    let steps = fork.options.len() * (1 + built.len() / 16);
                    if !self.spend(steps) || fork.options.is_empty() {
                        return Err(Unresolved::TooMany);
                    }
                    // The last is taken first, so that the first option leads to the first result.
                    waiting.extend(fork.options.iter().rev().map(|option| {
                        let mut chosen = lookup.chosen.clone();
                        chosen.push((fork.key.clone(), option.clone()));
                        chosen
                    }));
                }
            }
            if built.len() + waiting.len() > MAX_CHOICES {
                return Err(Unresolved::TooMany);
            }
        }
        Ok(built)
    }

    /// The values of a text at the start of a connection to this socket, each with the name in the hello that leads to it; none if
    /// something else decides it (`ngx_http_ssl_certificate`: there is no request yet, and `$host` is the server's first name).
    pub(super) fn at_handshake(
        &self,
        scope: &Scope<'t>,
        address: &ListenAddress,
        written: &str,
    ) -> Vec<(Option<String>, String)> {
        let host = scope.nearest("server").and_then(own_name);
        let found = self.each(scope, &Variables::new(), |lookup| {
            lookup.arrival = Some(address.clone());
            lookup.local.extend(host.clone().map(|name| ("host".to_owned(), name)));
            let value = lookup.text(written)?;
            Ok((lookup.assumed.remove("ssl_server_name"), value))
        });
        let mut values = Vec::new();
        for (assumed, (name, value)) in found.unwrap_or_default() {
            match value {
                Ok(value) if assumed.is_empty() => values.push((name, value)),
                _ => return Vec::new(),
            }
        }
        values
    }

    /// Counts steps; false if there were too many.
    fn spend(&self, steps: usize) -> bool {
        let left = self.budget.get().checked_sub(steps);
        self.budget.set(left.unwrap_or(0));
        left.is_some()
    }
}

impl<'t> Lookup<'_, 't> {
    /// The value of a text with `$name` and `${name}` in it.
    pub(super) fn text(&mut self, written: &str) -> Evaluated<String> {
        self.expand(written, 0)
    }

    /// The value of a URL; variables after its host and port stay as written.
    pub(super) fn url(&mut self, written: &str) -> Evaluated<String> {
        self.is_url = true;
        let value = self.expand(written, 0);
        self.is_url = false;
        value
    }

    fn expand(&mut self, written: &str, depth: usize) -> Evaluated<String> {
        let mut value = String::with_capacity(written.len());
        let mut rest = written;
        for part in parts(written) {
            if self.is_url && has_whole_authority(&value) {
                value.push_str(rest);
                break;
            }
            rest = behind(rest, part);
            match part {
                TextPart::Literal(text) => value.push_str(text),
                TextPart::Variable(name) => match self.variable(name, depth)? {
                    Ok(text) => value.push_str(&text),
                    Err(reason) => return Ok(Err(reason)),
                },
            }
            if value.len() > MAX_LENGTH {
                return Ok(Err(Unresolved::TooMany));
            }
        }
        Ok(Ok(value))
    }

    fn variable(&mut self, name: &str, depth: usize) -> Evaluated<String> {
        if depth >= MAX_DEPTH {
            return Ok(Err(Unresolved::TooDeep(name.to_owned())));
        }
        if !self.definitions.spend(1) {
            return Ok(Err(Unresolved::TooMany));
        }
        if let Some(value) = self.given.get(name) {
            self.assumed.insert(name.to_owned(), value.clone());
            return Ok(Ok(value.clone()));
        }
        if let Some(value) = self.local.get(name) {
            return Ok(Ok(value.clone()));
        }
        let (assignments, steps) =
            if self.arrival.is_some() { (Vec::new(), 0) } else { assignments(self.scope, name) };
        if !self.definitions.spend(steps) {
            return Ok(Err(Unresolved::TooMany));
        }
        if !assignments.is_empty() {
            return self.assigned(name, assignments, depth);
        }
        let definitions = self.definitions;
        if let Some(table) = definitions.tables.get(name) {
            return self.looked_up(name, table, depth);
        }
        self.built_in(name)
    }

    /// A variable of `set`.
    fn assigned(
        &mut self,
        name: &str,
        mut values: Vec<&'t str>,
        depth: usize,
    ) -> Evaluated<String> {
        values.dedup();
        if let [only] = values.as_slice() {
            return self.expand(only, depth + 1);
        }
        let written = self.choose(&format!("set {name}"), || few(&values))?;
        let value = self.expand(&written, depth + 1)?;
        self.note(name, &value);
        Ok(value)
    }

    /// A variable of `map`, `geo` or `split_clients`.
    fn looked_up(&mut self, name: &str, table: &MapTable<'t>, depth: usize) -> Evaluated<String> {
        if !self.definitions.spend(table.steps()) {
            return Ok(Err(Unresolved::TooMany));
        }
        // The key is not a URL, even if the value is.
        let is_url = std::mem::replace(&mut self.is_url, false);
        let key = self.expand(table.source, depth + 1);
        self.is_url = is_url;
        let row = match key? {
            Ok(key) => table.row(&key),
            Err(_) => MappedValue::Unknown,
        };
        let written = match row {
            MappedValue::Value(value) => value.to_owned(),
            MappedValue::Unknown => {
                let keys = self.definitions.keys.get(table.source).map(Vec::as_slice);
                let keys = keys.unwrap_or_default();
                let key = self.choose(&format!("table {}", table.source), || few(keys))?;
                table.by_key(&key).to_owned()
            }
        };
        let value = self.expand(&written, depth + 1)?;
        if row == MappedValue::Unknown {
            self.note(name, &value);
        }
        Ok(value)
    }

    fn built_in(&mut self, name: &str) -> Evaluated<String> {
        let server = self.scope.nearest("server");
        match name {
            "server_port" | "server_addr" => self.arrived(name),
            "scheme" => {
                let schemes = || vec!["https".to_owned(), "http".to_owned()];
                self.assume(name, name, schemes)
            }
            "server_name" => match server {
                Some(server) => {
                    Ok(own_name(server).ok_or_else(|| Unresolved::PerRequest(name.to_owned())))
                }
                None => Ok(Ok(String::new())),
            },
            "host" | "http_host" | "ssl_server_name" => match server.and_then(exact_names) {
                Some(names) => self.assume(name, "host", || names),
                None => Ok(Err(Unresolved::PerRequest(name.to_owned()))),
            },
            // There is no request yet.
            _ if self.arrival.is_some() => Ok(Err(Unresolved::PerRequest(name.to_owned()))),
            _ if is_captured(self.scope, name) => Ok(Err(Unresolved::Captured(name.to_owned()))),
            // They come after the host, so they do not affect the connection.
            "request_uri" | "uri" | "document_uri" => Ok(Ok("/".to_owned())),
            "args" | "query_string" | "is_args" => Ok(Ok(String::new())),
            _ => Ok(Err(Unresolved::PerRequest(name.to_owned()))),
        }
    }

    /// A variable that depends on the socket: one value for each socket of the server.
    fn arrived(&mut self, name: &str) -> Evaluated<String> {
        let of_server = || self.scope.nearest("server").and_then(arrivals).unwrap_or_default();
        let all = self.arrival.clone().map_or_else(of_server, |own| vec![own]);
        let address = match all.as_slice() {
            [] => None,
            [only] => Some(only),
            several => {
                let names = || several.iter().map(ToString::to_string).collect();
                let chosen = self.choose("listen", names)?;
                several.iter().find(|one| one.to_string() == chosen)
            }
        };
        let value = address.and_then(|address| arrival::value(name, address));
        let value = value.ok_or_else(|| Unresolved::PerRequest(name.to_owned()));
        if all.len() > 1 {
            self.note(name, &value);
        }
        Ok(value)
    }

    fn note(&mut self, name: &str, value: &Result<String, Unresolved>) {
        if let Ok(value) = value {
            self.assumed.insert(name.to_owned(), value.clone());
        }
    }

    /// What was chosen at a fork, or the fork itself.
    fn choose(&self, key: &str, options: impl FnOnce() -> Vec<String>) -> Result<String, Fork> {
        match self.chosen.iter().find(|(known, _)| known == key) {
            Some((_, option)) => Ok(option.clone()),
            None => Err(Fork { key: key.to_owned(), options: options() }),
        }
    }

    /// An example of a value that depends on the request, recorded as an assumption.
    fn assume(
        &mut self,
        name: &str,
        key: &str,
        options: impl FnOnce() -> Vec<String>,
    ) -> Evaluated<String> {
        let value = self.choose(key, options)?;
        self.assumed.insert(name.to_owned(), value.clone());
        Ok(Ok(value))
    }
}

/// The values at a fork, unless there are too many.
fn few(values: &[&str]) -> Vec<String> {
    let is_few = values.len() <= MAX_CHOICES;
    values.iter().filter(|_| is_few).map(|&value| value.to_owned()).collect()
}

/// The names of a server, if all are exact names and there are not too many.
fn exact_names(server: &Scope<'_>) -> Option<Vec<String>> {
    let words = server.own("server_name").iter().map(|one| one.arguments.len());
    if words.sum::<usize>() > MAX_CHOICES {
        return None;
    }
    let names = server_names(server).into_iter().map(|name| match name.value {
        ServerName::Exact(name) if name.contains('.') => Some(name),
        _ => None,
    });
    names.collect::<Option<Vec<String>>>().filter(|names| !names.is_empty())
}

/// Whether a regular expression around a place captures this variable.
fn is_captured(scope: &Scope<'_>, name: &str) -> bool {
    let named = format!("<{name}>");
    let captures = |one: &Directive| one.arguments.iter().any(|word| word.contains(&named));
    name.bytes().all(|byte| byte.is_ascii_digit())
        || scope.chain().any(|scope| {
            scope.block().is_some_and(captures)
                || scope.own("server_name").iter().any(|&one| captures(one))
        })
}

/// The values that `set` can assign at a place: the last unconditional one, and the conditional ones after it; and the
/// number of directives examined.
fn assignments<'t>(scope: &Scope<'t>, name: &str) -> (Vec<&'t str>, usize) {
    let (mut values, mut steps) = (Vec::new(), 0);
    for level in runs(scope) {
        let inside = level.block().map(Directive::children).unwrap_or_default();
        steps += inside.len();
        for block in inside {
            let skipped =
                scope.chain().any(|own| own.block().is_some_and(|own| ptr::eq(own, block)));
            if block.name == "if" && !skipped {
                steps += block.children().len();
                values.extend(block.children().iter().filter_map(|one| sets(one, name)));
            }
        }
        if let Some(value) = level.own("set").iter().rev().find_map(|one| sets(one, name)) {
            values.push(value);
            break;
        }
    }
    values.sort_unstable();
    (values, steps)
}

fn sets<'t>(directive: &'t Directive, name: &str) -> Option<&'t str> {
    let [variable, value] = directive.arguments.as_slice() else { return None };
    let is_meant = directive.name == "set" && variable.strip_prefix('$') == Some(name);
    is_meant.then_some(value)
}

/// The blocks whose `set` directives nginx runs, the last first: the server and the final location, but not the
/// locations around it.
fn runs<'s, 't>(scope: &'s Scope<'t>) -> impl Iterator<Item = &'s Scope<'t>> {
    let mut in_location = false;
    scope.chain().filter(move |scope| match scope.block().map(|block| &*block.name) {
        Some("location") => !std::mem::replace(&mut in_location, true),
        Some("http" | "stream") | None => false,
        _ => true,
    })
}

/// Whether a URL names its host and port in full, so that only its path follows.
fn has_whole_authority(url: &str) -> bool {
    let Some((_, authority)) = url.split_once("://") else { return false };
    match address::strip_scheme(authority, "unix:") {
        Some(path) => path.contains(':'),
        None => authority.contains(['/', '?']),
    }
}
