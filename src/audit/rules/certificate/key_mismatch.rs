//! `key-mismatch`: the private key does not belong to the certificate, so nginx does not start.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::certificate::file::FileChain;

pub(crate) const RULE: Rule = Rule {
    id: "key-mismatch",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the private key does not belong to the certificate",
    why: "nginx does not start, or keeps its old configuration at a reload: SSL_CTX_use_PrivateKey failed, key \
          values mismatch. A key of another type (an RSA key with an EC certificate) passes nginx -t, and then every \
          handshake fails.",
    fix: "Set ssl_certificate_key to the key that the certificate was issued for. If a renewal makes a new key, \
          replace both files.",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate_key"],
    consequence_of: &[],
    check: Check::File(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(file: &FileChain, _: &Context<'_>) -> Verdict {
    let (Some(key), Some(leaf)) = (&file.key, file.chain.leaf()) else {
        return Verdict::NotApplicable;
    };
    match &key.spki {
        Ok(spki) if *spki == leaf.public_key.spki => return Verdict::Pass,
        Ok(_) => {}
        Err(why) => {
            return Verdict::Untested(format!("the key in {} could not be read: {why}", key.path));
        }
    }
    RULE.finds(format!("the key in {} does not belong to the certificate", key.path))
        .evidence(format!("{}: {}, {}", file.path, leaf.subject.text, leaf.public_key))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, server_file};
    use crate::certificate::Certificate;
    use crate::certificate::file::FileKey;

    pub(super) fn specimen() -> Vec<Finding> {
        let scene = Scene::new();
        let other = scene.intermediate.issue(&["a.test"]).unwrap();
        let spki = Certificate::parse(&other.certificate).unwrap().public_key.spki;
        let key = FileKey { path: "a.key".to_owned(), spki: Ok(spki) };
        let mine = scene.intermediate.issue(&["a.test"]).unwrap();
        server_file(&scene, &mine.chain(), 0, Some(key)).findings
    }
}
