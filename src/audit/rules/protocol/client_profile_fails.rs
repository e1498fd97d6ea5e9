//! `client-profile-fails`: a client that must be able to connect cannot.

use crate::audit::finding::{Section, Severity};
use crate::audit::remedy::remedy;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::observation::Endpoint;
use crate::observation::scan::Replay;

pub(crate) const RULE: Rule = Rule {
    id: "client-profile-fails",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "a client that the target is to serve cannot connect",
    why: "The hello that this client sends was replayed, and the server refused it, or answered with what the \
          client does not take. nginx logs such a client as no shared cipher, unsupported protocol or version \
          too low, at level info or crit, so that the default error_log may show nothing.",
    fix: "Let the server take what the client offers: the message names the smallest change. Or take the client \
          out of the list of those that are to be served.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ciphers",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let wanted = &cx.target.expect.clients;
    if wanted.is_empty() {
        return Verdict::NotApplicable;
    }
    let replays: Vec<&Replay> = wanted
        .iter()
        .filter_map(|profile| {
            endpoint.replays.iter().find(|replay| replay.profile.name == profile.name)
        })
        .collect();
    let findings: Vec<_> = replays
        .iter()
        .filter_map(|replay| Some((replay, replay.outcome.as_ref().err()?)))
        .filter(|(_, failure)| failure.is_refusal())
        .map(|(replay, failure)| {
            let remedy = remedy(replay.profile, failure, endpoint, cx);
            let finding = RULE
                .finds(format!("{} cannot connect: {failure}", replay.profile.title))
                .evidence(format!("{}: its hello fails with {failure}", endpoint.address))
                .evidence_from(remedy.because)
                .fix(remedy.text)
                .subject(replay.profile.name.clone());
            match remedy.directive {
                Some(to) => finding.directive(&to.context, &to.name, to.value),
                None => finding,
            }
        })
        .collect();
    let untold = replays.len() < wanted.len()
        || replays
            .iter()
            .any(|replay| replay.outcome.as_ref().is_err_and(|failure| !failure.is_refusal()));
    match untold {
        _ if !findings.is_empty() => Verdict::Fail(findings),
        true => {
            Verdict::Untested(format!("not every client could be tried at {}", endpoint.address))
        }
        false => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::Scene;
    use crate::observation::{Cause, Failure, Stage};
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    #[test]
    fn a_wanted_client_that_is_refused_is_an_error_that_names_the_change() {
        let mut scene = Scene::new();
        scene.scan(ProtocolVersion::TLS1_3, &[0x1301]);
        scene.replay("java-7", Ok(0x002f));
        scene.check(&[]);
        scene.replay("java-7", Err(Cause::Alert(AlertDescription::PROTOCOL_VERSION)));
        let findings = scene.check(&["error client-profile-fails"]);
        let fix = findings[0].fix.as_ref().unwrap();
        assert_eq!(fix.directives[0].name, "ssl_protocols");
        assert!(fix.directives[0].value.starts_with("TLSv1 "), "{fix:?}");
    }

    #[test]
    fn a_client_that_could_not_be_tried_is_no_pass() {
        let mut scene = Scene::new();
        scene.replay("java-7", Err(Cause::TimedOut));
        scene.check(&[]);
        assert_eq!(scene.judge().untested[0].0, "client-profile-fails");
        scene.seen.endpoints[0].replays.clear();
        assert_eq!(scene.judge().untested[0].0, "client-profile-fails");
        let connect = Failure { stage: Stage::Connect, cause: Cause::Reset };
        scene.replay("java-7", Ok(0x002f));
        scene.seen.endpoints[0].replays[0].outcome =
            Err(crate::observation::scan::ReplayFailure::Server(connect));
        assert_eq!(scene.judge().untested.len(), 1);
    }
}
