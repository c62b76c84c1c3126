//! JSON as it was received: every value keeps its place in the text.
//!
//! A parser of its own, because the usual ones change what they read: big numbers lose digits, repeated keys vanish.
//! It does not recurse, so depth costs nothing, and says exactly where a text stops being JSON.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A value. Nodes stand in the order of the text, a container before what it holds.
#[derive(Clone, Debug)]
pub struct Node {
    pub kind: JsonKind,
    /// The key with its quotes, where it stands in an object.
    pub key: Option<Range<u32>>,
    /// The whole value in the text.
    pub span: Range<u32>,
    pub parent: Option<u32>,
    pub depth: u32,
    /// Place among its siblings.
    pub index: u32,
    /// Values directly in it.
    pub children: u32,
    /// One past its last descendant.
    pub end: u32,
}

/// A text that is JSON, and its values.
#[derive(Clone, Debug)]
pub struct Tree {
    pub nodes: Vec<Node>,
}

/// Where a text stops being JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line}, column {column}")]
pub struct JsonError {
    pub what: &'static str,
    /// Byte in the text.
    pub at: usize,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// After `[`: a value or `]`.
    FirstItem,
    /// After `{`: a key or `}`.
    FirstKey,
    Key,
    /// After a value: `,` or the end of what holds it.
    Next,
}

/// Parses all of `text`. `progress` is told the byte reached every now and then; false stops (as an error).
pub fn parse(text: &str, progress: &mut dyn FnMut(usize) -> bool) -> Result<Tree, JsonError> {
    let mut parser = Parser { text, bytes: text.as_bytes(), at: 0, nodes: Vec::new(), open: Vec::new(), key: None };
    parser.run(progress).map_err(|(what, at)| place(text, what, at))?;
    Ok(Tree { nodes: parser.nodes })
}

fn place(text: &str, what: &'static str, at: usize) -> JsonError {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    JsonError { what, at, line, column }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    /// Containers that are not closed yet.
    open: Vec<u32>,
    key: Option<Range<u32>>,
}

type Fail = (&'static str, usize);

impl Parser<'_> {
    fn run(&mut self, progress: &mut dyn FnMut(usize) -> bool) -> Result<(), Fail> {
        if u32::try_from(self.text.len()).is_err() {
            return Err(("too long", 0));
        }
        let mut expect = Expect::Value;
        loop {
            if self.nodes.len() % 4096 == 4095 && !progress(self.at) {
                return Err(("stopped", self.at));
            }
            self.blanks();
            let Some(&byte) = self.bytes.get(self.at) else {
                return if expect == Expect::Next && self.open.is_empty() {
                    Ok(())
                } else {
                    Err(("the text ends too early", self.at))
                };
            };
            expect = match (expect, byte) {
                (Expect::FirstItem, b']') | (Expect::FirstKey, b'}') => self.close(byte)?,
                (Expect::Next, b']' | b'}') => self.close(byte)?,
                (Expect::Next, b',') => {
                    let kind = self.open.last().map(|n| self.nodes[*n as usize].kind);
                    self.at += 1;
                    match kind {
                        Some(JsonKind::Object) => Expect::Key,
                        Some(_) => Expect::Value,
                        None => return Err(("something after the end", self.at - 1)),
                    }
                }
                (Expect::Next, _) if self.open.is_empty() => return Err(("something after the end", self.at)),
                (Expect::Next, _) => return Err(("expected a comma or the end of what is open", self.at)),
                (Expect::Key | Expect::FirstKey, b'"') => self.read_key()?,
                (Expect::Key | Expect::FirstKey, _) => return Err(("expected a key", self.at)),
                (Expect::Value | Expect::FirstItem, _) => self.value(byte)?,
            };
        }
    }

    fn blanks(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn read_key(&mut self) -> Result<Expect, Fail> {
        let start = self.at;
        self.string()?;
        self.key = Some(start as u32..self.at as u32);
        self.blanks();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(("expected a colon", self.at));
        }
        self.at += 1;
        Ok(Expect::Value)
    }

    fn value(&mut self, byte: u8) -> Result<Expect, Fail> {
        let start = self.at;
        match byte {
            b'{' | b'[' => {
                self.at += 1;
                let (kind, next) = if byte == b'{' {
                    (JsonKind::Object, Expect::FirstKey)
                } else {
                    (JsonKind::Array, Expect::FirstItem)
                };
                self.push(kind, start);
                self.open.push(self.nodes.len() as u32 - 1);
                return Ok(next);
            }
            b'"' => {
                self.string()?;
                self.push(JsonKind::String, start);
            }
            b't' => self.word("true", JsonKind::True)?,
            b'f' => self.word("false", JsonKind::False)?,
            b'n' => self.word("null", JsonKind::Null)?,
            b'-' | b'0'..=b'9' => {
                self.number()?;
                self.push(JsonKind::Number, start);
            }
            _ => return Err(("expected a value", start)),
        }
        Ok(Expect::Next)
    }

    fn push(&mut self, kind: JsonKind, start: usize) {
        let parent = self.open.last().copied();
        let index = parent.map_or(0, |n| {
            let node = &mut self.nodes[n as usize];
            node.children += 1;
            node.children - 1
        });
        let end = self.nodes.len() as u32 + 1;
        self.nodes.push(Node {
            kind,
            key: self.key.take(),
            span: start as u32..self.at as u32,
            parent,
            depth: self.open.len() as u32,
            index,
            children: 0,
            end,
        });
    }

    fn close(&mut self, byte: u8) -> Result<Expect, Fail> {
        let Some(&n) = self.open.last() else { return Err(("nothing is open that this could close", self.at)) };
        let end = self.nodes.len() as u32;
        let node = &mut self.nodes[n as usize];
        if (node.kind == JsonKind::Object) != (byte == b'}') {
            return Err(("this does not close what is open", self.at));
        }
        self.at += 1;
        node.span.end = self.at as u32;
        node.end = end;
        self.open.pop();
        Ok(Expect::Next)
    }

    fn word(&mut self, word: &str, kind: JsonKind) -> Result<(), Fail> {
        let start = self.at;
        if !self.bytes[start..].starts_with(word.as_bytes()) {
            return Err(("expected a value", start));
        }
        self.at += word.len();
        self.push(kind, start);
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fail> {
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                None => return Err(("the text ends within a string", self.at)),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let skip = match self.bytes.get(self.at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                        Some(b'u')
                            if self
                                .bytes
                                .get(self.at + 2..self.at + 6)
                                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
                        {
                            6
                        }
                        _ => return Err(("an unknown escape", self.at)),
                    };
                    self.at += skip;
                }
                Some(0..0x20) => return Err(("a control character within a string", self.at)),
                Some(_) => self.at += 1,
            }
        }
    }

    fn digits(&mut self) -> Result<(), Fail> {
        let start = self.at;
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(("expected a digit", start)) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), Fail> {
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
                return Err(("a number must not begin with a zero", self.at));
            }
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }
}

