//! `client-auth-missing`: an extended key usage without clientAuth, on a certificate that a client presents.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::path;

pub(crate) const RULE: Rule = Rule {
    id: "client-auth-missing",
    severity: Severity::Error,
    section: Section::ClientCertificate,
    summary: "the certificate is not meant for clients",
    why: "Its extended key usage, or that of an authority above it, lists purposes, and client authentication is not \
          among them, so servers refuse it: nginx answers 400 and logs verify error 26 (unsuitable certificate \
          purpose). Since 2026 public authorities issue certificates for servers alone (serverAuth).",
    fix: "Have a certificate issued with the clientAuth purpose by the authority that the server trusts for clients \
          (a private one: public authorities no longer issue them), and give it to the client, in nginx with \
          proxy_ssl_certificate.",
    references: &[
        "RFC 5280 section 4.2.1.12",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_client",
    ],
    consequence_of: &[],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if !cx.target.is_client_file() {
        return Verdict::NotApplicable;
    }
    // anyExtendedKeyUsage does not count for OpenSSL.
    let unfit = path(view).find_map(|(index, certificate)| {
        let usage = certificate.extended_key_usage.filter(|usage| !usage.client_auth)?;
        Some((index, usage, certificate))
    });
    let Some((index, usage, certificate)) = unfit else { return Verdict::Pass };
    let whose = match index {
        0 => "the certificate".to_owned(),
        _ => format!("the authority {}", certificate.subject.text),
    };
    let lists = if usage.server_auth {
        "its extended key usage lists serverAuth and not clientAuth"
    } else {
        "its extended key usage lacks clientAuth"
    };
    RULE.finds(format!("{whose} is not meant for clients: {lists}"))
        .subject(certificate.subject.text.clone())
        .evidence(view.describe(index))
        .into()
}

#[cfg(test)]
mod tests {
    use rcgen::ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, client_file, named_findings};

    pub(super) fn specimen() -> Vec<Finding> {
        let scene = Scene::new();
        let set = |params: &mut rcgen::CertificateParams| {
            params.extended_key_usages = vec![ServerAuth];
        };
        let issued = scene.intermediate.issue_with(&["client"], set).unwrap();
        client_file(&scene, &issued.chain(), None).findings
    }

    #[test]
    fn a_client_needs_the_purpose_of_clients_where_purposes_are_listed() {
        let scene = Scene::new();
        for (purposes, expected) in [
            (vec![ServerAuth], &["error client-auth-missing"][..]),
            (vec![Any], &["error client-auth-missing"]),
            (vec![ServerAuth, ClientAuth], &[]),
            (vec![ClientAuth], &[]),
            (vec![], &[]),
        ] {
            let set = |params: &mut rcgen::CertificateParams| params.extended_key_usages = purposes;
            let issued = scene.intermediate.issue_with(&["client"], set).unwrap();
            assert_eq!(named_findings(&client_file(&scene, &issued.chain(), None)), expected);
        }
    }
}
