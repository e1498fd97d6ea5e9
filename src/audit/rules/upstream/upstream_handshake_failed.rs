//! `upstream-handshake-failed`: the handshake as nginx makes it fails.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::{certificate, protocol, reachability, sni};
use crate::audit::upstream;
use crate::audit::upstream::case::{FaultKind, NginxCase};
use crate::audit::upstream::findings;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-handshake-failed",
    severity: Severity::Error,
    section: Section::Upstream,
    summary: "the handshake as nginx makes it fails",
    why: "nginx's own hello gets no usable answer, so every request to this upstream ends in 502 \
          (or 504 where it times out).",
    fix: "Look at the upstream: nginx's configuration is probably not the cause.",
    references: &["https://nginx.org/en/docs/http/ngx_http_proxy_module.html"],
    consequence_of: &[
        &reachability::connection_refused::RULE,
        &reachability::connect_timeout::RULE,
        &reachability::network_unreachable::RULE,
        &reachability::handshake_timeout::RULE,
        &reachability::connection_reset::RULE,
        &reachability::connection_closed::RULE,
        &reachability::not_tls::RULE,
        &reachability::protocol_error::RULE,
        &protocol::handshake_refused::RULE,
        &protocol::legacy_protocol_only::RULE,
        &protocol::legacy_cipher_only::RULE,
        &protocol::cipher_mismatch::RULE,
        &reachability::starttls_refused::RULE,
        &sni::sni_name_rejected::RULE,
        &reachability::not_tested::RULE,
        &certificate::certificate_unreadable::RULE,
    ],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    match &case.verdict {
        upstream::verdict::HandshakeVerdict::CannotTell(why) => {
            Verdict::Untested(format!("as nginx: {why}"))
        }
        _ => findings::check(&RULE, FaultKind::Other, case, cx),
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, ended, taken};
    use crate::observation::Cause;
    use crate::targets::nginx_client::NginxClient;
    use crate::tls::alert::AlertDescription;

    pub(super) fn specimen() -> Vec<Finding> {
        let refused = ended(Cause::Alert(AlertDescription(80)));
        let client = NginxClient { server_name: true, ..NginxClient::new("a.test") };
        Scene::behind(client, refused).judge().findings
    }

    #[test]
    fn an_unknown_result_is_not_a_pass() {
        let conf_commands = vec!["VerifyMode Peer".to_owned()];
        let client = NginxClient { conf_commands, ..NginxClient::new("a.test") };
        let judgement = Scene::behind(client, taken()).judge();
        assert_eq!(judgement.untested[0].0, super::RULE.id);
    }
}
