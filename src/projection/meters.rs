//! Rate meters: how much of each limit is used. Counted from what was sent, so a saved capture shows what was used.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use crate::model::environment::Limits;
use crate::model::record::{HttpRequest, HttpResponse};
use crate::model::{DialectId, Direction, Kind, Mono, Record};

/// Counts of the sliding windows of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meters {
    pub meters: Vec<Meter>,
    /// The connection that "requests" and "echo" speak of: the newest that sent something.
    pub conn: u32,
    /// "requests" are HTTP calls, not frames.
    calls: bool,
}

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Meter {
    /// "messages", "requests", "history", "echo", "configure", "connections".
    pub name: &'static str,
    pub limit: u32,
    /// Length of the window, in seconds; zero where not uses in a time are limited but how many there are at once.
    pub window_secs: u32,
    /// Instants of the newest uses, oldest first, at most `limit + 1` of them.
    pub uses: Vec<Mono>,
    /// What the server said of the window, which others may use as well.
    told: Option<Level>,
}

/// A window as the server's rate headers tell it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Level {
    count: u32,
    at: Mono,
    /// The window ends.
    until: Mono,
}

impl Meter {
    fn new(name: &'static str, limit: u32, window_secs: u32) -> Self {
        Self { name, limit, window_secs, uses: Vec::new(), told: None }
    }

    /// Uses within the window that ends now; more than the limit are told as one more.
    pub fn used(&self, now: Mono) -> u32 {
        if self.window_secs == 0 {
            return self.uses.len() as u32;
        }
        let own = self.uses.iter().filter(|at| self.leaves(**at) > now).count() as u32;
        // Until its window ends, the server knows of uses that are not ours.
        let told = self.told.filter(|level| now < level.until).map(|level| {
            let since = self.uses.iter().filter(|at| **at > level.at).count() as u32;
            level.count.saturating_add(since)
        });
        own.max(told.unwrap_or(0))
    }

    /// How long until one more is within the limit; zero for now. For what is limited at once there is no such time:
    /// zero where one more is allowed, else the longest duration.
    pub fn wait(&self, now: Mono) -> Duration {
        let limit = self.limit as usize;
        if self.window_secs == 0 {
            return if self.uses.len() < limit { Duration::ZERO } else { Duration::MAX };
        }
        if limit == 0 {
            return Duration::MAX;
        }
        // One more fits when the limit-th newest use has left the window.
        match self.uses.len().checked_sub(limit).and_then(|n| self.uses.get(n)) {
            Some(at) => self.leaves(*at).since(now),
            None => Duration::ZERO,
        }
    }

    fn leaves(&self, at: Mono) -> Mono {
        at + Duration::from_secs(u64::from(self.window_secs))
    }

    fn push(&mut self, at: Mono) {
        let most = (self.limit as usize).saturating_add(1).min(MOST_USES);
        if self.uses.len() >= most {
            self.uses.drain(..=self.uses.len() - most);
        }
        self.uses.push(at);
    }
}

/// However high a limit is set, no more instants than these are kept.
const MOST_USES: usize = 1_000;

impl Meters {
    pub fn get(&self, name: &str) -> Option<&Meter> {
        self.meters.iter().find(|m| m.name == name)
    }

    /// The meters of these limits that the dialect has, nothing used.
    pub fn of(dialect: DialectId, limits: &Limits) -> Self {
        let requests = Meter::new("requests", limits.requests_per_minute, 60);
        match dialect {
            DialectId::WebMessaging => {}
            // No limit, where it is zero.
            DialectId::GuestResource if limits.requests_per_minute > 0 => {
                return Self { meters: vec![requests], conn: 0, calls: true };
            }
            DialectId::Agent => {
                let lookups = Meter::new(LOOKUPS, limits.history_per_minute, 60);
                return Self { meters: vec![requests, lookups], conn: 0, calls: true };
            }
            _ => return Self::default(),
        }
        let meters = vec![
            Meter::new("messages", limits.messages_per_second, 1),
            requests,
            Meter::new("history", limits.history_per_minute, 60),
            Meter::new("echo", limits.echoes_per_minute, 60),
            Meter::new("configure", limits.configures_per_minute, 60),
            Meter::new("connections", limits.connections_per_session, 0),
        ];
        Self { meters, conn: 0, calls: false }
    }

