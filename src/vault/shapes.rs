//! What betrays a secret that nobody told us of: its shape, or the name before it.
//!
//! Triggers are found first, short pieces of text; then is decided what they mean where they stand. Nothing is
//! copied before a shape is certain, because some triggers stand in ordinary frames.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use memchr::{memchr, memmem, memrchr};

use super::armour;
use super::names::{self, Role};
use super::placeholder::len_at;
use super::shape::{Shape, Style, password_of};
use super::views::View;
use crate::model::SecretKind;

/// A piece of text that makes us look closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    /// Part of a name of [`names::role`].
    Name(&'static str),
    /// `{"` in base64, the first bytes of a JWT.
    Jwt,
    Bearer,
    Basic,
    /// An address, which may hold a password.
    Address,
    /// In the first line of a private key in PEM.
    PrivateKey,
    /// Part of a name that stands beside an authorisation code, whose own name (`code`) is in every frame.
    Exchange(&'static str),
}

use Trigger::*;

/// Kinds of tokens as this program's own orders name them: `{"token":"guest-auth"}` holds none.
const OWN_WORDS: [&[u8]; 4] = [b"guest-auth", b"guest-refresh", b"session-token", b"guest-token"];

const TRIGGERS: [Trigger; 31] = [
    Name("oken"),
    Name("OKEN"),
    Name("jwt"),
    Name("Jwt"),
    Name("JWT"),
    Name("ecret"),
    Name("ECRET"),
    Name("asswor"),
    Name("ASSWOR"),
    Name("asswd"),
    Name("pwd"),
    Name("sphras"),
    Name("uthori"),
    Name("UTHORI"),
    Name("ookie"),
    Name("OOKIE"),
    Name("gnatur"),
    Name("sig="),
    Name("denti"),
    Name("pi_key"),
    Name("pi-key"),
    Name("piKey"),
    Jwt,
    Bearer,
    Basic,
    Address,
    PrivateKey,
    Exchange("grant_"),
    Exchange("edirec"),
    Exchange("erifie"),
    Exchange("state="),
];

impl Trigger {
    fn literal(self) -> &'static [u8] {
        match self {
            Name(text) | Exchange(text) => text.as_bytes(),
            Jwt => b"eyJ",
            Bearer => b"earer ",
            Basic => b"asic ",
            Address => b"://",
            PrivateKey => armour::WORD,
        }
    }
}

/// All triggers in one pass. So few patterns are searched for with vector instructions; a few more would not be.
static SEARCH: LazyLock<AhoCorasick> = LazyLock::new(|| {
    match AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(TRIGGERS.map(Trigger::literal)) {
        Ok(search) => search,
        // Going on without it would let secrets through.
        Err(e) => unreachable!("a few short constant patterns fit into an automaton: {e}"),
    }
});

/// All shapes in a view. `json` where the payload begins like JSON.
pub(super) fn shapes(view: &View<'_>, json: bool) -> Vec<Shape> {
    let mut shapes: Option<Shapes<'_>> = None;
    let mut from = 0;
    while let Some(hit) = SEARCH.find(Input::new(view.text).range(from..)) {
        from = hit.start() + 1;
        shapes.get_or_insert_with(|| Shapes::of(view, json)).look(TRIGGERS[hit.pattern().as_usize()], hit.start());
    }
    shapes.map(|s| s.found).unwrap_or_default()
}

/// What was found in one view so far.
struct Shapes<'v> {
    view: &'v View<'v>,
    text: &'v [u8],
    /// The payload begins like JSON, so that a plain `"` ends whatever stands in a string.
    json: bool,
    found: Vec<Shape>,
    /// Triggers before this place have had their say.
    quiet: usize,
    quiet_exchange: usize,
}

impl<'v> Shapes<'v> {
    fn of(view: &'v View<'v>, json: bool) -> Self {
        Self { view, text: view.text, json, found: Vec::new(), quiet: 0, quiet_exchange: 0 }
    }

