//! Why a chain reaches no anchor, as far as the certificates themselves show it.

use std::sync::Arc;

use super::TrustStore;
use crate::certificate::chain::Chain;
use crate::certificate::parse::{Certificate, DistinguishedName};
use crate::certificate::shape::{ChainShape, PathEnd};

/// Why there is no path from the leaf to an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathProblem {
    /// The server left out a certificate between its own and the anchor.
    MissingIntermediate,
    /// The leaf signed itself.
    SelfSigned,
    /// The path ends below or in an authority that is not an anchor.
    UnknownIssuer,
}

impl PathProblem {
    /// The problem with a chain of this shape; `None` if it reaches an anchor.
    pub(super) fn of(chain: &Chain, shape: &ChainShape, store: &TrustStore) -> Option<Self> {
        match shape.end {
            PathEnd::Anchored => None,
            PathEnd::SelfSignedLeaf => Some(Self::SelfSigned),
            PathEnd::UntrustedRoot => Some(Self::UnknownIssuer),
            PathEnd::MissingIssuer => {
                shape.top(chain).map(|top| missing_or_unknown(top, chain, shape, store))
            }
        }
    }
}

/// The issuer was neither sent nor trusted: is it a missing intermediate, or an unknown authority?
///
/// Nothing in the certificates proves it, so this goes by what authorities do. A public authority names in every
/// certificate where its issuer can be fetched, and issues none from its root. A private one seldom does the first, and
/// may do the second; for it, a chain with an intermediate in it was put together by someone who knew how, and what was
/// issued by something that is a root by its own name, or that belongs to another organisation than every anchor, comes
/// from a foreign authority.
fn missing_or_unknown(
    top: &Certificate,
    chain: &Chain,
    shape: &ChainShape,
    store: &TrustStore,
) -> PathProblem {
    let alone = shape.path.len() == 1;
    let private = || {
        !store.private.is_empty()
            && (alone || names_intermediate(&top.issuer))
            && !names_root(&top.issuer)
            && !is_foreign(&top.issuer, store)
    };
    // Above a public intermediate even what is called a root can be one: newer roots are sent with a cross-sign.
    let public = || {
        let is_root = names_root(&top.issuer) && (alone || !is_public(chain));
        store.public && is_fetchable(top) && !is_root
    };
    // An anchor of that name which did not sign is another authority, or the same one with a new key.
    let missing = !store.has_name(&top.issuer) && (public() || private());
    if missing { PathProblem::MissingIntermediate } else { PathProblem::UnknownIssuer }
}

/// Whether the leaf was issued as public authorities do: under their policies, or logged.
fn is_public(chain: &Chain) -> bool {
    chain.leaf().is_some_and(|leaf| leaf.public_policy || leaf.sct_count > 0)
}

/// Over http, as public authorities publish; an ldap URL is a company's own.
fn is_fetchable(top: &Certificate) -> bool {
    top.ca_issuers.iter().any(|url| url.starts_with("http"))
}

fn names_root(issuer: &DistinguishedName) -> bool {
    has_word(issuer, |word| word.starts_with("root") || word.ends_with("root"))
}

fn names_intermediate(issuer: &DistinguishedName) -> bool {
    has_word(issuer, |word| INTERMEDIATE.contains(&word))
}

/// Words in the names of authorities that are below another.
const INTERMEDIATE: [&str; 5] = ["intermediate", "issuing", "policy", "sub", "subordinate"];

fn has_word(issuer: &DistinguishedName, is_meant: impl Fn(&str) -> bool) -> bool {
    let name = issuer.common_name().unwrap_or_default().to_lowercase();
    name.split(|character: char| !character.is_alphanumeric()).any(is_meant)
}

