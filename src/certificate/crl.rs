//! Revocation lists as OpenSSL reads them (`d2i_X509_CRL`, `crl_cb`): the data that its verification uses.

use std::collections::HashMap;

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::canonical::CanonicalName;
use super::der::{
    BIT_STRING, Element, Elements, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, Unreadable,
    context,
};
use super::distinguished_name::DistinguishedName;
use super::distribution_point::IssuingPoint;
use super::openssl_view::{
    AUTHORITY_KEY_ID, AuthorityKeyId, CertificateExtension, check_algorithm, extension,
    is_well_formed,
};
use super::parse::{Certificate, moment};
use super::stored::StoredBytes;

/// The lists of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevocationLists(pub Vec<RevocationList>);

/// A certificate revocation list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// Its bytes.
    pub der: Vec<u8>,
    /// Its issuer.
    pub issuer: DistinguishedName,
    /// When it was issued (thisUpdate).
    pub issued: ListDate,
    /// When the next one is due (nextUpdate), after which it is no longer used.
    pub ends: ListDate,
    /// It says only what changed since another list.
    pub is_delta: bool,
    /// It has a critical extension that OpenSSL does not know, or one of its entries has.
    pub unhandled_critical: bool,
    /// It has something whose meaning is not followed here; what.
    pub not_followed: Option<&'static str>,
    pub(super) name: CanonicalName,
    pub(super) authority_key_id: Option<AuthorityKeyId>,
    pub(super) point: Option<IssuingPoint>,
    /// Serial numbers; `false` for one that is no longer revoked.
    revoked: HashMap<Vec<u8>, bool>,
}

/// A date of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListDate {
    /// It has none.
    Absent,
    /// It has not the form that OpenSSL needs.
    Malformed,
    /// This one.
    At(OffsetDateTime),
}

impl ListDate {
    /// The date, if there is one.
    pub fn moment(self) -> Option<OffsetDateTime> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Absent | Self::Malformed => None,
        }
    }

    fn of(element: Element<'_>) -> Self {
        let parsed = || {
            let (_, time) = ASN1Time::from_der(element.whole).ok()?;
            moment(&time).ok()
        };
        let date = if is_well_formed(element) { parsed() } else { None };
        date.map_or(Self::Malformed, Self::At)
    }
}

