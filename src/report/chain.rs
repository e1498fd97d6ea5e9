//! A chain in detail: each certificate with its place, and the two verdicts, each by its name. For people and as JSON.

use std::fmt;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::Look;
use super::text::paragraph;
use crate::audit::judge::Assessed;
use crate::audit::rule::day;
use crate::certificate::Certificate;
use crate::certificate::name::{Coverage, Name, coverage};
use crate::certificate::shape::Position;
use crate::certificate::trust::browser::BrowserVerdict;
use crate::certificate::trust::openssl::OpensslVerdict;
use crate::certificate::trust::problem::PathProblem;
use crate::targets::{Host, Target};

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
    for (client, verdict) in [
        ("browser-like clients", VerdictView::browser(assessed, target)),
        ("nginx, proxy_ssl_verify on and depth 1", VerdictView::nginx(assessed, target)),
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
            format!("ended {} days ago", -days)
        } else {
            format!("{days} days left")
        },
        certificate.public_key,
        certificate.signature_algorithm.name
    ));
    lines.push(format!("SHA-256 {}", certificate.sha256));
    lines
}

/// A chain as it was sent, and the verdicts over it.
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
#[derive(PartialEq, Serialize, JsonSchema)]
struct VerdictView {
    /// `accepted`, `refused` or `cannot check`.
    verdict: &'static str,
    /// Why, for nginx in the words of its error log; null where the chain is accepted.
    reason: Option<String>,
    /// OpenSSL's number for it (`X509_V_ERR_*`); null for other clients.
    error: Option<u32>,
}

/// Whether a browser-like client accepts the chain for the target's names.
pub(super) fn accepted(assessed: &Assessed, target: &Target) -> bool {
    VerdictView::browser(assessed, target) == VerdictView::ACCEPTED
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
            browser: VerdictView::browser(assessed, target),
            nginx: VerdictView::nginx(assessed, target),
        }
    }
}

impl VerdictView {
    const ACCEPTED: Self = Self { verdict: "accepted", reason: None, error: None };

    fn refused(reason: impl Into<String>) -> Self {
        Self { verdict: "refused", reason: Some(reason.into()), error: None }
    }

    fn browser(assessed: &Assessed, target: &Target) -> Self {
        match (&assessed.assessment.browser, &assessed.assessment.problem) {
            (BrowserVerdict::Accepted, _) => Self::browser_name(assessed, target),
            (_, Some(PathProblem::MissingIntermediate)) => {
                Self::refused("an intermediate is missing")
            }
            (_, Some(PathProblem::SelfSigned)) => Self::refused("self-signed"),
            (BrowserVerdict::UnknownIssuer, _) => Self::refused("unknown issuer"),
            (BrowserVerdict::OutsideValidity, _) => Self::refused("outside its validity"),
            (BrowserVerdict::Refused(reason), _) => Self::refused(reason.as_str()),
            (BrowserVerdict::NoLeaf, _) => Self::refused("no readable certificate"),
        }
    }

    fn browser_name(assessed: &Assessed, target: &Target) -> Self {
        let covered = |host: &Host| {
            let name = match host {
                Host::Ip(ip) => Name::Ip(*ip),
                Host::Name(name) => Name::Dns(name),
            };
            assessed.chain.leaf().is_some_and(|leaf| coverage(leaf, name) == Coverage::Covered)
        };
        match target.required_names().find(|host| !covered(host)) {
            Some(host) => Self::refused(format!("does not cover {host}")),
            None => Self::ACCEPTED,
        }
    }

    /// nginx checks the name after the chain, and only the one that it was told (`proxy_ssl_name`).
    fn nginx(assessed: &Assessed, target: &Target) -> Self {
        let name = target.server_name.clone().unwrap_or_else(|| target.host.to_string());
        match &assessed.assessment.nginx {
            OpensslVerdict::Accepted
                if !assessed.chain.leaf().is_some_and(|leaf| leaf.check_host(&name)) =>
            {
                Self::refused(format!("upstream SSL certificate does not match \"{name}\""))
            }
            OpensslVerdict::Accepted => Self::ACCEPTED,
            OpensslVerdict::Refused(error) => {
                Self { error: Some(error.0), ..Self::refused(error.to_string()) }
            }
            OpensslVerdict::CannotCheck(why) => {
                Self { verdict: "cannot check", reason: Some(why.clone()), error: None }
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
