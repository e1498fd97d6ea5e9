//! `connections-limited`: the server accepts one connection at a time, but not several.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::at_once;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::observation::{Endpoint, Steadiness};

pub(crate) const RULE: Rule = Rule {
    id: "connections-limited",
    severity: Severity::Note,
    section: Section::Reachability,
    summary: "the server accepts only a few connections at once",
    why: "Several connections at once: some of them failed. One at a time: none failed. So the rest of the audit used one \
          connection at a time. Browsers, and nginx as a proxy, open several at once.",
    fix: "Raise the server's limit for one client (limit_conn in nginx, max_per_ip in vsftpd, smtp_accept_max_per_host in \
          Exim, mail_max_userip_connections in Dovecot), or let it serve more than one connection at a time.",
    references: &["https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html#limit_conn"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Steadiness::OneAtATime(failure) = &endpoint.steadiness else { return Verdict::Pass };
    RULE.finds(
        "the server accepts only a few connections at once; it was tested with one at a time",
    )
    .evidence(format!(
        "{}, one of several at once: {} ({})",
        endpoint.address, failure.cause, failure.stage
    ))
    .reproduce(at_once(cx.target, Some(endpoint.address)))
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::{Cause, Failure, Stage, Steadiness};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let failure = Failure { stage: Stage::Handshake, cause: Cause::Reset };
        scene.seen.endpoints[0].steadiness = Steadiness::OneAtATime(failure);
        scene.judge().findings
    }
}