/// The signed part of a list and its signature.
pub(super) struct SignedParts<'a> {
    pub(super) message: &'a [u8],
    /// An `AlgorithmIdentifier`.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl RevocationList {
    /// Reads a list; the error is the part that cannot be read.
    pub fn parse(der: &[u8]) -> Result<Self, &'static str> {
        let [tbs, algorithm, _] = parts(der).map_err(|_| "its structure")?;
        let mut list = Self {
            der: der.to_vec(),
            issuer: DistinguishedName::from_der(&[]),
            issued: ListDate::Malformed,
            ends: ListDate::Absent,
            is_delta: false,
            unhandled_critical: false,
            not_followed: None,
            name: CanonicalName::default(),
            authority_key_id: None,
            point: None,
            revoked: HashMap::new(),
        };
        let mut rest = tbs.inside();
        list.read_head(&mut rest, algorithm)?;
        if let Some(entries) = rest.optional(SEQUENCE).map_err(|_| "its entries")? {
            list.read_entries(entries.inside()).map_err(|_| "its entries")?;
        }
        let wrapped = rest.optional(context(0, true)).map_err(|_| "its extensions")?;
        rest.end().map_err(|_| "its structure")?;
        if let Some(wrapped) = wrapped {
            list.read_extensions(wrapped).map_err(|_| "its extensions")?;
        }
        Ok(list)
    }

    fn read_head(
        &mut self,
        rest: &mut Elements<'_>,
        outer: Element<'_>,
    ) -> Result<(), &'static str> {
        let version =
            rest.optional(INTEGER).and_then(|version| version.map(Element::integer).transpose());
        version.map_err(|_| "its version")?;
        let inner = rest.expect(SEQUENCE).and_then(|inner| check_algorithm(inner).map(|()| inner));
        let inner = inner.map_err(|_| "its signature algorithm")?;
        if inner.body != outer.body {
            self.not_followed = Some("names two signature algorithms");
        }
        let issuer = rest.expect(SEQUENCE).map_err(|_| "the name of its issuer")?;
        self.issuer = DistinguishedName::from_der(issuer.whole);
        self.name = CanonicalName::of(issuer.inside()).map_err(|_| "the name of its issuer")?;
        self.issued = ListDate::of(rest.next().map_err(|_| "its dates")?);
        for tag in [UTC_TIME, GENERALIZED_TIME] {
            if let Some(ends) = rest.optional(tag).map_err(|_| "its dates")? {
                self.ends = ListDate::of(ends);
                break;
            }
        }
        Ok(())
    }

    fn read_entries(&mut self, entries: Elements<'_>) -> Result<(), Unreadable> {
        let mut entries = entries;
        while !entries.0.is_empty() {
            let mut parts = entries.expect(SEQUENCE)?.inside();
            let serial = parts.expect(INTEGER)?.integer()?.to_vec();
            parts.next()?;
            let extensions = parts.optional(SEQUENCE)?;
            parts.end()?;
            let mut is_revoked = true;
            for one in extensions.map(|list| list.inside().all()).transpose()?.unwrap_or_default() {
                let one = extension(one)?;
                self.unhandled_critical |= one.critical && one.oid != CERTIFICATE_ISSUER;
                match one.oid {
                    CERTIFICATE_ISSUER => {
                        self.not_followed = Some("has entries of other issuers");
                    }
                    REASON_CODE => is_revoked = one.value.last() != Some(&REMOVED),
                    _ => {}
                }
            }
            if self.revoked.insert(serial, is_revoked).is_some_and(|known| known != is_revoked) {
                self.not_followed = Some("has two entries of one serial number");
            }
        }
        Ok(())
    }

    fn read_extensions(&mut self, wrapped: Element<'_>) -> Result<(), Unreadable> {
        let mut inside = wrapped.inside();
        let list = inside.expect(SEQUENCE)?;
        inside.end()?;
        let extensions: Vec<CertificateExtension<'_>> =
            list.inside().all()?.into_iter().map(extension).collect::<Result<_, _>>()?;
        for (index, one) in extensions.iter().enumerate() {
            self.unhandled_critical |= one.critical && !SUPPORTED.contains(&one.oid);
            let repeated = extensions[..index].iter().any(|earlier| earlier.oid == one.oid);
            if self.add(one).is_err() || (repeated && READ.contains(&one.oid)) {
                self.not_followed = Some("has malformed extensions");
            }
        }
        Ok(())
    }

    fn add(&mut self, extension: &CertificateExtension<'_>) -> Result<(), Unreadable> {
        let mut value = Elements(extension.value);
        match extension.oid {
            AUTHORITY_KEY_ID => {
                self.authority_key_id = Some(AuthorityKeyId::of(value.expect(SEQUENCE)?.inside())?);
            }
            ISSUING_POINT => {
                let point = value.expect(SEQUENCE)?;
                if point.body.is_empty() {
                    self.not_followed = Some("has an empty distribution point");
                }
                self.point = Some(IssuingPoint::of(point.inside())?);
            }
            DELTA => {
                self.is_delta = true;
                value.expect(INTEGER)?.integer()?;
            }
            NUMBER => {
                value.expect(INTEGER)?.integer()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it revokes this serial number.
    pub(super) fn revokes(&self, serial: &[u8]) -> bool {
        self.revoked.get(serial).copied().unwrap_or(false)
    }

    /// What is signed, and how.
    pub(super) fn signed(&self) -> Option<SignedParts<'_>> {
        let [message, algorithm, signature] = parts(&self.der).ok()?;
        let signature = signature.bits().ok()?;
        Some(SignedParts { message: message.whole, algorithm: algorithm.whole, signature })
    }

    /// Whether OpenSSL would use it at this time: it is issued, and the next one is not yet due.
    pub fn is_current(&self, now: OffsetDateTime) -> bool {
        let issued = self.issued.moment().is_some_and(|issued| issued <= now);
        issued && (self.ends == ListDate::Absent || self.ends.moment().is_some_and(|end| now < end))
    }

    /// How long before its end a list is reported: in the last tenth of its life, and not more than 30 days before.
    pub fn usual_notice(&self) -> Duration {
        match (self.issued.moment(), self.ends.moment()) {
            (Some(issued), Some(ends)) => Duration::days(30).min((ends - issued) / 10),
            _ => Duration::ZERO,
        }
    }

    /// Whether it ends later than another one, or never.
    pub fn ends_after(&self, other: &Self) -> bool {
        match (self.ends.moment(), other.ends.moment()) {
            (Some(own), Some(other)) => own > other,
            (None, other) => self.ends == ListDate::Absent && other.is_some(),
            (Some(_), None) => false,
        }
    }

    /// Whether it may be about certificates of other issuers.
    pub fn is_indirect(&self) -> bool {
        self.point.as_ref().is_some_and(|point| point.indirect)
    }

    /// Whether its issuer has the name of this certificate, as OpenSSL compares names.
    pub fn is_by(&self, authority: &Certificate) -> bool {
        authority.openssl.as_ref().is_ok_and(|view| view.subject == self.name)
    }

    /// The number of its entries.
    pub fn entries(&self) -> usize {
        self.revoked.len()
    }

    /// Whether it is about the same certificates as another one, so that the newer one replaces the older.
    pub fn replaces(&self, other: &Self) -> bool {
        self.name == other.name
            && self.point == other.point
            && self.authority_key_id == other.authority_key_id
            && self.is_delta == other.is_delta
    }
}

fn parts(der: &[u8]) -> Result<[Element<'_>; 3], Unreadable> {
    let mut outer = Elements(der);
    let mut parts = outer.expect(SEQUENCE)?.inside();
    outer.end()?;
    let three = [parts.expect(SEQUENCE)?, parts.expect(SEQUENCE)?, parts.expect(BIT_STRING)?];
    parts.end()?;
    check_algorithm(three[1])?;
    three[2].bits()?;
    Ok(three)
}

impl RevocationLists {
    /// Reads the lists of a file in PEM, as nginx does; the error says what cannot be read.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut lists = Vec::new();
        for der in CertificateRevocationListDer::pem_slice_iter(bytes) {
            let der = der.map_err(|error| format!("a damaged PEM block: {error}"))?;
            let list = RevocationList::parse(&der);
            lists.push(list.map_err(|part| format!("a revocation list: {part}"))?);
        }
        Ok(Self(lists))
    }
}

