//! Public keys for hellos that need a full `ServerHello` of TLS 1.3. Their private keys are not needed: they are the
//! groups' generators, and ML-KEM's zero polynomials.

use super::group::NamedGroup;

/// Bytes of an ML-KEM-768 and an ML-KEM-1024 encapsulation key (FIPS 203).
const MLKEM768: usize = 1184;
const MLKEM1024: usize = 1568;

/// The base points of the curves (SEC 2), x then y.
const P256: &str = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
    4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
const P384: &str = "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7\
    3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f";
const P521: &str = "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66\
    011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650";

/// A public key of that group in its encoding on the wire (RFC 8446 section 4.2.8); `None` for groups without one here.
pub fn sample_key(group: NamedGroup) -> Option<Vec<u8>> {
    Some(match group.0 {
        0x0017 => point(P256),
        0x0018 => point(P384),
        0x0019 => point(P521),
        0x001d => montgomery(32, 9),
        0x001e => montgomery(56, 5),
        0x0100 => generator(256),
        0x0101 => generator(384),
        0x0102 => generator(512),
        0x0103 => generator(768),
        0x0104 => generator(1024),
        0x11eb => [point(P256), vec![0; MLKEM768]].concat(),
        0x11ec => [vec![0; MLKEM768], montgomery(32, 9)].concat(),
        0x11ed => [point(P384), vec![0; MLKEM1024]].concat(),
        _ => return None,
    })
}

fn point(coordinates: &str) -> Vec<u8> {
    const UNCOMPRESSED: u8 = 4;
    let digits = coordinates.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(text, 16).ok()
    };
    std::iter::once(UNCOMPRESSED).chain(digits.filter_map(byte)).collect()
}

fn montgomery(length: usize, base: u8) -> Vec<u8> {
    let mut key = vec![0; length];
    key[0] = base;
    key
}

/// Four, which generates the same subgroup as the groups' generator 2 (RFC 7919) and passes range checks.
fn generator(length: usize) -> Vec<u8> {
    let mut key = vec![0; length];
    key[length - 1] = 4;
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_lengths_of_the_wire() {
        let length = |number| sample_key(NamedGroup(number)).map(|key| key.len());
        assert_eq!(
            [0x0017, 0x0018, 0x0019, 0x001d, 0x001e].map(length),
            [Some(65), Some(97), Some(133), Some(32), Some(56)]
        );
        assert_eq!([0x11eb, 0x11ec, 0x11ed].map(length), [Some(1249), Some(1216), Some(1665)]);
        assert_eq!(length(0x0001), None);
    }
}
