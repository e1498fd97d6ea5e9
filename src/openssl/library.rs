//! Which TLS library a program runs with, by what it prints.

use super::release::OpensslRelease;

/// A TLS library that nginx may be built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsLibrary {
    /// OpenSSL, or quictls, which is OpenSSL with an interface for QUIC.
    OpenSsl(OpensslRelease),
    /// LibreSSL.
    LibreSsl,
    /// BoringSSL.
    BoringSsl,
    /// AWS-LC.
    AwsLc,
    /// Another one, or an OpenSSL before 1.1.1.
    Unknown,
}

impl TlsLibrary {
    /// Reads `OpenSSL 3.0.17 1 Jul 2025`, `OpenSSL 1.1.1 (compatible; BoringSSL)`, `LibreSSL 3.8.2` and the like.
    pub fn of(text: &str) -> Self {
        let named = |name: &str| text.contains(name);
        if named("BoringSSL") {
            Self::BoringSsl
        } else if named("AWS-LC") {
            Self::AwsLc
        } else if named("LibreSSL") {
            Self::LibreSsl
        } else {
            OpensslRelease::of(text).map_or(Self::Unknown, Self::OpenSsl)
        }
    }

    /// The release, if it is OpenSSL.
    pub fn openssl(self) -> Option<OpensslRelease> {
        match self {
            Self::OpenSsl(release) => Some(release),
            Self::LibreSsl | Self::BoringSsl | Self::AwsLc | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_told_apart_though_some_call_themselves_openssl() {
        for (text, library) in [
            ("OpenSSL 3.0.22 25 Aug 2026", TlsLibrary::OpenSsl(OpensslRelease::V3_0)),
            ("OpenSSL 3.1.4+quic 24 Oct 2023", TlsLibrary::OpenSsl(OpensslRelease::V3_0)),
            ("OpenSSL 1.1.1 (compatible; BoringSSL)", TlsLibrary::BoringSsl),
            ("BoringSSL", TlsLibrary::BoringSsl),
            ("OpenSSL 1.1.1 (compatible; AWS-LC 1.29.0)", TlsLibrary::AwsLc),
            ("LibreSSL 3.8.2", TlsLibrary::LibreSsl),
            ("OpenSSL 1.0.2k-fips  26 Jan 2017", TlsLibrary::Unknown),
        ] {
            assert_eq!(TlsLibrary::of(text), library, "{text}");
        }
    }
}
