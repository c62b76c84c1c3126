//! Sentences with evidence in them: `Token {token.name} was dead for {token.dead_by_s}[[; {clock.ours}]].` What stands
//! in double brackets is left out where the capture does not tell a name within, or an empty text.

use super::condition::Look;
use super::names::{self, NameId, Value};

#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Name(NameId),
    Perhaps(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("there is no evidence with the name “{0}”")]
    NoSuchName(String),
    #[error("a {0} has no partner")]
    Unpaired(&'static str),
}

impl Sentence {
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("[[") {
            let inner = rest.get(open + 2..).unwrap_or_default();
            let close = inner.find("]]").ok_or(Wrong::Unpaired("[["))?;
            plain(rest.get(..open).unwrap_or_default(), &mut pieces)?;
            let mut perhaps = Vec::new();
            plain(inner.get(..close).unwrap_or_default(), &mut perhaps)?;
            pieces.push(Piece::Perhaps(perhaps));
            rest = inner.get(close + 2..).unwrap_or_default();
        }
        plain(rest, &mut pieces)?;
        Ok(Self { pieces })
    }

    pub fn names(&self) -> impl Iterator<Item = NameId> + '_ {
        let inner = |p: &Piece| -> Vec<NameId> {
            match p {
                Piece::Text(_) => Vec::new(),
                Piece::Name(name) => vec![*name],
                Piece::Perhaps(pieces) => {
                    pieces.iter().filter_map(|p| if let Piece::Name(n) = p { Some(*n) } else { None }).collect()
                }
            }
        };
        self.pieces.iter().flat_map(inner)
    }

    pub fn say(&self, evidence: &impl Look) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            say(piece, evidence, &mut out);
        }
        out
    }
}

fn plain(text: &str, pieces: &mut Vec<Piece>) -> Result<(), Wrong> {
    if text.contains("]]") {
        return Err(Wrong::Unpaired("]]"));
    }
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (key, more) = after.split_once('}').ok_or(Wrong::Unpaired("{"))?;
        let name = names::find(key.trim()).ok_or_else(|| Wrong::NoSuchName(key.to_owned()))?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(Piece::Name(name));
        rest = more;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(())
}

fn say(piece: &Piece, evidence: &impl Look, out: &mut String) {
    match piece {
        Piece::Text(text) => out.push_str(text),
        Piece::Name(name) => match evidence.look(*name) {
            Some(value) => out.push_str(&names::shown(names::sort(*name), value)),
            None => out.push_str("(not known)"),
        },
        Piece::Perhaps(pieces) => {
            let is_told = |value: &Value| !matches!(value, Value::Text(text) if text.trim().is_empty());
            let told = |p: &Piece| !matches!(p, Piece::Name(name) if !evidence.look(*name).is_some_and(is_told));
            if pieces.iter().all(told) {
                pieces.iter().for_each(|p| say(p, evidence, out));
            }
        }
    }
}
