//! `crl-expiring`: a revocation list of nginx's expires soon.

use time::{Duration, OffsetDateTime};

use crate::audit::finding::{Finding, Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict, day};
use crate::audit::upstream::case::NginxCase;
use crate::audit::upstream::verdict::HandshakeVerdict;
use crate::certificate::crl::RevocationList;
use crate::certificate::signature::Verifier;
use crate::certificate::trust::openssl;
use crate::openssl::verify_error::VerifyError;

/// A fact of a configuration (`FactKind::ListExpiring`) belongs to it too.
pub(crate) const RULE: Rule = Rule {
    id: "crl-expiring",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "a revocation list of nginx's expires soon",
    why: "From then on nginx refuses every certificate of that authority: it answers 502 for an upstream, and 400 to its \
          clients. Authorities publish the next list before the last tenth of a list's life, so a newer one can be had.",
    fix: "Fetch the authority's current list, replace the one in the file, and reload: nginx reads the file only when it \
          starts. Let a timer do both.",
    references: &[
        "RFC 5280 section 5.1.2.5",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_crl",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(case: &NginxCase<'_>, cx: &Context<'_>) -> Verdict {
    let client = &case.configured.client;
    if case.verdict != HandshakeVerdict::Works || !client.verify {
        return Verdict::NotApplicable;
    }
    let (Some(lists), Some(trusted)) = (&client.lists, &client.trusted) else {
        return Verdict::Pass;
    };
    let Some(chain) = case.configured.chain() else { return Verdict::NotApplicable };
    let near = lists.0.iter().filter_map(|list| Some((list, expires_soon(list, cx)?)));
    let finding = |(list, ends): (&RevocationList, OffsetDateTime)| {
        // Whether the chain is refused for this list then.
        let question = client.question(chain, trusted, ends);
        let profile = client.verification(client.verify_depth);
        let faults = openssl::list_faults(question, profile, &Verifier::default());
        let counts = faults
            .iter()
            .any(|fault| fault.error == VerifyError::CRL_HAS_EXPIRED && fault.ends == Some(ends));
        counts.then(|| finding(list, ends, case, cx))
    };
    near.filter_map(finding).collect::<Vec<_>>().into()
}

/// When a list ends, if it is reported as expiring.
fn expires_soon(list: &RevocationList, cx: &Context<'_>) -> Option<OffsetDateTime> {
    let ends = list.ends.moment().filter(|_| list.is_current(cx.now))?;
    let expect = &cx.target.expect;
    let days = |days: u32| Duration::days(i64::from(days));
    let period = expect.warning_days.map_or_else(|| list.usual_notice(), days);
    let period = period.max(days(expect.critical_days.unwrap_or(0)));
    (cx.now >= ends.saturating_sub(period)).then_some(ends)
}

fn finding(
    list: &RevocationList,
    ends: OffsetDateTime,
    case: &NginxCase<'_>,
    cx: &Context<'_>,
) -> Finding {
    let critical = cx.target.expect.critical_days.map(|days| Duration::days(i64::from(days)));
    let is_critical = critical.is_some_and(|period| cx.now >= ends.saturating_sub(period));
    let severity = if is_critical { Severity::Error } else { RULE.severity };
    let (issuer, left) = (&list.issuer.text, (ends - cx.now).whole_days());
    let file = case.configured.client.crl.as_ref().map(|path| path.display().to_string());
    RULE.finds(format!("the revocation list of {issuer} expires on {}, in {left} days", day(ends)))
        .severity(severity)
        .subject(issuer)
        .evidence(case.settings())
        .evidence_from(file.map(|file| format!("it is in {file}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fixtures::{NOW, Scene, taken};

    fn scene(life: Duration, left: Duration) -> Scene {
        let mut scene = Scene::upstream();
        let client = scene.verifying("a.test");
        let client = scene.with_lists(client, |list| {
            list.this_update = NOW - (life - left);
            list.next_update = NOW + left;
        });
        scene.behind_with(client, taken());
        scene
    }

    pub(super) fn specimen() -> Vec<Finding> {
        scene(Duration::days(30), Duration::days(2)).judge().findings
    }

    #[test]
    fn the_last_tenth_of_a_lists_life_or_thirty_days() {
        let days = Duration::days;
        for (life, left, expected) in [
            (days(30), days(4), None),
            (days(30), days(2), Some("warning crl-expiring")),
            (days(7), days(1), None),
            (days(7), Duration::hours(12), Some("warning crl-expiring")),
            (days(400), days(31), None),
            (days(400), days(29), Some("warning crl-expiring")),
        ] {
            scene(life, left).check(expected.as_slice());
        }
    }

    #[test]
    fn the_operator_may_say_otherwise() {
        let mut scene = scene(Duration::days(30), Duration::days(9));
        scene.target.expect.warning_days = Some(10);
        scene.check(&["warning crl-expiring"]);
        scene.target.expect.critical_days = Some(10);
        scene.check(&["error crl-expiring"]);
    }
}
