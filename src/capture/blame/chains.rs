//! Why a certificate was refused: its chain is judged as files of certificates are, at the time of the handshake.

use std::net::IpAddr;
use std::sync::Arc;

use time::OffsetDateTime;
use time::macros::format_description;

use super::rows::Blame;
use crate::capture::exchange::{Breakdown, ClientCertificate, Exchange, HandshakeStage, Party};
use crate::capture::seen_certificates::SeenCertificates;
use crate::certificate::chain::Chain;
use crate::certificate::distinguished_name::DistinguishedName;
use crate::certificate::name::{Coverage, Name, coverage};
use crate::certificate::parse::Certificate;
use crate::certificate::trust::problem::PathProblem;
use crate::certificate::trust::{Assessment, Assessor, Purpose, TrustStore};
use crate::log::table::{self, Likelihood};

/// Alerts that a client sends because of a certificate.
const ABOUT_CERTIFICATES: [u8; 6] = [42, 43, 44, 45, 46, 48];

/// Alerts that say that an authority is unknown, that a certificate has expired, and that something is wrong with one.
const UNKNOWN_CA: u8 = 48;
const EXPIRED: u8 = 45;
const CERTIFICATE_UNKNOWN: u8 = 46;

/// Names that are listed.
const MAX_NAMES: usize = 8;

/// Judges chains, with these roots as those of the clients.
#[derive(Debug)]
pub struct ChainJudge<'c> {
    certificates: &'c SeenCertificates,
    of_servers: Assessor,
    of_clients: Assessor,
}

/// One thing that is wrong with a chain.
struct ChainFault {
    text: String,
    /// The cause in the table.
    cause: &'static str,
    /// The alert that names it best.
    alert: u8,
}

impl<'c> ChainJudge<'c> {
    /// A judge of the chains that were seen in a capture that began then; dates are judged for each handshake.
    pub fn new(
        certificates: &'c SeenCertificates,
        roots: &Arc<TrustStore>,
        began: OffsetDateTime,
    ) -> Self {
        let of = |purpose| Assessor::of(purpose, Arc::clone(roots), began);
        Self { certificates, of_servers: of(Purpose::Server), of_clients: of(Purpose::Client) }
    }

    /// Adds what the refused chain shows, and moves the cause that it shows to the front.
    pub(super) fn explain(&self, blame: &mut Blame, exchange: &Exchange, breakdown: Breakdown) {
        let at = OffsetDateTime::from_unix_timestamp_nanos(exchange.opened.into());
        let (Breakdown::Alert { by, description, stage }, Ok(at)) = (breakdown, at) else { return };
        let faults = match by {
            Party::Client if ABOUT_CERTIFICATES.contains(&description.0) => {
                self.of_server(exchange, at)
            }
            Party::Server if stage >= HandshakeStage::AfterAnswer => {
                blame.evidence.extend(wanted(exchange));
                self.of_client(exchange, at)
            }
            _ => return,
        };
        let Some(faults) = faults else { return };
        if faults.is_empty() && by == Party::Client {
            let text = "the chain itself is in order: names, dates, keys and roots";
            blame.evidence.push(text.to_owned());
        }
        let fits = |fault: &&ChainFault| fault.alert == description.0;
        // Who does not know the authority has not looked at the rest, and of other roots than these nothing is known.
        let is_told = [UNKNOWN_CA, EXPIRED].contains(&description.0);
        let may_be = |fault: &&ChainFault| {
            !is_told && (fault.alert != UNKNOWN_CA || description.0 == CERTIFICATE_UNKNOWN)
        };
        let chosen = faults.iter().find(fits).or_else(|| faults.iter().find(may_be));
        if let Some(cause) = chosen.and_then(|fault| table::cause(fault.cause)) {
            blame.causes.retain(|(known, _)| known.id != cause.id);
            blame.causes.insert(0, (cause, Likelihood::Likely));
        }
        blame.evidence.extend(faults.into_iter().map(|fault| fault.text));
    }

    fn of_server(&self, exchange: &Exchange, at: OffsetDateTime) -> Option<Vec<ChainFault>> {
        let chain = self.certificates.chain(&exchange.chain)?;
        let assessment = self.of_servers.assess(&chain);
        let mut faults = of_path(&chain, &assessment, at, ["client-rejects-our-cert"; 3]);
        let leaf = chain.leaf()?;
        faults.extend(exchange.server_name().and_then(|name| not_covered(leaf, &name)));
        if leaf.extended_key_usage.is_some_and(|usage| !usage.server_auth && !usage.any) {
            let text = "the server's certificate lacks the purpose serverAuth".to_owned();
            faults.push(ChainFault { text, cause: "client-rejects-our-cert", alert: 43 });
        }
        if !assessment.shape.is_in_order() {
            let text = "the certificates of the chain are out of order".to_owned();
            faults.push(ChainFault { text, cause: "client-rejects-our-cert", alert: UNKNOWN_CA });
        }
        faults.extend(self.without_path(&chain, &assessment));
        Some(faults)
    }

