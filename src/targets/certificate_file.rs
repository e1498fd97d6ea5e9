//! Every form in which certificates come: PEM and DER, text around PEM, keystores, Secrets of Kubernetes, `data:` URLs.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Deserialize;
use serde_json::Value;

use super::identity::public_key;
use super::value_lines::ValueLines;
use super::yaml_growth;
use crate::certificate::file::{self, FileChain, FileKey, FileProblem};
use crate::certificate::keystore::Keystore;
use crate::certificate::{Certificate, Chain};

/// The most documents of a YAML file.
const MAX_DOCUMENTS: usize = 10_000;

/// Certificates that belong together.
#[derive(Debug, Default)]
pub struct CertificateGroup {
    /// The file, and the part of it if it has several.
    pub name: String,
    /// The line of the file where they begin, from 1.
    pub line: u32,
    /// The certificates, in their order.
    pub certificates: Vec<CertificateDer<'static>>,
    /// What is wrong.
    pub problems: Vec<String>,
    /// The public keys of the private keys beside them, each as `SubjectPublicKeyInfo` in DER.
    pub keys: Vec<Vec<u8>>,
    /// Whether other programs read them from a file of this name: it is PEM or DER.
    pub is_plain: bool,
    /// Whether their order means nothing: programs look for the issuers in a keystore by name.
    pub is_unordered: bool,
}

impl CertificateGroup {
    /// The chains, each with its own key: the one that belongs to its leaf, or else one that belongs to none of them.
    pub fn chains(&self, parsed: &[Arc<Certificate>]) -> Vec<FileChain> {
        let mut chains = file::chains(&self.name, parsed, None);
        let of = |chain: &FileChain| chain.chain.leaf().map(|leaf| leaf.public_key.spki.clone());
        let leaves: Vec<Option<Vec<u8>>> = chains.iter().map(of).collect();
        let is_of = |key: &Vec<u8>| leaves.iter().flatten().any(|spki| spki == key);
        let foreign = self.keys.iter().find(|key| !is_of(key));
        for (chain, leaf) in chains.iter_mut().zip(&leaves) {
            let own = self.keys.iter().find(|key| leaf.as_ref() == Some(*key)).or(foreign);
            chain.key = own.map(|spki| FileKey { path: self.name.clone(), spki: Ok(spki.clone()) });
            chain.is_plain = self.is_plain;
            if self.is_unordered && chain.chain.ders().count() == chain.chain.certificates.len() {
                (chain.chain, chain.leaf_at) = (Arc::new(in_order(&chain.chain)), 0);
            }
        }
        chains
    }
}

/// The same chain with each certificate before its issuer, and what belongs to none of them at the end.
fn in_order(chain: &Chain) -> Chain {
    let mut rest = chain.certificates.clone();
    let mut ordered: Vec<Arc<Certificate>> = Vec::new();
    while !rest.is_empty() {
        let issuer = ordered.last().map(|one| &one.issuer);
        let next = issuer.and_then(|issuer| rest.iter().position(|one| one.subject == *issuer));
        ordered.push(rest.remove(next.unwrap_or(0)));
    }
    Chain::of(&ordered)
}

/// Whether the argument is a `data:` URL and not a path.
pub fn is_data(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.starts_with("data:"))
}

/// The contents of a `data:` URL, or what is expected.
pub fn bytes(path: &Path) -> Result<Vec<u8>, &'static str> {
    let rest = path.to_str().and_then(|text| text.strip_prefix("data:"));
    rest.and_then(of_url).ok_or("expected data:[TYPE][;base64],CONTENTS")
}

/// The contents of a `data:` URL (RFC 2397).
fn of_url(rest: &str) -> Option<Vec<u8>> {
    let (kind, contents) = rest.split_once(',')?;
    let plain = unescaped(contents)?;
    if kind.split(';').any(|word| word.eq_ignore_ascii_case("base64")) {
        let text: Vec<u8> = plain.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        return STANDARD.decode(text).ok();
    }
    Some(plain)
}

