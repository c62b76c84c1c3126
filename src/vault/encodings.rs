//! The forms in which a known value is searched for.
//!
//! Escaped forms (percent, JSON) are not listed here: payloads that hold escapes are decoded instead, see
//! [`super::views`], because every writer escapes other characters. What cannot be undone without knowing where it
//! starts is base64: inside a longer text (`Basic base64(id:secret)`) it depends on the place of the value in it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::model::Secret;

/// Shorter values are not searched for: they would make ordinary words vanish.
pub(super) const SHORTEST: usize = 6;

/// One way in which a value may stand in a payload.
pub(super) struct Form {
    pub bytes: Secret<Vec<u8>>,
    /// The base64 character before it holds some of its bits too.
    pub lead: bool,
    /// The base64 character after it holds some of its bits too.
    pub trail: bool,
    /// It could stand in JSON outside of strings, as a number or a word; there it is never a secret.
    pub bare: bool,
}

/// All forms of a value, none of them shorter than [`SHORTEST`].
pub(super) fn forms(value: &str) -> Vec<Form> {
    let mut out: Vec<Form> = Vec::with_capacity(7);
    let plain = |text: &str| Form {
        bytes: Secret::new(text.as_bytes().to_vec()),
        lead: false,
        trail: false,
        bare: text.bytes().all(|b| b"0123456789+-.eEtrufalsn{}[],: \t\r\n".contains(&b)),
    };
    out.push(plain(value));
    if value.contains(' ') {
        // A form body writes a space as `+`.
        out.push(plain(&Zeroizing::new(value.replace(' ', "+"))));
    }
    for offset in 0..3 {
        let mut shifted = Zeroizing::new(vec![0; offset]);
        shifted.extend_from_slice(value.as_bytes());
        let (first, last) = ((8 * offset).div_ceil(6), 8 * shifted.len() / 6);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = Zeroizing::new(engine.encode(&*shifted));
            let inside = &text.as_bytes()[first..last];
            if inside.len() >= SHORTEST && !out.iter().any(|f| f.bytes.expose() == inside) {
                let bytes = Secret::new(inside.to_vec());
                out.push(Form { bytes, lead: offset > 0, trail: 8 * shifted.len() % 6 != 0, bare: false });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn base64_is_found_at_every_place_in_a_longer_text() {
        let value = "s3cr3t-välue?>";
        let forms = forms(value);
        for before in ["", "a", "ab", "abc", "client-id:"] {
            for after in ["", "x", "xy", "xyz"] {
                let text = STANDARD.encode(format!("{before}{value}{after}"));
                let hit = forms.iter().any(|f| memchr::memmem::find(text.as_bytes(), f.bytes.expose()).is_some());
                assert!(hit, "{text}");
            }
        }
    }

    #[test]
    fn the_shortest_value_has_forms_that_are_long_enough() {
        assert!(forms("abcdef").iter().all(|f| f.bytes.expose().len() >= SHORTEST));
        assert_eq!(forms("abcdef").len(), 4);
    }
}
