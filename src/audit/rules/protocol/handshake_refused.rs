//! `handshake-refused`: the server accepts nothing that is offered.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::rules::{protocol, sni};
use crate::audit::trouble::{Matrix, Trouble};
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
    let matrix = Matrix::new(endpoint, cx.target);
    let refused = matrix.with(Trouble::Alert);
    let Some(failure) = refused.first().and_then(|cell| cell.failure()) else {
        return Verdict::Pass;
    };
    let partial = matrix.answers_in_tls();
    let message = if partial {
        "the server ends handshakes that it first answered"
    } else {
        "the server refuses every handshake"
    };
    let finding = RULE
        .finds(message)
        .evidence_from(refused.iter().map(|cell| at(endpoint, cell)))
        .evidence_from(failure_of_raw(endpoint))
        .subject(failure.cause.to_string())
        .reproduce(with_own_name(cx.target, Some(endpoint.address)));
    let established = matrix.own().any(Handshake::established);
    let severity = if established { Severity::Warning } else { Severity::Error };
    finding.severity(severity).into()
}

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
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::failing;
    use crate::observation::{Cause, Stage};
    use crate::tls::alert::AlertDescription;

    pub(super) fn specimen() -> Vec<Finding> {
        failing(Stage::Handshake, &Cause::Alert(AlertDescription(80)))
    }
}
