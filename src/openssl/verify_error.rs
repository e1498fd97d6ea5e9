//! Certificate verification errors: OpenSSL's numbers, names and texts.

use std::fmt;
use std::sync::LazyLock;

use crate::openssl::release::OpensslRelease;

/// A result of `X509_verify_cert`, by its number (`X509_V_ERR_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerifyError(pub u32);

/// One row of `verify_errors.tsv`.
struct VerifyErrorRow {
    number: u32,
    name: &'static str,
    /// The texts of 1.0.2, 1.1.1, and 3.0 and later; `-` for none.
    texts: [&'static str; 3],
}

static ROWS: LazyLock<Vec<VerifyErrorRow>> = LazyLock::new(|| {
    let rows = include_str!("verify_errors.tsv").lines();
    rows.filter(|row| !row.starts_with('#')).filter_map(parse).collect()
});

fn parse(row: &'static str) -> Option<VerifyErrorRow> {
    let mut cells = row.split('\t');
    let (number, name) = (cells.next()?.parse().ok()?, cells.next()?);
    Some(VerifyErrorRow { number, name, texts: [cells.next()?, cells.next()?, cells.next()?] })
}

/// Shorter texts occur in too many messages.
const MIN_TEXT: usize = 15;

/// The errors that this program detects.
#[expect(missing_docs, reason = "the names are OpenSSL's own, and the table has their words")]
impl VerifyError {
    pub const UNSPECIFIED: Self = Self(1);
    pub const UNABLE_TO_GET_ISSUER_CERT: Self = Self(2);
    pub const UNABLE_TO_GET_CRL: Self = Self(3);
    pub const UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: Self = Self(6);
    pub const CERT_SIGNATURE_FAILURE: Self = Self(7);
    pub const CRL_SIGNATURE_FAILURE: Self = Self(8);
    pub const CERT_NOT_YET_VALID: Self = Self(9);
    pub const CERT_HAS_EXPIRED: Self = Self(10);
    pub const CRL_NOT_YET_VALID: Self = Self(11);
    pub const CRL_HAS_EXPIRED: Self = Self(12);
    pub const ERROR_IN_CERT_NOT_BEFORE_FIELD: Self = Self(13);
    pub const ERROR_IN_CERT_NOT_AFTER_FIELD: Self = Self(14);
    pub const ERROR_IN_CRL_LAST_UPDATE_FIELD: Self = Self(15);
    pub const ERROR_IN_CRL_NEXT_UPDATE_FIELD: Self = Self(16);
    pub const DEPTH_ZERO_SELF_SIGNED_CERT: Self = Self(18);
    pub const SELF_SIGNED_CERT_IN_CHAIN: Self = Self(19);
    pub const UNABLE_TO_GET_ISSUER_CERT_LOCALLY: Self = Self(20);
    pub const UNABLE_TO_VERIFY_LEAF_SIGNATURE: Self = Self(21);
    pub const CERT_CHAIN_TOO_LONG: Self = Self(22);
    pub const CERT_REVOKED: Self = Self(23);
    pub const INVALID_CA_1_1_1: Self = Self(24);
    pub const PATH_LENGTH_EXCEEDED: Self = Self(25);
    pub const INVALID_PURPOSE: Self = Self(26);
    pub const KEYUSAGE_NO_CERTSIGN: Self = Self(32);
    pub const UNHANDLED_CRITICAL_EXTENSION: Self = Self(34);
    pub const KEYUSAGE_NO_CRL_SIGN: Self = Self(35);
    pub const UNHANDLED_CRITICAL_CRL_EXTENSION: Self = Self(36);
    pub const PROXY_CERTIFICATES_NOT_ALLOWED: Self = Self(40);
    pub const DIFFERENT_CRL_SCOPE: Self = Self(44);
    pub const PERMITTED_VIOLATION: Self = Self(47);
    pub const EXCLUDED_VIOLATION: Self = Self(48);
    pub const SUBTREE_MINMAX: Self = Self(49);
    pub const UNSUPPORTED_CONSTRAINT_TYPE: Self = Self(51);
    pub const UNSUPPORTED_NAME_SYNTAX: Self = Self(53);
    pub const EE_KEY_TOO_SMALL: Self = Self(66);
    pub const CA_KEY_TOO_SMALL: Self = Self(67);
    pub const CA_MD_TOO_WEAK: Self = Self(68);
    pub const INVALID_CA: Self = Self(79);
    pub const EC_KEY_EXPLICIT_PARAMS: Self = Self(94);
}

impl VerifyError {
    /// The error for an issuer that is not a CA.
    pub fn invalid_ca(library: OpensslRelease) -> Self {
        if library == OpensslRelease::V1_1_1 { Self::INVALID_CA_1_1_1 } else { Self::INVALID_CA }
    }

    /// The error with that number, if OpenSSL has one; 0 is none.
    pub fn by_number(number: u32) -> Option<Self> {
        Self(number).row().filter(|row| row.number > 0).map(|row| Self(row.number))
    }

    /// Its name in OpenSSL's headers.
    pub fn name(self) -> &'static str {
        self.row().map_or("X509_V_ERR_UNSPECIFIED", |row| row.name)
    }

    /// The error with the longest text that another program's message contains.
    pub fn find_text(message: &str) -> Option<Self> {
        let message = message.to_ascii_lowercase();
        let held =
            |text: &&str| text.len() >= MIN_TEXT && message.contains(&text.to_ascii_lowercase());
        let rows = ROWS.iter().filter_map(|row| {
            let longest = row.texts.iter().copied().filter(held).map(str::len).max()?;
            Some((longest, Self(row.number)))
        });
        rows.max_by_key(|(length, error)| (*length, std::cmp::Reverse(error.0)))
            .map(|(_, error)| error)
    }

    /// The error with that name, with or without the prefix `X509_V_ERR_`, or with that text in any release.
    pub fn by_name(name: &str) -> Option<Self> {
        let same = |other: &str| other != "-" && other.eq_ignore_ascii_case(name);
        let row = ROWS.iter().find(|row| {
            let bare = row.name.trim_start_matches("X509_V_ERR_");
            same(row.name) || same(bare) || row.texts.into_iter().any(same)
        })?;
        Some(Self(row.number))
    }

    /// The text of the newest release that has one.
    pub fn text(self) -> &'static str {
        self.text_in(OpensslRelease::V3_0)
    }

    /// The text in that release, or in another if it has none.
    pub fn text_in(self, library: OpensslRelease) -> &'static str {
        let Some(VerifyErrorRow { texts: [oldest, middle, newest], .. }) = self.row() else {
            return "unknown";
        };
        let preferred = match library {
            OpensslRelease::V1_1_1 => [middle, newest, oldest],
            OpensslRelease::V3_0
            | OpensslRelease::V3_2
            | OpensslRelease::V3_4
            | OpensslRelease::V3_5 => [newest, middle, oldest],
        };
        preferred.into_iter().find(|text| **text != "-").unwrap_or(&"unknown")
    }

    fn row(self) -> Option<&'static VerifyErrorRow> {
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
            assert_eq!(VerifyError::by_name(name), Some(VerifyError::DEPTH_ZERO_SELF_SIGNED_CERT));
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
        assert_eq!(VerifyError(18).text_in(OpensslRelease::V1_1_1), "self signed certificate");
        assert_eq!(VerifyError(18).text_in(OpensslRelease::V3_2), "self-signed certificate");
    }
}
