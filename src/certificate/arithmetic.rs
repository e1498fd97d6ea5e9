//! Verifies signatures that the cryptographic library does not support: RSA of any size and padding, and ECDSA on any
//! curve of `curves.tsv`. All inputs are public, so constant time is not needed.

use std::sync::{LazyLock, OnceLock};

use aws_lc_rs::digest::{self, Algorithm};
use num_bigint::BigUint;

use super::der::{Elements, INTEGER, SEQUENCE, encode};

/// `OPENSSL_RSA_MAX_MODULUS_BITS`: OpenSSL refuses longer keys.
const MAX_MODULUS: u64 = 16384;

/// `OPENSSL_RSA_SMALL_MODULUS_BITS`: longer keys may only have an exponent of up to 64 bits.
const SMALL_MODULUS: u64 = 3072;

/// An RSA public key.
pub(super) struct RsaKey<'a> {
    pub(super) modulus: &'a [u8],
    pub(super) exponent: &'a [u8],
}

impl RsaKey<'_> {
    /// The padded message in a signature, as long as the modulus; `None` if OpenSSL refuses the key or the signature.
    fn open(&self, signature: &[u8]) -> Option<(Vec<u8>, u64)> {
        let [modulus, exponent, signature_number] =
            [self.modulus, self.exponent, signature].map(BigUint::from_bytes_be);
        let bits = modulus.bits();
        let length = usize::try_from(bits.div_ceil(8)).ok()?;
        let sound = (8..=MAX_MODULUS).contains(&bits)
            && (bits <= SMALL_MODULUS || exponent.bits() <= 64)
            && exponent < modulus
            && signature.len() == length
            && signature_number < modulus;
        let opened = sound.then(|| signature_number.modpow(&exponent, &modulus).to_bytes_be())?;
        let mut padded = vec![0; length.checked_sub(opened.len())?];
        padded.extend(opened);
        Some((padded, bits))
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2).
    pub(super) fn verifies_pkcs1(
        &self,
        hash: &HashFunction,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let Some((padded, _)) = self.open(signature) else { return false };
        let digest = digest::digest(hash.algorithm, message);
        let algorithm = encode(SEQUENCE, &[&encode(6, hash.oid)[..], &[5, 0]].concat());
        let info = encode(SEQUENCE, &[algorithm, encode(4, digest.as_ref())].concat());
        let Some(filling) = padded.len().checked_sub(info.len() + 3).filter(|count| *count >= 8)
        else {
            return false;
        };
        padded == [&[0, 1], &vec![0xff; filling][..], &[0], &info].concat()
    }

    /// RSASSA-PSS (RFC 8017 section 9.1.2), with a salt of exactly this length.
    pub(super) fn verifies_pss(
        &self,
        (hash, mask_hash, salt): (&HashFunction, &HashFunction, usize),
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let Some((padded, bits)) = self.open(signature) else { return false };
        let (unused, padded) = match (bits - 1) % 8 {
            0 => (0, padded.get(1..).unwrap_or_default()),
            used => (8 - used, &padded[..]),
        };
        let size = hash.algorithm.output_len();
        let Some(masked) = padded.len().checked_sub(size + 1).filter(|length| *length > salt)
        else {
            return false;
        };
        let (masked_block, rest) = padded.split_at(masked);
        let (wanted, trailer) = rest.split_at(size);
        let mask = mask_hash.mask(wanted, masked);
        let mut block: Vec<u8> =
            masked_block.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
        block[0] &= 0xff_u8 >> unused;
        let (filling, salt) = block.split_at(masked - salt);
        let well_filled = filling.iter().rev().skip(1).all(|byte| *byte == 0);
        let inner = digest::digest(hash.algorithm, message);
        let hashed = digest::digest(hash.algorithm, &[&[0; 8], inner.as_ref(), salt].concat());
        trailer == [0xbc] && well_filled && filling.last() == Some(&1) && hashed.as_ref() == wanted
    }
}

/// A hash, as signatures name it.
pub(super) struct HashFunction {
    pub(super) algorithm: &'static Algorithm,
    pub(super) oid: &'static [u8],
}

impl HashFunction {
    /// The hash of an identifier.
    pub(super) fn by_oid(oid: &[u8]) -> Option<&'static Self> {
        [&SHA1, &SHA224, &SHA256, &SHA384, &SHA512].into_iter().find(|hash| hash.oid == oid)
    }

    /// MGF1 (RFC 8017 appendix B.2.1).
    fn mask(&self, seed: &[u8], length: usize) -> Vec<u8> {
        let blocks = (0_u32..)
            .map(|count| digest::digest(self.algorithm, &[seed, &count.to_be_bytes()].concat()));
        let needed = length.div_ceil(self.algorithm.output_len());
        let mut mask: Vec<u8> =
            blocks.take(needed).flat_map(|block| block.as_ref().to_vec()).collect();
        mask.truncate(length);
        mask
    }
}

pub(super) static SHA1: HashFunction =
    HashFunction { algorithm: &digest::SHA1_FOR_LEGACY_USE_ONLY, oid: &[0x2b, 0x0e, 3, 2, 0x1a] };
