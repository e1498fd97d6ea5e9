//! The releases of OpenSSL that nginx is built with.

use std::str::FromStr;

use super::profile::{Profile, select};

/// A release of OpenSSL, as far as its hello, its verification and its words differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Library {
    /// 1.1.1.
    OpenSsl1_1_1,
    /// 3.0 and 3.1.
    #[default]
    OpenSsl3_0,
    /// 3.2 and later.
    OpenSsl3_2,
}

impl Library {
    /// The library that `nginx -V` names: `OpenSSL 3.0.17 1 Jul 2025`.
    pub fn of(text: &str) -> Option<Self> {
        let number = text.strip_prefix("OpenSSL ")?.split(' ').next()?;
        let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
        match (parts.next()??, parts.next()??) {
            (1, 1) => Some(Self::OpenSsl1_1_1),
            (3, 0 | 1) => Some(Self::OpenSsl3_0),
            (3.., _) => Some(Self::OpenSsl3_2),
            _ => None,
        }
    }

    /// The profile of nginx with this library, as it was recorded.
    ///
    /// # Panics
    ///
    /// Never: the table of profiles, which is part of the program, has a row for each.
    pub fn profile(self) -> &'static Profile {
        let name = match self {
            Self::OpenSsl1_1_1 => "nginx-1.18",
            Self::OpenSsl3_0 => "nginx-1.22",
            Self::OpenSsl3_2 => "nginx-1.26",
        };
        select(name).expect("the table has a row for each library")[0]
    }
}

/// The text names no release of OpenSSL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no OpenSSL version that is known here; use one like 3.0 or 1.1.1")]
pub struct UnknownLibrary(pub String);

impl FromStr for Library {
    type Err = UnknownLibrary;

    fn from_str(text: &str) -> Result<Self, UnknownLibrary> {
        Self::of(&format!("OpenSSL {text}")).ok_or_else(|| UnknownLibrary(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_told_by_their_names() {
        assert_eq!(Library::of("OpenSSL 3.0.17 1 Jul 2025"), Some(Library::OpenSsl3_0));
        assert_eq!(Library::of("OpenSSL 3.5.4 30 Sep 2025"), Some(Library::OpenSsl3_2));
        assert_eq!(Library::of("OpenSSL 1.1.1w  11 Sep 2023"), Some(Library::OpenSsl1_1_1));
        assert_eq!(Library::of("BoringSSL"), None);
    }
}
