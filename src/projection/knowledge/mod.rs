//! What is known of failures: causes, the evidence that each needs, what it says and what mends it. Data, in
//! `assets/knowledge/*.yaml`, and in files of a tester's own. Beside them stand the [rules](rule) of the lint.
//!
//! ```yaml
//! causes:
//!   - id: token-dead                        # a stable word
//!     title: The token had expired          # one line
//!     of: [http 401, upgrade 401]           # what it explains, see [`Of`]
//!     dialects: [external-contact]          # these only; left out for all
//!     text: [expired, invalid]              # the answer must say one of these, whatever the case; left out for any
//!     needs:                                # all must hold, see [`condition`]
//!       - token.dead_by_s > 0
//!     says: It was dead for {token.dead_by_s} when it was sent[[; {clock.ours}]].
//!     fix: [Renew it earlier.]
//!     would_decide: The token's end, told with its issue.   # where the evidence is missing
//!     source: flow session-token, point 5
//!     yields_to: [clock-drift]              # not told beside one of these, which say more
//!     harmless: no                          # an ordinary end, no failure
//! ```
//!
//! A cause or a rule of a tester's own takes the place of one that is here under the same id.

pub mod condition;
pub mod names;
pub mod rule;
pub mod sentence;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde_saphyr::Spanned;

use self::condition::Condition;
use self::rule::{Rule, RuleShape};
use self::sentence::Sentence;
use crate::model::{DialectId, Report};

/// The files that come with the program, by name.
const FILES: [(&str, &str); 11] = [
    ("tokens.yaml", include_str!("../../../assets/knowledge/tokens.yaml")),
    ("access.yaml", include_str!("../../../assets/knowledge/access.yaml")),
    ("http.yaml", include_str!("../../../assets/knowledge/http.yaml")),
    ("limits.yaml", include_str!("../../../assets/knowledge/limits.yaml")),
    ("validation.yaml", include_str!("../../../assets/knowledge/validation.yaml")),
    ("signing.yaml", include_str!("../../../assets/knowledge/signing.yaml")),
    ("sockets.yaml", include_str!("../../../assets/knowledge/sockets.yaml")),
    ("web-messaging.yaml", include_str!("../../../assets/knowledge/web-messaging.yaml")),
    ("agents.yaml", include_str!("../../../assets/knowledge/agents.yaml")),
    ("lint-guest.yaml", include_str!("../../../assets/knowledge/lint-guest.yaml")),
    ("lint-platform.yaml", include_str!("../../../assets/knowledge/lint-platform.yaml")),
];

/// The largest file of a tester that is read.
const LARGEST: u64 = 1 << 20;

/// The causes that the descriptions of the unverified flows list, so that a test can make each of them happen.
pub const DESCRIBED: [&str; 57] = [
    "session-token-as-bearer",
    "idempotency-key-missing",
    "idempotency-key-too-old",
    "idempotency-key-reused",
    "attributes-refused",
    "attributes-too-large",
    "capabilities-missing",
    "duration-out-of-range",
    "session-token-expired",
    "session-token-revoked",
    "refresh-won-the-race",
    "refused-token-sent-again",
    "conversation-id-stale",
    "guest-id-wrong",
    "refresh-refused",
    "oauth-token-expired",
    "no-bearer",
    "client-credentials-wrong",
    "scope-missing",
    "queue-forbidden",
    "guest-gone",
    "queue-unknown",
    "conversation-idle-ended",
    "contact-not-session",
    "rate-limit-reached",
    "rate-limit-unnamed",
    "retry-after-not-obeyed",
    "retry-after-obeyed",
    "concurrent-sessions",
    "server-error",
    "close-1000-token-died-before-commit",
    "close-1000-before-commit",
    "close-by-us",
    "lost-handshake-token-dead",
    "lost-handshake-scope",
    "lost-at-handshake",
    "lost-network",
    "lost-network-many",
    "heartbeats-failed",
    "key-unknown",
    "key-signature",
    "key-rotated",
    "clock-drift-token-dead",
    "signed-token-from-the-future",
    "signed-token-expired",
    "guest-token-flawed",
    "payload-too-large",
    "downgrade-refused",
    "login-needed",
    "guest-auth-off",
    "step-up-off",
    "guest-auth-expired",
    "guest-auth-refused",
    "guest-code-used",
    "guest-code-refused",
    "guest-refresh-dead",
    "guest-sign-in-again",
];

/// Causes and rules in the order of their files.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    pub causes: Vec<Arc<Cause>>,
    pub rules: Vec<Arc<Rule>>,
}

#[derive(Clone, Debug)]
pub struct Cause {
    pub id: String,
    pub title: String,
    pub of: Vec<Of>,
    pub dialects: Vec<DialectId>,
    /// In lower case.
    pub text: Vec<String>,
    pub needs: Vec<Condition>,
    pub says: Sentence,
    pub fix: Vec<String>,
    pub would_decide: String,
    pub source: String,
    pub yields_to: Vec<String>,
    pub harmless: bool,
    /// The file that it stands in.
    pub file: String,
}

