//! Files of clients out of captures, of schema `shakedown/clients/v1`, as `capture --write-clients` writes them.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::regular_file;
use crate::tls::captured::{CapturedClient, CapturedHello};
use crate::tls::profile::{self, Profile, UnknownProfile};

/// What a file calls itself.
pub const SCHEMA: &str = "shakedown/clients/v1";

/// The largest file, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Clients of one file: each of them is a connection to every address.
pub const MAX_CLIENTS: usize = 500;

/// The longest name of a client, and the longest title.
const MAX_NAME: usize = 100;

/// Why a client cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// It is neither a known client nor a file.
    #[error("{0}, or a file that `shakedown capture --write-clients` wrote")]
    Unknown(#[from] UnknownProfile),
    /// The file cannot be read.
    #[error("cannot read the clients in {0}: {1}")]
    Unreadable(String, std::io::Error),
    /// The file is not what it should be.
    #[error("invalid file of clients {0}: {1}")]
    Invalid(String, String),
}

/// A whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientsFile {
    schema: String,
    #[serde(default)]
    client: Vec<ClientRow>,
}

/// A client; what is not needed to send its hello is for people.
#[derive(Debug, Deserialize)]
struct ClientRow {
    name: String,
    title: String,
    hello: CapturedHello,
}

/// The clients that a word names: known ones, or those of a file whose name is relative to `folder`.
pub fn select(word: &str, folder: &Path) -> Result<Vec<&'static Profile>, ClientsError> {
    let unknown = match profile::select(word) {
        Ok(profiles) => return Ok(profiles),
        Err(unknown) => unknown,
    };
    let path = folder.join(word);
    let is_file = word.contains('/') || Path::new(word).extension().is_some_and(|it| it == "toml");
    if !is_file && !path.is_file() {
        return Err(unknown.into());
    }
    let bytes = regular_file::read(&path, MAX_FILE)
        .map_err(|error| ClientsError::Unreadable(word.to_owned(), error))?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not text".to_owned());
    let clients = text.and_then(|text| read(&text));
    clients.map_err(|problem| ClientsError::Invalid(word.to_owned(), problem))
}

/// The clients in the text of a file.
pub fn read(text: &str) -> Result<Vec<&'static Profile>, String> {
    let file: ClientsFile =
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    if file.schema != SCHEMA {
        return Err(format!("its schema is {:?}, and {SCHEMA:?} is expected", file.schema));
    }
    if file.client.is_empty() {
        return Err("it has no [[client]]".to_owned());
    }
    if file.client.len() > MAX_CLIENTS {
        return Err(format!(
            "it has {} clients, and at most {MAX_CLIENTS} are replayed",
            file.client.len()
        ));
    }
    let (mut names, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for row in &file.client {
        row.check()?;
        if !names.insert(&row.name) {
            return Err(format!("two clients have the name {}", row.name));
        }
        if !titles.insert(&row.title) {
            return Err(format!("the client {} has the title of another one", row.name));
        }
    }
    let rows = file.client.into_iter();
    Ok(rows
        .map(|ClientRow { name, title, hello }| {
            profile::keep(CapturedClient { name, title, hello })
        })
        .collect())
}

impl ClientRow {
    fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || self.name.len() > MAX_NAME || !self.name.chars().all(plain) {
            return Err(format!(
                "a client has the name {:?}: use up to {MAX_NAME} letters, digits and -_.",
                self.name.chars().take(MAX_NAME).collect::<String>()
            ));
        }
        if profile::select(&self.name).is_ok() {
            return Err(format!("a client has the name of a known one: {}", self.name));
        }
        let titled = !self.title.trim().is_empty() && self.title.chars().count() <= MAX_NAME;
        if titled {
            Ok(())
        } else {
            Err(format!("the client {} has no title of up to {MAX_NAME} letters", self.name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::hex::hex;

    fn file(name: &str, title: &str, hello: &str) -> String {
        format!(
            "schema = '{SCHEMA}'\n[[client]]\nname = '{name}'\ntitle = '{title}'\nfailed = 7\nhello = '''\n{hello}'''\n"
        )
    }

    #[test]
    fn a_client_of_a_file_is_known_by_its_name() {
        let sent = profile::select("java-7").unwrap()[0].hello(Some("a.test")).encode().unwrap();
        let (one, other) = (hex(&sent[..50]), hex(&sent[50..]));
        let clients = read(&file("till", "till in shop 5", &format!("{one}\n{other}\n"))).unwrap();
        assert_eq!(clients[0].hello(Some("a.test")).encode().unwrap(), sent);
        assert_eq!((clients[0].title.as_str(), clients[0].server_name), ("till in shop 5", true));
        assert!(profile::known().any(|known| known.name == "till"));
        let text = serde_json::to_string(clients[0]).unwrap();
        let again: &'static Profile = serde_json::from_str(&text).unwrap();
        assert!(std::ptr::eq(again, clients[0]));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let hello = hex(&profile::all()[0].hello(None).encode().unwrap());
        let wrong = |text: &str, words: &str| {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        };
        wrong("schema = 'shakedown/clients/v9'", "v9");
        wrong(&format!("schema = '{SCHEMA}'"), "no [[client]]");
        wrong(&file("chrome", "x", &hello), "name of a known one");
        wrong(&file("a b", "x", &hello), "a b");
        wrong(&file("x", " ", &hello), "no title");
        wrong(&file("x", "x", "16"), "not one record");
        wrong(&file("x", "x", "1"), "digits");
        let twice = file("x", "x", &hello) + file("x", "y", &hello).split_once('\n').unwrap().1;
        wrong(&twice, "two clients");
        let twice = file("x", "x", &hello) + file("y", "x", &hello).split_once('\n').unwrap().1;
        wrong(&twice, "title of another");
        let folder = tempfile::tempdir().unwrap();
        let missing = select("missing.toml", folder.path()).unwrap_err().to_string();
        assert!(missing.contains("cannot read"), "{missing}");
        let unknown = select("netscape", folder.path()).unwrap_err().to_string();
        assert!(unknown.contains("java") && unknown.contains("--write-clients"), "{unknown}");
    }
}