    /// Counts what a record used.
    pub(super) fn count(&mut self, record: &Record, open: &mut Vec<u32>) {
        let at = record.at.mono;
        match (record.kind, record.direction) {
            (Kind::HttpRequest, _) if self.calls => {
                self.push("requests", at);
                if self.get(LOOKUPS).is_some() && purpose(record).is_some_and(|p| p == LOOKUP) {
                    self.push(LOOKUPS, at);
                }
            }
            (Kind::HttpResponse, _) if self.get(LOOKUPS).is_some() => self.told(record),
            _ if self.calls || self.meters.is_empty() => {}
            (Kind::Text, Direction::Sent) => {
                self.opened(record.conn, at, open);
                if record.conn > self.conn {
                    // These two are counted by connection.
                    self.conn = record.conn;
                    for name in ["requests", "echo"] {
                        self.meter(name, |m| m.uses.clear());
                    }
                }
                if record.conn == self.conn {
                    self.push("requests", at);
                }
                match Action::read(&record.body) {
                    Action::Message => self.push("messages", at),
                    Action::Echo if record.conn == self.conn => self.push("echo", at),
                    Action::Configure => self.push("configure", at),
                    Action::Echo | Action::Other => {}
                }
            }
            (Kind::HttpRequest, _) if is_history(record) => self.push("history", at),
            (Kind::SocketOpen, _) => self.opened(record.conn, at, open),
            (Kind::Close | Kind::SocketLost, _) => {
                if let Some(n) = open.iter().position(|c| *c == record.conn) {
                    open.remove(n);
                    self.meter("connections", |m| {
                        if n < m.uses.len() {
                            m.uses.remove(n);
                        }
                    });
                }
            }
            _ => {}
        }
    }

    /// What the rate headers of an answer say; not every answer has them.
    fn told(&mut self, record: &Record) {
        let Some(head) = record.head_as::<HttpResponse>() else { return };
        let number = |name: &str| -> Option<u32> {
            head.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?.1.trim().parse().ok()
        };
        let (Some(count), Some(reset)) = (number("inin-ratelimit-count"), number("inin-ratelimit-reset")) else {
            return;
        };
        let (at, allowed) = (record.at.mono, number("inin-ratelimit-allowed"));
        let until = at + Duration::from_secs(u64::from(reset));
        self.meter("requests", |m| {
            m.limit = allowed.unwrap_or(m.limit);
            m.told = Some(Level { count, at, until });
        });
    }

    fn opened(&mut self, conn: u32, at: Mono, open: &mut Vec<u32>) {
        if conn != 0 && !open.contains(&conn) && open.len() < MOST_USES {
            open.push(conn);
            self.meter("connections", |m| m.uses.push(at));
        }
    }

    fn push(&mut self, name: &str, at: Mono) {
        self.meter(name, |m| m.push(at));
    }

    fn meter(&mut self, name: &str, deed: impl FnOnce(&mut Meter)) {
        if let Some(m) = self.meters.iter_mut().find(|m| m.name == name) {
            deed(m);
        }
    }
}

fn is_history(request: &Record) -> bool {
    purpose(request).is_some_and(|p| p == "history")
}

fn purpose(request: &Record) -> Option<String> {
    request.head_as::<HttpRequest>().map(|h| h.purpose)
}

/// Bulk look-ups of message texts, which have a budget of their own.
const LOOKUPS: &str = "look-ups";
const LOOKUP: &str = "message texts";

/// What a sent frame counts as.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    Message,
    Echo,
    Configure,
    Other,
}

