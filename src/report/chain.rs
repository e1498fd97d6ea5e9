//! A chain in detail: each certificate with its place, and the two verdicts, each by its name. For people and as JSON.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::Look;
use super::text::paragraph;
use crate::audit::judge::Assessed;
use crate::audit::rule::day;
use crate::certificate::Certificate;
use crate::certificate::shape::Position;
use crate::certificate::trust::browser::BrowserVerdict;
use crate::certificate::trust::openssl::OpensslVerdict;
use crate::certificate::trust::problem::PathProblem;

/// Names of one certificate that are listed.
const MAX_NAMES: usize = 20;

/// What one certificate is within its chain.
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

/// Writes a chain for people.
pub(super) fn write(
    assessed: &Assessed,
    now: OffsetDateTime,
    look: Look,
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
    for (client, verdict) in [
        ("browser-like clients", browser(assessed)),
        ("nginx, proxy_ssl_verify on and depth 1", nginx(&assessed.assessment.nginx)),
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
        "{} to {} ({days} days left), {}, {}",
        day(certificate.not_before),
        day(certificate.not_after),
        certificate.public_key,
        certificate.signature_algorithm.name
    ));
    lines.push(format!("SHA-256 {}", certificate.sha256));
    lines
}

fn browser(assessed: &Assessed) -> String {
    match (&assessed.assessment.browser, &assessed.assessment.problem) {
        (BrowserVerdict::Accepted, _) => "accepted".to_owned(),
        (_, Some(PathProblem::MissingIntermediate)) => {
            "refused, an intermediate is missing".to_owned()
        }
        (_, Some(PathProblem::SelfSigned)) => "refused, self-signed".to_owned(),
        (BrowserVerdict::UnknownIssuer, _) => "refused, unknown issuer".to_owned(),
        (BrowserVerdict::OutsideValidity, _) => "refused, outside its validity".to_owned(),
        (BrowserVerdict::Refused(reason), _) => format!("refused, {reason}"),
        (BrowserVerdict::NoLeaf, _) => "refused, no readable certificate".to_owned(),
    }
}

fn nginx(verdict: &OpensslVerdict) -> String {
    match verdict {
        OpensslVerdict::Accepted => "accepted".to_owned(),
        OpensslVerdict::Refused(error) => format!("refused, it logs \"{error}\""),
        OpensslVerdict::CannotCheck(why) => format!("cannot check: {why}"),
    }
}

/// A chain as it was sent, and the verdicts over it, names left aside.
#[derive(Serialize, JsonSchema)]
pub(super) struct ChainView<'a> {
    /// SHA-256 of the certificates as sent.
    certificates: Vec<String>,
    /// What each of them is: `leaf`, `in order`, `out of order`, `root`, `duplicate`, `alternative`, `unrelated`.
    positions: Vec<&'static str>,
    /// SHA-256 of the certificates that the path needs, in their right order.
    path: Vec<String>,
    /// The subject of the issuer that was neither sent nor is trusted; null where none is missing.
    missing_issuer: Option<&'a str>,
    /// What a browser-like client says (rustls-webpki).
    browser: VerdictView,
    /// What nginx says with `proxy_ssl_verify on` and its other defaults (OpenSSL 3, security level 2).
    nginx: VerdictView,
}

/// One client's verdict.
#[derive(Serialize, JsonSchema)]
struct VerdictView {
    /// `accepted`, `refused` or `cannot check`.
    verdict: &'static str,
    /// Why; null where the chain is accepted.
    reason: Option<String>,
    /// OpenSSL's number for it (`X509_V_ERR_*`); null for other clients.
    error: Option<u32>,
}

impl<'a> ChainView<'a> {
    pub(super) fn of(assessed: &'a Assessed) -> Self {
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
            browser: VerdictView::browser(assessed),
            nginx: VerdictView::nginx(&assessed.assessment.nginx),
        }
    }
}

impl VerdictView {
    fn browser(assessed: &Assessed) -> Self {
        if assessed.assessment.browser == BrowserVerdict::Accepted {
            return Self { verdict: "accepted", reason: None, error: None };
        }
        let reason = browser(assessed).replacen("refused, ", "", 1);
        Self { verdict: "refused", reason: Some(reason), error: None }
    }

    fn nginx(verdict: &OpensslVerdict) -> Self {
        match verdict {
            OpensslVerdict::Accepted => Self { verdict: "accepted", reason: None, error: None },
            OpensslVerdict::Refused(error) => Self {
                verdict: "refused",
                reason: Some(error.text().to_owned()),
                error: Some(error.0),
            },
            OpensslVerdict::CannotCheck(why) => {
                Self { verdict: "cannot check", reason: Some(why.clone()), error: None }
            }
        }
    }
}