/// What a cause may explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// `http 401`, `http 4xx`, `http any`.
    Http(Code),
    /// `no answer`: an HTTP call without one.
    NoAnswer,
    /// `upgrade 403`: a socket that was refused; `upgrade none` without an answer.
    Upgrade(Code),
    /// `close 1000`: a close frame of the server.
    Close(Code),
    /// `lost`: a socket that ended without a close frame, which browsers call 1006.
    Lost,
    /// `frame 4011`: an error frame.
    Frame(Code),
    /// `fault sign-in-failed`: a fact of a fault by its code.
    Fault(String),
    /// `not sent`: something that never left.
    NotSent,
    /// `refused`: a message that the server refused, where no answer of it is in the capture.
    Refused,
    /// `unconfirmed`: a message of which nobody knows.
    Unconfirmed,
    /// `ended`: the end of a session.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Any,
    None,
    /// A hundred of statuses, `4xx`.
    Hundred(i32),
    Is(i32),
}

impl Code {
    pub fn matches(self, code: Option<i32>) -> bool {
        match (self, code) {
            (Self::Any, _) | (Self::None, None) => true,
            (Self::Hundred(h), Some(code)) => code / 100 == h,
            (Self::Is(n), Some(code)) => n == code,
            _ => false,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "any" => Some(Self::Any),
            "none" => Some(Self::None),
            _ => match text.strip_suffix("xx") {
                Some(h) => h.parse().ok().map(Self::Hundred),
                None => text.parse().ok().map(Self::Is),
            },
        }
    }
}