/// A text with its percent escapes replaced.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
        bytes.extend(&part.as_bytes()[2..]);
    }
    Some(bytes)
}

/// The groups of a file with this name; a keystore may need a password.
pub fn groups(name: &str, bytes: &[u8], password: Option<&str>) -> Vec<CertificateGroup> {
    if let Some(store) = Keystore::read(bytes, password) {
        return vec![of_keystore(name, store.map_err(|error| error.to_string()))];
    }
    let (secrets, problem) = secrets(bytes);
    if secrets.is_empty() && problem.is_none() {
        return vec![of_pem(name, bytes)];
    }
    let damaged = problem.map(|problem| CertificateGroup {
        name: name.to_owned(),
        line: 1,
        problems: vec![problem],
        ..CertificateGroup::default()
    });
    let mut lines = ValueLines::of(bytes);
    let all = secrets.iter().flat_map(|secret| {
        lines.next_object();
        of_secret(name, secret, password, &mut lines)
    });
    let all: Vec<CertificateGroup> = all.collect();
    all.into_iter().chain(damaged).collect()
}

/// Whether a file that was not named may hold certificates.
pub fn may_hold_certificates(bytes: &[u8]) -> bool {
    file::mentions_certificate(bytes) || Keystore::is_one(bytes) || is_manifest(bytes)
}

fn of_keystore(name: &str, store: Result<Keystore, String>) -> CertificateGroup {
    let mut group = CertificateGroup {
        name: name.to_owned(),
        line: 1,
        is_unordered: true,
        ..CertificateGroup::default()
    };
    match store {
        Ok(store) => {
            let keys = store.keys.into_iter();
            let keys = keys.map(|key| PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)));
            group.keys = keys.filter_map(public_key).collect();
            group.problems = store.notes;
            group.certificates = store.certificates.into_iter().map(Into::into).collect();
            if group.certificates.is_empty() {
                group.problems.push("no certificate in the keystore".to_owned());
            }
        }
        Err(error) => group.problems.push(error),
    }
    group
}

fn of_pem(name: &str, bytes: &[u8]) -> CertificateGroup {
    let (certificates, problems) = match loosened(bytes) {
        Some(text) => file::read(&text),
        None => file::read(bytes),
    };
    let problems = problems.iter().map(FileProblem::to_string).collect();
    CertificateGroup {
        name: name.to_owned(),
        line: 1,
        certificates,
        problems,
        keys: Vec::new(),
        is_plain: true,
        is_unordered: false,
    }
}

/// PEM whose lines are not lines of the text: within quotes, behind words, with `\n` for line ends. `None` if the text
/// has nothing of that.
fn loosened(bytes: &[u8]) -> Option<Vec<u8>> {
    const MARKS: [&str; 2] = ["-----BEGIN ", "-----END "];
    let text = std::str::from_utf8(bytes).ok()?;
    let is_loose = |line: &str| {
        let line = line.trim();
        let is_mark = line.starts_with("-----") && line.ends_with("-----");
        MARKS.iter().any(|mark| line.contains(mark))
            && !(is_mark && line.matches("-----").count() <= 2)
    };
    if !text.lines().any(is_loose) {
        return None;
    }
    let text = text.replace("\\r", "").replace("\\n", "\n");
    let mut loose = String::with_capacity(text.len());
    for line in text.lines() {
        let mut rest = line;
        while let Some(at) = MARKS.iter().filter_map(|mark| rest.find(mark)).min() {
            let (before, mark) = rest.split_at(at);
            // Before the end of a block is its body; before its beginning, words.
            if mark.starts_with(MARKS[1]) {
                loose.push_str(before);
                loose.push('\n');
            }
            let end = mark[5..].find("-----").map_or(mark.len(), |end| end + 10);
            loose.push_str(&mark[..end]);
            loose.push('\n');
            rest = &mark[end..];
        }
        loose.push_str(rest.trim().trim_matches(['"', '\'', '|', '>', ',']));
        loose.push('\n');
    }
    Some(loose.into_bytes())
}

