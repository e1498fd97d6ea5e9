//! A certificate as OpenSSL reads it (`d2i_X509`, `ossl_x509v3_cache_extensions`): the data that its verification uses,
//! where it differs from RFC 5280.

use super::canonical::{self, CanonicalName};
use super::der::{
    BIT_STRING, BOOLEAN, Element, Elements, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SEQUENCE,
    UTC_TIME, Unreadable, context,
};
use super::distribution_point::{DistributionPoint, distribution_points};
use super::name_constraints::{GeneralName, NameConstraints, SubjectNames, general_names};

/// A certificate's data in OpenSSL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and all may hold at once"
)]
pub struct OpensslView {
    /// Its subject.
    pub subject: CanonicalName,
    /// Its issuer.
    pub issuer: CanonicalName,
    /// An extension that verification reads is malformed or appears twice (`EXFLAG_INVALID`): OpenSSL then finds no
    /// issuer for it, and does not accept it as one.
    pub invalid: bool,
    /// A critical extension that verification does not know.
    pub unhandled_critical: bool,
    /// A proxy certificate (RFC 3820).
    pub proxy: bool,
    /// basicConstraints: whether it is an authority, and how many authorities may be below it.
    pub basic_constraints: Option<(bool, Option<u32>)>,
    /// keyUsage, bit 0 being digitalSignature.
    pub key_usage: Option<u16>,
    /// extendedKeyUsage.
    pub extended_key_usage: Option<Purposes>,
    /// The Netscape certificate type.
    pub netscape_type: Option<u8>,
    /// The constraints it puts on the names below it.
    pub name_constraints: Option<NameConstraints>,
    /// Its own names, for the constraints above it.
    pub names: SubjectNames,
    /// Whether notBefore and notAfter have the only form that is accepted.
    pub well_formed_dates: [bool; 2],
    /// The signature algorithm outside and inside are the same.
    pub algorithms_agree: bool,
    /// Where its revocation lists are.
    pub(super) distribution_points: Vec<DistributionPoint>,
    /// Its serial number.
    pub(super) serial: Vec<u8>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<AuthorityKeyId>,
}

/// `keyCertSign` among the bits of a key usage, as RFC 5280 numbers them.
pub const KEY_CERT_SIGN: u16 = 1 << 5;

/// `cRLSign` among them.
pub const CRL_SIGN: u16 = 1 << 6;

/// The purposes of TLS in an extendedKeyUsage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purposes {
    /// serverAuth, or one of the two "server gated crypto".
    pub server: bool,
    /// clientAuth.
    pub client: bool,
}

/// An authorityKeyIdentifier, of a certificate or of a revocation list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AuthorityKeyId {
    key_id: Option<Vec<u8>>,
    issuer: Option<CanonicalName>,
    serial: Option<Vec<u8>>,
}

