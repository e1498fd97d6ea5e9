//! `http3-refused`: the QUIC socket does not speak HTTP/3.

use super::facts;
use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::trouble::{Matrix, Trouble};
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "http3-refused",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "the QUIC socket refuses HTTP/3 (ALPN h3)",
    why: "QUIC needs an application protocol, and browsers offer h3 alone: none of them can use the socket. In nginx, http3 off \
          (also inherited from http) does this while listen ... quic stays open.",
    fix: "Set http3 on (the default) in the server, or remove listen ... quic and the Alt-Svc header.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_v3_module.html#http3",
        "RFC 9001 section 8.1",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    if facts(endpoint, cx).is_none() {
        return Verdict::NotApplicable;
    }
    let refused = Matrix::new(endpoint, cx.target).with(Trouble::Http3);
    if refused.is_empty() {
        return Verdict::Pass;
    }
    RULE.finds("the server refuses HTTP/3 (ALPN h3) on its QUIC socket")
        .evidence_from(refused.iter().map(|cell| at(endpoint, cell)))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, any};
    use crate::observation::{Cause, Stage};
    use crate::tls::alert::AlertDescription;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::quic();
        let alert = Cause::Alert(AlertDescription::NO_APPLICATION_PROTOCOL);
        scene.fail(any, Stage::Handshake, &alert);
        scene.check(&["error http3-refused"])
    }

    #[test]
    fn a_refused_protocol_is_the_only_finding() {
        specimen();
    }
}