fn is_manifest(bytes: &[u8]) -> bool {
    let has = |words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
    has(b"kind: Secret") || has(b"\"kind\": \"Secret\"") || has(b"\"kind\":\"Secret\"")
}

/// The Secrets of a manifest, in YAML or JSON, and why what follows them cannot be read.
fn secrets(bytes: &[u8]) -> (Vec<Value>, Option<String>) {
    let mut all = Vec::new();
    if !is_manifest(bytes) {
        return (all, None);
    }
    if let Err(error) = yaml_growth::check(bytes) {
        return (all, Some(format!("it cannot be read as YAML: {error}")));
    }
    for (at, document) in serde_yaml_ng::Deserializer::from_slice(bytes).enumerate() {
        if at >= MAX_DOCUMENTS {
            return (all, Some(format!("only the first {MAX_DOCUMENTS} documents are read")));
        }
        let items = match Value::deserialize(document) {
            Err(error) => {
                let place = at + 1;
                return (all, Some(format!("document {place} cannot be read as YAML: {error}")));
            }
            Ok(mut value) => match value.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => items,
                _ => vec![value],
            },
        };
        all.extend(items.into_iter().filter(|item| item["kind"] == "Secret"));
    }
    (all, None)
}

/// The certificates of a Secret: `tls.crt` with `tls.key`, and those of other keys, keystores among them.
fn of_secret(
    name: &str,
    secret: &Value,
    password: Option<&str>,
    lines: &mut ValueLines<'_>,
) -> Vec<CertificateGroup> {
    let meta = |field: &str| secret["metadata"][field].as_str();
    let id = format!("{}/{}", meta("namespace").unwrap_or("default"), meta("name").unwrap_or("?"));
    let mut all = Vec::new();
    for (part, is_encoded) in [("data", true), ("stringData", false)] {
        for (key, value) in secret[part].as_object().into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            let bytes = if is_encoded {
                let text: String = text.split_ascii_whitespace().collect();
                STANDARD.decode(text)
            } else {
                Ok(text.as_bytes().to_vec())
            };
            let name = format!("{name} (Secret {id}, {key})");
            let group = match bytes {
                Ok(bytes) if Keystore::is_one(&bytes) => Keystore::read(&bytes, password)
                    .map(|store| of_keystore(&name, store.map_err(|error| error.to_string()))),
                Ok(bytes) if file::mentions_certificate(&bytes) => {
                    let mut group = of_pem(&name, &bytes);
                    group.is_plain = false;
                    if key == "tls.crt" {
                        group.keys.extend(secret_key(secret));
                    }
                    Some(group)
                }
                Err(_) if key.strip_suffix(".crt").is_some() => Some(CertificateGroup {
                    name,
                    problems: vec!["its value is not base64".to_owned()],
                    ..CertificateGroup::default()
                }),
                _ => None,
            };
            all.extend(group.map(|group| CertificateGroup { line: lines.of_value(text), ..group }));
        }
    }
    all
}

