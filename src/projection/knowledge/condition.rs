//! The language of conditions: what must be found in the capture for a cause to be the one.
//!
//! A condition is one line; all lines of a cause must hold. It names a piece of evidence (see [`super::names`]) and
//! says what is asked of it:
//!
//! ```text
//! token.dead_by_s > 0                   a number: > >= < <= == !=, against a number or another name
//! skew_s abs > 5                        the same, whatever its sign
//! answer.status in (401, 403)           one of several; texts too
//! answer.text contains 'unknown kid'    whatever the case; of a list: one of its members is this
//! answer.text not contains 'session'
//! request.purpose begins 'token'
//! path.guest != ids.guest               a text: == and !=, whatever the case
//! scope.missing not empty               a text or a list: empty, not empty
//! token.corrupted is yes                a yes or no
//! token.name known                      the capture tells it at all; unknown for the opposite
//! answer.text contains 'a' or answer.text contains 'b'
//! ```
//!
//! Texts stand in single quotes, a quote within them is doubled. What the capture does not tell makes a condition
//! neither true nor false ([`Holds::Unknown`]), except for `known` and `unknown`.

use std::fmt;

use super::names::{self, NameId, Sort, Value};

/// What a condition says of the evidence at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Yes,
    No,
    /// The evidence is missing.
    Unknown,
}

/// Gives the value of a name, none where the capture does not tell it.
pub trait Look {
    fn look(&self, name: NameId) -> Option<&Value>;
}

/// One line: at least one of its alternatives must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    any: Vec<Clause>,
}

#[derive(Clone, Debug, PartialEq)]
struct Clause {
    name: NameId,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Compare { abs: bool, op: Op, with: Operand },
    OneOf(Vec<Value>),
    Contains { not: bool, text: String },
    Begins { text: String },
    Empty { not: bool },
    Is(bool),
    Known { not: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    More,
    AtLeast,
    Less,
    AtMost,
    Same,
    Other,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Value(Value),
    Name(NameId),
}

/// Why a condition cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("it is empty")]
    Empty,
    #[error("there is no evidence with the name “{0}”")]
    NoSuchName(String),
    #[error("after “{0}” a test is missing")]
    NoTest(String),
    #[error("“{0}” is no test; known are > >= < <= == != in contains begins empty is known unknown")]
    NoSuchTest(String),
    #[error("{name} is {sort}, and “{test}” asks for something else")]
    WrongSort { name: String, sort: Sort, test: String },
    #[error("after “{0}” a value is missing")]
    NoValue(String),
    #[error("“{0}” is no number")]
    NoNumber(String),
    #[error("a text stands in single quotes, and this one has no end: {0}")]
    OpenText(String),
    #[error("“{0}” is too much at the end")]
    TooMuch(String),
}

impl Condition {
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let tokens = tokens(text)?;
        if tokens.is_empty() {
            return Err(Wrong::Empty);
        }
        let any = tokens.split(|t| *t == Token::Word("or")).map(clause).collect::<Result<_, _>>()?;
        Ok(Self { any })
    }

    pub fn holds(&self, evidence: &impl Look) -> Holds {
        let mut all = Holds::No;
        for clause in &self.any {
            match clause.holds(evidence) {
                Holds::Yes => return Holds::Yes,
                Holds::Unknown => all = Holds::Unknown,
                Holds::No => {}
            }
        }
        all
    }

    /// It asks only for what is not told. That is no evidence of anything.
    pub fn is_guard(&self) -> bool {
        self.any.iter().any(|c| c.test == Test::Known { not: true })
    }

    /// Every name in it.
    pub fn names(&self) -> impl Iterator<Item = NameId> + '_ {
        self.any.iter().flat_map(|c| {
            let other = match &c.test {
                Test::Compare { with: Operand::Name(name), .. } => Some(*name),
                _ => None,
            };
            std::iter::once(c.name).chain(other)
        })
    }
}

