//! Results of certificate verification, as OpenSSL numbers and words them.

use std::sync::LazyLock;

/// One row of `tables/verify_errors.tsv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// The number of `<openssl/x509_vfy.h>`.
    pub number: u32,
    /// The name of the same place, as `X509_V_ERR_CERT_HAS_EXPIRED`.
    pub name: &'static str,
    /// The words of OpenSSL 3.
    pub text: &'static str,
    /// The words of OpenSSL 1.0.2 and 1.1.1, where they differ.
    older: [&'static str; 2],
}

static ERRORS: LazyLock<Vec<VerifyError>> = LazyLock::new(|| {
    let rows = include_str!("tables/verify_errors.tsv").lines();
    rows.filter(|row| !row.starts_with('#')).filter_map(parse).collect()
});

fn parse(row: &'static str) -> Option<VerifyError> {
    let mut cells = row.split('\t');
    let (number, name) = (cells.next()?.parse().ok()?, cells.next()?);
    let (first, second, third) = (cells.next()?, cells.next()?, cells.next()?);
    let text = [third, second, first].into_iter().find(|text| *text != "-")?;
    Some(VerifyError { number, name, text, older: [first, second] })
}

/// Every result, by number.
pub fn all() -> &'static [VerifyError] {
    &ERRORS
}

/// The result of that number.
pub fn by_number(number: u32) -> Option<&'static VerifyError> {
    ERRORS.iter().find(|error| error.number == number)
}

/// The result of that name, with or without the prefix `X509_V_ERR_`, or of those words in any release.
pub fn by_name(name: &str) -> Option<&'static VerifyError> {
    let same = |other: &str| other != "-" && other.eq_ignore_ascii_case(name);
    ERRORS.iter().find(|error| {
        let bare = error.name.trim_start_matches("X509_V_ERR_");
        same(error.name) || same(bare) || same(error.text) || error.older.into_iter().any(same)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = include_str!("tables/verify_errors.tsv").lines();
        assert_eq!(all().len(), rows.filter(|row| !row.starts_with('#')).count());
        assert!(all().windows(2).all(|pair| pair[0].number < pair[1].number));
    }

    #[test]
    fn a_result_is_found_by_number_name_and_the_words_of_any_release() {
        for name in ["X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT", "self signed certificate"] {
            assert_eq!(by_name(name).unwrap().number, 18);
        }
        assert_eq!(by_name("self-signed certificate").unwrap().number, 18);
        assert_eq!(by_number(20).unwrap().text, "unable to get local issuer certificate");
        assert_eq!(by_number(9999), None);
        assert_eq!(by_name("-"), None);
    }
}
