//! `client-ca-unnamed`: the server does not ask for certificates of this issuer.

use super::accepted_authorities;
use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::chain;
use crate::certificate::file::FileChain;
use crate::targets::TargetKind;

pub(crate) const RULE: Rule = Rule {
    id: "client-ca-unnamed",
    severity: Severity::Warning,
    section: Section::ClientCertificate,
    summary: "the server does not ask for certificates of this issuer",
    why: "A server that asks for a client certificate names the authorities it accepts. Browsers, Java and others choose \
          by those names, and send nothing where none fits; curl, OpenSSL and nginx as a client send their certificate \
          regardless.",
    fix: "Present a certificate of one of the named authorities, or add this issuer to the file of \
          ssl_client_certificate on the server.",
    references: &[
        "RFC 8446 section 4.2.4",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_client_certificate",
    ],
    consequence_of: &[&chain::chain_incomplete::RULE, &chain::untrusted_issuer::RULE],
    check: Check::File(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(file: &FileChain, cx: &Context<'_>) -> Verdict {
    let TargetKind::ClientFile { authorities: Some(authorities), .. } = &cx.target.kind else {
        return Verdict::NotApplicable;
    };
    let issuers: Vec<&str> = file
        .chain
        .certificates
        .iter()
        .map(|certificate| certificate.issuer.text.as_str())
        .collect();
    if issuers.iter().any(|issuer| authorities.iter().any(|named| named == issuer)) {
        return Verdict::Pass;
    }
    RULE.finds("the server does not ask for certificates of the authorities that issued this one")
        .evidence(format!("the certificates in the file were issued by {}", issuers.join("; ")))
        .evidence(accepted_authorities(authorities))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, client_file, named_findings};

    pub(super) fn specimen() -> Vec<Finding> {
        let scene = Scene::new();
        let issued =
            scene.intermediate.issue_with(&["client"], |params| params.extended_key_usages.clear());
        client_file(&scene, &issued.unwrap().chain(), Some("CN=someone else")).findings
    }

    #[test]
    fn one_issuer_of_the_chain_must_be_asked_for() {
        let scene = Scene::new();
        let issued =
            scene.intermediate.issue_with(&["client"], |params| params.extended_key_usages.clear());
        let chain = issued.unwrap().chain();
        for (named, expected) in [
            ("CN=someone else", &["warning client-ca-unnamed"][..]),
            ("CN=test intermediate", &[]),
            ("CN=test root", &[]),
        ] {
            assert_eq!(
                named_findings(&client_file(&scene, &chain, Some(named))),
                expected,
                "{named}"
            );
        }
    }
}
