//! From the text of a filter to its tree.
use std::ops::RangeInclusive;

use memchr::memmem::Finder;

use super::FilterError;
use super::matching::{Node, Test, When};
use super::text::Needle;
use crate::model::Wall;
use crate::model::record::{Direction, Flags, Kind, Lane};

/// Parentheses within parentheses; beyond, a filter is refused.
const DEEPEST: usize = 50;

const FLAGS: [(&str, Flags); 9] = [
    ("malformed", Flags::MALFORMED),
    ("unknown", Flags::UNKNOWN),
    ("fault", Flags::FAULT),
    ("heartbeat", Flags::HEARTBEAT),
    ("typing", Flags::TYPING),
    ("redacted", Flags::REDACTED),
    ("cut", Flags::CUT),
    ("left-out", Flags::LEFT_OUT),
    ("story", Flags::STORY),
];
const LANES: [(&str, Lane); 3] = [("http", Lane::Http), ("socket", Lane::Socket), ("lifecycle", Lane::Lifecycle)];
const DIRECTIONS: [Direction; 3] = [Direction::Sent, Direction::Received, Direction::Local];
const FIELDS: [&str; 14] = [
    "kind", "lane", "dir", "session", "conn", "code", "size", "flag", "before", "after", "seq", "class", "action",
    "url",
];

/// None for a filter that lets everything through.
pub fn parse(text: &str) -> Result<Option<Node>, FilterError> {
    let mut parser = Parser { chars: text.chars().collect(), at: 0, depth: 0 };
    let node = parser.either()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.error_here("this parenthesis closes nothing")),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

fn error(at: usize, what: impl Into<String>) -> FilterError {
    FilterError { at: at + 1, what: what.into() }
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn error_here(&self, what: impl Into<String>) -> FilterError {
        error(self.at, what)
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Terms joined by `or`.
    fn either(&mut self) -> Result<Option<Node>, FilterError> {
        let mut list = Vec::new();
        loop {
            let start = self.at;
            match self.all()? {
                Some(node) => list.push(node),
                None if list.is_empty() && !self.at_or() => return Ok(None),
                None => return Err(error(start.min(self.chars.len()), "a term is missing beside \"or\"")),
            }
            if !self.at_or() {
                break;
            }
            self.at += 2;
        }
        Ok(if list.len() == 1 { list.pop() } else { Some(Node::Any(list)) })
    }

    fn at_or(&self) -> bool {
        let word: String = self.chars[self.at..].iter().take(2).collect();
        let after = self.chars.get(self.at + 2);
        word.eq_ignore_ascii_case("or") && after.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')'))
    }

    /// Terms side by side.
    fn all(&mut self) -> Result<Option<Node>, FilterError> {
        let mut list = Vec::new();
        loop {
            self.skip_blanks();
            if self.peek().is_none_or(|c| c == ')') || self.at_or() {
                break;
            }
            list.push(self.term()?);
        }
        Ok(match list.len() {
            0 => None,
            1 => list.pop(),
            _ => Some(Node::All(list)),
        })
    }

    fn term(&mut self) -> Result<Node, FilterError> {
        let start = self.at;
        match self.peek() {
            Some('-') if self.chars.get(self.at + 1).is_some_and(|c| !c.is_whitespace() && *c != ')') => {
                self.at += 1;
                self.deeper(start)?;
                let node = Node::Not(Box::new(self.term()?));
                self.depth -= 1;
                Ok(node)
            }
            Some('(') => {
                self.at += 1;
                self.deeper(start)?;
                let node = self.either()?;
                self.depth -= 1;
                if self.peek() != Some(')') {
                    return Err(error(start, "this parenthesis is not closed"));
                }
                self.at += 1;
                node.ok_or_else(|| error(start, "there is nothing in these parentheses"))
            }
            Some('"') => {
                let text = self.quoted()?;
                self.needle(&text, start)
            }
            Some('/') if self.slash_closes() => {
                let pattern = self.expression();
                Needle::expression(&pattern)
                    .map(|n| Node::Test(Test::Text(n)))
                    .map_err(|e| error(start, format!("not a regular expression: {e}")))
            }
            _ => self.word_or_field(start),
        }
    }

    fn deeper(&mut self, start: usize) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(error(start, "too deep")) } else { Ok(()) }
    }

    fn needle(&self, text: &str, start: usize) -> Result<Node, FilterError> {
        if text.is_empty() {
            return Err(error(start, "there is no text to look for"));
        }
        Needle::text(text).map(|n| Node::Test(Test::Text(n))).map_err(|e| error(start, e))
    }

    /// Text between quotation marks.
    fn quoted(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        let mut out = String::new();
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(error(start, "this quotation mark is not closed")),
                Some('"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some('\\') if matches!(self.chars.get(self.at + 1), Some('"' | '\\')) => {
                    out.extend(self.chars.get(self.at + 1));
                    self.at += 2;
                }
                Some(c) => {
                    out.push(c);
                    self.at += 1;
                }
            }
        }
    }

    /// True where the slash here begins an expression: another one ends it, at the end of a term. `/api/v2/x` is a
    /// path, and so is a single slash.
    fn slash_closes(&self) -> bool {
        self.closing_slash().is_some()
    }

    fn closing_slash(&self) -> Option<usize> {
        let mut at = self.at + 1;
        while let Some(c) = self.chars.get(at) {
            match c {
                '\\' => at += 2,
                '/' if at > self.at + 1 && self.chars.get(at + 1).is_none_or(|c| c.is_whitespace() || *c == ')') => {
                    return Some(at);
                }
                _ => at += 1,
            }
        }
        None
    }

    fn expression(&mut self) -> String {
        let end = self.closing_slash().unwrap_or(self.chars.len());
        let inner: String = self.chars[(self.at + 1).min(end)..end].iter().collect();
        self.at = (end + 1).min(self.chars.len());
        inner.replace("\\/", "/")
    }

    /// Everything up to a blank or a parenthesis.
    fn bare(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| !c.is_whitespace() && !matches!(c, '(' | ')')) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn word_or_field(&mut self, start: usize) -> Result<Node, FilterError> {
        let word = self.bare();
        if word.eq_ignore_ascii_case("marked") {
            return Ok(Node::Test(Test::Marked));
        }
        let Some((name, rest)) = word.split_once(':') else { return self.needle(&word, start) };
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let field = FIELDS.iter().find(|f| f.eq_ignore_ascii_case(name));
        let (Some(field), false) = (field, rest.starts_with("//")) else {
            if is_name && !rest.starts_with("//") {
                let what = format!("there is no field \"{name}\"; put the text in quotation marks to look for it");
                return Err(error(start, what));
            }
            return self.needle(&word, start);
        };
        let value_at = start + name.chars().count() + 1;
        let value = if rest.starts_with('"') {
            self.at = value_at;
            self.quoted()?
        } else {
            rest.to_owned()
        };
        if value.is_empty() {
            return Err(error(value_at, format!("\"{field}:\" needs a value")));
        }
        field_test(field, &value, value_at).map(Node::Test)
    }
}