fn is_foreign(issuer: &DistinguishedName, store: &TrustStore) -> bool {
    let organisation = issuer.organization();
    let same = |anchor: &Arc<Certificate>| anchor.subject.organization() == organisation;
    organisation.is_some() && !store.private.iter().any(same)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, DnType};
    use rustls_pki_types::CertificateDer;
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::PathProblem::{MissingIntermediate, SelfSigned, UnknownIssuer};
    use super::*;
    use crate::certificate::issue::{Authority, Issued, self_signed};
    use crate::certificate::trust::Assessor;

    const NOW: OffsetDateTime = datetime!(2026-06-15 12:00 UTC);

    fn root(name: &str) -> Authority {
        Authority::root(name, NOW).unwrap()
    }

    fn of(organisation: &str, name: &str) -> Authority {
        Authority::root_changed(name, NOW, |params| {
            params.distinguished_name.push(DnType::OrganizationName, organisation);
        })
        .unwrap()
    }

    /// An authorityInfoAccess extension with one caIssuers URL (RFC 5280 section 4.2.2.1).
    fn fetchable(params: &mut CertificateParams, url: &str) {
        let tlv = |tag: u8, body: &[u8]| [&[tag, u8::try_from(body.len()).unwrap()], body].concat();
        let method = tlv(6, &[0x2b, 6, 1, 5, 5, 7, 0x30, 2]);
        let entry = tlv(0x30, &[method, tlv(0x86, url.as_bytes())].concat());
        let access =
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], tlv(0x30, &entry));
        params.custom_extensions.push(access);
    }

    fn leaf(authority: &Authority, url: &str) -> Issued {
        authority.issue_with(&["a.test"], |params| fetchable(params, url)).unwrap()
    }

    #[track_caller]
    fn check(sent: &[CertificateDer<'_>], anchor: &Authority, expected: Option<PathProblem>) {
        check_store(sent, anchor, false, expected);
    }

    #[track_caller]
    fn check_store(
        sent: &[CertificateDer<'_>],
        anchor: &Authority,
        public: bool,
        expected: Option<PathProblem>,
    ) {
        let given = vec![anchor.certificate.clone()];
        let (store, _) = TrustStore::from_certificates("test".to_owned(), given, public);
        let sent: Vec<&[u8]> = sent.iter().map(AsRef::as_ref).collect();
        let assessed = Assessor::new(Arc::new(store), NOW).assess(&Chain::from_der(&sent));
        assert_eq!(assessed.problem, expected);
    }

    #[test]
    fn a_path_to_an_anchor_is_no_problem() {
        let root = root("root");
        check(
            &root.intermediate("lower").unwrap().issue(&["a.test"]).unwrap().chain(),
            &root,
            None,
        );
    }

    #[test]
    fn a_leaf_that_signed_itself_is_called_so() {
        let own = self_signed(&["a.test"], NOW).unwrap();
        check(&own.chain(), &root("root"), Some(SelfSigned));
    }

    #[test]
    fn an_authority_that_was_made_again_under_its_old_name_is_unknown() {
        let (old, new) = (root("Example CA"), root("Example CA"));
        check(&new.issue(&["a.test"]).unwrap().chain(), &old, Some(UnknownIssuer));
        let below = new.intermediate("Example intermediate").unwrap();
        check(&below.issue(&["a.test"]).unwrap().chain(), &old, Some(UnknownIssuer));
    }

    #[test]
    fn a_leaf_alone_lacks_its_intermediate_unless_its_issuer_is_foreign() {
        let ours = of("Example, Inc.", "Example root");
        let alone = |authority: &Authority| vec![authority.issue(&["a.test"]).unwrap().certificate];
        check(&alone(&of("Example, Inc.", "Example issuing")), &ours, Some(MissingIntermediate));
        check(&alone(&of("Example, Ltd.", "Example issuing")), &ours, Some(UnknownIssuer));
        check(&alone(&of("Example, Inc.", "Other RootCA")), &ours, Some(UnknownIssuer));
        check(&alone(&of("Example, Inc.", "Grassroots CA")), &ours, Some(MissingIntermediate));
    }

    #[test]
    fn an_intermediate_above_the_one_that_was_sent_can_be_missing_too() {
        let ours = root("Example root");
        let upper = ours.intermediate("Example intermediate 1").unwrap();
        let lower = upper.intermediate("Example intermediate 2").unwrap();
        let mut sent = lower.issue(&["a.test"]).unwrap().chain();
        sent.truncate(2);
        check(&sent, &ours, Some(MissingIntermediate));
        let foreign = root("Foreign").intermediate("Foreign intermediate").unwrap();
        check(&foreign.issue(&["a.test"]).unwrap().chain(), &ours, Some(UnknownIssuer));
    }

    #[test]
    fn an_authority_added_to_public_roots_is_missed_like_a_private_one() {
        let (public, ours) = (root("Public root"), root("Example root"));
        let given = |authority: &Authority| vec![authority.certificate.clone()];
        let (store, _) = TrustStore::from_certificates("public".to_owned(), given(&public), true);
        let (store, _) = store.with("ours".to_owned(), given(&ours));
        let assessor = Assessor::new(Arc::new(store), NOW);
        let leaf = ours.intermediate("Example issuing").unwrap().issue(&["a.test"]).unwrap();
        let assessed = assessor.assess(&Chain::from_der(&[&leaf.certificate]));
        assert_eq!(assessed.problem, Some(MissingIntermediate));
    }

    #[test]
    fn a_root_above_a_public_intermediate_can_be_a_cross_sign() {
        let url = "http://a.test/root.crt";
        let public = root("Public root");
        let check = |is_public: bool, expected| {
            let upper = root("Root YR");
            let lower = upper.intermediate_with("YR1", |params| fetchable(params, url)).unwrap();
            let leaf = lower.issue_with(&["a.test"], |params| {
                let policy = [0x30, 10, 0x30, 8, 6, 6, 0x67, 0x81, 12, 1, 2, 1].to_vec();
                let policies = CustomExtension::from_oid_content(&[2, 5, 29, 32], policy);
                params.custom_extensions.extend(is_public.then_some(policies));
            });
            check_store(&leaf.unwrap().chain(), &public, true, Some(expected));
        };
        check(true, MissingIntermediate);
        check(false, UnknownIssuer);
    }

    #[test]
    fn with_public_roots_a_leaf_says_where_its_issuer_is() {
        let public = root("Public root");
        let url = "http://a.test/ca.crt";
        let check = |sent: &Issued, expected| {
            check_store(std::slice::from_ref(&sent.certificate), &public, true, Some(expected));
        };
        check(&leaf(&root("Public issuing"), url), MissingIntermediate);
        check(&root("Private issuing").issue(&["a.test"]).unwrap(), UnknownIssuer);
        // No public authority issues from its root, and none publishes by LDAP alone.
        check(&leaf(&root("Corporate Root CA"), url), UnknownIssuer);
        check(&leaf(&root("Corporate issuing"), "ldap:///CN=ca"), UnknownIssuer);
    }
}
