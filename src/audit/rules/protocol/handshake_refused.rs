//! `handshake-refused`: the server accepts nothing that is offered.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::rules::{protocol, sni};
use crate::audit::trouble::{Matrix, Trouble};
use crate::certificate::file::FileChain;
use crate::observation::{Endpoint, Handshake};

pub(crate) const RULE: Rule = Rule {
    id: "handshake-refused",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "the server answers every hello with an alert",
    why: "The server ends every handshake: with and without a name, in every version, with every suite. Often it has \
          no certificate for the name, no certificate at all, or expects something else first (a PROXY protocol \
          header, STARTTLS).",
    fix: "Read the server's log: nginx logs the reason at level info, which error_log hides by default. Check that \
          the server block has ssl_certificate and that the name is right (--server-name).",
    references: &["RFC 8446 section 6", "https://nginx.org/en/docs/ngx_core_module.html#error_log"],
    consequence_of: &[
        &protocol::alpn_mismatch::RULE,
        &sni::sni_name_rejected::RULE,
        &sni::sni_required::RULE,
    ],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let files = &cx.target.files;
    if !files.is_empty() && files.iter().all(FileChain::has_key_of_another_type) {
        // key-mismatch says so.
        return Verdict::NotApplicable;
    }
    let matrix = Matrix::new(endpoint, cx.target);
    let refused = matrix.with(Trouble::Alert);
    let Some(failure) = refused.first().and_then(|cell| cell.failure()) else {
        return Verdict::Pass;
    };
    let partial = matrix.answers_in_tls();
    let established = matrix.own().any(Handshake::established);
    let no_suite = cx.target.unusable_suites.as_ref().filter(|_| !partial && !established);
    let finding = match (partial, no_suite) {
        (true, _) => RULE.finds("the server ends handshakes that it first answered"),
        (false, None) if matrix.own().any(|cell| matrix.trouble(cell) != Some(Trouble::Alert)) => {
            RULE.finds("the server refuses some handshakes, and no other works")
        }
        (false, None) => RULE.finds("the server refuses every handshake"),
        (false, Some(why)) => {
            RULE.finds(format!("the server refuses every handshake: {why}")).fix(OTHER_SUITES)
        }
    };
    let finding = finding
        .evidence_from(refused.iter().map(|cell| at(endpoint, cell)))
        .evidence_from(failure_of_raw(endpoint))
        .subject(failure.cause.to_string())
        .reproduce(with_own_name(cx.target, Some(endpoint.address)));
    let severity = if established { Severity::Warning } else { Severity::Error };
    finding.severity(severity).into()
}

/// The fix where no suite can be used with the certificate.
pub(super) const OTHER_SUITES: &str = "Add suites for the certificate's type of key to ssl_ciphers (for RSA \
    ECDHE-RSA-AES128-GCM-SHA256, for EC ECDHE-ECDSA-AES128-GCM-SHA256), or add a second certificate of the type that the \
    list is for. Then reload.";

fn failure_of_raw(endpoint: &Endpoint) -> Option<String> {
    let refused = endpoint.raw.iter().filter(|raw| raw.outcome.is_err());
    let mut versions: Vec<String> = Vec::new();
    for version in refused.map(|raw| raw.version.to_string()) {
        // With and without a name.
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    (!versions.is_empty())
        .then(|| format!("hellos with every suite were refused as well ({})", versions.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene, failing};
    use crate::certificate::Certificate;
    use crate::certificate::file::{self, FileKey};
    use crate::certificate::issue::Authority;
    use crate::observation::{Cause, Handshake, Stage};
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        failing(Stage::Handshake, &Cause::Alert(AlertDescription(80)))
    }

    /// A listener that refuses everything.
    fn refusing() -> Scene {
        let mut scene = Scene::new();
        scene.fail(|_| true, Stage::Handshake, &Cause::Alert(AlertDescription::HANDSHAKE_FAILURE));
        scene
    }

    #[test]
    fn ciphers_that_fit_no_certificate_are_named() {
        let mut scene = refusing();
        scene.target.unusable_suites = Some("ssl_ciphers (X) has no suite".to_owned());
        let findings = scene.check(&["error handshake-refused"]);
        assert!(findings[0].message.contains("ssl_ciphers (X)"), "{}", findings[0].message);
        assert!(findings[0].fix.as_ref().unwrap().text.contains("ssl_ciphers"));
    }

    #[test]
    fn what_did_not_fail_by_an_alert_is_not_called_refused() {
        let mut scene = refusing();
        let older = |cell: &Handshake| cell.version == ProtocolVersion::TLS1_2;
        scene.fail(older, Stage::Handshake, &Cause::TimedOut);
        let findings = scene.judge().findings;
        let refused = findings.iter().find(|finding| finding.rule == "handshake-refused").unwrap();
        assert_eq!(refused.message, "the server refuses some handshakes, and no other works");
        let all = refusing().check(&["error handshake-refused"]);
        assert_eq!(all[0].message, "the server refuses every handshake");
    }

    #[test]
    fn a_key_of_another_type_is_the_only_cause() {
        let mut scene = refusing();
        let root = Authority::root_with("rsa", NOW, &rcgen::PKCS_RSA_SHA256).unwrap();
        let other = Certificate::parse(&root.issue(&["a.test"]).unwrap().certificate).unwrap();
        let own = scene.intermediate.issue(&["a.test"]).unwrap();
        let key = FileKey { path: "a.key".to_owned(), spki: Ok(other.public_key.spki.clone()) };
        let own = Certificate::parse(&own.certificate).unwrap();
        scene.target.files = file::chains("a.pem", &[Arc::new(own)], Some(&key));
        let rules: Vec<&str> = scene.judge().findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, ["key-mismatch"]);
    }
}