pub(super) static SHA224: HashFunction =
    HashFunction { algorithm: &digest::SHA224, oid: &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4] };
pub(super) static SHA256: HashFunction =
    HashFunction { algorithm: &digest::SHA256, oid: &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1] };
pub(super) static SHA384: HashFunction =
    HashFunction { algorithm: &digest::SHA384, oid: &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2] };
pub(super) static SHA512: HashFunction =
    HashFunction { algorithm: &digest::SHA512, oid: &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3] };

/// A curve y² = x³ + ax + b over a prime field.
pub(super) struct Curve {
    prime: BigUint,
    a: BigUint,
    b: BigUint,
    generator: [BigUint; 2],
    order: BigUint,
}

/// A point in Jacobian coordinates (x = X/Z², y = Y/Z³); Z is 0 at infinity.
#[derive(Clone)]
struct Point {
    x: BigUint,
    y: BigUint,
    z: BigUint,
}

impl Curve {
    /// The curve with OpenSSL's name for it.
    pub(super) fn by_name(name: &str) -> Option<&'static Self> {
        /// A name, the numbers as text, and the curve once it was needed.
        type Row = (&'static str, &'static str, OnceLock<Option<Curve>>);
        static CURVES: LazyLock<Vec<Row>> = LazyLock::new(|| {
            let rows = include_str!("curves.tsv").lines().filter(|row| !row.starts_with('#'));
            let split = rows.filter_map(|row| row.split_once('\t'));
            split.map(|(name, numbers)| (name, numbers, OnceLock::new())).collect()
        });
        let (_, numbers, curve) = CURVES.iter().find(|(known, ..)| *known == name)?;
        curve.get_or_init(|| Self::parse(numbers)).as_ref()
    }

    fn parse(numbers: &str) -> Option<Self> {
        let mut cells = numbers.split('\t');
        let mut number = || BigUint::parse_bytes(cells.next()?.as_bytes(), 16);
        let [prime, a, b] = [number()?, number()?, number()?];
        Some(Self { prime, a, b, generator: [number()?, number()?], order: number()? })
    }

    /// The affine coordinates of an encoded point, if it is on the curve (SEC 1 section 2.3.4). OpenSSL also accepts
    /// the two hybrid forms.
    fn point(&self, encoded: &[u8]) -> Option<[BigUint; 2]> {
        let size = usize::try_from(self.prime.bits().div_ceil(8)).ok()?;
        let (form, coordinates) = encoded.split_first()?;
        let (x, y) = match form {
            4 | 6 | 7 if coordinates.len() == 2 * size => {
                let (x, y) = coordinates.split_at(size);
                (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y))
            }
            2 | 3 if coordinates.len() == size => {
                let x = BigUint::from_bytes_be(coordinates);
                let y = self.root(&self.right_side(&x), form & 1 == 1)?;
                (x, y)
            }
            _ => return None,
        };
        let on_curve = (&y * &y) % &self.prime == self.right_side(&x);
        (x < self.prime && y < self.prime && on_curve).then_some([x, y])
    }

    /// Whether a key's bytes are a point of the curve.
    pub(super) fn has_point(&self, encoded: &[u8]) -> bool {
        self.point(encoded).is_some()
    }

    fn right_side(&self, x: &BigUint) -> BigUint {
        (x * x * x + &self.a * x + &self.b) % &self.prime
    }

    /// The odd or even square root, if the prime makes it easy (3 modulo 4); the other curves of the table are only
    /// used with uncompressed points.
    fn root(&self, square: &BigUint, odd: bool) -> Option<BigUint> {
        let quarter: BigUint = (&self.prime + 1_u32) >> 2;
        if (&quarter << 2) != &self.prime + 1_u32 {
            return None;
        }
        let root = square.modpow(&quarter, &self.prime);
        if (&root * &root) % &self.prime != *square {
            return None;
        }
        Some(if root.bit(0) == odd { root } else { &self.prime - root })
    }

    /// ECDSA (SEC 1 section 4.1.4).
    pub(super) fn verifies(&self, key: &[u8], digest: &[u8], signature: &[u8]) -> bool {
        let Some((r, s)) = numbers(signature) else { return false };
        let zero = BigUint::ZERO;
        let in_range = |number: &BigUint| *number > zero && *number < self.order;
        let Some(key) = self.point(key).filter(|_| in_range(&r) && in_range(&s)) else {
            return false;
        };
        let Some(inverse) = s.modinv(&self.order) else { return false };
        let excess = (digest.len() as u64 * 8).saturating_sub(self.order.bits());
        let number = BigUint::from_bytes_be(digest) >> excess;
        let [first, second] = [number, r.clone()].map(|number| number * &inverse % &self.order);
        let sum = self.sum_of_multiples((&first, &self.generator), (&second, &key));
        match sum.z.modinv(&self.prime) {
            Some(inverse) => sum.x * &inverse * &inverse % &self.prime % &self.order == r,
            None => false,
        }
    }

    /// a·P + b·Q, computed together (Shamir's trick).
    fn sum_of_multiples(
        &self,
        (a, p): (&BigUint, &[BigUint; 2]),
        (b, q): (&BigUint, &[BigUint; 2]),
    ) -> Point {
        let point = |[x, y]: &[BigUint; 2]| Point { x: x.clone(), y: y.clone(), z: 1_u32.into() };
        let (p, q) = (point(p), point(q));
        let both = self.sum(&p, &q);
        let mut total = Point { x: 1_u32.into(), y: 1_u32.into(), z: BigUint::ZERO };
        for bit in (0..a.bits().max(b.bits())).rev() {
            total = self.doubled(&total);
            match (a.bit(bit), b.bit(bit)) {
                (true, true) => total = self.sum(&total, &both),
                (true, false) => total = self.sum(&total, &p),
                (false, true) => total = self.sum(&total, &q),
                (false, false) => {}
            }
        }
        total
    }

    fn doubled(&self, point: &Point) -> Point {
        let Point { x, y, z } = point;
        let prime = &self.prime;
        let y_squared = y * y % prime;
        let s = x * &y_squared * 4_u32 % prime;
        let z_squared = z * z % prime;
        let m = (x * x * 3_u32 + &self.a * &z_squared % prime * &z_squared) % prime;
        let new_x = self.difference(&m * &m, &s * 2_u32);
        let new_y = self
            .difference(&m * self.difference(s, &new_x % prime), &y_squared * &y_squared * 8_u32);
        Point { x: new_x, y: new_y, z: y * z * 2_u32 % prime }
    }

    fn sum(&self, one: &Point, other: &Point) -> Point {
        if one.z == BigUint::ZERO {
            return other.clone();
        }
        if other.z == BigUint::ZERO {
            return one.clone();
        }
        let prime = &self.prime;
        let (z1, z2) = (&one.z * &one.z % prime, &other.z * &other.z % prime);
        let (u1, u2) = (&one.x * &z2 % prime, &other.x * &z1 % prime);
        let (s1, s2) = (&one.y * &z2 * &other.z % prime, &other.y * &z1 * &one.z % prime);
        if u1 == u2 && s1 == s2 {
            return self.doubled(one);
        }
        let h = self.difference(u2, &u1);
        let r = self.difference(s2, &s1);
        let h_squared = &h * &h % prime;
        let h_cubed = &h_squared * &h % prime;
        let middle = u1 * &h_squared % prime;
        let x = self.difference(&r * &r, &h_cubed + &middle * 2_u32);
        let y = self.difference(r * self.difference(middle, &x), s1 * h_cubed);
        Point { x, y, z: h * &one.z * &other.z % prime }
    }

    fn difference(&self, one: BigUint, other: impl Into<Subtrahend>) -> BigUint {
        let other = other.into().0 % &self.prime;
        (one + &self.prime - other) % &self.prime
    }
}

