//! `http3-not-advertised`: nothing leads clients to the QUIC socket.

use super::facts;
use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::curl;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::observation::{Endpoint, Handshake, Observed};

pub(crate) const RULE: Rule = Rule {
    id: "http3-not-advertised",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "the answer over TCP does not lead clients to HTTP/3 (Alt-Svc)",
    why: "Browsers connect over TCP first, and use HTTP/3 only where an Alt-Svc header or an HTTPS record in DNS says that it is \
          there. Without either, the QUIC socket works but is not used. DNS was not looked at.",
    fix: "Add add_header Alt-Svc 'h3=\":443\"; ma=86400'; with the port that clients connect to, and reload.",
    references: &["https://nginx.org/en/docs/quic.html", "RFC 7838 section 3", "RFC 9460"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Some(facts) = facts(endpoint, cx) else { return Verdict::NotApplicable };
    if !cx.own_cells(endpoint).any(Handshake::established) {
        return Verdict::NotApplicable;
    }
    let said = match &facts.advertised {
        Observed::Seen(value) if leads_to_http3(value) => return Verdict::Pass,
        Observed::Seen(value) => format!("{}: Alt-Svc: {value}", endpoint.address),
        Observed::Absent => {
            format!("{}: the answer to GET / over TCP has no Alt-Svc header", endpoint.address)
        }
        Observed::Failed(_) | Observed::NotTried => return Verdict::NotApplicable,
    };
    let finding = RULE.finds("the answer over TCP does not advertise HTTP/3").evidence(said);
    match curl(cx.target, Some(endpoint.address)) {
        Some(command) => finding.reproduce(command).into(),
        None => finding.into(),
    }
}

/// Whether a header names HTTP/3, or a draft of it (RFC 7838 section 3).
fn leads_to_http3(value: &str) -> bool {
    value.split(',').any(|one| {
        let protocol = one.split('=').next().unwrap_or_default().trim();
        protocol == "h3" || protocol.starts_with("h3-")
    })
}

#[cfg(test)]
mod tests {
    use super::leads_to_http3;
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::Observed;

    fn answered(advertised: Observed<String>) -> Scene {
        let mut scene = Scene::quic();
        scene.seen.endpoints[0].quic.as_mut().unwrap().advertised = advertised;
        scene
    }

    pub(super) fn specimen() -> Vec<Finding> {
        answered(Observed::Absent).judge().findings
    }

    #[test]
    fn a_missing_header_is_a_note_where_a_request_was_served() {
        answered(Observed::Absent).check(&["note http3-not-advertised"]);
        answered(Observed::Seen("clear".to_owned())).check(&["note http3-not-advertised"]);
        answered(Observed::Seen("h3=\":443\"".to_owned())).check(&[]);
        answered(Observed::NotTried).check(&[]);
    }

    #[test]
    fn one_of_several_alternatives_is_enough() {
        assert!(leads_to_http3("h2=\":443\", h3=\":443\"; ma=60"));
        assert!(leads_to_http3("h3-29=\":443\""));
        assert!(!leads_to_http3("h2=\":443\"; note=h3"));
    }
}