impl Of {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        match (word, rest) {
            ("no", "answer") => Some(Self::NoAnswer),
            ("lost", "") => Some(Self::Lost),
            ("not", "sent") => Some(Self::NotSent),
            ("refused", "") => Some(Self::Refused),
            ("unconfirmed", "") => Some(Self::Unconfirmed),
            ("ended", "") => Some(Self::Ended),
            ("fault", code) if !code.is_empty() => Some(Self::Fault(code.to_owned())),
            ("http", code) => Code::parse(code).map(Self::Http),
            ("upgrade", code) => Code::parse(code).map(Self::Upgrade),
            ("close", code) => Code::parse(code).map(Self::Close),
            ("frame", code) => Code::parse(code).map(Self::Frame),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileShape {
    #[serde(default)]
    causes: Vec<CauseShape>,
    #[serde(default)]
    rules: Vec<RuleShape>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CauseShape {
    id: Spanned<String>,
    title: String,
    of: Vec<Spanned<String>>,
    #[serde(default)]
    dialects: Vec<Spanned<String>>,
    #[serde(default)]
    text: Vec<String>,
    #[serde(default)]
    needs: Vec<Spanned<String>>,
    says: Spanned<String>,
    fix: Vec<String>,
    would_decide: String,
    source: String,
    #[serde(default)]
    yields_to: Vec<Spanned<String>>,
    #[serde(default)]
    harmless: bool,
}

static EMBEDDED: LazyLock<Arc<Knowledge>> = LazyLock::new(|| {
    let mut all = Knowledge::default();
    for (file, text) in FILES {
        // A test holds that none is broken.
        if let Ok(known) = read(file, text) {
            all.take(known);
        }
    }
    Arc::new(all)
});

impl Knowledge {
    /// What comes with the program.
    pub fn embedded() -> Arc<Self> {
        Arc::clone(&EMBEDDED)
    }

    /// That, with the files `*.yaml` of a folder in the order of their names. A file that cannot be read is told, and
    /// left out as a whole. A folder that is not there has none. Reads files: not for the interface thread.
    pub fn with_folder(folder: &Path) -> (Arc<Self>, Vec<Report>) {
        let mut all = Self::embedded().as_ref().clone();
        let mut reports = Vec::new();
        let files = match files(folder) {
            Ok(files) => files,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return (Arc::new(all), reports),
            Err(e) => return (Arc::new(all), vec![unreadable(&folder.display().to_string(), &e.to_string())]),
        };
        let mut own = HashSet::new();
        for path in files {
            let file = path.display().to_string();
            let outcome = text_of(&path)
                .map_err(|why| unreadable(&file, &why))
                .and_then(|text| read(&file, &text))
                .and_then(|known| {
                    let twice = known.names().find(|name| own.contains(name));
                    twice.map_or(Ok(known), |(what, id)| {
                        Err(unreadable(&file, &format!("the {what} “{id}” stands in an earlier file too")))
                    })
                });
            match outcome {
                Ok(known) => {
                    own.extend(known.names());
                    all.take(known);
                }
                Err(report) => reports.push(report),
            }
        }
        (Arc::new(all), reports)
    }

    fn take(&mut self, more: Self) {
        for cause in more.causes {
            match self.causes.iter_mut().find(|c| c.id == cause.id) {
                Some(known) => *known = cause,
                None => self.causes.push(cause),
            }
        }
        for rule in more.rules {
            match self.rules.iter_mut().find(|r| r.id == rule.id) {
                Some(known) => *known = rule,
                None => self.rules.push(rule),
            }
        }
    }

    /// The id of every cause.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.causes.iter().map(|c| c.id.as_str())
    }

    /// Every cause and rule, by what it is and its id.
    fn names(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let causes = self.causes.iter().map(|c| ("cause", c.id.clone()));
        causes.chain(self.rules.iter().map(|r| ("rule", r.id.clone())))
    }

    /// Some cause explains a fault with this code.
    pub fn knows_fault(&self, code: &str) -> bool {
        self.causes.iter().any(|c| c.of.iter().any(|of| matches!(of, Of::Fault(known) if known == code)))
    }
}

fn files(folder: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn text_of(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > LARGEST {
        return Err(format!("{size} bytes are more than {LARGEST}"));
    }
    std::fs::read_to_string(path).map_err(|e| e.to_string())
}

fn unreadable(place: &str, why: &str) -> Report {
    Report::new("bad-knowledge", "A file of causes cannot be read", format!("{place}: {why}."))
        .remedy("Mend it there; the other files are used all the same.")
}

/// Reads a file. The error names file, line and cause.
pub fn read(file: &str, text: &str) -> Result<Knowledge, Report> {
    let shape: FileShape = serde_saphyr::from_str(text).map_err(|e| {
        let line = e.location().map(|l| format!(", line {}", l.line())).unwrap_or_default();
        let what = e.without_snippet().to_string();
        unreadable(&format!("{file}{line}"), what.lines().next().unwrap_or_default().trim())
    })?;
    if shape.causes.is_empty() && shape.rules.is_empty() {
        return Err(unreadable(file, "it has neither “causes” nor “rules”"));
    }
    let mut known = Knowledge::default();
    let mut ids = HashSet::new();
    for shape in shape.causes {
        if !ids.insert(shape.id.value.clone()) {
            return Err(wrong(file, &shape.id, "cause", &shape.id.value, "it stands twice"));
        }
        known.causes.push(Arc::new(cause(file, shape)?));
    }
    ids.clear();
    for shape in shape.rules {
        if !ids.insert(shape.id.value.clone()) {
            return Err(wrong(file, &shape.id, "rule", &shape.id.value, "it stands twice"));
        }
        known.rules.push(rule::rule(file, shape)?);
    }
    Ok(known)
}

fn wrong(file: &str, at: &Spanned<String>, what: &str, id: &str, why: &str) -> Report {
    unreadable(&format!("{file}, line {}, {what} “{id}”", at.defined.line()), why)
}

fn is_word(s: &str) -> bool {
    !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// What is wrong in a file, and where.
type Wrong<'a> = &'a dyn Fn(&Spanned<String>, &str) -> Report;

fn parse_dialects(texts: &[Spanned<String>], wrong: Wrong<'_>) -> Result<Vec<DialectId>, Report> {
    let one = |text: &Spanned<String>| {
        DialectId::of_key(&text.value).ok_or_else(|| wrong(text, &format!("dialects: there is no “{}”", text.value)))
    };
    texts.iter().map(one).collect()
}

fn parse_needs(texts: &[Spanned<String>], wrong: Wrong<'_>) -> Result<Vec<Condition>, Report> {
    let one = |text: &Spanned<String>| {
        Condition::parse(&text.value).map_err(|e| wrong(text, &format!("needs: “{}”: {e}", text.value)))
    };
    texts.iter().map(one).collect()
}

fn cause(file: &str, shape: CauseShape) -> Result<Cause, Report> {
    let id = shape.id.value.clone();
    let wrong = |at: &Spanned<String>, why: &str| wrong(file, at, "cause", &id, why);
    if !is_word(&id) {
        return Err(wrong(&shape.id, "an id is of small letters, digits and hyphens"));
    }
    if shape.of.is_empty() {
        return Err(wrong(&shape.id, "“of” names nothing that it explains"));
    }
    if shape.fix.is_empty() || shape.fix.iter().any(|f| f.trim().is_empty()) {
        return Err(wrong(&shape.id, "“fix” names nothing to do"));
    }
    let mut of = Vec::new();
    for text in &shape.of {
        let known = Of::parse(&text.value);
        of.push(known.ok_or_else(|| {
            let known = "http, no answer, upgrade, close, lost, frame, fault, not sent, refused, unconfirmed, ended";
            wrong(text, &format!("of: “{}” is none of {known}", text.value))
        })?);
    }
    let dialects = parse_dialects(&shape.dialects, &wrong)?;
    let needs = parse_needs(&shape.needs, &wrong)?;
    let says = Sentence::parse(&shape.says.value).map_err(|e| wrong(&shape.says, &format!("says: {e}")))?;
    for text in &shape.yields_to {
        if !is_word(&text.value) {
            return Err(wrong(text, &format!("yields_to: “{}” is no id", text.value)));
        }
    }
    Ok(Cause {
        title: shape.title,
        of,
        dialects,
        text: shape.text.iter().map(|t| t.to_lowercase()).collect(),
        needs,
        says,
        fix: shape.fix,
        would_decide: shape.would_decide,
        source: shape.source,
        yields_to: shape.yields_to.into_iter().map(|y| y.value).collect(),
        harmless: shape.harmless,
        file: file.to_owned(),
        id,
    })
}

#[cfg(test)]
mod tests;