impl OpensslView {
    /// Reads a certificate as OpenSSL does; the error is the part that it cannot read.
    pub fn of(der: &[u8]) -> Result<Self, &'static str> {
        let parts = Elements(der).expect(SEQUENCE).and_then(|whole| {
            let mut parts = whole.inside();
            let three =
                [parts.expect(SEQUENCE)?, parts.expect(SEQUENCE)?, parts.expect(BIT_STRING)?];
            parts.end().map(|()| three)
        });
        let [tbs, algorithm, signature] = parts.map_err(|_| "its structure")?;
        signature.bits().map_err(|_| "its signature")?;
        check_algorithm(algorithm).map_err(|_| "its signature algorithm")?;
        Self::of_tbs(tbs.inside(), algorithm)
    }

    fn of_tbs(mut tbs: Elements<'_>, outer: Element<'_>) -> Result<Self, &'static str> {
        let mut view = Self::default();
        version(&mut tbs).map_err(|_| "its version")?;
        let serial = tbs.expect(INTEGER).and_then(Element::integer);
        view.serial = serial.map_err(|_| "its serial number")?.to_vec();
        let inner = tbs.expect(SEQUENCE).and_then(|inner| check_algorithm(inner).map(|()| inner));
        view.algorithms_agree = inner.map_err(|_| "its signature algorithm")?.body == outer.body;
        let issuer = tbs.expect(SEQUENCE).and_then(|name| CanonicalName::of(name.inside()));
        view.issuer = issuer.map_err(|_| "the name of its issuer")?;
        let dates = tbs.expect(SEQUENCE).and_then(|dates| dates.inside().all());
        let [from, to] = dates.map_err(|_| "its dates")?[..] else { return Err("its dates") };
        view.well_formed_dates = [is_well_formed(from), is_well_formed(to)];
        let subject = tbs.expect(SEQUENCE).and_then(|name| {
            let names = SubjectNames::of(&canonical::attributes(name.inside())?)?;
            Ok((CanonicalName::of(name.inside())?, names))
        });
        let (subject, names) = subject.map_err(|_| "the name of its subject")?;
        view.names = names.with_directory(&subject);
        view.subject = subject;
        let key = tbs.expect(SEQUENCE).and_then(|key| {
            let mut parts = key.inside();
            check_algorithm(parts.expect(SEQUENCE)?)?;
            parts.expect(BIT_STRING)?.bits()?;
            parts.end()
        });
        key.map_err(|_| "its public key")?;
        let extensions = extensions(tbs).map_err(|_| "its extensions")?;
        view.unhandled_critical =
            extensions.iter().any(|one| one.critical && !SUPPORTED.contains(&one.oid));
        for (index, one) in extensions.iter().enumerate() {
            let repeated = extensions[..index].iter().any(|earlier| earlier.oid == one.oid);
            if view.add(one).is_err() || (repeated && READ.contains(&one.oid)) {
                view.invalid = true;
            }
        }
        Ok(view)
    }

    /// Reads one extension; an error if it makes the certificate invalid. Bytes after a value are ignored.
    fn add(&mut self, extension: &CertificateExtension<'_>) -> Result<(), Unreadable> {
        let mut value = Elements(extension.value);
        match extension.oid {
            BASIC_CONSTRAINTS => self.basic_constraints = Some(basic_constraints(&mut value)?),
            KEY_USAGE => {
                let bits = value.expect(BIT_STRING)?.bits()?;
                let byte =
                    |at: usize| bits.get(at).map_or(0, |byte| u16::from(byte.reverse_bits()));
                let usage = byte(0) | byte(1) << 8;
                self.key_usage = Some(usage);
                return if usage == 0 { Err(Unreadable) } else { Ok(()) };
            }
            EXTENDED_KEY_USAGE => {
                let mut purposes = Purposes::default();
                for purpose in value.expect(SEQUENCE)?.inside().all()? {
                    let oid = purpose.oid()?;
                    purposes.server |= SERVER_PURPOSES.contains(&oid);
                    purposes.client |= oid == CLIENT_AUTH;
                }
                self.extended_key_usage = Some(purposes);
            }
            NETSCAPE_TYPE => {
                let bits = value.expect(BIT_STRING)?.bits()?;
                self.netscape_type = Some(bits.first().copied().unwrap_or(0));
            }
            SUBJECT_KEY_ID => {
                self.subject_key_id = Some(value.expect(OCTET_STRING)?.body.to_vec());
            }
            AUTHORITY_KEY_ID => {
                self.authority_key_id = Some(AuthorityKeyId::of(value.expect(SEQUENCE)?.inside())?);
            }
            ALTERNATIVE_NAMES => {
                self.names.alternative = general_names(value.expect(SEQUENCE)?.inside())?;
            }
            NAME_CONSTRAINTS => {
                self.name_constraints =
                    Some(NameConstraints::of(value.expect(SEQUENCE)?.inside())?);
            }
            DISTRIBUTION_POINTS => {
                self.distribution_points = distribution_points(value.expect(SEQUENCE)?.inside())?;
            }
            PROXY => {
                self.proxy = true;
                value.expect(SEQUENCE)?.inside().all()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// `X509_check_akid`: the authority key identifier of `self` (key, serial number and issuer) matches `issuer`.
    pub fn points_to(&self, issuer: &Self) -> bool {
        self.authority_key_id.as_ref().is_none_or(|id| id.fits(issuer))
    }
}

impl AuthorityKeyId {
    /// `X509_check_akid`: what it says agrees with `issuer`.
    pub(super) fn fits(&self, issuer: &OpensslView) -> bool {
        let agrees = |wanted: &Option<Vec<u8>>, offered: Option<&Vec<u8>>| match (wanted, offered) {
            (Some(wanted), Some(offered)) => wanted == offered,
            _ => true,
        };
        agrees(&self.key_id, issuer.subject_key_id.as_ref())
            && agrees(&self.serial, Some(&issuer.serial))
            && self.issuer.as_ref().is_none_or(|name| *name == issuer.issuer)
    }

    pub(super) fn of(mut parts: Elements<'_>) -> Result<Self, Unreadable> {
        let key_id = parts.optional(context(0, false))?.map(|one| one.body.to_vec());
        let names = parts.optional(context(1, true))?.map(|names| general_names(names.inside()));
        // Only the first directory name counts.
        let issuer = names.transpose()?.into_iter().flatten().find_map(|name| match name {
            GeneralName::Directory(name) => Some(name),
            _ => None,
        });
        let serial = parts.optional(context(2, false))?.map(Element::integer).transpose()?;
        parts.end()?;
        Ok(Self { key_id, issuer, serial: serial.map(<[u8]>::to_vec) })
    }
}

fn version(tbs: &mut Elements<'_>) -> Result<(), Unreadable> {
    let Some(wrapped) = tbs.optional(context(0, true))? else { return Ok(()) };
    let mut inside = wrapped.inside();
    inside.expect(INTEGER)?.integer()?;
    inside.end()
}

/// An extension of a certificate, of a revocation list, or of an entry of one.
pub(super) struct CertificateExtension<'a> {
    pub(super) oid: &'a [u8],
    pub(super) critical: bool,
    pub(super) value: &'a [u8],
}

fn extensions(mut tbs: Elements<'_>) -> Result<Vec<CertificateExtension<'_>>, Unreadable> {
    tbs.optional(context(1, false))?;
    tbs.optional(context(2, false))?;
    let Some(wrapped) = tbs.optional(context(3, true))? else {
        return tbs.end().map(|()| Vec::new());
    };
    tbs.end()?;
    let list = wrapped.inside().expect(SEQUENCE)?;
    list.inside().all()?.into_iter().map(extension).collect()
}

/// Reads one extension.
pub(super) fn extension(one: Element<'_>) -> Result<CertificateExtension<'_>, Unreadable> {
    if one.tag != SEQUENCE {
        return Err(Unreadable);
    }
    let mut parts = one.inside();
    let oid = parts.next()?.oid()?;
    let critical = parts.optional(BOOLEAN)?.map(Element::boolean).transpose()?.unwrap_or(false);
    // OpenSSL accepts a constructed string, as BER allows; it is not decoded here, so there is no value.
    let value = match parts.optional(OCTET_STRING | 0x20)? {
        Some(_) => &[][..],
        None => parts.expect(OCTET_STRING)?.body,
    };
    parts.end().map(|()| CertificateExtension { oid, critical, value })
}

fn basic_constraints(value: &mut Elements<'_>) -> Result<(bool, Option<u32>), Unreadable> {
    let mut parts = value.expect(SEQUENCE)?.inside();
    let ca = parts.optional(BOOLEAN)?.map(Element::boolean).transpose()?.unwrap_or(false);
    let length = parts.optional(INTEGER)?.map(Element::integer).transpose()?;
    parts.end()?;
    let length = match length {
        None => None,
        Some([0x80..=0xff, ..]) => return Err(Unreadable),
        Some(bytes) if bytes.len() > 4 => Some(u32::MAX),
        Some(bytes) => Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))),
    };
    Ok((ca, length))
}