impl Tree {
    /// The text of a span.
    pub fn raw<'a>(text: &'a str, span: &Range<u32>) -> &'a str {
        text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The way to a node: `$.body.messages[2]["odd key"]`.
    pub fn path(&self, text: &str, node: u32) -> String {
        let mut steps = Vec::new();
        let mut at = Some(node);
        while let Some(n) = at {
            let node = &self.nodes[n as usize];
            steps.push(match &node.key {
                Some(key) => {
                    let name = unquote(Self::raw(text, key));
                    let plain = !name.is_empty()
                        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
                        && !name.starts_with(|c: char| c.is_numeric());
                    if plain { format!(".{name}") } else { format!("[{}]", Self::raw(text, key)) }
                }
                None if node.parent.is_some() => format!("[{}]", node.index),
                None => "$".to_owned(),
            });
            at = node.parent;
        }
        steps.reverse();
        steps.concat()
    }

    /// The JSON over many lines, two spaces a level. `change` may give another text for a value that holds no others.
    pub fn pretty(&self, text: &str, change: &dyn Fn(&Tree, &str, &Node) -> Option<String>) -> String {
        let mut out = String::with_capacity(text.len() * 2);
        let mut open: Vec<(u32, bool)> = Vec::new();
        for (n, node) in self.nodes.iter().enumerate() {
            while open.last().is_some_and(|(end, _)| *end <= n as u32) {
                close_line(&mut out, &mut open);
            }
            if n > 0 {
                out.push_str(if node.index > 0 { ",\n" } else { "\n" });
                indent(&mut out, open.len());
            }
            if let Some(key) = &node.key {
                out.push_str(Self::raw(text, key));
                out.push_str(": ");
            }
            match node.kind {
                JsonKind::Object | JsonKind::Array => {
                    let object = node.kind == JsonKind::Object;
                    if node.children == 0 {
                        out.push_str(if object { "{}" } else { "[]" });
                    } else {
                        out.push(if object { '{' } else { '[' });
                        open.push((node.end, object));
                    }
                }
                _ => match change(self, text, node) {
                    Some(other) => out.push_str(&other),
                    None => out.push_str(Self::raw(text, &node.span)),
                },
            }
        }
        while !open.is_empty() {
            close_line(&mut out, &mut open);
        }
        out
    }
}

/// Not without bound: the indentation of a very deep text would be many times as long as the text.
fn indent(out: &mut String, depth: usize) {
    (0..depth.min(64)).for_each(|_| out.push_str("  "));
}

fn close_line(out: &mut String, open: &mut Vec<(u32, bool)>) {
    if let Some((_, object)) = open.pop() {
        out.push('\n');
        indent(out, open.len());
        out.push(if object { '}' } else { ']' });
    }
}