impl Clause {
    fn holds(&self, evidence: &impl Look) -> Holds {
        let value = evidence.look(self.name);
        if let Test::Known { not } = self.test {
            return yes(value.is_some() != not);
        }
        let Some(value) = value else { return Holds::Unknown };
        match &self.test {
            Test::Known { .. } => Holds::Unknown,
            Test::Compare { abs, op, with } => {
                let with = match with {
                    Operand::Value(v) => Some(v),
                    Operand::Name(name) => evidence.look(*name),
                };
                with.map_or(Holds::Unknown, |with| yes(op.compare(*abs, value, with)))
            }
            Test::OneOf(values) => yes(values.iter().any(|v| Op::Same.compare(false, value, v))),
            Test::Contains { not, text } => yes(contains(value, text) != *not),
            Test::Begins { text } => yes(lower(value).starts_with(text.as_str())),
            Test::Empty { not } => {
                let empty = match value {
                    Value::Text(t) => t.trim().is_empty(),
                    Value::List(l) => l.is_empty(),
                    Value::Number(_) | Value::Flag(_) => false,
                };
                yes(empty != *not)
            }
            Test::Is(flag) => yes(*value == Value::Flag(*flag)),
        }
    }
}

fn yes(holds: bool) -> Holds {
    if holds { Holds::Yes } else { Holds::No }
}

fn lower(value: &Value) -> String {
    match value {
        Value::Text(t) => t.to_lowercase(),
        _ => String::new(),
    }
}

fn contains(value: &Value, text: &str) -> bool {
    match value {
        Value::List(l) => l.iter().any(|m| m.to_lowercase() == text),
        _ => lower(value).contains(text),
    }
}

impl Op {
    fn compare(self, abs: bool, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => {
                let a = if abs { a.abs() } else { *a };
                match self {
                    Self::More => a > *b,
                    Self::AtLeast => a >= *b,
                    Self::Less => a < *b,
                    Self::AtMost => a <= *b,
                    Self::Same => a == *b,
                    Self::Other => a != *b,
                }
            }
            (Value::Text(a), Value::Text(b)) => {
                let same = a.to_lowercase() == b.to_lowercase();
                match self {
                    Self::Same => same,
                    Self::Other => !same,
                    _ => false,
                }
            }
            _ => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    /// What stands between quotes, with its doubled quotes.
    Text(&'a str),
    Mark(&'a str),
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(w) | Self::Mark(w) => f.write_str(w),
            Self::Text(t) => write!(f, "'{t}'"),
        }
    }
}

const MARKS: [&str; 9] = [">=", "<=", "==", "!=", ">", "<", "(", ")", ","];

fn tokens(text: &str) -> Result<Vec<Token<'_>>, Wrong> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let inner = rest.get(1..).unwrap_or_default();
            let end = end_of_text(inner).ok_or_else(|| Wrong::OpenText(rest.to_owned()))?;
            out.push(Token::Text(inner.get(..end).unwrap_or_default()));
            rest = inner.get(end + 1..).unwrap_or_default();
        } else if let Some(mark) = MARKS.iter().find(|m| rest.starts_with(**m)) {
            out.push(Token::Mark(mark));
            rest = rest.get(mark.len()..).unwrap_or_default();
        } else {
            let stops = |c: char| c.is_whitespace() || matches!(c, '\'' | '>' | '<' | '=' | '!' | '(' | ')' | ',');
            // A sign that is no mark by itself is taken as a word, to be refused by name.
            let end = rest.find(stops).filter(|n| *n > 0).unwrap_or(if rest.find(stops) == Some(0) {
                first.len_utf8()
            } else {
                rest.len()
            });
            out.push(Token::Word(rest.get(..end).unwrap_or_default()));
            rest = rest.get(end..).unwrap_or_default();
        }
        rest = rest.trim_start();
    }
    Ok(out)
}

/// Where the closing quote stands; a doubled one is part of the text.
fn end_of_text(inner: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + inner.get(from..)?.find('\'')?;
        if inner.get(at + 1..)?.starts_with('\'') {
            from = at + 2;
        } else {
            return Some(at);
        }
    }
}