/// Whether an `AlgorithmIdentifier` can be read.
pub(super) fn check_algorithm(algorithm: Element<'_>) -> Result<(), Unreadable> {
    let mut parts = algorithm.inside();
    parts.next()?.oid()?;
    if let Ok(parameter) = parts.next() {
        match parameter.tag {
            OID => parameter.oid().map(|_| ())?,
            INTEGER => parameter.integer().map(|_| ())?,
            _ => {}
        }
    }
    parts.end()
}

/// `X509_cmp_time` accepts one form of each type.
pub(super) fn is_well_formed(time: Element<'_>) -> bool {
    let digits = match time.tag {
        UTC_TIME => 12,
        GENERALIZED_TIME => 14,
        _ => return false,
    };
    time.body.len() == digits + 1
        && time.body[..digits].iter().all(u8::is_ascii_digit)
        && time.body[digits] == b'Z'
}

const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 14];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
const DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 31];
/// authorityKeyIdentifier.
pub(super) const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 35];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const NETSCAPE_TYPE: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 1, 1];
const PROXY: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 14];
const ADDRESS_BLOCKS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 7];
const SYSTEM_NUMBERS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 8];

/// Extensions that verification reads, so that a second one makes the certificate invalid.
const READ: [&[u8]; 12] = [
    SUBJECT_KEY_ID,
    KEY_USAGE,
    ALTERNATIVE_NAMES,
    BASIC_CONSTRAINTS,
    NAME_CONSTRAINTS,
    DISTRIBUTION_POINTS,
    AUTHORITY_KEY_ID,
    EXTENDED_KEY_USAGE,
    NETSCAPE_TYPE,
    PROXY,
    ADDRESS_BLOCKS,
    SYSTEM_NUMBERS,
];

/// `X509_supported_extension`: extensions that may be critical. The key identifiers are not among them.
const SUPPORTED: [&[u8]; 15] = [
    NETSCAPE_TYPE,
    KEY_USAGE,
    ALTERNATIVE_NAMES,
    BASIC_CONSTRAINTS,
    &[0x55, 0x1d, 32],
    DISTRIBUTION_POINTS,
    EXTENDED_KEY_USAGE,
    ADDRESS_BLOCKS,
    SYSTEM_NUMBERS,
    &[0x2b, 6, 1, 5, 5, 7, 48, 1, 5],
    &[0x55, 0x1d, 36],
    PROXY,
    NAME_CONSTRAINTS,
    &[0x55, 0x1d, 33],
    &[0x55, 0x1d, 54],
];

/// serverAuth, and the server gated crypto of Microsoft and Netscape.
const SERVER_PURPOSES: [&[u8]; 3] = [
    &[0x2b, 6, 1, 5, 5, 7, 3, 1],
    &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 10, 3, 3],
    &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 4, 1],
];

const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
