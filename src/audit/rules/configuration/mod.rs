//! Rules about the text of an nginx configuration: one for each kind of fact.

pub mod annotation_ignored;
pub mod certificate_below_security_level;
pub mod conf_command_overrides;
pub mod configuration_not_loaded;
pub mod configuration_syntax;
pub mod configuration_untested;
pub mod controller_differs;
pub mod default_server_decides;
pub mod directive_duplicate;
pub mod directive_misplaced;
pub mod directive_of_other_module;
pub mod directive_removed;
pub mod directive_too_new;
pub mod directive_unknown;
pub mod directive_value_invalid;
pub mod file_refused;
pub mod listen_443_without_ssl;
pub mod listen_ssl_conflict;
pub mod nginx_test_failed;
pub mod proxy_pass_http_to_443;
pub mod proxy_ssl_setting_unused;
pub mod resolver_missing;
pub mod server_name_conflict;
pub mod server_without_certificate;
pub mod session_shared_identity;
pub mod session_shared_unverified;
pub mod ssl_certificate_key_missing;
pub mod ssl_certificate_missing;
pub mod ssl_client_certificate_missing;
pub mod ssl_client_certificate_unused;
pub mod ssl_name_not_sent;
pub mod ssl_name_of_upstream_block;
pub mod ssl_stapling_ignored;
pub mod tls13_suites_in_ciphers;
pub mod trusted_certificate_missing;
pub mod upgrade_not_running;
pub mod upstream_server_port_80;
pub mod value_refused_by_openssl;
pub mod verify_setting_unused;

use crate::audit::finding::{Finding, Severity};
use crate::audit::rule::Rule;
use crate::audit::rules::certificate::key_mismatch;
use crate::audit::rules::upstream::{crl_expired, crl_expiring, crl_missing};
use crate::nginx::directives::intended;
use crate::nginx::facts::{Fact, FactKind};
use crate::nginx::kubernetes::fields;
use crate::nginx::problem::Fault;
use crate::targets::Origin;

/// The rule that a fact belongs to. The match is exhaustive, so a new kind of fact needs a rule to compile.
pub fn rule(kind: &FactKind) -> &'static Rule {
    match kind {
        FactKind::Refused(fault) => rule_of_fault(fault),
        FactKind::TooNew { .. } => &directive_too_new::RULE,
        FactKind::Removed { .. } => &directive_removed::RULE,
        FactKind::FileRefused { .. } => &file_refused::RULE,
        FactKind::KeyUnfit { .. } => &key_mismatch::RULE,
        FactKind::CertificateBelowLevel { .. } => &certificate_below_security_level::RULE,
        FactKind::LibraryRefuses { .. } => &value_refused_by_openssl::RULE,
        FactKind::CertificateMissing => &ssl_certificate_missing::RULE,
        FactKind::KeyMissing => &ssl_certificate_key_missing::RULE,
        FactKind::ClientCaMissing { .. } => &ssl_client_certificate_missing::RULE,
        FactKind::TrustMissing => &trusted_certificate_missing::RULE,
        FactKind::TestFailed { .. } => &nginx_test_failed::RULE,
        FactKind::Untested { .. } => &configuration_untested::RULE,
        FactKind::ListExpired { .. } => &crl_expired::RULE,
        FactKind::ListExpiring { .. } => &crl_expiring::RULE,
        FactKind::ListMissing { .. } => &crl_missing::RULE,
        FactKind::DefaultServerDecides { .. } => &default_server_decides::RULE,
        FactKind::DefaultCertificate => &server_without_certificate::RULE,
        FactKind::VerifySettingUnused { .. } => &verify_setting_unused::RULE,
        FactKind::ProxySslUnused { .. } => &proxy_ssl_setting_unused::RULE,
        FactKind::ClientCaUnused => &ssl_client_certificate_unused::RULE,
        FactKind::StaplingIgnored { .. } => &ssl_stapling_ignored::RULE,
        FactKind::SuitesIgnored { .. } => &tls13_suites_in_ciphers::RULE,
        FactKind::CommandWins { .. } => &conf_command_overrides::RULE,
        FactKind::OtherModule { .. } => &directive_of_other_module::RULE,
        FactKind::AnnotationIgnored { .. } => &annotation_ignored::RULE,
        FactKind::ControllerDiffers { .. } => &controller_differs::RULE,
        FactKind::NameTaken { .. } => &server_name_conflict::RULE,
        FactKind::PlainOn443 => &listen_443_without_ssl::RULE,
        FactKind::PlainBesideTls { .. } => &listen_ssl_conflict::RULE,
        FactKind::PlainTo443 => &proxy_pass_http_to_443::RULE,
        FactKind::NameNotSent { .. } => &ssl_name_not_sent::RULE,
        FactKind::GroupName { .. } => &ssl_name_of_upstream_block::RULE,
        FactKind::Port80 => &upstream_server_port_80::RULE,
        FactKind::ResolverMissing { .. } => &resolver_missing::RULE,
        FactKind::NotRunning(what) if what.needs_restart() => &upgrade_not_running::RULE,
        FactKind::NotRunning(_) => &configuration_not_loaded::RULE,
        FactKind::SharedSession { .. } => &session_shared_unverified::RULE,
        FactKind::SharedIdentity { .. } => &session_shared_identity::RULE,
    }
}

