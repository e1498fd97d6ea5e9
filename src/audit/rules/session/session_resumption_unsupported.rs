//! `session-resumption-unsupported`: no tickets, no cache.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::resume;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::observation::{Endpoint, Failure, Observed};

pub(crate) const RULE: Rule = Rule {
    id: "session-resumption-unsupported",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "the server does not resume sessions",
    why: "Every connection needs a full handshake: a signature on the server and, with TLS 1.2, an extra round trip \
          for the client. On busy servers this costs CPU time.",
    fix: "Keep ssl_session_tickets on (the default), or set ssl_session_cache shared:SSL:10m in the http \
          block: the default (none) stores nothing. Then reload.",
    references: &[
        "RFC 8446 section 2.2",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_session_cache",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_session_tickets",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let asked = || endpoint.handshakes.iter().filter(|cell| cell.resumption != Observed::NotTried);
    if asked().next().is_none() {
        return Verdict::NotApplicable;
    }
    if asked().any(|cell| cell.resumption.seen().is_some()) {
        return Verdict::Pass;
    }
    let failed = asked().find_map(|cell| match &cell.resumption {
        Observed::Failed(failure) => Some((cell.version, failure)),
        _ => None,
    });
    if let Some((version, Failure { stage, cause })) = failed {
        return Verdict::Untested(format!(
            "whether {} resumes sessions: the second connection over {version} failed: {cause} ({stage})",
            endpoint.address
        ));
    }
    let versions: Vec<String> = asked().map(|cell| cell.version.to_string()).collect();
    RULE.finds("the server does not resume sessions")
        .evidence(format!(
            "{}: a second connection was a full handshake again ({})",
            endpoint.address,
            versions.join(", ")
        ))
        .directive("http", "ssl_session_cache", "shared:SSL:10m")
        .reproduce_from(
            asked()
                .map(|cell| cell.version)
                .min()
                .map(|version| resume(cx.target, Some(endpoint.address), version)),
        )
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, named};
    use crate::observation::{Cause, Failure, Observed, Stage};
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.each(|cell| {
            if named(cell) {
                cell.resumption = Observed::Absent;
            }
        });
        scene.judge().findings
    }

    #[test]
    fn one_version_that_resumes_is_enough() {
        let mut scene = Scene::new();
        scene.each(|cell| {
            if named(cell) && cell.version == ProtocolVersion::TLS1_2 {
                cell.resumption = Observed::Absent;
            }
        });
        scene.check(&[]);
    }

    #[test]
    fn a_second_connection_that_failed_shows_nothing() {
        let mut scene = Scene::new();
        let failure = Failure { stage: Stage::Connect, cause: Cause::ConnectionRefused };
        scene.each(|cell| {
            if named(cell) {
                cell.resumption = Observed::Failed(failure.clone());
            }
        });
        scene.check(&["warning unsteady-answers"]);
        let untested = scene.judge().untested;
        assert_eq!(untested.len(), 2);
        assert!(untested[0].1.ends_with("failed: connection refused (connect)"), "{untested:?}");
    }
}
