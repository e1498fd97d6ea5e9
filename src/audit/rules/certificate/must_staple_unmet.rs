//! `must-staple-unmet`: the certificate requires a stapled OCSP response, and none is sent.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_staple;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "must-staple-unmet",
    severity: Severity::Warning,
    section: Section::Certificate,
    summary: "the certificate requires a stapled OCSP response, and none is sent",
    why: "Firefox and other clients that honour the TLS feature extension refuse the connection. nginx fetches the \
          response only after the first handshake that asks for it, so the first handshakes after a start get none.",
    fix: "Set ssl_stapling on with a resolver, and ssl_trusted_certificate if the chain lacks the issuer. Or have \
          the certificate issued without the extension. Then reload, and probe twice.",
    references: &[
        "RFC 7633",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_stapling",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

/// The fix if nginx has no responder to ask.
const NO_RESPONDER: &str = "Have the certificate issued without the extension: it names no OCSP responder, so \
                            ssl_stapling has nobody to ask (a response of your own can be given with \
                            ssl_stapling_file). Then reload.";

/// The fix if stapling is on.
const STAPLES: &str = "Read nginx's error log for what keeps it from stapling: a resolver that is missing or does not \
                       answer, a responder that cannot be reached, an issuer that is missing from the chain and from \
                       ssl_trusted_certificate. The first handshakes after a start go without: probe twice.";

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let mut demanding = cx.own_cells(endpoint).filter(|cell| {
        cell.established()
            && cell
                .chain
                .as_ref()
                .and_then(|chain| chain.leaf())
                .is_some_and(|leaf| leaf.must_staple)
    });
    let stapled = |cell: &crate::observation::Handshake| {
        cell.outcome.as_ref().is_ok_and(|session| session.ocsp_staple.is_some())
    };
    let Some(first) = demanding.next() else { return Verdict::NotApplicable };
    if stapled(first) || demanding.any(stapled) {
        return Verdict::Pass;
    }
    if cx.target.unstapled {
        return Verdict::Untested("a rehearsal fetches no OCSP responses to staple".to_owned());
    }
    let finding = RULE
        .finds("the certificate requires a stapled OCSP response, and none is sent")
        .evidence(at(endpoint, first))
        .reproduce(show_staple(cx.target, Some(endpoint.address)));
    let leaf = first.chain.as_ref().and_then(|chain| chain.leaf());
    if leaf.is_some_and(|leaf| leaf.ocsp_responders.is_empty()) {
        return finding.evidence("it names no OCSP responder").fix(NO_RESPONDER).into();
    }
    if cx.target.staples {
        return finding.evidence("ssl_stapling is on already").fix(STAPLES).into();
    }
    finding.directive("server", "ssl_stapling", "on").into()
}

#[cfg(test)]
mod tests {
    use rcgen::CustomExtension;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        demanding().judge().findings
    }

    fn demanding() -> Scene {
        let mut scene = Scene::new();
        let feature = CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 5, 5, 7, 1, 24],
            vec![0x30, 3, 2, 1, 5],
        );
        scene.issue(|params| params.custom_extensions = vec![feature]);
        scene
    }

    #[test]
    fn a_demand_must_be_met() {
        let mut scene = demanding();
        let findings = scene.check(&["warning must-staple-unmet"]);
        // The certificate names no responder, so that nginx would have nobody to ask.
        let fix = findings[0].fix.as_ref().unwrap();
        assert!(fix.directives.is_empty() && fix.text.contains("without the extension"), "{fix:?}");
        scene.staple(&[0x30]);
        scene.check(&["warning ocsp-staple-invalid"]);
    }
}
