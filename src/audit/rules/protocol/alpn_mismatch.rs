//! `alpn-mismatch`: the operator expects a protocol, such as h2, and the server does not choose it.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::SClient;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::trouble::Matrix;
use crate::observation::{Cause, Endpoint};
use crate::tls::alert::AlertDescription;

pub(crate) const RULE: Rule = Rule {
    id: "alpn-mismatch",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "the server chooses none of the expected ALPN protocols",
    why: "Clients that need one of these protocols (gRPC needs h2) cannot talk to the server, although the \
          handshake may complete.",
    fix: "For h2, set http2 on in the server block (before nginx 1.25.1: listen … http2) and reload. Otherwise \
          correct expect.alpn.",
    references: &["RFC 7301", "https://nginx.org/en/docs/http/ngx_http_v2_module.html#http2"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let wanted = &cx.target.expect.alpn;
    if wanted.is_empty() {
        return Verdict::NotApplicable;
    }
    let matrix = Matrix::new(endpoint, cx.target);
    let refused = Cause::Alert(AlertDescription::NO_APPLICATION_PROTOCOL);
    let without = cx.own_cells(endpoint).find(|cell| match &cell.outcome {
        Ok(session) => session.alpn.is_none(),
        Err(failure) => failure.cause == refused || matrix.works_without_alpn(cell),
    });
    let Some(cell) = without else {
        return Verdict::Pass;
    };
    RULE.finds(format!(
        "the server chooses none of the expected ALPN protocols ({})",
        wanted.join(", ")
    ))
    .evidence(at(endpoint, cell))
    .evidence_from(
        matrix
            .works_without_alpn(cell)
            .then(|| format!("{}: without ALPN, the same handshake works", endpoint.address)),
    )
    .reproduce(
        SClient::new(cx.target, Some(endpoint.address), cell.sni.as_deref())
            .version(cell.version)
            .option("-alpn", wanted.join(","))
            .command(),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, any};
    use crate::observation::{Cause, Stage};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.target.expect.alpn = vec!["h2".to_owned()];
        scene.judge().findings
    }

    #[test]
    fn a_server_that_closes_because_of_the_protocol_is_named() {
        let mut scene = Scene::new();
        scene.target.expect.alpn = vec!["h2".to_owned()];
        let tried = scene.seen.endpoints[0].handshakes.clone();
        scene.fail(any, Stage::Handshake, &Cause::Closed);
        scene.each(|cell| cell.chain = None);
        assert!(scene.judge().findings.iter().all(|one| one.rule != "alpn-mismatch"));
        scene.seen.endpoints[0].without_alpn = tried;
        let findings = scene.check(&["error alpn-mismatch"]);
        assert!(findings[0].evidence.iter().any(|line| line.contains("without ALPN")));
    }

    #[test]
    fn an_expected_protocol_must_be_chosen() {
        let mut scene = Scene::new();
        scene.target.expect.alpn = vec!["h2".to_owned()];
        scene.check(&["error alpn-mismatch"]);
        scene.each(|cell| {
            if let Ok(session) = &mut cell.outcome {
                session.alpn = Some("h2".to_owned());
            }
        });
        scene.check(&[]);
    }
}
