//! From the bytes that a person gives to the DER of one key.

use super::refusals::Want;
use super::{der, pem};
use crate::model::{Report, Secret};

/// Sizes of a modulus in bits.
const SIZES: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Reads PEM with one block of the wanted kind.
pub(super) fn from_pem(text: &[u8], want: Want) -> Result<Secret<Vec<u8>>, Report> {
    let blocks = pem::blocks(text).map_err(|fault| want.pem(&fault))?;
    let block = match blocks.as_slice() {
        [block] => block,
        // The parameters of a curve come with its key.
        [first, ..] if first.label.starts_with("EC ") => first,
        _ => return Err(want.several(&blocks.iter().map(|b| b.label).collect::<Vec<_>>())),
    };
    if block.label != want.label() {
        return Err(want.label_of(block.label, block.headers() == Some(pem::Fault::Headers { encrypted: true })));
    }
    let bytes = block.decode().map_err(|fault| want.pem(&fault))?;
    check_der(bytes.expose(), want)?;
    Ok(bytes)
}

/// Checks what can be said of a key without mathematics.
pub(super) fn check_der(bytes: &[u8], want: Want) -> Result<(), Report> {
    let bits = match want {
        Want::Private => der::private(bytes),
        Want::Public => der::public(bytes),
    };
    let bits = bits.map_err(|fault| want.der(&fault))?;
    if SIZES.contains(&bits) { Ok(()) } else { Err(want.size(bits)) }
}