fn clause(tokens: &[Token<'_>]) -> Result<Clause, Wrong> {
    let Some((first, mut rest)) = tokens.split_first() else { return Err(Wrong::Empty) };
    let Token::Word(key) = first else { return Err(Wrong::NoSuchName(first.to_string())) };
    let name = names::find(key).ok_or_else(|| Wrong::NoSuchName((*key).to_owned()))?;
    let sort = names::sort(name);
    let mut take = |after: &str| -> Result<Token<'_>, Wrong> {
        let (head, tail) = rest.split_first().ok_or_else(|| Wrong::NoTest(after.to_owned()))?;
        rest = tail;
        Ok(*head)
    };
    let mut word = take(key)?;
    let not = word == Token::Word("not");
    let abs = word == Token::Word("abs");
    if not || abs {
        word = take(&word.to_string())?;
    }
    let wrong = || Wrong::WrongSort { name: (*key).to_owned(), sort, test: word.to_string() };
    let is_text = matches!(sort, Sort::Text | Sort::List);
    let test = match word {
        Token::Mark(mark @ (">" | ">=" | "<" | "<=" | "==" | "!=")) if !not => {
            let op = op(mark);
            let fits = match sort {
                Sort::Text => !abs && matches!(op, Op::Same | Op::Other),
                Sort::List | Sort::Flag => false,
                _ => true,
            };
            if !fits {
                return Err(wrong());
            }
            Test::Compare { abs, op, with: operand(take(mark).map_err(|_| Wrong::NoValue(mark.to_owned()))?, sort)? }
        }
        Token::Word("in") if !not && !abs => {
            if matches!(sort, Sort::List | Sort::Flag) {
                return Err(wrong());
            }
            let mut values = Vec::new();
            let mut next = || take("in").map_err(|_| Wrong::NoValue("in".to_owned()));
            if next()? != Token::Mark("(") {
                return Err(Wrong::NoValue("in".to_owned()));
            }
            loop {
                values.push(value(next()?, sort)?);
                match next()? {
                    Token::Mark(",") => {}
                    Token::Mark(")") => break,
                    other => return Err(Wrong::TooMuch(other.to_string())),
                }
            }
            Test::OneOf(values)
        }
        Token::Word(test @ ("contains" | "begins")) if !abs && (!not || test == "contains") => {
            if !is_text || (test == "begins" && sort == Sort::List) {
                return Err(wrong());
            }
            let Ok(Token::Text(text)) = take(test) else { return Err(Wrong::NoValue(test.to_owned())) };
            let text = unquoted(text).to_lowercase();
            if test == "contains" { Test::Contains { not, text } } else { Test::Begins { text } }
        }
        Token::Word("empty") if !abs => {
            if !is_text {
                return Err(wrong());
            }
            Test::Empty { not }
        }
        Token::Word("is") if !not && !abs => {
            if sort != Sort::Flag {
                return Err(wrong());
            }
            match take("is") {
                Ok(Token::Word("yes")) => Test::Is(true),
                Ok(Token::Word("no")) => Test::Is(false),
                _ => return Err(Wrong::NoValue("is".to_owned())),
            }
        }
        Token::Word("known") if !not && !abs => Test::Known { not: false },
        Token::Word("unknown") if !not && !abs => Test::Known { not: true },
        other => return Err(Wrong::NoSuchTest(other.to_string())),
    };
    match rest.first() {
        None => Ok(Clause { name, test }),
        Some(more) => Err(Wrong::TooMuch(more.to_string())),
    }
}

fn op(mark: &str) -> Op {
    match mark {
        ">" => Op::More,
        ">=" => Op::AtLeast,
        "<" => Op::Less,
        "<=" => Op::AtMost,
        "==" => Op::Same,
        _ => Op::Other,
    }
}

/// A value of this sort, or another name of the same.
fn operand(token: Token<'_>, sort: Sort) -> Result<Operand, Wrong> {
    if let Token::Word(key) = token
        && key.starts_with(|c: char| c.is_ascii_alphabetic())
    {
        let name = names::find(key).ok_or_else(|| Wrong::NoSuchName(key.to_owned()))?;
        let other = names::sort(name);
        if other.is_number() != sort.is_number() || matches!(other, Sort::List | Sort::Flag) {
            return Err(Wrong::WrongSort { name: key.to_owned(), sort: other, test: "the comparison".to_owned() });
        }
        return Ok(Operand::Name(name));
    }
    value(token, sort).map(Operand::Value)
}

fn value(token: Token<'_>, sort: Sort) -> Result<Value, Wrong> {
    match (token, sort.is_number()) {
        (Token::Text(text), false) => Ok(Value::Text(unquoted(text))),
        (Token::Word(word), true) => match word.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Number(number)),
            _ => Err(Wrong::NoNumber(word.to_owned())),
        },
        (other, true) => Err(Wrong::NoNumber(other.to_string())),
        (other, false) => Err(Wrong::NoValue(other.to_string())),
    }
}

fn unquoted(text: &str) -> String {
    text.replace("''", "'")
}
