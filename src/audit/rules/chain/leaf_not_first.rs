//! `leaf-not-first`: another certificate comes before the leaf in the file, so nginx does not start.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::certificate::file::FileChain;

pub(crate) const RULE: Rule = Rule {
    id: "leaf-not-first",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "another certificate comes before the server's own in the file",
    why: "nginx uses the first certificate of the file as its own and does not start with it: \
          SSL_CTX_use_PrivateKey failed, key values mismatch. At a reload it keeps its old configuration.",
    fix: "Put the server's certificate first in the file in ssl_certificate, then its issuer, then the issuer's \
          issuer, without the root. Then run nginx -t and reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate"],
    consequence_of: &[],
    check: Check::File(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(file: &FileChain, cx: &Context<'_>) -> Verdict {
    let Some(leaf) = file.chain.leaf() else { return Verdict::NotApplicable };
    if file.leaf_at == 0 {
        return Verdict::Pass;
    }
    let holder = if cx.target.is_client_file() { "client" } else { "server" };
    RULE.finds(format!(
        "the {holder}'s certificate is number {} in the file, and must be first",
        file.leaf_at + 1
    ))
    .evidence(format!("{}: {}", file.path, leaf.subject.text))
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, server_file};

    pub(super) fn specimen() -> Vec<Finding> {
        let scene = Scene::new();
        let issued = scene.intermediate.issue(&["a.test"]).unwrap();
        server_file(&scene, &issued.chain(), 1, None).findings
    }
}
