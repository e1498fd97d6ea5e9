//! `compression-accepted`: TLS compression, which reveals secrets through their length.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::protocol::{over_scans, place};
use crate::observation::Endpoint;
use crate::observation::Observed;

pub(crate) const RULE: Rule = Rule {
    id: "compression-accepted",
    severity: Severity::Warning,
    section: Section::ProtocolCipher,
    summary: "the server accepts TLS compression",
    why: "With compression, an attacker who can add to a request and see its length can read cookies byte by byte \
          (CRIME, CVE-2012-4929). Current clients and nginx never offer it; only old servers accept it.",
    fix: "Update the server. nginx built with OpenSSL 1.0.0 or later disables compression by itself.",
    references: &["RFC 9325 section 3.3", "CVE-2012-4929"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, _: &Context<'_>) -> Verdict {
    let verdict = over_scans(endpoint, |scan| {
        let accepted = scan.features.compression == Observed::Seen(());
        let finding = accepted.then(|| {
            let place = place(endpoint, scan);
            RULE.finds("the server accepts TLS compression")
                .evidence(format!("{place}: a hello that offers DEFLATE is answered with it"))
        });
        finding.into_iter().collect()
    });
    if verdict == Verdict::Pass { unless_untried(endpoint) } else { verdict }
}

/// A pass if every hello that offered it was answered. A server that accepts only TLS 1.3 is not asked.
fn unless_untried(endpoint: &Endpoint) -> Verdict {
    let answers = || endpoint.scans.iter().map(|scan| &scan.features.compression);
    let failed = answers().find_map(|answer| match answer {
        Observed::Failed(failure) => Some(&failure.cause),
        _ => None,
    });
    match failed {
        Some(cause) => {
            let address = endpoint.address;
            Verdict::Untested(format!(
                "{address} did not answer a hello that offers compression: {cause}"
            ))
        }
        None if answers().all(|answer| *answer == Observed::NotTried) => Verdict::NotApplicable,
        None => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::{Cause, Failure, Observed, Stage};
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_2, &[0xc02f]);
        scene.seen.endpoints[0].scans[0].features.compression = Observed::Seen(());
        scene.judge().findings
    }

    #[test]
    fn only_an_answer_passes() {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_2, &[0xc02f]);
        let mut judge = |answer: Observed<()>| {
            scene.seen.endpoints[0].scans[0].features.compression = answer;
            let judgement = scene.judge();
            let passed = judgement.passed.contains(&"compression-accepted");
            let named = |(rule, _): &(&str, String)| *rule == "compression-accepted";
            (passed, judgement.untested.iter().any(named))
        };
        let lost = Failure { stage: Stage::Handshake, cause: Cause::TimedOut };
        assert_eq!(judge(Observed::Absent), (true, false));
        assert_eq!(judge(Observed::NotTried), (false, false));
        assert_eq!(judge(Observed::Failed(lost)), (false, true));
    }
}