    /// Looks at what stands around a trigger. To be called with rising `at`.
    fn look(&mut self, trigger: Trigger, at: usize) {
        // A private key is one whatever name stands before it.
        if at < self.quiet && trigger != PrivateKey {
            return;
        }
        match trigger {
            Name(part) => self.name(at, part.len()),
            Jwt => self.jwt(at),
            Bearer => self.bearer(at),
            Basic => self.basic(at),
            Address => self.address(at),
            PrivateKey => self.private_key(at),
            Exchange(part) => {
                self.name(at, part.len());
                self.exchange(at);
            }
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    fn found(&mut self, start: usize, end: usize, kind: SecretKind, style: Style) {
        self.quiet = self.quiet.max(end);
        let raw = &self.text[start..end];
        // A key in PEM, whose first word looks like the whole of a value, is found by its shape.
        if OWN_WORDS.contains(&raw) {
            return;
        }
        let empty_word = matches!(raw, b"" | b"null" | b"undefined" | b"true" | b"false" | b"-----BEGIN");
        if empty_word || len_at(raw) == raw.len() || raw.iter().all(|b| *b == b'*') {
            return;
        }
        let kind = if is_jwt(raw) { SecretKind::Jwt } else { kind };
        self.found.push(Shape { start, end, kind, style });
    }

    /// A name, and where its value stands: `"name":"value"`, `["name","value"]`, `{"name":"n","value":"v"}`,
    /// `name=value`, `name: value`.
    fn name(&mut self, at: usize, len: usize) {
        let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let mut start = at - self.text[..at].iter().rev().take(48).take_while(|b| is_part(**b)).count();
        // `sig=` has its sign of equality in the trigger.
        let end = match at + len {
            after if self.text[after - 1] == b'=' => after - 1,
            after => after + self.text[after..].iter().take(48).take_while(|b| is_part(**b)).count(),
        };
        // The letters of an escape before the name are not part of it.
        match start.checked_sub(1).and_then(|i| self.byte(i)) {
            Some(b'\\') => start = (start + 1).min(at),
            Some(b'%') => start = (start + 2).min(at),
            _ => {}
        }
        let Some(role) = names::role(&self.text[start..end]) else { return };
        let quote = start.checked_sub(1).and_then(|i| self.byte(i)).filter(|b| matches!(b, b'"' | b'\''));
        if quote.is_some() && self.byte(end) == quote {
            self.member(role, start - 1, end + 1);
        } else if self.byte(end) == Some(b'=') {
            self.parameter(role, end + 1);
        } else if self.byte(end) == Some(b':') {
            self.line(role, end + 1);
        }
    }

    /// A quoted name that began at `before` and ended at `after`, quotes included.
    fn member(&mut self, role: Role, before: usize, after: usize) {
        if matches!(role, Role::Parameter(_)) {
            return;
        }
        let mark = self.skip_space(after);
        let mut at = self.skip_space(mark + 1);
        match self.byte(mark) {
            Some(b':') => {}
            Some(b',') => {
                let rest = &self.text[at.min(self.text.len())..];
                if rest.starts_with(b"\"value\"") {
                    at = self.skip_space(self.skip_space(at + 7) + 1);
                } else if !self.text[..before].trim_ascii_end().ends_with(b"[") {
                    return;
                }
            }
            _ => return,
        }
        // Some writers give the lines of a header as a list.
        let list = self.byte(at) == Some(b'[') && len_at(&self.text[at..]) == 0;
        if list {
            at = self.skip_space(at + 1);
        }
        while let Some(quote @ (b'"' | b'\'')) = self.byte(at) {
            let end = self.string_end(at, quote);
            self.value(role, at + 1, end, Style::Quoted);
            at = self.skip_space(end + 1);
            if !list || self.byte(at) != Some(b',') {
                return;
            }
            at = self.skip_space(at + 1);
        }
    }

    fn parameter(&mut self, role: Role, at: usize) {
        if let Some(quote @ (b'"' | b'\'')) = self.byte(at).filter(|_| !self.is_end_of_string(at)) {
            return self.value(role, at + 1, self.string_end(at, quote), Style::Quoted);
        }
        let kind = match role {
            Role::Secret(kind) | Role::Parameter(kind) => kind,
            Role::Authorization => SecretKind::AccessToken,
            Role::Cookie | Role::SetCookie => SecretKind::Cookie,
        };
        self.found(at, self.run_end(at), kind, Style::Percent);
    }

    /// `Name: value`, a header line or a line of a settings file.
    fn line(&mut self, role: Role, after: usize) {
        let start = after + self.text[after..].iter().take_while(|b| **b == b' ').count();
        match role {
            Role::Parameter(_) => {}
            Role::Secret(kind) => {
                let end = self.run_end(start);
                let word = self.text[start..end].iter().all(|b| b.is_ascii_alphabetic() || *b == b'-');
                if !word {
                    self.found(start, end, kind, Style::Plain);
                }
            }
            _ => {
                let ends = |at: usize| match self.text[at] {
                    b'\r' | b'\n' => true,
                    b'"' => self.is_end_of_string(at),
                    _ => false,
                };
                let end = (start..self.text.len()).find(|at| ends(*at)).unwrap_or(self.text.len());
                let prose =
                    matches!(role, Role::Cookie | Role::SetCookie) && memchr(b'=', &self.text[start..end]).is_none();
                if !prose {
                    self.value(role, start, end, Style::Plain);
                }
                self.quiet = self.quiet.max(end);
            }
        }
    }

    /// A whole value of a name.
    fn value(&mut self, role: Role, start: usize, end: usize, style: Style) {
        match role {
            Role::Secret(kind) | Role::Parameter(kind) => self.found(start, end, kind, style),
            Role::Authorization => self.credentials(start, end, style),
            Role::Cookie => self.cookies(start, end, style, usize::MAX),
            Role::SetCookie => self.cookies(start, end, style, 1),
        }
        self.quiet = self.quiet.max(end);
    }

    /// `scheme credentials`, or credentials alone.
    fn credentials(&mut self, start: usize, end: usize, style: Style) {
        let value = &self.text[start..end];
        let scheme = memchr(b' ', value).unwrap_or(0);
        let from = start + scheme + value[scheme..].iter().take_while(|b| **b == b' ').count();
        let token = value[..scheme].eq_ignore_ascii_case(b"bearer");
        let basic = value[..scheme].eq_ignore_ascii_case(b"basic");
        // In prose more words may follow.
        let to = match memchr(b' ', &self.text[from..end]) {
            Some(n) if token || basic => from + n,
            _ => end,
        };
        if basic {
            self.found(from, to, SecretKind::ClientSecret, Style::Basic);
        } else {
            self.found(from, to, SecretKind::AccessToken, style);
        }
    }

    fn cookies(&mut self, start: usize, end: usize, style: Style, most: usize) {
        let mut at = start;
        for _ in 0..most {
            let stop = memchr(b';', &self.text[at..end]).map_or(end, |n| at + n);
            let from = memchr(b'=', &self.text[at..stop]).map_or(at, |n| at + n + 1);
            let blank = self.text[from..stop].iter().take_while(|b| **b == b' ').count();
            self.found(from + blank, stop, SecretKind::Cookie, style);
            if stop >= end {
                return;
            }
            at = stop + 1;
        }
    }

    fn jwt(&mut self, at: usize) {
        let mut end = at + run(&self.text[at..], is_base64url);
        let (header, mut parts, mut filled) = (end - at, 1, end);
        // Three parts, or five where it is encrypted; parts but the first may be empty.
        while parts < 5 && self.byte(end) == Some(b'.') {
            let len = run(&self.text[end + 1..], is_base64url);
            if parts >= 3 && len == 0 {
                break;
            }
            parts += 1;
            end += 1 + len;
            filled = if len > 0 { end } else { filled };
        }
        self.quiet = end;
        if header >= 10 && parts >= 2 && filled > at + header {
            self.found(at, end, SecretKind::Jwt, Style::Plain);
        }
    }

    /// `Bearer x` without its header name, in error texts and the like.
    fn bearer(&mut self, at: usize) {
        let start = at + 6;
        let len = run(&self.text[start..], |b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
        let value = &self.text[start..start + len];
        let dots = if is_jwt(value) { 0 } else { value.iter().rev().take_while(|b| **b == b'.').count() };
        let value = &value[..value.len() - dots];
        if looks_random(value) {
            self.found(start, start + value.len(), SecretKind::AccessToken, Style::Plain);
        }
    }

    fn basic(&mut self, at: usize) {
        let start = at + 5;
        let end = start + run(&self.text[start..], |b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
        if password_of(&self.text[start..end]).is_some() {
            self.found(start, end, SecretKind::ClientSecret, Style::Basic);
        }
    }

    /// `scheme://user:password@host`.
    fn address(&mut self, at: usize) {
        let start = at + 3;
        let ends = |b: u8| b"/?#\"'<>\\".contains(&b) || b.is_ascii_whitespace();
        let len = self.text[start..].iter().take(1024).take_while(|b| !ends(**b)).count();
        let authority = &self.text[start..start + len];
        let Some(user) = memrchr(b'@', authority) else { return };
        if let Some(colon) = memchr(b':', &authority[..user]) {
            self.found(start + colon + 1, start + user, SecretKind::Password, Style::Percent);
        }
    }

    fn private_key(&mut self, at: usize) {
        let Some((start, end)) = armour::private_key(self.text, at) else { return };
        self.found(start, end, SecretKind::PrivateKey, Style::Armoured);
    }

    /// An authorisation code near the names that stand beside one. Status words are none.
    fn exchange(&mut self, at: usize) {
        const NEAR: usize = 8192;
        if at < self.quiet_exchange {
            return;
        }
        self.quiet_exchange = at + NEAR / 2;
        let quiet = self.quiet;
        let from = at.saturating_sub(NEAR);
        let to = self.text.len().min(at + NEAR);
        for n in memmem::find_iter(&self.text[from..to], "code") {
            let start = from + n;
            let end = start + 4;
            let before = start.checked_sub(1).and_then(|i| self.byte(i));
            let (start, end, style) = if before == Some(b'"') && self.byte(end) == Some(b'"') {
                let colon = self.skip_space(end + 1);
                let open = self.skip_space(colon + 1);
                if self.byte(colon) != Some(b':') || self.byte(open) != Some(b'"') {
                    continue;
                }
                (open + 1, self.string_end(open, b'"'), Style::Quoted)
            } else if self.byte(end) == Some(b'=') && !before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
                (end + 1, self.run_end(end + 1), Style::Percent)
            } else {
                continue;
            };
            let value = &self.text[start..end];
            let word = value.iter().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'_' | b'-'));
            let number = value.iter().all(u8::is_ascii_digit);
            if !word && !number {
                self.found(start, end, SecretKind::Other, style);
            }
        }
        // What was found may lie ahead, and other triggers before it.
        self.quiet = quiet;
    }

    fn skip_space(&self, at: usize) -> usize {
        at + self.text.get(at..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_whitespace()).count())
    }

