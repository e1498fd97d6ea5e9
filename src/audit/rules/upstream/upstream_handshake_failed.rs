//! `upstream-handshake-failed`: the handshake as nginx makes it fails.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream;
use crate::audit::upstream::fault;
use crate::audit::upstream::story::Story;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-handshake-failed",
    severity: Severity::Error,
    section: Section::Upstream,
    summary: "the handshake as nginx makes it fails",
    why: "nginx's own hello gets no usable answer, so every request to this upstream ends in 502 \
          (or 504 where it times out).",
    fix: "Look at the upstream: nginx's own directives hardly have a part in it.",
    references: &["https://nginx.org/en/docs/http/ngx_http_proxy_module.html"],
    consequence_of: &[
        "connection-refused",
        "connect-timeout",
        "network-unreachable",
        "handshake-timeout",
        "connection-reset",
        "connection-closed",
        "not-tls",
        "protocol-error",
        "handshake-refused",
        "legacy-protocol-only",
        "legacy-cipher-only",
        "cipher-mismatch",
        "starttls-refused",
        "sni-name-rejected",
        "not-tested",
    ],
    check: Check::Upstream(check),
};

fn check(story: &Story<'_>, cx: &Context<'_>) -> Verdict {
    match &story.verdict {
        upstream::verdict::Verdict::CannotTell(why) => {
            Verdict::Untested(format!("as nginx: {why}"))
        }
        _ => fault::check(&RULE, story, cx),
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::{Scene, ended, taken};
    use crate::observation::Cause;
    use crate::targets::nginx_client::NginxClient;
    use crate::tls::alert::AlertDescription;

    #[test]
    fn a_failure_that_no_other_rule_accounts_for_is_found() {
        let refused = ended(Cause::Alert(AlertDescription(80)));
        let client = NginxClient { server_name: true, ..NginxClient::new("a.test") };
        let scene = Scene::behind(client, refused);
        scene.check(&["error upstream-handshake-failed", "note upstream-verify-off"]);
    }

    #[test]
    fn what_cannot_be_told_is_no_pass() {
        let conf_commands = vec!["Protocol ALL".to_owned()];
        let client = NginxClient { conf_commands, ..NginxClient::new("a.test") };
        let judgement = Scene::behind(client, taken()).judge();
        assert_eq!(judgement.untested[0].0, super::RULE.id);
    }
}