/// The rule that a fault of the text belongs to.
fn rule_of_fault(fault: &Fault) -> &'static Rule {
    match fault {
        Fault::Unexpected(_)
        | Fault::UnexpectedEnd
        | Fault::UnclosedBlock
        | Fault::TooLong(_)
        | Fault::Unterminated(_)
        | Fault::NotTerminated(_)
        | Fault::NoOpening(_)
        | Fault::NoEvents
        | Fault::UnclosedLua(_) => &configuration_syntax::RULE,
        Fault::UnknownDirective(_) | Fault::UnknownVariable(_) | Fault::UnknownLogFormat(_) => {
            &directive_unknown::RULE
        }
        Fault::NotAllowed(_) | Fault::LocationInside { .. } | Fault::LocationOutside { .. } => {
            &directive_misplaced::RULE
        }
        Fault::Duplicate(_)
        | Fault::DuplicateListen(_)
        | Fault::DuplicatePair(_)
        | Fault::DuplicateOptions(_)
        | Fault::DuplicateDefault(_)
        | Fault::DuplicateLocation(_)
        | Fault::DuplicateUpstream(_)
        | Fault::DuplicateLogFormat(_)
        | Fault::DuplicateMapDefault => &directive_duplicate::RULE,
        Fault::ArgumentCount(_)
        | Fault::InvalidNumber(_)
        | Fault::NotOnOff { .. }
        | Fault::InvalidValue(_)
        | Fault::InvalidValueOf(_)
        | Fault::InvalidParameter(_)
        | Fault::TheInvalidParameter(_)
        | Fault::InvalidOption { .. }
        | Fault::Incompatible { .. }
        | Fault::ListenAddress { .. }
        | Fault::NoServers
        | Fault::MapParameters
        | Fault::ReturnCode(_)
        | Fault::LogLevel(_)
        | Fault::NoListen
        | Fault::UrlPrefix
        | Fault::NoPort(_)
        | Fault::PortOfGroup { .. }
        | Fault::NoHandler
        | Fault::Said(_) => &directive_value_invalid::RULE,
        Fault::Unreadable { .. } => &file_refused::RULE,
        Fault::NoDump
        | Fault::TooDeep(_)
        | Fault::TooLarge
        | Fault::TooManyMatches(_)
        | Fault::Unlisted(_) => &configuration_untested::RULE,
    }
}

/// The finding of a fact, with its place.
pub(in crate::audit) fn finding(fact: &Fact) -> Finding {
    let rule = rule(&fact.kind);
    let place =
        Origin { file: fact.span.file.to_string(), line: fact.span.line, column: fact.span.column };
    let mut finding = rule.finds(fact.kind.to_string());
    finding.place = Some(place);
    finding.could_not_test = fact.kind.is_untested();
    let finding = finding
        .subject(format!("{} {}", fact.span.file, fact.kind))
        .evidence(format!("at {}", fact.span));
    match &fact.kind {
        // Of objects, only names that are verified become facts, and the controller makes such a name up.
        FactKind::GroupName { .. } if fact.span.line == 0 => {
            let finding = finding.severity(Severity::Error).evidence(
                "the name is verified, so nginx answers 502 unless it is on the certificate",
            );
            match fields::of_setting(&fact.span.file, "name") {
                Some(field) => finding.fix(format!(
                    "Set {} to the name that is on the certificate of the backends.",
                    field.name
                )),
                None => finding,
            }
        }
        FactKind::Untested { .. } if fact.span.line == 0 => finding.fix(
            "Add to the input what is missing (docs/kubernetes.md lists the kinds of objects), with the status that the \
             cluster gives the objects, or give a Secret with --secret.",
        ),
        FactKind::Refused(fault) => {
            finding.evidence_from(intended(fault).map(|name| format!("probably meant: {name}")))
        }
        FactKind::NotRunning(what) => finding.evidence(what.seen().to_owned()),
        // Authorities without a list may be trusted for others, who do not connect here.
        FactKind::ListMissing { listed: 1.., .. } => finding.severity(Severity::Warning),
        _ => finding,
    }
}

#[cfg(test)]
mod tests;
