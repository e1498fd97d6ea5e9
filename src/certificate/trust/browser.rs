//! The browser-like verdict: rustls-webpki against the chosen anchors.

/// What a browser-like client says of a chain, names left aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrowserVerdict {
    /// A valid path to an anchor exists.
    Accepted,
    /// No path to an anchor exists.
    UnknownIssuer,
    /// A path exists, but a certificate on it is outside its validity.
    OutsideValidity,
    /// Refused for another reason, in webpki's words.
    Refused(String),
    /// There is no leaf that could be read.
    NoLeaf,
}
