//! Unusual chains for which OpenSSL is stricter than the standards, or less strict.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, DnValue, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, SanType, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use shakedown::certificate::Certificate;
use shakedown::certificate::issue::{Authority, Issued};
use time::OffsetDateTime;

/// A chain, and its trust anchors.
pub(crate) struct OddChain {
    pub(crate) what: &'static str,
    pub(crate) leaf: Issued,
    pub(crate) trusted: Vec<CertificateDer<'static>>,
}

const AUTHORITY_KEY_ID: &[u64] = &[2, 5, 29, 35];
const ALTERNATIVE_NAMES: &[u64] = &[2, 5, 29, 17];

fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(body.len()).unwrap()], body].concat()
}

fn extension(oid: &[u64], body: Vec<u8>, critical: bool) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, body);
    extension.set_criticality(critical);
    extension
}

/// An authorityKeyIdentifier by issuer and serial number, as easy-rsa writes it.
fn by_serial(issuer: &Authority, serial: u8) -> CustomExtension {
    let name = Certificate::parse(&issuer.certificate).unwrap().issuer.der;
    let names = tlv(0xa1, &tlv(0xa4, &name));
    extension(AUTHORITY_KEY_ID, tlv(0x30, &[names, tlv(0x82, &[serial])].concat()), false)
}

fn chain(
    what: &'static str,
    root: &Authority,
    change: impl FnOnce(&mut CertificateParams),
) -> OddChain {
    let leaf = root.issue_with(&["a.test"], change).unwrap();
    OddChain { what, leaf, trusted: vec![root.certificate.clone()] }
}

fn with_root(
    what: &'static str,
    now: OffsetDateTime,
    change: impl FnOnce(&mut CertificateParams),
) -> OddChain {
    chain(what, &Authority::root_changed("root", now, change).unwrap(), |_| {})
}

/// One chain for each peculiarity.
pub(crate) fn all(now: OffsetDateTime) -> Vec<OddChain> {
    let mut chains = key_identifiers(now);
    chains.extend(extensions(now));
    chains.extend(names(now));
    chains.extend(constraints(now));
    chains
}

fn key_identifiers(now: OffsetDateTime) -> Vec<OddChain> {
    let serial = |number: u64| {
        move |params: &mut CertificateParams| {
            params.serial_number = Some(SerialNumber::from(number));
        }
    };
    let root = Authority::root_changed("root", now, serial(1)).unwrap();
    let renewed = root.cross_sign(&root, serial(2)).unwrap();
    let named = |serial: u8| {
        let id = by_serial(&root, serial);
        move |params: &mut CertificateParams| {
            params.use_authority_key_identifier_extension = false;
            params.custom_extensions.push(id);
        }
    };
    let mut stale = chain(
        "the leaf names the serial number of the authority's old certificate",
        &root,
        named(1),
    );
    stale.trusted = vec![renewed.clone()];
    let mut both = chain("the old certificate is trusted beside the new one", &root, named(1));
    both.trusted = vec![renewed, root.certificate.clone()];
    let own = by_serial(&root, 9);
    vec![
        stale,
        both,
        chain("the leaf names the right serial number", &root, named(1)),
        with_root("the root names another serial number for its own issuer", now, |params| {
            params.custom_extensions.push(own);
        }),
        chain("a critical authorityKeyIdentifier", &root, |params| {
            params.use_authority_key_identifier_extension = false;
            params.custom_extensions.push(extension(AUTHORITY_KEY_ID, vec![0x30, 0], true));
        }),
    ]
}

