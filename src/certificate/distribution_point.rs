//! Distribution points: of a certificate, where its revocation lists are; of a list, what it is about (`DIST_POINT`,
//! `ISSUING_DIST_POINT`).

use super::der::{BIT_STRING, Element, Elements, Unreadable, context};
use super::name_constraints::{GeneralName, general_names};

/// A set of reasons for a revocation, as OpenSSL keeps it.
pub(super) type ReasonSet = u16;

/// Every reason (`CRLDP_ALL_REASONS`).
pub(super) const ALL_REASONS: ReasonSet = 0x807f;

/// One distribution point of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DistributionPoint {
    /// The names of the list.
    pub(super) name: Option<PointName>,
    /// The reasons that the list covers.
    pub(super) reasons: ReasonSet,
    /// Who issues the list, if not the certificate's issuer.
    pub(super) issuers: Vec<GeneralName>,
}

/// The names of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PointName {
    /// Complete names.
    Full(Vec<GeneralName>),
    /// The end of a distinguished name; it is not followed here.
    Relative,
}

/// What a revocation list says that it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of its own in the extension")]
pub(super) struct IssuingPoint {
    /// Its names.
    pub(super) name: Option<PointName>,
    /// Certificates of others than authorities only.
    pub(super) only_users: bool,
    /// Certificates of authorities only.
    pub(super) only_authorities: bool,
    /// Attribute certificates only.
    pub(super) only_attributes: bool,
    /// Some reasons only.
    pub(super) some_reasons: bool,
    /// Certificates of other issuers too.
    pub(super) indirect: bool,
}

impl IssuingPoint {
    pub(super) fn of(mut parts: Elements<'_>) -> Result<Self, Unreadable> {
        let name = parts.optional(context(0, true))?.map(point_name).transpose()?;
        let mut flag = |number: u8| -> Result<bool, Unreadable> {
            Ok(parts
                .optional(context(number, false))?
                .map(Element::boolean)
                .transpose()?
                .unwrap_or(false))
        };
        let (only_users, only_authorities) = (flag(1)?, flag(2)?);
        let some_reasons = parts.optional(context(3, false))?.map(Element::bits).transpose()?;
        let mut flag = |number: u8| -> Result<bool, Unreadable> {
            Ok(parts
                .optional(context(number, false))?
                .map(Element::boolean)
                .transpose()?
                .unwrap_or(false))
        };
        let (indirect, only_attributes) = (flag(4)?, flag(5)?);
        parts.end()?;
        let some_reasons = some_reasons.is_some();
        Ok(Self { name, only_users, only_authorities, only_attributes, some_reasons, indirect })
    }

    /// Whether more than one kind of certificate is said to be the only one, which no certificate can be.
    pub(super) fn contradicts_itself(&self) -> bool {
        let only = [self.only_users, self.only_authorities, self.only_attributes];
        only.into_iter().filter(|one| *one).count() > 1
    }
}

/// Reads the distribution points of a certificate. Each needs a name or an issuer of the list.
pub(super) fn distribution_points(
    points: Elements<'_>,
) -> Result<Vec<DistributionPoint>, Unreadable> {
    let read = |point: Element<'_>| {
        let mut parts = point.inside();
        let name = parts.optional(context(0, true))?.map(point_name).transpose()?;
        let reasons = parts.optional(context(1, false))?;
        let issuers = parts.optional(context(2, true))?.map(|names| general_names(names.inside()));
        parts.end()?;
        let issuers = issuers.transpose()?.unwrap_or_default();
        if name.is_none() && issuers.is_empty() {
            return Err(Unreadable);
        }
        Ok(DistributionPoint { name, reasons: reasons_of(reasons)?, issuers })
    };
    points.all()?.into_iter().map(read).collect()
}

fn reasons_of(bits: Option<Element<'_>>) -> Result<ReasonSet, Unreadable> {
    let Some(bits) = bits else { return Ok(ALL_REASONS) };
    let bits = Element { tag: BIT_STRING, ..bits }.bits()?;
    let byte = |at: usize| bits.get(at).map_or(0, |byte| u16::from(*byte));
    Ok((byte(0) | byte(1) << 8) & ALL_REASONS)
}

fn point_name(name: Element<'_>) -> Result<PointName, Unreadable> {
    let mut inside = name.inside();
    let form = inside.next()?;
    inside.end()?;
    match form.tag {
        0xa0 => Ok(PointName::Full(general_names(form.inside())?)),
        0xa1 => form.inside().all().map(|_| PointName::Relative),
        _ => Err(Unreadable),
    }
}