    fn without_path(&self, chain: &Chain, assessment: &Assessment) -> Option<ChainFault> {
        let issuer = |certificate: &Certificate| certificate.issuer.text.clone();
        let top = assessment.shape.top(chain).map(issuer).unwrap_or_default();
        let text = match assessment.problem? {
            PathProblem::MissingIntermediate => {
                format!("the chain is incomplete: it lacks the certificate of {top}")
            }
            PathProblem::SelfSigned => "the server's certificate is self-signed".to_owned(),
            PathProblem::UnknownIssuer => {
                let roots = &self.of_servers.store().label;
                format!("the chain ends at {top}, which is not among {roots}")
            }
        };
        Some(ChainFault { text, cause: "client-unknown-ca", alert: UNKNOWN_CA })
    }

    fn of_client(&self, exchange: &Exchange, at: OffsetDateTime) -> Option<Vec<ChainFault>> {
        let chain = self.certificates.chain(&exchange.client_chain)?;
        let assessment = self.of_clients.assess(&chain);
        let dates = ["client-cert-expired", "client-cert-not-yet-valid", "client-cert-ca-too-weak"];
        let mut faults = of_path(&chain, &assessment, at, dates);
        if chain.leaf()?.extended_key_usage.is_some_and(|usage| !usage.client_auth && !usage.any) {
            let text = "the client's certificate lacks the purpose clientAuth".to_owned();
            faults.push(ChainFault { text, cause: "client-cert-purpose", alert: 43 });
        }
        let issuers: Vec<&DistinguishedName> =
            chain.certificates.iter().map(|certificate| &certificate.issuer).collect();
        let named = exchange.authorities.as_deref().unwrap_or_default();
        let is_named = |issuer: &&DistinguishedName| named.contains(&issuer.der);
        if !named.is_empty() && !issuers.iter().any(is_named) {
            let issuers: Vec<&str> = issuers.iter().map(|issuer| issuer.text.as_str()).collect();
            let text = format!(
                "the client's certificate was issued by {}, which is none of the authorities that the server names: {}",
                issuers.join("; "),
                names(named)
            );
            faults.push(ChainFault { text, cause: "client-cert-untrusted", alert: UNKNOWN_CA });
        }
        Some(faults)
    }
}

/// That the server asked for a certificate and got none.
fn wanted(exchange: &Exchange) -> Option<String> {
    if exchange.client_certificate != Some(ClientCertificate::Empty) {
        return None;
    }
    let named = exchange.authorities.as_deref().unwrap_or_default();
    Some(if named.is_empty() {
        "the server asked for a client certificate of any authority, and the client sent none"
            .to_owned()
    } else {
        format!(
            "the server asked for a client certificate of {}, and the client sent none",
            names(named)
        )
    })
}

fn names(authorities: &[Vec<u8>]) -> String {
    let known = authorities.iter().take(MAX_NAMES);
    let mut names: Vec<String> = known.map(|der| DistinguishedName::from_der(der).text).collect();
    if authorities.len() > MAX_NAMES {
        names.push(format!("and {} more", authorities.len() - MAX_NAMES));
    }
    names.join("; ")
}

fn day(moment: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    moment.format(format).unwrap_or_default()
}

/// Dates and keys of the certificates on the path; their causes: expired, not yet valid, too weak.
fn of_path(
    chain: &Chain,
    assessment: &Assessment,
    at: OffsetDateTime,
    causes: [&'static str; 3],
) -> Vec<ChainFault> {
    let [expired, early, weak] = causes;
    let mut faults = Vec::new();
    let path = assessment.shape.path.iter();
    for (index, own) in path.filter_map(|index| Some((index, chain.certificates.get(*index)?))) {
        let name = format!("certificate {} of the chain ({})", index + 1, own.subject.text);
        let mut add = |text: String, cause, alert| {
            faults.push(ChainFault { text: format!("{name} {text}"), cause, alert });
        };
        if at > own.not_after {
            add(format!("had expired on {}", day(own.not_after)), expired, EXPIRED);
        }
        if at < own.not_before {
            add(format!("was not valid before {}", day(own.not_before)), early, 42);
        }
        let signature = own.signature_algorithm.weakness().filter(|_| !own.is_self_issued());
        for weakness in own.public_key.weakness().into_iter().chain(signature) {
            add(format!("has {weakness}"), weak, 42);
        }
    }
    if let Some((index, error)) = &chain.unreadable {
        let text = format!("certificate {} of the chain cannot be read: {error}", index + 1);
        faults.push(ChainFault { text, cause: weak, alert: 42 });
    }
    faults
}

/// That the certificate does not cover the name that the client asked for.
fn not_covered(leaf: &Certificate, asked: &str) -> Option<ChainFault> {
    let name = asked.parse::<IpAddr>().map_or(Name::Dns(asked), Name::Ip);
    let text = match coverage(leaf, name) {
        Coverage::Covered => return None,
        Coverage::NotCovered => {
            let mut own: Vec<String> = leaf.dns_names().to_vec();
            own.extend(leaf.ip_addresses().iter().map(ToString::to_string));
            let more = own.len().saturating_sub(MAX_NAMES);
            own.truncate(MAX_NAMES);
            if more > 0 {
                own.push(format!("and {more} more"));
            }
            format!("the certificate does not cover {asked}: it is for {}", own.join(", "))
        }
        Coverage::NoSubjectAltName { .. } => {
            format!(
                "the certificate has no subject alternative name, and so does not cover {asked}"
            )
        }
    };
    Some(ChainFault { text, cause: "client-rejects-our-cert", alert: 42 })
}
