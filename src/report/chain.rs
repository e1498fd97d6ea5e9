//! A chain in detail: each certificate with its position, and the verdicts of both clients. As text and as JSON.

use std::fmt;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::Look;
use super::text::paragraph;
use crate::audit::client_verdict::ClientVerdict;
use crate::audit::judge::Assessed;
use crate::audit::rule::day;
use crate::certificate::Certificate;
use crate::certificate::shape::Position;
use crate::targets::Target;

/// The most names of one certificate that are listed.
const MAX_NAMES: usize = 20;

/// The position of a certificate in the chain.
fn place(position: Position) -> &'static str {
    match position {
        Position::Leaf => "leaf",
        Position::InOrder => "in order",
        Position::OutOfOrder => "out of order",
        Position::Root => "root",
        Position::Duplicate => "duplicate",
        Position::Alternative => "alternative",
        Position::Unrelated => "unrelated",
    }
}

/// Writes a chain as text.
pub(super) fn write(
    assessed: &Assessed,
    target: &Target,
    (now, look): (OffsetDateTime, Look),
    out: &mut dyn Write,
) -> io::Result<()> {
    let positions = &assessed.assessment.shape.positions;
    writeln!(out, "  chain as sent")?;
    for (index, (certificate, position)) in
        assessed.chain.certificates.iter().zip(positions).enumerate()
    {
        let head = format!("{} {}: {}", index + 1, place(*position), certificate.subject.text);
        out.write_all(paragraph(&head, "    ", "      ", look).as_bytes())?;
        for line in details(certificate, now) {
            out.write_all(paragraph(&line, "      ", "        ", look).as_bytes())?;
        }
    }
    let (browser, nginx) = if target.is_client_file() {
        ("servers that check like browsers", "nginx, ssl_verify_client on and depth 1")
    } else {
        ("browser-like clients", "nginx, proxy_ssl_verify on and depth 1")
    };
    for (client, verdict) in [
        (browser, VerdictView::of(ClientVerdict::of_browser(assessed, target))),
        (nginx, VerdictView::of(ClientVerdict::of_nginx(assessed, target))),
    ] {
        out.write_all(
            paragraph(&format!("{client}: {verdict}"), "    ", "      ", look).as_bytes(),
        )?;
    }
    writeln!(out)
}

fn details(certificate: &Certificate, now: OffsetDateTime) -> Vec<String> {
    let days = (certificate.not_after - now).whole_days();
    let addresses = certificate.ip_addresses().iter().map(ToString::to_string);
    let names: Vec<String> = certificate.dns_names().iter().cloned().chain(addresses).collect();
    let mut lines = vec![format!("issued by {}", certificate.issuer.text)];
    if !names.is_empty() {
        let shown = names[..names.len().min(MAX_NAMES)].join(", ");
        let more = names.len().saturating_sub(MAX_NAMES);
        lines.push(if more == 0 { shown } else { format!("{shown} and {more} more") });
    }
    lines.push(format!(
        "{} to {} ({}), {}, {}",
        day(certificate.not_before),
        day(certificate.not_after),
        if certificate.not_after < now {
            format!("expired {} days ago", -days)
        } else {
            format!("{days} days left")
        },
        certificate.public_key,
        certificate.signature_algorithm.name
    ));
    lines.push(format!("SHA-256 {}", certificate.sha256));
    lines
}

/// A chain as it was sent, and the verdicts on it.
#[derive(Serialize, JsonSchema)]
pub(super) struct ChainView<'a> {
    /// SHA-256 of the certificates as sent.
    certificates: Vec<String>,
    /// The position of each: `leaf`, `in order`, `out of order`, `root`, `duplicate`, `alternative`, `unrelated`.
    positions: Vec<&'static str>,
    /// SHA-256 of the certificates that the path needs, in their right order.
    path: Vec<String>,
    /// The subject of the issuer that was not sent and is not trusted; null if none is missing.
    missing_issuer: Option<&'a str>,
    /// The verdict of a browser-like client (rustls-webpki).
    browser: VerdictView,
    /// The verdict of nginx with `proxy_ssl_verify on` and its other defaults (OpenSSL 3, security level 2).
    nginx: VerdictView,
}

/// One client's verdict.
#[derive(Serialize, JsonSchema)]
struct VerdictView {
    /// `accepted`, `refused` or `cannot check`.
    verdict: &'static str,
    /// The reason, for nginx as in its error log; null if the chain is accepted.
    reason: Option<String>,
    /// OpenSSL's error number (`X509_V_ERR_*`); null for other clients.
    error: Option<u32>,
}

impl<'a> ChainView<'a> {
    pub(super) fn of(assessed: &'a Assessed, target: &Target) -> Self {
        let certificates = &assessed.chain.certificates;
        let shape = &assessed.assessment.shape;
        let sha256 = |certificate: &Certificate| certificate.sha256.to_string();
        Self {
            certificates: certificates.iter().map(|certificate| sha256(certificate)).collect(),
            positions: shape.positions.iter().map(|position| place(*position)).collect(),
            path: shape
                .path
                .iter()
                .filter_map(|at| certificates.get(*at))
                .map(|c| sha256(c))
                .collect(),
            missing_issuer: shape
                .missing_issuer(&assessed.chain)
                .map(|issuer| issuer.text.as_str()),
            browser: VerdictView::of(ClientVerdict::of_browser(assessed, target)),
            nginx: VerdictView::of(ClientVerdict::of_nginx(assessed, target)),
        }
    }
}

impl VerdictView {
    fn of(verdict: ClientVerdict) -> Self {
        match verdict {
            ClientVerdict::Accepted => Self { verdict: "accepted", reason: None, error: None },
            ClientVerdict::Refused { reason, error } => {
                Self { verdict: "refused", reason: Some(reason), error: error.map(|error| error.0) }
            }
            ClientVerdict::CannotCheck(why) => {
                Self { verdict: "cannot check", reason: Some(why), error: None }
            }
        }
    }
}

impl fmt::Display for VerdictView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "{}: {reason}", self.verdict),
            None => f.write_str(self.verdict),
        }
    }
}
