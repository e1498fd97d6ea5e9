//! `large-hello-fails`: the server answers a small hello, but not one as large as current browsers send.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::observation::scan::BrowserHello;
use crate::observation::{Endpoint, Failure};

pub(crate) const RULE: Rule = Rule {
    id: "large-hello-fails",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "a ClientHello as large as current browsers send fails, and a smaller one works",
    why: "Since 2024 browsers send a post-quantum key (X25519MLKEM768) in their first message, which makes it 1.5 to \
          2 kB long: more than one TCP segment. Load balancers, firewalls, relays and old servers that expect the \
          whole message in one small read close the connection, reset it or do not answer. Chrome, Edge, Firefox, \
          Go, and everything built with OpenSSL 3.5 or newer, including nginx as a proxy, cannot connect; older \
          clients can.",
    fix: "Update or replace the device or server that fails on the hello; the server behind it may be fine. Until \
          then a client can omit the post-quantum group: in nginx as a proxy, proxy_ssl_conf_command Groups \
          X25519:prime256v1.",
    references: &[
        "RFC 8446 section 4.1.2",
        "https://tldr.fail/",
        "https://datatracker.ietf.org/doc/draft-ietf-tls-ecdhe-mlkem/",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Some(browser) = &endpoint.browser else { return Verdict::NotApplicable };
    let Some((failure, classic)) = browser.breaks() else {
        return unless_untested(endpoint, browser);
    };
    let address = endpoint.address;
    let whole = browser.whole.size;
    let message = if browser.breaks_on_size() == Some(false) {
        "the server fails on a ClientHello with a post-quantum key, and accepts one without it"
            .to_owned()
    } else {
        format!(
            "the server fails on a ClientHello of {whole} bytes, as current browsers send it, and accepts one of {} \
             bytes",
            classic.size
        )
    };
    let finding = RULE
        .finds(message)
        .evidence(format!(
            "{address}: a browser's hello of {whole} bytes, sent twice: {}",
            failure.cause
        ))
        .evidence(format!(
            "{address}: the same without the post-quantum key, {} bytes: answered",
            classic.size
        ))
        .evidence_from(browser.padded.as_ref().map(|padded| match &padded.outcome {
            Ok(_) => {
                format!("{address}: the latter padded to {} bytes: answered", padded.size)
            }
            Err(failure) => {
                format!("{address}: the latter padded to {} bytes: {}", padded.size, failure.cause)
            }
        }));
    // The verdict on nginx as configured covers nginx's own hello.
    let severity = if cx.target.nginx.is_some() { Severity::Warning } else { Severity::Error };
    finding.severity(severity).into()
}

/// A pass if the server refuses both hellos (the size is not the cause), untested if it could not be asked.
fn unless_untested(endpoint: &Endpoint, browser: &BrowserHello) -> Verdict {
    let unanswered = |failure: &Failure| !failure.is_silence_or_refusal();
    match &browser.whole.outcome {
        Err(failure) if unanswered(failure) => Verdict::Untested(format!(
            "a browser's hello could not be sent to {}: {}",
            endpoint.address, failure.cause
        )),
        _ => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::scan::{BrowserHello, SizedHello};
    use crate::observation::{Cause, Failure, RawChoice, Stage};
    use crate::tls::suite::CipherSuite;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        scene(Some(Cause::Closed), None, Some(Cause::Closed)).judge().findings
    }

    fn hello(size: usize, failure: Option<Cause>) -> SizedHello {
        let choice = RawChoice {
            version: ProtocolVersion::TLS1_3,
            cipher_suite: CipherSuite(0x1301),
            group: None,
            scheme: None,
        };
        let stage = Stage::Handshake;
        let outcome = failure.map_or(Ok(choice), |cause| Err(Failure { stage, cause }));
        SizedHello { size, outcome }
    }

    fn scene(whole: Option<Cause>, classic: Option<Cause>, padded: Option<Cause>) -> Scene {
        let mut scene = Scene::new();
        scene.seen.endpoints[0].browser = Some(BrowserHello {
            whole: hello(1750, whole),
            classic: Some(hello(500, classic)),
            padded: Some(hello(1750, padded)),
        });
        scene
    }

    #[test]
    fn a_box_that_hangs_up_on_the_size_is_an_error() {
        for cause in [Cause::Closed, Cause::Reset, Cause::TimedOut] {
            let findings =
                scene(Some(cause.clone()), None, Some(cause)).check(&["error large-hello-fails"]);
            assert!(findings[0].message.contains("1750 bytes"), "{}", findings[0].message);
        }
    }

    #[test]
    fn a_server_that_fails_on_the_key_is_distinguished_from_one_that_fails_on_the_size() {
        let findings = scene(Some(Cause::Closed), None, None).check(&["error large-hello-fails"]);
        assert!(findings[0].message.contains("post-quantum key"), "{}", findings[0].message);
    }

    #[test]
    fn declining_is_not_breaking() {
        scene(None, None, None).check(&[]);
        scene(Some(Cause::Closed), Some(Cause::Closed), None).check(&[]);
    }
}