    /// A plain quote in JSON, not one that was decoded from an escape.
    fn is_end_of_string(&self, at: usize) -> bool {
        self.json && self.byte(at) == Some(b'"') && self.view.weight(at) == 1
    }

    /// Where the string ends that opens at `open`: at the next quote that is escaped as often as the first, or less;
    /// at the end of the text where there is none.
    fn string_end(&self, open: usize, quote: u8) -> usize {
        let decoded = self.view.is_decoded();
        let weight = |at| if decoded { self.view.weight(at) } else { 1 };
        let first = weight(open);
        let mut at = open + 1;
        while let Some(b) = self.byte(at) {
            if b == b'\\' && weight(at) <= first {
                at += 1;
            } else if b == quote && weight(at) <= first || quote == b'\'' && matches!(b, b'"' | b'\n') {
                return at;
            }
            at += 1;
        }
        self.text.len()
    }

    /// Where a value without quotes ends.
    fn run_end(&self, start: usize) -> usize {
        let hard = |b: u8| b <= b' ' || b"&#\"<>\\`".contains(&b);
        let soft = |b: u8| b"',;.)]}".contains(&b);
        let mut at = start;
        while let Some(b) = self.byte(at) {
            let skip = len_at(&self.text[at..]);
            if skip > 0 {
                at += skip;
            } else if hard(b) || soft(b) && self.byte(at + 1).is_none_or(|next| hard(next) || soft(next)) {
                break;
            } else {
                at += 1;
            }
        }
        at
    }
}

fn run(text: &[u8], is_part: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|b| is_part(**b)).count()
}

fn is_base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

fn is_jwt(value: &[u8]) -> bool {
    value.starts_with(b"eyJ") && memchr(b'.', value).is_some()
}

/// No word of a sentence: "bearer authentication" is not a secret.
fn looks_random(value: &[u8]) -> bool {
    let digit = value.iter().any(u8::is_ascii_digit);
    let upper = value.iter().skip(1).any(u8::is_ascii_uppercase);
    value.len() >= 8 && digit || value.len() >= 16 && upper
}
