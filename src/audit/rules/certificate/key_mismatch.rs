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
    use crate::audit::fixtures::{Scene, in_file};
    use crate::certificate::file::FileKey;

    #[test]
    fn a_key_must_be_that_of_the_certificate() {
        let scene = Scene::new();
        let (mine, other) = (
            scene.intermediate.issue(&["a.test"]).unwrap(),
            scene.intermediate.issue(&["a.test"]).unwrap(),
        );
        let spki = |issued: &crate::certificate::issue::Issued| {
            let parsed = crate::certificate::Certificate::parse(&issued.certificate).unwrap();
            Some(FileKey { path: "a.key".to_owned(), spki: Ok(parsed.public_key.spki) })
        };
        assert_eq!(in_file(&scene, &mine.chain(), 0, spki(&mine)), Vec::<String>::new());
        assert_eq!(in_file(&scene, &mine.chain(), 0, spki(&other)), ["error key-mismatch"]);
    }
}
