//! A rewritten certificate file: other certificates or another order, and every other byte unchanged.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The new contents of a certificate file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFile {
    /// The file's name in nginx.
    pub path: String,
    /// The certificates in DER, in the order to send them.
    pub certificates: Vec<Vec<u8>>,
    /// The change.
    pub change: ChainChange,
}

/// The change of a certificate file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainChange {
    /// The same certificates, in another order.
    Order,
    /// The missing issuers are added.
    Complete,
    /// Unneeded certificates are removed.
    Shorten,
}

impl fmt::Display for ChainFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match self.change {
            ChainChange::Order => write!(f, "put the certificates in {path} in order"),
            ChainChange::Complete => write!(f, "add the missing issuers to {path}"),
            ChainChange::Shorten => write!(f, "take the needless certificates out of {path}"),
        }
    }
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

impl ChainFile {
    /// The file's new text; `before` is its current text. `None` if it is not plain PEM, or contains a private key,
    /// which a patch would show.
    pub fn text(&self, before: &[u8]) -> Option<Vec<u8>> {
        let before = std::str::from_utf8(before).ok()?;
        if before.contains("PRIVATE KEY") {
            return None;
        }
        let mut blocks = Vec::new();
        let mut rest = before;
        while let Some(end) = rest.find(END).map(|at| at + END.len()) {
            let (block, behind) = rest.split_at(end);
            let line = behind.find('\n').map_or(behind.len(), |at| at + 1);
            let (eol, behind) = behind.split_at(line);
            let (_, body) = block.split_once(BEGIN)?;
            let body: String = body.trim_end_matches(END).split_whitespace().collect();
            blocks.push((STANDARD.decode(body).ok()?, format!("{block}{}\n", eol.trim_end())));
            rest = behind;
        }
        if blocks.is_empty() {
            return None;
        }
        let mut text = String::new();
        for certificate in &self.certificates {
            match blocks.iter().find(|(der, _)| der == certificate) {
                Some((_, block)) => text.push_str(block),
                None => text.push_str(&pem(certificate)),
            }
        }
        text.push_str(rest);
        Some(text.into_bytes())
    }
}

/// A certificate as PEM text.
pub fn pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("{BEGIN}\n");
    for line in body.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + END + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(before: &str, certificates: &[&[u8]]) -> Option<String> {
        let certificates = certificates.iter().map(|der| der.to_vec()).collect();
        let file = ChainFile { path: "a.pem".to_owned(), certificates, change: ChainChange::Order };
        file.text(before.as_bytes()).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn certificates_change_places_with_what_stands_before_them() {
        let (one, two) = (pem(b"one"), pem(b"two"));
        let before = format!("# first\n{one}subject=two\n{two}");
        assert_eq!(
            rewritten(&before, &[b"two", b"one"]).unwrap(),
            format!("subject=two\n{two}# first\n{one}")
        );
        assert_eq!(rewritten(&before, &[b"one", b"two"]).unwrap(), before);
        assert_eq!(rewritten(&before, &[b"one"]).unwrap(), format!("# first\n{one}"));
    }

    #[test]
    fn new_certificates_are_added() {
        let one = pem(b"one");
        let after = rewritten(one.trim_end(), &[b"one", b"three"]).unwrap();
        assert_eq!(after, one + &pem(b"three"));
    }

    #[test]
    fn a_file_with_a_key_or_without_pem_is_left_alone() {
        let key = format!("{}-----BEGIN PRIVATE KEY-----\nx\n", pem(b"one"));
        assert_eq!(rewritten(&key, &[b"one"]), None);
        assert_eq!(rewritten("\u{30}\u{82}", &[b"one"]), None);
        assert_eq!(rewritten("", &[]), None);
    }
}
