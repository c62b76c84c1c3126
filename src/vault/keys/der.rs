//! As much of DER as is needed to say what is wrong with a key. Keys themselves are read by the cryptography library.

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// Algorithms that people mistake for the one that RS256 needs.
const OTHERS: [(&[u8], &str); 6] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], "an elliptic-curve (EC) key"),
    (&[0x2b, 0x65, 0x70], "an Ed25519 key"),
    (&[0x2b, 0x65, 0x71], "an Ed448 key"),
    (&[0x2b, 0x65, 0x6e], "an X25519 key"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a], "a key for RSA-PSS only"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], "a DSA key"),
];

/// What is wrong with the outside of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Bytes follow the structure.
    Trailing,
    Damaged,
    /// Not for RSA signatures: what it is.
    Algorithm(&'static str),
}

/// Checks that all of `der` is one PKCS#8 structure with an RSA key. Gives the size of its modulus in bits.
pub(super) fn private(der: &[u8]) -> Result<usize, Fault> {
    let inner = whole(der)?;
    let (_version, rest) = take(inner, INTEGER).ok_or(Fault::Damaged)?;
    let rest = algorithm(rest)?;
    let (key, _attributes) = take(rest, OCTETS).ok_or(Fault::Damaged)?;
    let (_version, rest) = take(whole(key)?, INTEGER).ok_or(Fault::Damaged)?;
    bits(rest)
}

/// Checks that all of `der` is one SPKI structure with an RSA key. Gives the size of its modulus in bits.
pub(super) fn public(der: &[u8]) -> Result<usize, Fault> {
    let rest = algorithm(whole(der)?)?;
    // A bit string: a byte tells how many bits of the last one are unused.
    let (key, rest) = take(rest, 0x03).ok_or(Fault::Damaged)?;
    match key.split_first() {
        Some((0, key)) if rest.is_empty() => bits(whole(key)?),
        _ => Err(Fault::Damaged),
    }
}

/// Reads the algorithm; gives what follows it.
fn algorithm(bytes: &[u8]) -> Result<&[u8], Fault> {
    let (algorithm, rest) = take(bytes, SEQUENCE).ok_or(Fault::Damaged)?;
    let (id, _parameters) = take(algorithm, OID).ok_or(Fault::Damaged)?;
    if id == RSA {
        return Ok(rest);
    }
    let known = OTHERS.iter().find(|(other, _)| *other == id);
    Err(Fault::Algorithm(known.map_or("a key of another kind", |(_, name)| name)))
}

/// The modulus comes first.
fn bits(bytes: &[u8]) -> Result<usize, Fault> {
    let (modulus, _) = take(bytes, INTEGER).ok_or(Fault::Damaged)?;
    let zeros = modulus.iter().take_while(|b| **b == 0).count();
    let first = modulus.get(zeros).map_or(8, |b| b.leading_zeros() as usize);
    Ok(((modulus.len() - zeros) * 8).saturating_sub(first))
}

/// The inside of a sequence that is all there is.
fn whole(der: &[u8]) -> Result<&[u8], Fault> {
    match take(der, SEQUENCE) {
        Some((inner, [])) => Ok(inner),
        Some(_) => Err(Fault::Trailing),
        None => Err(Fault::Damaged),
    }
}

/// One element with that tag: its contents, and what follows it.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], mut rest) = bytes.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let mut len = usize::from(first);
    if first >= 0x80 {
        let (long, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if long.is_empty() || long.len() > 4 {
            return None;
        }
        len = long.iter().try_fold(0usize, |n, b| n.checked_mul(256)?.checked_add(usize::from(*b)))?;
        rest = after;
    }
    rest.split_at_checked(len)
}
