//! What client and server lack in common, as far as the hello, the server's successes and its configuration tell.

use super::known::KnownServer;
use super::rows::{Blame, certain, reason};
use crate::capture::learnt::Accepted;
use crate::capture::seen_hello::SeenHello;
use crate::log::table::{self, Likelihood};
use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::{Authentication, CipherSuite};
use crate::tls::version::ProtocolVersion;

/// Groups that nearly every server accepts.
const USUAL_GROUPS: [NamedGroup; 2] = [NamedGroup(0x001d), NamedGroup(0x0017)];

/// What client and server lack in common, as far as the hello and the server's successes tell.
pub(super) fn nothing_in_common(hello: &SeenHello, known: KnownServer<'_>) -> Blame {
    let newest = hello.offers(ProtocolVersion::TLS1_3)
        && known.speaks(ProtocolVersion::TLS1_3) != Some(false);
    let mut blame = if newest { in_tls13(hello, known) } else { in_older(hello, known) };
    blame.evidence.extend(known.accepted.map(versions));
    blame
}

/// TLS 1.3 agrees on groups and signature schemes apart from suites, of which all servers have the same.
fn in_tls13(hello: &SeenHello, known: KnownServer<'_>) -> Blame {
    let groups: Vec<NamedGroup> = hello.named_groups().collect();
    let offered = format!("the client offers the groups {}", list(&groups));
    let seen = known.accepted.filter(|it| !it.groups.is_empty());
    let configured = known.block.and_then(|block| block.shares_group(hello));
    let common = configured
        .or_else(|| seen.map(|seen| groups.iter().any(|group| seen.groups.contains(group))));
    let usual = groups.iter().any(|group| USUAL_GROUPS.contains(group));
    let knows_only_tls13 =
        !hello.offers(ProtocolVersion::TLS1_2) || known.speaks(ProtocolVersion::TLS1_3).is_some();
    if common == Some(false) || !usual && common.is_none() {
        let mut blame = certain(reason::NO_KEY_SHARE, "client-no-suitable-key-share");
        blame.evidence.push(offered);
        blame.evidence.extend(seen.map(|seen| {
            let groups: Vec<NamedGroup> = seen.groups.iter().copied().collect();
            format!("other clients agreed with this server on {}", list(&groups))
        }));
        return blame;
    }
    let schemes: Vec<SignatureScheme> = hello.signature_schemes().collect();
    let signs = known.block.and_then(|block| block.can_sign(hello));
    let one_kind = lacks_a_kind(&schemes) && signs != Some(true);
    let signs_not = signs == Some(false) && knows_only_tls13;
    if common == Some(true) && signs != Some(true) || one_kind && knows_only_tls13 || signs_not {
        let mut blame = certain(reason::NO_SIGNATURE, "client-no-suitable-sigalg");
        blame.evidence.push(format!("the client accepts the signatures {}", list(&schemes)));
        return blame;
    }
    open(hello)
}

/// Up to TLS 1.2 a suite needs a version, a group and a certificate that fit it.
fn in_older(hello: &SeenHello, known: KnownServer<'_>) -> Blame {
    let accepted = known.accepted;
    let suites: Vec<CipherSuite> =
        hello.cipher_suites().filter(|suite| suite.usable_with(ProtocolVersion::TLS1_2)).collect();
    let lacking = known.block.and_then(|block| block.lacks_suite(hello));
    let seen = accepted.is_some_and(|it| suites.iter().any(|suite| it.suites.contains(suite)));
    let fits = known.block.is_some_and(|block| block.shares_suite(hello));
    if lacking.is_none() && (seen || fits) {
        // The suite is not what is missing.
        return open(hello);
    }
    let mut blame = match lacking {
        Some(_) => certain(reason::NO_SHARED_CIPHER, "client-no-shared-cipher"),
        None => reason(reason::NO_SHARED_CIPHER),
    };
    blame.decides = lacking;
    blame.evidence.push(format!("the client offers the suites {}", list(&suites)));
    if let Some(accepted) = accepted {
        let chosen: Vec<CipherSuite> =
            accepted.suites.iter().copied().filter(|suite| !suite.is_tls13()).collect();
        if !chosen.is_empty() {
            blame
                .evidence
                .push(format!("other clients agreed with this server on {}", list(&chosen)));
        }
        let uses = |kind| suites.iter().any(|suite| suite.authentication() == Some(kind));
        let other_kind = accepted.by_rsa && !accepted.by_ecdsa && !uses(Authentication::Rsa)
            || accepted.by_ecdsa && !accepted.by_rsa && !uses(Authentication::Ecdsa);
        if other_kind {
            let text =
                "the client can use no certificate of the kind that this server showed to others";
            blame.evidence.push(text.to_owned());
        }
    }
    blame
}

/// Nothing tells which of the three it is.
fn open(hello: &SeenHello) -> Blame {
    let mut blame = reason(reason::NO_SHARED_CIPHER);
    let ids =
        ["client-no-shared-cipher", "client-no-suitable-key-share", "client-no-suitable-sigalg"];
    let causes = ids.into_iter().filter_map(table::cause);
    blame.causes = causes.map(|cause| (cause, Likelihood::Possible)).collect();
    blame.meaning = "the server found nothing in common with the client, and the alert does not tell what is missing";
    let groups: Vec<NamedGroup> = hello.named_groups().collect();
    blame.evidence.push(format!(
        "the client offers {} and the groups {}",
        list(&hello.named_versions()),
        list(&groups)
    ));
    blame
}

/// Whether a client that names its schemes accepts signatures of RSA keys alone, or of EC keys alone.
fn lacks_a_kind(schemes: &[SignatureScheme]) -> bool {
    let [ecdsa, rsa, _] = SignatureScheme::tls13_families();
    let has = |family: &[SignatureScheme]| schemes.iter().any(|scheme| family.contains(scheme));
    has(ecdsa) != has(rsa)
}

pub(super) fn versions(accepted: &Accepted) -> String {
    let versions: Vec<ProtocolVersion> = accepted.versions.iter().copied().collect();
    format!("the server spoke {} with others in this capture", list(&versions))
}

/// Names in a row; a long list is cut.
pub(super) fn list<T: ToString>(items: &[T]) -> String {
    const MAX: usize = 16;
    if items.is_empty() {
        return "none".to_owned();
    }
    let mut names: Vec<String> = items.iter().take(MAX).map(T::to_string).collect();
    if items.len() > MAX {
        names.push(format!("and {} more", items.len() - MAX));
    }
    names.join(" ")
}
