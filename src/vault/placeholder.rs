//! Placeholders: what stands where a secret stood, `[session-token#1]`.

use memchr::memchr_iter;

use crate::model::SecretKind;

/// The number of a value that is not kept, so that equal ones cannot share a number of their own.
pub(super) const NOT_KEPT: u32 = 0;

/// No placeholder is longer: brackets, the longest word, `#` and nine digits.
const LONGEST: usize = 32;

pub(super) fn of(kind: SecretKind, number: u32) -> String {
    format!("[{}#{number}]", kind.word())
}

/// The placeholder at the very start of `text`: kind, number and length in bytes.
pub(super) fn parse(text: &[u8]) -> Option<(SecretKind, u32, usize)> {
    let inner = text.strip_prefix(b"[")?;
    let (kind, rest) = SecretKind::ALL
        .into_iter()
        .find_map(|kind| Some((kind, inner.strip_prefix(kind.word().as_bytes())?.strip_prefix(b"#")?)))?;
    let digits = rest.iter().take(9).take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || rest.get(digits) != Some(&b']') {
        return None;
    }
    let number = rest[..digits].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
    Some((kind, number, text.len() - rest.len() + digits + 1))
}

/// Length of the placeholder at the start of `text`, zero for none.
pub(super) fn len_at(text: &[u8]) -> usize {
    if text.first() != Some(&b'[') {
        return 0;
    }
    parse(text).map_or(0, |(.., len)| len)
}

/// Whether any byte of `text[start..end]` belongs to a placeholder.
pub(super) fn touches(text: &[u8], start: usize, end: usize) -> bool {
    let from = start.saturating_sub(LONGEST);
    memchr_iter(b'[', &text[from..end]).any(|n| {
        let len = len_at(&text[from + n..]);
        len > 0 && from + n + len > start
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_written_and_read_back() {
        for kind in SecretKind::ALL {
            let text = of(kind, 999_999_999);
            assert!(text.len() <= LONGEST);
            assert_eq!(parse(text.as_bytes()), Some((kind, 999_999_999, text.len())));
        }
    }

    #[test]
    fn what_only_resembles_a_placeholder_is_none() {
        for text in ["[jwt#]", "[jwt#1", "[jwt1]", "[jwt#1234567890]", "[card#1]", "jwt#1]", "[jwt#1x]", "["] {
            assert_eq!(len_at(text.as_bytes()), 0, "{text}");
        }
    }

    #[test]
    fn touching_counts_only_real_overlap() {
        let text = b"ab[jwt#1]cd[no";
        assert!(touches(text, 0, 3));
        assert!(touches(text, 8, 10));
        assert!(!touches(text, 0, 2));
        assert!(!touches(text, 9, 14));
    }
}