fn field_test(field: &'static str, value: &str, at: usize) -> Result<Test, FilterError> {
    let number = |value| range(value).map_err(|what| error(at, what));
    let needle = |value: &str| Needle::text(value).map_err(|what| error(at, what));
    Ok(match field {
        "kind" => Test::Kinds(words(value, at, "kind", &Kind::ALL.map(|k| (k.word(), k)))?),
        "lane" => {
            let lanes = words(value, at, "lane", &LANES)?;
            Test::Kinds(Kind::ALL.into_iter().filter(|k| lanes.contains(&k.lane())).collect())
        }
        "dir" => Test::Directions(words(value, at, "direction", &DIRECTIONS.map(|d| (d.word(), d as i64)))?),
        "flag" => Test::Flags(words(value, at, "flag", &FLAGS)?.into_iter().fold(Flags::NONE, Flags::with)),
        "session" => Test::Session(number(value)?),
        "conn" => Test::Conn(number(value)?),
        "code" => {
            let range = number(value)?;
            let quick =
                (range.start() == range.end()).then(|| Box::new(Finder::new(&range.start().to_string()).into_owned()));
            Test::Code(range, quick)
        }
        "size" => Test::Size(number(value)?),
        "seq" => Test::Seq(number(value)?),
        "before" => Test::Before(when(value).map_err(|what| error(at, what))?),
        "after" => Test::After(when(value).map_err(|what| error(at, what))?),
        "url" => Test::Url(needle(value)?),
        "class" | "action" => Test::Member(field, value.to_lowercase(), needle(value)?),
        _ => return Err(error(at, format!("there is no field \"{field}\""))),
    })
}

/// Words of a fixed list, with commas between them.
fn words<T: Copy>(value: &str, at: usize, what: &str, list: &[(&str, T)]) -> Result<Vec<T>, FilterError> {
    let mut at = at;
    let mut out = Vec::new();
    for word in value.split(',') {
        match list.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
            Some((_, value)) => out.push(*value),
            None => {
                let names: Vec<&str> = list.iter().map(|(name, _)| *name).collect();
                return Err(error(at, format!("there is no {what} \"{word}\"; it may be {}", names.join(", "))));
            }
        }
        at += word.chars().count() + 1;
    }
    Ok(out)
}

/// `7`, `7-9`, `>7`, `>=7`, `<7`, `<=7`.
fn range(text: &str) -> Result<RangeInclusive<i64>, String> {
    let number = |text: &str| {
        text.parse::<u32>().map(i64::from).map_err(|_| format!("\"{text}\" is no number (7, 7-9, >7, >=7, <7, <=7)"))
    };
    Ok(if let Some(n) = text.strip_prefix(">=") {
        number(n)?..=i64::MAX
    } else if let Some(n) = text.strip_prefix("<=") {
        0..=number(n)?
    } else if let Some(n) = text.strip_prefix('>') {
        number(n)? + 1..=i64::MAX
    } else if let Some(n) = text.strip_prefix('<') {
        0..=number(n)? - 1
    } else if let Some((low, high)) = text.split_once('-') {
        let (low, high) = (number(low)?, number(high)?);
        if low > high {
            return Err(format!("{low} is more than {high}"));
        }
        low..=high
    } else {
        number(text).map(|n| n..=n)?
    })
}

/// A time of day (`12:30`, `12:30:05.25`) or an instant (RFC 3339).
fn when(text: &str) -> Result<When, String> {
    if let Some(at) = Wall::parse_rfc3339(text) {
        return Ok(When::Instant(at));
    }
    let time: jiff::civil::Time =
        text.parse().map_err(|_| format!("\"{text}\" is no time (12:30:05 or 2026-11-20T12:30:05Z)"))?;
    let secs = (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60 + i64::from(time.second());
    Ok(When::TimeOfDay(secs * 1_000_000 + i64::from(time.subsec_nanosecond()) / 1000))
}
