//! Two tellings of the same message made one.

use crate::model::Message;
use crate::model::happening::Source;

/// How much a telling is believed: what the server sent live knows most (own tracing id, fresh links), history comes
/// next, our own frame is only what we wished to say.
pub(super) fn rank(source: Source) -> u8 {
    match source {
        Source::Outgoing => 0,
        Source::History => 1,
        Source::Live => 2,
    }
}

/// Takes into `kept` what `other` knows: the better telling wins field by field, the first among equals, and what
/// only one of them has stays. The result does not depend on which came first, unless two equally good ones differ.
pub(super) fn merge(kept: &mut Message, mut other: Message) {
    if rank(other.source) > rank(kept.source) {
        std::mem::swap(kept, &mut other);
    }
    let mut names: Vec<String> = std::mem::take(&mut kept.also);
    names.extend(other.also);
    if kept.key.is_empty() {
        kept.key = other.key;
    } else {
        names.push(other.key);
    }
    names.retain(|n| !n.is_empty() && *n != kept.key);
    names.sort();
    names.dedup();
    names.truncate(MOST_KEYS);
    kept.also = names;
    kept.tracing = kept.tracing.take().or(other.tracing);
    kept.at = kept.at.or(other.at);
    kept.from = kept.from.take().or(other.from);
    kept.text = kept.text.take().or(other.text);
    kept.authenticated |= other.authenticated;
    if kept.parts.is_empty() {
        kept.parts = other.parts;
    }
    if kept.attributes.is_empty() {
        kept.attributes = other.attributes;
    }
}

/// The server has two names for a message; a hostile one must not pile up more than these.
const MOST_KEYS: usize = 8;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Wall;
    use crate::model::happening::Side;

    pub fn message(key: &str, tracing: Option<&str>, source: Source, at: Option<i64>) -> Message {
        Message {
            key: key.into(),
            also: Vec::new(),
            tracing: tracing.map(Into::into),
            side: Side::Guest,
            source,
            at: at.map(Wall),
            from: None,
            text: Some("hello".into()),
            parts: Vec::new(),
            authenticated: false,
            attributes: Vec::new(),
        }
    }

    #[test]
    fn the_order_of_tellings_does_not_matter() {
        let mut own = message("", Some("t"), Source::Outgoing, None);
        own.attributes = vec![("plan".into(), "gold".into())];
        let mut live = message("m", Some("t"), Source::Live, Some(7));
        live.also = vec!["i".into()];
        let history = message("i", None, Source::History, Some(7));
        let tellings = [own, live, history];
        let mut results = Vec::new();
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut kept = tellings[order[0]].clone();
            merge(&mut kept, tellings[order[1]].clone());
            merge(&mut kept, tellings[order[2]].clone());
            results.push(kept);
        }
        assert!(results.windows(2).all(|w| w[0] == w[1]), "{results:#?}");
        assert_eq!(results[0].key, "m");
        assert_eq!(results[0].also, ["i"]);
        assert_eq!(results[0].attributes.len(), 1);
    }
}