impl Action {
    /// Reads the two words of a frame that matter, without building the rest of it.
    fn read(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Frame<'a> {
            #[serde(borrow)]
            action: Cow<'a, str>,
            #[serde(borrow, default)]
            message: Option<Inner<'a>>,
        }
        #[derive(Deserialize)]
        struct Inner<'a> {
            #[serde(borrow, default, rename = "type")]
            kind: Option<Cow<'a, str>>,
        }
        match serde_json::from_slice::<Frame<'_>>(body) {
            // Events (typing, presence) are requests, not messages.
            Ok(Frame { action, message }) if action == "onMessage" => match message.and_then(|m| m.kind).as_deref() {
                Some("Event") => Self::Other,
                _ => Self::Message,
            },
            Ok(Frame { action, .. }) if action == "echo" => Self::Echo,
            Ok(Frame { action, .. }) if action.starts_with("configure") => Self::Configure,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Draft, Now, SessionId, Wall};

    fn sent(conn: u32, micros: u64, body: &'static str) -> Record {
        let at = Now { wall: Wall(0), mono: Mono(micros) };
        let draft = Draft::new(at, SessionId(1), Kind::Text, Direction::Sent).conn(conn).body(body);
        Record { seq: micros, draft }
    }

    const TEXT: &str = r#"{"token":"x","message":{"text":"hi","type":"Text"},"action":"onMessage"}"#;

    #[test]
    fn one_more_fits_when_the_oldest_of_a_full_window_leaves() {
        let (mut meters, mut open) = (Meters::of(DialectId::WebMessaging, &Limits::default()), Vec::new());
        for n in 0..5 {
            meters.count(&sent(1, n * 100_000, TEXT), &mut open);
        }
        let m = meters.get("messages").unwrap();
        assert_eq!(m.used(Mono(500_000)), 5);
        assert_eq!(m.wait(Mono(500_000)), Duration::from_millis(500));
        assert_eq!(m.used(Mono(1_000_000)), 4);
        assert_eq!(m.wait(Mono(1_000_000)), Duration::ZERO);
        assert_eq!(meters.get("requests").unwrap().used(Mono(500_000)), 5);
    }

    #[test]
    fn typing_is_a_request_and_no_message() {
        let (mut meters, mut open) = (Meters::of(DialectId::WebMessaging, &Limits::default()), Vec::new());
        let typing = r#"{"action":"onMessage","message":{"type":"Event","events":[]}}"#;
        for body in [typing, r#"{"action":"echo","message":{"type":"Text"}}"#, "not JSON", TEXT] {
            meters.count(&sent(1, 1, body), &mut open);
        }
        let used = |name| meters.get(name).unwrap().used(Mono(2));
        assert_eq!((used("messages"), used("requests"), used("echo"), used("configure")), (1, 4, 1, 0));
    }

    #[test]
    fn a_new_connection_has_its_own_budget_and_is_counted_while_open() {
        let (mut meters, mut open) = (Meters::of(DialectId::WebMessaging, &Limits::default()), Vec::new());
        meters.count(&sent(1, 1, TEXT), &mut open);
        meters.count(&sent(2, 2, TEXT), &mut open);
        assert_eq!(meters.get("requests").unwrap().used(Mono(3)), 1);
        assert_eq!(meters.get("messages").unwrap().used(Mono(3)), 2);
        assert_eq!(meters.get("connections").unwrap().used(Mono(3)), 2);
        let mut close = sent(1, 4, "");
        close.draft.kind = Kind::Close;
        meters.count(&close, &mut open);
        assert_eq!(meters.get("connections").unwrap().used(Mono(5)), 1);
    }

    #[test]
    fn the_server_s_headers_correct_what_was_counted() {
        let limits = Limits { requests_per_minute: 300, history_per_minute: 120, ..Limits::default() };
        let (mut meters, mut open) = (Meters::of(DialectId::Agent, &limits), Vec::new());
        let at = |secs: u64| Now { wall: Wall::from_secs(secs as i64), mono: Mono(secs * 1_000_000) };
        let mut add = |meters: &mut Meters, secs: u64, draft: Draft| {
            meters.count(&Record { seq: 1, draft: Draft { at: at(secs), ..draft } }, &mut open);
        };
        let request = |purpose: &str| {
            let head = HttpRequest { purpose: purpose.into(), ..HttpRequest::default() };
            Draft::new(at(0), SessionId(1), Kind::HttpRequest, Direction::Sent).head(&head)
        };
        let headers =
            [("inin-ratelimit-count", "41"), ("inin-ratelimit-allowed", "180"), ("inin-ratelimit-reset", "50")];
        let head = HttpResponse {
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            ..HttpResponse::default()
        };
        add(&mut meters, 1, request("user"));
        add(&mut meters, 2, request(LOOKUP));
        let answer = Draft::new(at(0), SessionId(1), Kind::HttpResponse, Direction::Received).head(&head);
        add(&mut meters, 3, answer);
        add(&mut meters, 4, request("message"));
        let used = |secs: u64, name: &str| meters.get(name).map(|m| (m.used(at(secs).mono), m.limit));
        assert_eq!(used(5, "requests"), Some((42, 180)), "others use the same token");
        assert_eq!(used(5, LOOKUPS), Some((1, 120)));
        assert_eq!(used(54, "requests"), Some((3, 180)), "the server's window is over");
    }

    #[test]
    fn no_more_instants_are_kept_than_can_matter() {
        let (mut meters, mut open) = (Meters::of(DialectId::WebMessaging, &Limits::default()), Vec::new());
        (0..100).for_each(|n| meters.count(&sent(1, n, TEXT), &mut open));
        let m = meters.get("messages").unwrap();
        assert_eq!(m.uses.len(), 6);
        assert_eq!(m.uses.last(), Some(&Mono(99)));
        assert_eq!(m.used(Mono(100)), 6);
    }
}