/// The subtrahend of a subtraction.
struct Subtrahend(BigUint);

impl From<BigUint> for Subtrahend {
    fn from(number: BigUint) -> Self {
        Self(number)
    }
}

impl From<&BigUint> for Subtrahend {
    fn from(number: &BigUint) -> Self {
        Self(number.clone())
    }
}

/// The two numbers of an ECDSA signature.
fn numbers(signature: &[u8]) -> Option<(BigUint, BigUint)> {
    let mut whole = Elements(signature);
    let mut parts = whole.expect(SEQUENCE).ok()?.inside();
    let mut number = || {
        let body = parts.expect(INTEGER).ok()?.integer().ok()?;
        (body[0] < 0x80).then(|| BigUint::from_bytes_be(body))
    };
    let pair = (number()?, number()?);
    (whole.end().is_ok() && parts.end().is_ok()).then_some(pair)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;

    #[test]
    fn every_generator_lies_on_its_curve_and_has_its_order() {
        let names = include_str!("curves.tsv").lines().filter_map(|row| row.split_once('\t'));
        for (name, _) in names {
            let curve = Curve::by_name(name).unwrap();
            let [x, y] = &curve.generator;
            assert_eq!((y * y) % &curve.prime, curve.right_side(x), "{name}");
            let almost = &curve.order - 1_u32;
            let zero = (&BigUint::ZERO, &curve.generator);
            let last = curve.sum_of_multiples((&almost, &curve.generator), zero);
            let one = Point { x: x.clone(), y: y.clone(), z: 1_u32.into() };
            assert_eq!(curve.sum(&last, &one).z, BigUint::ZERO, "{name}");
        }
    }

    #[test]
    fn what_the_library_signs_is_valid_and_nothing_else_is() {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let signature = key.sign(&random, b"message").unwrap();
        let curve = Curve::by_name("prime256v1").unwrap();
        let digest = |message: &[u8]| digest::digest(&digest::SHA256, message);
        let public = key.public_key().as_ref();
        assert!(curve.verifies(public, digest(b"message").as_ref(), signature.as_ref()));
        assert!(!curve.verifies(public, digest(b"other").as_ref(), signature.as_ref()));
        assert!(!curve.verifies(&public[1..], digest(b"message").as_ref(), signature.as_ref()));
        assert!(!curve.verifies(public, digest(b"message").as_ref(), b"garbage"));
    }
}
