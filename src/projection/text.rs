//! Text as it is, not as it wants to be seen.

use std::borrow::Cow;
use std::fmt::Write;

/// Shows what has no shape or turns the direction of the text: `‹U+202E›`. Line feeds and tabs stay, and so do the
/// joiners that emoji and Persian need.
pub fn visible_controls(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_hidden) else { return Cow::Borrowed(text) };
    let (plain, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(plain);
    for c in rest.chars() {
        if is_hidden(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "‹U+{:04X}›", c as u32);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// True for characters that [`visible_controls`] shows by their number. Source: Unicode `Bidi_Control`, general
/// category Cc, and those of Cf and Zl/Zp that hide or break text.
pub fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // Line ends of other systems are no danger and no news.
        '\r' => false,
        _ if c.is_control() => true,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true,
        '\u{200B}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{206A}'..='\u{206F}' => true,
        '\u{00AD}' | '\u{180E}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_text_round_is_shown() {
        assert_eq!(visible_controls("pay \u{202E}gnp.exe\u{202C}"), "pay ‹U+202E›gnp.exe‹U+202C›");
        assert_eq!(visible_controls("a\0b\u{7f}"), "a‹U+0000›b‹U+007F›");
    }

    #[test]
    fn ordinary_text_is_not_copied() {
        for text in ["", "hello\n\tyou", "👩\u{200D}💻", "می\u{200C}خواهم", "שלום", "日本語"] {
            assert!(matches!(visible_controls(text), Cow::Borrowed(_)), "{text}");
        }
    }
}
