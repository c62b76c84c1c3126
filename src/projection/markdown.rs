//! Foreign text within Markdown: it is shown as it is and cannot become markup.

use super::text::visible_controls;

/// Escapes text for use within a paragraph. Lines are kept by hard breaks; an empty line does not end the paragraph.
pub(super) fn escape(text: &str) -> String {
    let text = visible_controls(text.trim_matches(['\n', '\r']));
    let mut out = String::with_capacity(text.len() + 8);
    for (n, line) in text.lines().enumerate() {
        if n > 0 {
            out.push_str("\\\n");
        }
        escape_line(line.trim(), n > 0, &mut out);
    }
    out
}

/// As [`escape`], all in one line.
pub(super) fn escape_inline(text: &str) -> String {
    let mut out = String::new();
    escape_line(visible_controls(text).replace(['\n', '\r', '\t'], " ").trim(), false, &mut out);
    out
}

fn escape_line(line: &str, at_start: bool, out: &mut String) {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    for (n, c) in line.char_indices() {
        let always = matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!' | '$' | '{' | '}' | '^'
        );
        // At the start of a line these begin lists, rules and headings.
        let first =
            at_start && ((n == 0 && matches!(c, '-' | '+' | '=' | ':')) || (n == digits && matches!(c, '.' | ')')));
        if always || first {
            out.push('\\');
        }
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markup_is_text() {
        assert_eq!(escape("**bold** <b> [x](y) `c`"), r"\*\*bold\*\* \<b\> \[x\](y) \`c\`");
        assert_eq!(
            escape("one\n\n- two\n1. three\n===\n    four"),
            "one\\\n\\\n\\- two\\\n1\\. three\\\n\\===\\\nfour"
        );
        assert_eq!(escape_inline("a\nb"), "a b");
        assert_eq!(escape("turn \u{202E}round"), "turn ‹U+202E›round");
    }

    proptest! {
        #[test]
        fn no_text_escapes_from_its_paragraph(text in "[\\\\`*_\\[\\]<>#|~&!$a1.)\\- \n\r\t\u{202E}=+]{0,60}") {
            let out = escape(&text);
            for (n, line) in out.lines().enumerate() {
                prop_assert!(!line.trim().is_empty() || out.is_empty(), "a blank line ends the paragraph");
                if n > 0 {
                    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
                    let numbered = rest.len() < line.len() && rest.starts_with(['.', ')']);
                    prop_assert!(!numbered && !line.starts_with(['-', '+', '=', '#', '>']), "{:?}", line);
                }
            }
            let mut escaped = false;
            for c in out.chars() {
                if escaped {
                    escaped = false;
                } else if c == '\\' {
                    escaped = true;
                } else {
                    prop_assert!(!"`*_[]<>#|~&!$".contains(c), "{:?} stands bare in {:?}", c, out);
                }
            }
        }
    }
}