/// What a quoted string says. Halves of characters that stand alone become U+FFFD.
pub fn unquote(raw: &str) -> std::borrow::Cow<'_, str> {
    let inner = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')).unwrap_or(raw);
    if !inner.contains('\\') {
        return inner.into();
    }
    if let Ok(text) = serde_json::from_str::<String>(raw) {
        return text.into();
    }
    // Lone surrogates: everything else of the string can still be told.
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let length = if rest[at + 1..].starts_with('u') { 6 } else { 2 };
        let (pair, escape) = (rest.get(at..at + 12), rest.get(at..at + length).unwrap_or(&rest[at..]));
        let decode = |s: &str| serde_json::from_str::<String>(&format!("\"{s}\"")).ok();
        if let Some(c) =
            pair.filter(|p| length == 6 && p.get(6..).is_some_and(|low| low.starts_with("\\u"))).and_then(decode)
        {
            out.push_str(&c);
            rest = &rest[at + 12..];
        } else {
            out.push_str(&decode(escape).unwrap_or_else(|| '\u{FFFD}'.to_string()));
            rest = &rest[at + escape.len()..];
        }
    }
    out.push_str(rest);
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Tree, JsonError> {
        parse(text, &mut |_| true)
    }

    #[test]
    fn keeps_digits_order_and_repeated_keys() {
        let text = r#" {"b":12345678901234567890.10, "a":[1,{"x":null}], "b":true} "#;
        let tree = read(text).unwrap();
        let values: Vec<_> = tree.nodes.iter().map(|n| Tree::raw(text, &n.span)).collect();
        assert_eq!(values[1], "12345678901234567890.10");
        assert_eq!(values[2], r#"[1,{"x":null}]"#);
        assert_eq!(tree.nodes[0].children, 3);
        assert_eq!(tree.path(text, 5), "$.a[1].x");
        assert_eq!(tree.nodes[2].end, 6);
        assert_eq!(read(r#"{"a b":{"ü":1}}"#).unwrap().path(r#"{"a b":{"ü":1}}"#, 2), r#"$["a b"].ü"#);
    }

    #[test]
    fn says_where_it_stops_being_json() {
        let e = read("{\n  \"ä\": tru }").unwrap_err();
        assert_eq!((e.line, e.column, e.what), (2, 8, "expected a value"));
        assert_eq!(read("[1,2").unwrap_err().what, "the text ends too early");
        assert_eq!(read("{} x").unwrap_err().what, "something after the end");
        assert_eq!(read("[1}").unwrap_err().what, "this does not close what is open");
        assert_eq!(read("01").unwrap_err().at, 1);
        assert_eq!(read("").unwrap_err().at, 0);
        assert!(read("[1,]").is_err() && read("{\"a\":1,}").is_err() && read("]").is_err());
    }

    #[test]
    fn depth_costs_nothing() {
        let text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let tree = read(&text).unwrap();
        assert_eq!(tree.nodes.len(), 100_000);
        assert!(tree.nodes.iter().all(|n| n.end == 100_000));
        assert!(tree.pretty(&text, &|_, _, _| None).len() < 30_000_000);
    }

    #[test]
    fn pretty_is_the_same_json() {
        let text = r#"{"a":[1,{"x":[]},{}],"b":"c"}"#;
        let pretty = read(text).unwrap().pretty(text, &|_, _, _| None);
        assert_eq!(pretty, "{\n  \"a\": [\n    1,\n    {\n      \"x\": []\n    },\n    {}\n  ],\n  \"b\": \"c\"\n}");
    }

    #[test]
    fn strings_say_what_they_can() {
        assert_eq!(unquote(r#""a\n\u00e4""#), "a\nä");
        assert_eq!(unquote(r#""x\ud800y\ud83d\ude00\n""#), "x\u{FFFD}y😀\n");
        assert!(unquote("\\u4🕴\u{18196}").starts_with('\u{FFFD}'), "no character is cut in two");
    }

    #[test]
    fn can_be_stopped() {
        let text = format!("[{}1]", "1,".repeat(20_000));
        assert_eq!(parse(&text, &mut |_| false).unwrap_err().what, "stopped");
    }

    proptest! {
        #[test]
        fn agrees_with_the_usual_parser(text in r#"[\[\]{},:"\\ truefalsn0-9.eE+\-u]{0,24}"#) {
            prop_assert_eq!(read(&text).is_ok(), serde_json::from_str::<Box<serde_json::value::RawValue>>(&text).is_ok());
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            if let Ok(tree) = read(&text) {
                let pretty = tree.pretty(&text, &|_, _, _| None);
                prop_assert!(read(&pretty).is_ok());
            }
            let _ = unquote(&text);
        }
    }
}
