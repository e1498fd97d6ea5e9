//! nginx's client certificate: the reasons for which an upstream would refuse it.

use time::OffsetDateTime;

use crate::audit::rule::day;
use crate::certificate::parse::Certificate;
use crate::observation::ClientCertificateRequest;
use crate::targets::ClientIdentity;

/// Reasons to refuse a client certificate, one sentence each. `request` is the upstream's request for one, if it asked.
pub fn doubts(
    identity: &ClientIdentity,
    request: Option<&ClientCertificateRequest>,
    now: OffsetDateTime,
) -> Vec<String> {
    let parsed: Vec<Certificate> =
        identity.chain.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
    let Some(leaf) = parsed.first() else { return Vec::new() };
    let file = identity.certificate_file.display();
    let mut doubts = Vec::new();
    if let Some(usage) = leaf.extended_key_usage
        && !(usage.client_auth || usage.any)
    {
        let only = if usage.server_auth { " (only serverAuth)" } else { "" };
        doubts.push(format!(
            "{file} is not meant for clients: its extended key usage lacks clientAuth{only}; servers with OpenSSL \
             refuse it with verify error 26"
        ));
    }
    if leaf.not_after < now {
        let day = day(leaf.not_after);
        doubts.push(format!("{file} expired on {day}; servers refuse it with verify error 10"));
    } else if leaf.not_before > now {
        let day = day(leaf.not_before);
        doubts.push(format!(
            "{file} is not valid before {day}; servers refuse it with verify error 9"
        ));
    }
    doubts.extend(request.and_then(|request| foreign(&parsed, request, &file.to_string())));
    doubts
}

/// Whether the chain leads to none of the authorities that the server names.
fn foreign(
    chain: &[Certificate],
    request: &ClientCertificateRequest,
    file: &str,
) -> Option<String> {
    let named = |certificate: &Certificate| request.authorities.contains(&certificate.issuer.text);
    if request.authorities.is_empty() || chain.iter().any(named) {
        return None;
    }
    let last = chain.last()?;
    let issuer = &last.issuer.text;
    Some(if last.is_self_issued() || chain.len() > 1 {
        format!(
            "{file} leads to {issuer}, which is none of the authorities that the upstream names"
        )
    } else {
        format!(
            "{file} holds the certificate alone, and its issuer, {issuer}, is none of the authorities that the \
             upstream names: the intermediate is missing, or another authority issued it"
        )
    })
}
