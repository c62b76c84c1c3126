//! Search for text in bytes, in any case.
use regex::bytes::{Regex, RegexBuilder};

/// Compiled size of the largest expression that is accepted.
const LARGEST: usize = 4 << 20;

/// A text to look for.
#[derive(Clone, Debug)]
pub struct Needle(Regex);

impl Needle {
    /// This very text, in any case. It is also found where JSON has escaped it (`\"`, `\u00e9`).
    pub fn text(text: &str) -> Result<Self, String> {
        let mut forms = vec![regex::escape(text)];
        for form in [escaped(text, false), escaped(text, true)] {
            let form = regex::escape(&form);
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        Self::expression(&forms.join("|"))
    }

    pub fn expression(pattern: &str) -> Result<Self, String> {
        RegexBuilder::new(pattern)
            .case_insensitive(true)
            .size_limit(LARGEST)
            .dfa_size_limit(LARGEST)
            .build()
            .map(Self)
            .map_err(|e| match e {
                regex::Error::CompiledTooBig(_) => "this expression is too large".to_owned(),
                other => other.to_string().lines().last().unwrap_or_default().trim().to_owned(),
            })
    }

    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.0.is_match(bytes)
    }
}

/// The text as it stands within a JSON string, with or without escapes beyond ASCII.
fn escaped(text: &str, ascii: bool) -> String {
    let json = serde_json::to_string(text).unwrap_or_default();
    let inner = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    if !ascii {
        return inner.to_owned();
    }
    let mut out = String::with_capacity(inner.len());
    for c in inner.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_found_in_any_case_and_as_json_writes_it() {
        let needle = Needle::text("Grüße \"du\"").unwrap();
        for hay in ["xx grüße \"DU\" yy", r#"{"text":"Grüße \"du\""}"#, r#"{"text":"Gr\u00fc\u00DFe \"du\""}"#] {
            assert!(needle.is_in(hay.as_bytes()), "{hay}");
        }
        assert!(!needle.is_in(b"Gruesse"));
        assert!(Needle::text("a.c").unwrap().is_in(b"xA.Cx"));
        assert!(!Needle::text("a.c").unwrap().is_in(b"abc"));
        assert!(Needle::text("😀").unwrap().is_in(br#""\ud83d\uDE00""#));
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        assert!(Needle::text("abc").unwrap().is_in(b"\xff\xfe abc \xff"));
    }

    #[test]
    fn a_wrong_or_huge_expression_is_refused_with_a_reason() {
        assert!(Needle::expression("(").unwrap_err().contains("unclosed"));
        assert!(Needle::expression(r"(\w{1000}){1000}").unwrap_err().contains("too large"));
    }
}