fn extensions(now: OffsetDateTime) -> Vec<OddChain> {
    let root = Authority::root("root", now).unwrap();
    let with = |oid: &[u64], body: &[u8], critical: bool| {
        let extension = extension(oid, body.to_vec(), critical);
        move |params: &mut CertificateParams| params.custom_extensions.push(extension)
    };
    let names = tlv(0x30, &tlv(0x82, b"a.test"));
    let malformed = with(ALTERNATIVE_NAMES, b"\x30\x05\x82\x01a", false);
    let mut lower = chain("an intermediate with two keyUsage extensions", &root, |_| {});
    let above =
        root.intermediate_with("lower", with(&[2, 5, 29, 15], &[3, 2, 1, 6], true)).unwrap();
    lower.leaf = above.issue(&["a.test"]).unwrap();
    vec![
        lower,
        chain("two subjectAltName extensions", &root, with(ALTERNATIVE_NAMES, &names, false)),
        chain("a subjectAltName that is cut short", &root, |params| {
            params.subject_alt_names.clear();
            malformed(params);
        }),
        chain("an empty subjectAltName extension", &root, |params| {
            params.subject_alt_names.clear();
            with(ALTERNATIVE_NAMES, &[], false)(params);
        }),
        chain("a key usage without a bit", &root, |params| {
            params.key_usages.clear();
            with(&[2, 5, 29, 15], &[3, 1, 0], true)(params);
        }),
        chain("two extensions that verification does not read", &root, |params| {
            with(&[1, 2, 3, 4], &[5, 0], false)(params);
            with(&[1, 2, 3, 4], &[5, 0], false)(params);
        }),
        chain("a critical extension that nobody knows", &root, with(&[1, 2, 3, 4], &[5, 0], true)),
        chain(
            "a distribution point without a name",
            &root,
            with(&[2, 5, 29, 31], &[0x30, 2, 0x30, 0], false),
        ),
        with_root("a root whose key may not sign", now, |params| {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        }),
        with_root("a root that is no authority", now, |params| params.is_ca = IsCa::ExplicitNoCa),
        with_root("a root without basicConstraints", now, |params| params.is_ca = IsCa::NoCa),
        with_root("a root that ends in this second", now, |params| params.not_after = now),
        chain("the last second of the leaf", &root, |params| params.not_after = now),
    ]
}

fn names(now: OffsetDateTime) -> Vec<OddChain> {
    let root = Authority::root("Example  root", now).unwrap();
    let spelled = Authority::root("example ROOT", now).unwrap();
    let respelled = spelled.cross_sign(&root, |params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        let name = DnValue::PrintableString("EXAMPLE root".try_into().unwrap());
        params.distinguished_name.push(DnType::CommonName, name);
    });
    let mut other = chain("the issuer's name is spelled in another way", &root, |_| {});
    other.leaf.issuers = vec![respelled.unwrap()];
    other.trusted = vec![spelled.certificate];
    vec![other]
}

fn constraints(now: OffsetDateTime) -> Vec<OddChain> {
    let dns = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    let below = |what, permitted, excluded, change: fn(&mut CertificateParams)| {
        let root = Authority::root_changed("root", now, |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: permitted,
                excluded_subtrees: excluded,
            });
        });
        chain(what, &root.unwrap(), change)
    };
    let without_names: fn(&mut CertificateParams) = |params| params.subject_alt_names.clear();
    let by_address: fn(&mut CertificateParams) = |params| {
        params.subject_alt_names = vec![SanType::IpAddress([10, 1, 1, 1].into())];
    };
    let address =
        |network| GeneralSubtree::IpAddress(rcgen::CidrSubnet::V4(network, [255, 0, 0, 0]));
    vec![
        below("a permitted name", vec![dns("test")], vec![], |_| {}),
        below("a name outside what is permitted", vec![dns("b.test")], vec![], |_| {}),
        below("an excluded name", vec![], vec![dns("a.test")], |_| {}),
        below("an excluded name beside another", vec![], vec![dns("b.test")], |_| {}),
        below(
            "a common name outside what is permitted",
            vec![dns("b.test")],
            vec![],
            without_names,
        ),
        below("a permitted common name", vec![dns("a.test")], vec![], without_names),
        below("an address inside", vec![address([10, 0, 0, 0])], vec![], by_address),
        below("an address outside", vec![address([11, 0, 0, 0])], vec![], by_address),
        below("an address under constraints of names", vec![dns("b.test")], vec![], by_address),
    ]
}
