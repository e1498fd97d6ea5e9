//! Certificates with hostile text in every field that has text.

use rcgen::{
    CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName, DnType, DnValue,
    SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use shakedown::certificate::issue::Authority;
use time::OffsetDateTime;

use super::readers::{HOSTILE, HOSTILE_ASCII};

const AUTHORITY_INFORMATION: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
const POLICIES: &[u64] = &[2, 5, 29, 32];

/// A chain, and the key of its leaf.
pub(super) struct HostileChain {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

pub(super) fn chain(now: OffsetDateTime) -> HostileChain {
    let root = Authority::root_changed("root", now, |params| {
        params.distinguished_name = name("root");
    });
    let issuer = root.unwrap().intermediate_with("intermediate", |params| {
        params.distinguished_name = name("intermediate");
        params.name_constraints = Some(rcgen::NameConstraints {
            permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("a.test".to_owned())],
            excluded_subtrees: vec![rcgen::GeneralSubtree::DnsName(HOSTILE_ASCII.to_owned())],
        });
    });
    let leaf = issuer.unwrap().issue_with(&["a.test"], fill).unwrap();
    HostileChain { chain: leaf.chain(), key: leaf.private_key() }
}

fn fill(params: &mut CertificateParams) {
    let ascii = || HOSTILE_ASCII.try_into().unwrap();
    params.distinguished_name = name("leaf");
    params.subject_alt_names.extend([
        SanType::DnsName(ascii()),
        SanType::URI(ascii()),
        SanType::Rfc822Name(ascii()),
        SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], HOSTILE.to_owned().into())),
    ]);
    params.crl_distribution_points =
        vec![CrlDistributionPoint { uris: vec![format!("http://{HOSTILE_ASCII}")] }];
    let url = tlv(0x86, &[format!("http://127.0.0.1:1/{HOSTILE_ASCII}").as_bytes()]);
    let described = |last: u8| {
        let method = [6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, last];
        tlv(0x30, &[&method, &url])
    };
    let information = tlv(0x30, &[&described(1), &described(2)]);
    let practice = tlv(0x16, &[HOSTILE_ASCII.as_bytes()]);
    let qualifier = tlv(0x30, &[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 2, 1], &practice]);
    let policies = tlv(0x30, &[&tlv(0x30, &[&[6, 3, 0x2a, 3, 4], &tlv(0x30, &[&qualifier])])]);
    params.custom_extensions = vec![
        CustomExtension::from_oid_content(AUTHORITY_INFORMATION, information),
        CustomExtension::from_oid_content(POLICIES, policies),
        CustomExtension::from_oid_content(&[1, 2, 3, 4], HOSTILE.as_bytes().to_vec()),
    ];
}

/// A name with hostile text in each of its parts.
fn name(of: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for kind in [
        DnType::CountryName,
        DnType::LocalityName,
        DnType::StateOrProvinceName,
        DnType::OrganizationName,
        DnType::OrganizationalUnitName,
        DnType::CommonName,
        DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]),
        DnType::CustomDnType(vec![1, 2, 3]),
    ] {
        name.push(kind, DnValue::Utf8String(format!("{HOSTILE} {of}")));
    }
    name
}

/// An element of DER with the shortest length.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
    let header = match body.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [header, body].concat()
}
