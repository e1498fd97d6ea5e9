//! Results of certificate verification, as OpenSSL numbers, names and words them.

use std::fmt;
use std::sync::LazyLock;

use crate::openssl::release::Release;

/// A result of `X509_verify_cert`, by its number (`X509_V_ERR_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerifyError(pub u32);

/// One row of `verify_errors.tsv`.
struct Row {
    number: u32,
    name: &'static str,
    /// The words of 1.0.2, 1.1.1, and 3.0 and later; `-` for none.
    texts: [&'static str; 3],
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let rows = include_str!("verify_errors.tsv").lines();
    rows.filter(|row| !row.starts_with('#')).filter_map(parse).collect()
});

fn parse(row: &'static str) -> Option<Row> {
    let mut cells = row.split('\t');
    let (number, name) = (cells.next()?.parse().ok()?, cells.next()?);
    Some(Row { number, name, texts: [cells.next()?, cells.next()?, cells.next()?] })
}

impl VerifyError {
    /// The error of that number, where OpenSSL has one; 0 is none.
    pub fn by_number(number: u32) -> Option<Self> {
        Self(number).row().filter(|row| row.number > 0).map(|row| Self(row.number))
    }

    /// The result of that name, with or without the prefix `X509_V_ERR_`, or of those words in any release.
    pub fn by_name(name: &str) -> Option<Self> {
        let same = |other: &str| other != "-" && other.eq_ignore_ascii_case(name);
        let row = ROWS.iter().find(|row| {
            let bare = row.name.trim_start_matches("X509_V_ERR_");
            same(row.name) || same(bare) || row.texts.into_iter().any(same)
        })?;
        Some(Self(row.number))
    }

    /// The words of the newest release that has any.
    pub fn text(self) -> &'static str {
        self.text_in(Release::V3_0)
    }

    /// The words of that release, or another's where it has none.
    pub fn text_in(self, library: Release) -> &'static str {
        let Some(Row { texts: [oldest, middle, newest], .. }) = self.row() else {
            return "unknown";
        };
        let preferred = match library {
            Release::V1_1_1 => [middle, newest, oldest],
            Release::V3_0 | Release::V3_2 => [newest, middle, oldest],
        };
        preferred.into_iter().find(|text| **text != "-").unwrap_or(&"unknown")
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.number == self.0)
    }
}

impl fmt::Display for VerifyError {
    /// As nginx writes it: `upstream SSL certificate verify error: (10:certificate has expired)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upstream SSL certificate verify error: ({}:{})", self.0, self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = include_str!("verify_errors.tsv").lines();
        assert_eq!(ROWS.len(), rows.filter(|row| !row.starts_with('#')).count());
        assert!(ROWS.windows(2).all(|pair| pair[0].number < pair[1].number));
    }

    #[test]
    fn a_result_is_found_by_number_name_and_the_words_of_any_release() {
        for name in ["X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT", "self signed certificate"] {
            assert_eq!(VerifyError::by_name(name), Some(VerifyError(18)));
        }
        assert_eq!(VerifyError::by_name("self-signed certificate"), Some(VerifyError(18)));
        let found = VerifyError::by_number(20).unwrap();
        assert_eq!(found.text(), "unable to get local issuer certificate");
        assert_eq!(VerifyError::by_number(9999), None);
        assert_eq!(VerifyError::by_number(0), None);
        assert_eq!(VerifyError::by_name("-"), None);
    }

    #[test]
    fn a_release_has_its_own_words() {
        assert_eq!(VerifyError(18).text_in(Release::V1_1_1), "self signed certificate");
        assert_eq!(VerifyError(18).text_in(Release::V3_2), "self-signed certificate");
    }
}
