//! `upstream-scheme-mismatch`: nginx speaks plain text to a port that expects TLS.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream;
use crate::audit::upstream::case::{FaultKind, NginxCase};
use crate::audit::upstream::findings;
use crate::audit::upstream::verdict::NginxFailure;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-scheme-mismatch",
    severity: Severity::Error,
    section: Section::Upstream,
    summary: "nginx speaks plain text to a port that expects TLS",
    why: "The scheme of the URL alone decides whether nginx speaks TLS to an upstream; the port does not. A server \
          that expects TLS answers a plain request with 400, with an alert, or by hanging up.",
    fix: "Write the scheme that means TLS (https://, grpcs://, suwsgi://), and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass",
        "https://nginx.org/en/docs/http/ngx_http_grpc_module.html#grpc_pass",
        "https://nginx.org/en/docs/http/ngx_http_uwsgi_module.html#uwsgi_pass",
    ],
    consequence_of: &[],
    check: Check::Plain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    use upstream::verdict::HandshakeVerdict as Outcome;
    match &case.verdict {
        Outcome::CannotTell(why) => {
            Verdict::Untested(format!("whether it expects TLS is not known: {why}"))
        }
        Outcome::Fails(NginxFailure::Network(failure)) => {
            Verdict::Untested(format!("whether it expects TLS is not known: {}", failure.cause))
        }
        _ => findings::check(&RULE, FaultKind::Scheme, case, cx),
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, taken};
    use crate::observation::nginx::{NoAnswer, RefusalSubject, Served};
    use crate::observation::{Cause, Failure, Stage};
    use crate::targets::nginx_client::{NginxClient, PlainPass, SettingChange};

    pub(super) fn specimen() -> Vec<Finding> {
        let refused = Served::Answer { status: 400, subject: RefusalSubject::PlainText };
        let mut scene = plainly(refused);
        scene.tried(vec![SettingChange::Tls("https://a.test:8443".to_owned())], taken());
        scene.judge().findings
    }

    fn plainly(served: Served) -> Scene {
        let [url, over_tls] = ["http", "https"].map(|scheme| format!("{scheme}://a.test:8443"));
        let plain = Some(PlainPass { url, over_tls: Some(over_tls), beside_tls: false });
        let client = NginxClient { plain, ..NginxClient::new("a.test") };
        let mut scene = Scene::behind(client, Err(NoAnswer::Plain(None)));
        let endpoint = &mut scene.seen.endpoints[0];
        endpoint.nginx[0].served = served;
        scene
    }

    #[test]
    fn what_is_served_in_plain_text_passes() {
        let scene = plainly(Served::Answer { status: 200, subject: RefusalSubject::None });
        scene.check(&[]);
        assert_eq!(scene.judge().passed, [super::RULE.id]);
    }

    #[test]
    fn what_was_not_reached_is_no_pass() {
        let mut scene = plainly(Served::NotAsked);
        let failure = Failure { stage: Stage::Connect, cause: Cause::ConnectionRefused };
        scene.seen.endpoints[0].nginx[0].answer = Err(NoAnswer::Failed(failure));
        let judgement = scene.judge();
        assert!(judgement.findings.is_empty() && judgement.passed.is_empty());
        assert_eq!(judgement.untested[0].0, super::RULE.id);
    }
}