impl Serialize for RevocationLists {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(lists) = self;
        serializer.collect_seq(lists.iter().map(|list| StoredBytes(list.der.clone())))
    }
}

impl<'de> Deserialize<'de> for RevocationLists {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Vec::<StoredBytes>::deserialize(deserializer)?;
        let lists = stored.iter().map(|StoredBytes(der)| RevocationList::parse(der));
        lists.collect::<Result<_, _>>().map(Self).map_err(D::Error::custom)
    }
}

const NUMBER: &[u8] = &[0x55, 0x1d, 20];
const REASON_CODE: &[u8] = &[0x55, 0x1d, 21];
const DELTA: &[u8] = &[0x55, 0x1d, 27];
const ISSUING_POINT: &[u8] = &[0x55, 0x1d, 28];
const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];

/// removeFromCRL, the last byte of an enumerated value.
const REMOVED: u8 = 8;

/// Extensions that OpenSSL reads.
const READ: [&[u8]; 4] = [AUTHORITY_KEY_ID, NUMBER, DELTA, ISSUING_POINT];

/// Extensions of a list that may be critical.
const SUPPORTED: [&[u8]; 3] = [AUTHORITY_KEY_ID, DELTA, ISSUING_POINT];

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};
    use rcgen::{RevocationReason, RevokedCertParams, SerialNumber};
    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::certificate::issue::Authority;

    const NOW: OffsetDateTime = datetime!(2026-06-15 12:00 UTC);

    fn list(serial: u64, reason: Option<RevocationReason>) -> Vec<u8> {
        let authority = Authority::root("root", NOW).unwrap();
        let entry = RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: NOW,
            reason_code: reason,
            invalidity_date: None,
        };
        authority.revocation_list(|list| list.revoked_certs.push(entry)).unwrap().to_vec()
    }

    #[test]
    fn a_list_says_what_it_revokes_and_until_when() {
        let read = RevocationList::parse(&list(7, None)).unwrap();
        assert_eq!(read.issuer.text, "CN=root");
        assert_eq!((read.revokes(&[7]), read.revokes(&[8])), (true, false));
        assert_eq!(read.ends, ListDate::At(NOW + Duration::days(20)));
        assert_eq!((read.unhandled_critical, read.not_followed), (false, None));
        assert!(read.is_current(NOW));
        // The second in which the next list is due is too late.
        assert!(!read.is_current(NOW + Duration::days(20)));
        assert!(!read.is_current(NOW - Duration::days(11)));
        let removed = list(7, Some(RevocationReason::RemoveFromCrl));
        assert!(!RevocationList::parse(&removed).unwrap().revokes(&[7]));
    }

    #[test]
    fn a_damaged_list_names_the_part() {
        let whole = list(7, None);
        assert_eq!(RevocationList::parse(&whole[..whole.len() - 1]), Err("its structure"));
        let block = "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
        let read = RevocationLists::read(block.as_bytes());
        assert_eq!(read, Err("a revocation list: its structure".to_owned()));
        assert_eq!(RevocationLists::read(b"no block").unwrap().0, []);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..300), at in any::<usize>(), byte in any::<u8>()) {
            let _ = RevocationList::parse(&bytes);
            let mut changed = list(7, None);
            let at = at % changed.len();
            changed[at] = byte;
            if let Ok(list) = RevocationList::parse(&changed) {
                let _ = (list.signed().is_some(), list.revokes(&[7]), list.is_current(NOW));
            }
        }
    }
}
