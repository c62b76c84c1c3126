//! What became of each token, by the placeholder under which it stands in the records.

use std::fmt;

use serde_json::Value;

use crate::model::fact::{Expiry, ExpiryEvent};
use crate::model::{Now, SecretKind, Wall};

/// So many tokens of a session are remembered, the newest.
pub const TOKENS_KEPT: usize = 24;

/// A placeholder: `[session-token#3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenRef {
    pub kind: SecretKind,
    number: u32,
}

impl TokenRef {
    /// The first placeholder of a token in a text; its brackets may be escaped as in addresses.
    pub fn find(text: &[u8]) -> Option<Self> {
        memchr::memchr2_iter(b'[', b'%', text).find_map(|at| {
            let rest = text.get(at..)?;
            let inner = rest.strip_prefix(b"[").or_else(|| rest.strip_prefix(b"%5B"))?;
            Self::inner(inner).filter(|t| t.is_token())
        })
    }

    fn inner(inner: &[u8]) -> Option<Self> {
        SecretKind::ALL.into_iter().find_map(|kind| {
            let rest = inner.strip_prefix(kind.word().as_bytes())?;
            let rest = rest.strip_prefix(b"#").or_else(|| rest.strip_prefix(b"%23"))?;
            let digits = rest.iter().take(9).take_while(|b| b.is_ascii_digit()).count();
            let (number, end) = rest.split_at_checked(digits)?;
            let ends = end.starts_with(b"]") || end.starts_with(b"%5D");
            let number = number.iter().fold(0u32, |n, b| n * 10 + u32::from(b - b'0'));
            (digits > 0 && ends).then_some(Self { kind, number })
        })
    }

    /// Not what opens doors of another sort.
    fn is_token(self) -> bool {
        use SecretKind::{AccessToken, Jwt, Other, RefreshToken, SessionToken};
        matches!(self.kind, SessionToken | AccessToken | RefreshToken | Jwt | Other)
    }
}

impl fmt::Display for TokenRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}#{}]", self.kind.word(), self.number)
    }
}

/// A record and its instant.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub seq: u64,
    pub at: Now,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub name: TokenRef,
    /// Of its clock: `session-token`, `oauth:…`.
    pub clock: Box<str>,
    pub title: Box<str>,
    pub by: Box<str>,
    pub from: Wall,
    pub until: Option<Wall>,
    pub assumed: bool,
    pub told: Moment,
    pub scope: Option<Box<str>>,
    /// What was asked for when it was got.
    pub asked: Option<Box<str>>,
    pub kid: Option<Box<str>>,
    pub guest: Option<Box<str>>,
    pub issued: Option<Wall>,
    pub corrupted: bool,
    pub by_hand: bool,
    pub forgotten: bool,
    pub refused: Option<Moment>,
    pub accepted: Option<Moment>,
    pub replaced: Option<(Moment, TokenRef)>,
}

#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// Oldest first.
    list: Vec<Token>,
    /// Those that were forgotten here because there were too many.
    pub dropped: u64,
}

impl Tokens {
    pub fn get(&self, name: TokenRef) -> Option<&Token> {
        self.list.iter().rev().find(|t| t.name == name)
    }

    pub fn get_mut(&mut self, name: TokenRef) -> Option<&mut Token> {
        self.list.iter_mut().rev().find(|t| t.name == name)
    }

    /// The newest of these clocks that was there at an instant; else the newest of all times.
    pub fn newest(&self, clocks: &[&str], at: Now) -> Option<&Token> {
        let of = || self.list.iter().rev().filter(|t| clocks.contains(&&*t.clock));
        of().find(|t| t.told.at.mono <= at.mono).or_else(|| of().next())
    }

    /// Takes a fact in. `asked`: the scope that the last sign-in asked for.
    pub fn take(&mut self, fact: &Expiry, now: Moment, asked: Option<&str>) {
        let told = fact.token.as_deref().and_then(|t| TokenRef::find(t.as_bytes()));
        let name = told.or_else(|| self.list.iter().rev().find(|t| *t.clock == *fact.id).map(|t| t.name));
        let Some(name) = name else { return };
        if self.get(name).is_none() {
            self.replace(&fact.id, name, now);
            if self.list.len() == TOKENS_KEPT {
                self.list.remove(0);
                self.dropped += 1;
            }
            self.list.push(Token {
                name,
                clock: fact.id.as_str().into(),
                title: fact.title.as_str().into(),
                by: "".into(),
                from: fact.from,
                until: fact.until,
                assumed: fact.assumed,
                told: now,
                scope: None,
                asked: asked.filter(|s| !s.is_empty()).map(Into::into),
                kid: None,
                guest: None,
                issued: None,
                corrupted: false,
                by_hand: false,
                forgotten: false,
                refused: None,
                accepted: None,
                replaced: None,
            });
        }
        let Some(token) = self.get_mut(name) else { return };
        token.by = fact.by.as_str().into();
        token.until = fact.until;
        token.assumed = fact.assumed;
        if let Some(scope) = &fact.scope {
            token.scope = Some(scope.as_str().into());
        }
        if let Some(claims) = &fact.claims {
            let word = |part: &str, name: &str| claims.get(part)?.get(name)?.as_str().map(Into::into);
            token.kid = word("header", "kid");
            token.guest = word("claims", "guestId").or_else(|| word("claims", "sub"));
            token.issued =
                claims.get("claims").and_then(|c| c.get("iat")).and_then(Value::as_f64).map(|s| Wall((s * 1e6) as i64));
        }
        match fact.event {
            ExpiryEvent::Refused => token.refused = token.refused.or(Some(now)),
            ExpiryEvent::Corrupted => token.corrupted = true,
            ExpiryEvent::Expired => token.by_hand = fact.by == "you",
            ExpiryEvent::Forgotten => token.forgotten = true,
            ExpiryEvent::Started | ExpiryEvent::Refreshed | ExpiryEvent::Extended => {}
        }
    }

    fn replace(&mut self, clock: &str, by: TokenRef, now: Moment) {
        if let Some(before) = self.list.iter_mut().rev().find(|t| *t.clock == *clock) {
            before.replaced = before.replaced.or(Some((now, by)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_of_tokens_are_found_in_texts_and_addresses() {
        let found = |text: &str| TokenRef::find(text.as_bytes()).map(|t| t.to_string());
        assert_eq!(found(r#"{"sessionToken":"[session-token#12]"}"#).as_deref(), Some("[session-token#12]"));
        assert_eq!(found("wss://h/x?token=%5Baccess-token%233%5D&y=[jwt#1]").as_deref(), Some("[access-token#3]"));
        assert_eq!(found("[cookie#1] [x#1] [jwt#] [jwt#2"), None);
        assert_eq!(found("[client-secret#1] then [jwt#7]").as_deref(), Some("[jwt#7]"));
        assert_eq!(found("%5B % ["), None);
    }
}
