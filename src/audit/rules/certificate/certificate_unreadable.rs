//! `certificate-unreadable`: something among the certificates is none.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_chain;
use crate::audit::rule::{ChainView, Check, Context, Rule, Verdict};

pub(crate) const RULE: Rule = Rule {
    id: "certificate-unreadable",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the chain holds bytes that are no certificate",
    why: "Clients stop at the first certificate that they cannot read, and refuse the connection.",
    fix: "Make the file again: PEM blocks of whole certificates, leaf first. openssl crl2pkcs7 -nocrl \
          -certfile FILE | openssl pkcs7 -print_certs shows what is in it. Then reload.",
    references: &["RFC 8446 section 4.4.2"],
    consequence_of: &[],
    check: Check::Chain(check),
};

fn check(view: &ChainView<'_>, cx: &Context<'_>) -> Verdict {
    let Some((index, error)) = &view.chain.unreadable else {
        return Verdict::Pass;
    };
    RULE.finds(format!("certificate {} of the chain cannot be read", index + 1))
        .evidence(error.to_string())
        .evidence_from(view.sightings())
        .reproduce(show_chain(cx.target, view.address()))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::Scene;

    #[test]
    fn junk_behind_the_leaf_is_reported() {
        let mut scene = Scene::new();
        let mut chain = scene.issue(|_| {}).chain();
        chain.push(vec![0x30, 1, 2].into());
        scene.present(&chain);
        scene.check(&["error certificate-unreadable"]);
    }

    #[test]
    fn whole_certificates_pass() {
        Scene::new().check(&[]);
    }
}