fn secret_key(secret: &Value) -> Option<Vec<u8>> {
    let encoded =
        secret["data"]["tls.key"].as_str().and_then(|text| STANDARD.decode(text.trim()).ok());
    let plain = || secret["stringData"]["tls.key"].as_str().map(|text| text.as_bytes().to_vec());
    public_key(PrivateKeyDer::from_pem_slice(&encoded.or_else(plain)?).ok()?)
}

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;

    use super::*;

    fn pem() -> String {
        generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap().cert.pem()
    }

    fn count(text: &str) -> usize {
        let groups = groups("file", text.as_bytes(), None);
        assert!(groups.iter().all(|group| group.problems.is_empty()), "{groups:?}");
        groups.iter().map(|group| group.certificates.len()).sum()
    }

    #[test]
    fn pem_is_found_in_the_text_around_it() {
        let pem = pem();
        assert_eq!(count(&format!("subject: a\n{pem}\n---\nServer certificate\n{pem}")), 2);
        let escaped = pem.replace('\n', "\\n");
        assert_eq!(count(&format!("{{\"crt\": \"{escaped}\", \"other\": \"{escaped}\"}}")), 2);
        assert_eq!(count(&format!("crt: \"{pem}\"\n")), 1);
        let indented = pem.replace('\n', "\n    ");
        assert_eq!(count(&format!("certificate: |\n    {indented}\nname: a\n")), 1);
        let line = pem.replace('\n', "");
        assert_eq!(count(&line), 1);
        assert_eq!(count(&format!("crt={line}{line}")), 2);
        assert_eq!(count(&format!("CRT={}", pem.replace('\n', " "))), 1);
        assert_eq!(count(&pem.replace("\n-----END", "-----END")), 1);
    }

    #[test]
    fn secrets_are_read_from_yaml_and_json() {
        let pem = pem();
        let encoded = STANDARD.encode(&pem);
        let yaml = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: a, namespace: shop}}\ndata:\n  tls.crt: {encoded}\n  note: aGk=\n---\nkind: Secret\nmetadata: {{name: b}}\nstringData:\n  ca.crt: |\n    {}\n",
            pem.trim_end().replace('\n', "\n    ")
        );
        assert_eq!(count(&yaml), 2);
        let groups_of = |text: &str| groups("x.yaml", text.as_bytes(), None).into_iter();
        let found: Vec<(String, u32)> =
            groups_of(&yaml).map(|group| (group.name, group.line)).collect();
        let expected =
            [("x.yaml (Secret shop/a, tls.crt)", 5), ("x.yaml (Secret default/b, ca.crt)", 13)];
        assert_eq!(found, expected.map(|(name, line)| (name.to_owned(), line)));
        let json = format!(
            r#"{{"kind":"List","items":[{{"kind":"Secret","data":{{"tls.crt":"{encoded}"}}}}]}}"#
        );
        assert_eq!(count(&json), 1);
        let damaged = groups("x", b"kind: Secret\ndata:\n  tls.crt: '!'\n", None);
        assert_eq!(damaged[0].problems, ["its value is not base64"]);
    }

    #[test]
    fn what_follows_a_damaged_document_is_not_lost_without_a_word() {
        let encoded = STANDARD.encode(pem());
        let secret = format!("kind: Secret\ndata:\n  tls.crt: {encoded}\n");
        let text = format!("{secret}---\na: [\n---\n{secret}");
        let read = groups("x.yaml", text.as_bytes(), None);
        assert_eq!(read[0].certificates.len(), 1);
        let last = read.last().unwrap();
        assert!(last.problems[0].starts_with("document 2 cannot be read as YAML: "), "{last:?}");
    }

    #[test]
    fn data_urls_are_read() {
        let read =
            |text: &str| bytes(Path::new(text)).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(read("data:text/plain;base64,aGk=").unwrap(), "hi");
        assert_eq!(read("data:,a%0Ab").unwrap(), "a\nb");
        for wrong in ["data:x", "data:,%4", "data:,%+1", "data:;base64,!"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn documents_that_repeat_each_other_without_end_are_refused() {
        let mut yaml = String::from("kind: Secret\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for at in 1..12 {
            let before = format!("*a{}", at - 1);
            let all = vec![before; 10].join(", ");
            yaml += &["a", &at.to_string(), ": &a", &at.to_string(), " [", &all, "]\n"].concat();
        }
        let read = groups("x", yaml.as_bytes(), None);
        assert!(read.iter().all(|group| group.certificates.is_empty()), "{read:?}");
        assert!(read[0].problems[0].contains("cannot be read as YAML: its aliases"), "{read:?}");
    }
}
