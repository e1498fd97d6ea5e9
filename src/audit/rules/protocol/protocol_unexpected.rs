//! `protocol-unexpected`: the endpoint accepts a version that the operator does not expect.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::s_client;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::trouble::answers_in_tls;
use crate::observation::{Endpoint, Handshake};

pub(crate) const RULE: Rule = Rule {
    id: "protocol-unexpected",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "the server accepts a version that the targets file does not expect",
    why: "expect.protocols in the targets file lists every version that the endpoint may accept, and it accepts \
          another.",
    fix: "Remove the version from ssl_protocols in the default server of the socket and reload, or add it to \
          expect.protocols.",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Some(expected) = &cx.target.expect.protocols else {
        return Verdict::NotApplicable;
    };
    // The expectation is a live nginx's own configuration.
    if cx.target.written.as_ref().is_some_and(|written| written.versions.is_some()) {
        return Verdict::NotApplicable;
    }
    let answered = cx.own_cells(endpoint).filter(|cell| answers_in_tls(cell));
    let unexpected: Vec<&Handshake> =
        answered.filter(|cell| !expected.contains(&cell.version)).collect();
    if unexpected.is_empty() {
        return Verdict::Pass;
    }
    let value: Vec<String> = expected.iter().map(ToString::to_string).collect();
    let findings = unexpected.into_iter().map(|cell| {
        RULE.finds(format!("the server accepts {}, which is not expected", cell.version))
            .subject(cell.version.to_string())
            .evidence(at(endpoint, cell))
            .directive("server", "ssl_protocols", value.join(" "))
            .reproduce(s_client(
                cx.target,
                Some(endpoint.address),
                cell.sni.as_deref(),
                Some(cell.version),
            ))
    });
    Verdict::Fail(findings.collect())
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.target.expect.protocols = Some(vec![ProtocolVersion::TLS1_3]);
        scene.judge().findings
    }

    #[test]
    fn only_the_expected_versions_may_be_accepted() {
        let mut scene = Scene::new();
        scene.target.expect.protocols = Some(vec![ProtocolVersion::TLS1_3]);
        scene.check(&["error protocol-unexpected"]);
        scene.target.expect.protocols =
            Some(vec![ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3]);
        scene.check(&[]);
    }
}
