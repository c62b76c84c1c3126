//! Stand-ins of secrets within text: `[session-token#1]`.

use std::ops::Range;

use crate::model::SecretKind;

/// Where placeholders stand in `text`.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find('[').map(|n| n + from) {
        from = open + 1;
        let Some(close) = text[from..].find(']').map(|n| n + from) else { break };
        if is_placeholder(&text[open..=close]) {
            found.push(open..close + 1);
            from = close + 1;
        }
    }
    found
}

pub(super) fn is_placeholder(text: &str) -> bool {
    text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).and_then(|t| t.split_once('#')).is_some_and(
        |(word, number)| {
            !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
                && SecretKind::ALL.iter().any(|kind| kind.word() == word)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_them_among_other_brackets() {
        let text = "a[0] [jwt#2] [x#1] [[session-token#10]] [jwt#] [jwt#1";
        let found: Vec<_> = find(text).into_iter().map(|r| &text[r]).collect();
        assert_eq!(found, ["[jwt#2]", "[session-token#10]"]);
        assert!(find("").is_empty() && find("ä[ö]").is_empty());
    }
}
