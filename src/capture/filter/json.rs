//! Looks up one member of a JSON object without building the rest, however deep or cut short it is.

/// The value of a member at the top of an object: a string with its quotation marks, a number, a word, or the first
/// character of something nested. None where the text is no object or has no such member.
pub fn member<'a>(json: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut at = skip_blank(json, 0);
    if json.get(at) != Some(&b'{') {
        return None;
    }
    at += 1;
    loop {
        at = skip_blank(json, at);
        if json.get(at) == Some(&b',') {
            at = skip_blank(json, at + 1);
        }
        if json.get(at) != Some(&b'"') {
            return None;
        }
        let end = end_of_string(json, at)?;
        let key = &json[at + 1..end - 1];
        at = skip_blank(json, end);
        if json.get(at) != Some(&b':') {
            return None;
        }
        at = skip_blank(json, at + 1);
        let end = end_of_value(json, at)?;
        if key == name.as_bytes() {
            return Some(&json[at..end]);
        }
        at = end;
    }
}

/// The text of a JSON string, or the bare value of anything else.
pub fn text(value: &[u8]) -> Option<String> {
    match value.first()? {
        b'"' => serde_json::from_slice(value).ok(),
        _ => String::from_utf8(value.to_vec()).ok(),
    }
}

fn skip_blank(json: &[u8], mut at: usize) -> usize {
    while json.get(at).is_some_and(|b| b.is_ascii_whitespace()) {
        at += 1;
    }
    at
}

/// Just behind the closing quotation mark of the string that begins at `at`.
fn end_of_string(json: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', json.get(at..)?)?;
        if json[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn end_of_value(json: &[u8], at: usize) -> Option<usize> {
    match json.get(at)? {
        b'"' => end_of_string(json, at),
        b'{' | b'[' => {
            let mut depth = 0usize;
            let mut at = at;
            loop {
                match json.get(at)? {
                    b'"' => {
                        at = end_of_string(json, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let len = json[at..].iter().position(|b| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace());
            Some(at + len.unwrap_or(json.len() - at)).filter(|end| *end > at)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_members_at_the_top_only() {
        let json =
            br#" { "a" : {"class":"inner","x":[1,"]}"]}, "code":4011 ,"class" : "Session\u0052esponse", "t":true}"#;
        assert_eq!(text(member(json, "class").unwrap()).unwrap(), "SessionResponse");
        assert_eq!(member(json, "code").unwrap(), b"4011");
        assert_eq!(member(json, "t").unwrap(), b"true");
        assert_eq!(member(json, "x"), None);
        assert_eq!(member(b"[1]", "x"), None);
    }

    #[test]
    fn a_text_that_was_cut_or_is_very_deep_is_read_as_far_as_it_goes() {
        assert_eq!(member(br#"{"class":"A","body":{"text":"cut he"#, "class").unwrap(), br#""A""#);
        let deep = format!("{{\"body\":{}1{},\"class\":\"B\"}}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(member(deep.as_bytes(), "class").unwrap(), br#""B""#);
    }

    proptest! {
        #[test]
        fn never_panics_on_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = member(&bytes, "class").and_then(text);
        }

        #[test]
        fn never_panics_on_what_looks_like_json(s in r#"[{}\[\]",:\\a 1]{0,60}"#) {
            let _ = member(s.as_bytes(), "a").and_then(text);
        }

        #[test]
        fn agrees_with_a_whole_parser(keys in prop::collection::vec("[a-c]", 1..4), n in any::<i32>(), s in ".*") {
            let mut map = serde_json::Map::new();
            for (k, key) in keys.iter().enumerate() {
                let value = match k % 3 {
                    0 => serde_json::json!({"a": s, "b": [s, n]}),
                    1 => serde_json::json!(s),
                    _ => serde_json::json!(n),
                };
                map.insert(key.clone(), value);
            }
            let json = serde_json::Value::Object(map.clone()).to_string();
            for key in ["a", "b", "c"] {
                let found: Option<serde_json::Value> =
                    member(json.as_bytes(), key).and_then(|v| serde_json::from_slice(v).ok());
                prop_assert_eq!(found.as_ref(), map.get(key));
            }
        }
    }
}
