//! Holds a parsed filter against one record.
use std::ops::RangeInclusive;

use memchr::memmem::Finder;

use super::super::index::RowSet;
use super::json;
use super::text::Needle;
use crate::model::record::{Flags, Kind};
use crate::model::{Record, Wall};

/// A record as the file has it: nothing is copied, nothing parsed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw<'a> {
    pub seq: u64,
    pub wall: i64,
    pub session: i64,
    pub conn: i64,
    pub kind: i64,
    pub direction: i64,
    pub flags: i64,
    pub code: i64,
    pub size: i64,
    pub head: &'a [u8],
    pub body: &'a [u8],
}

impl<'a> Raw<'a> {
    pub fn of(record: &'a Record) -> Self {
        let d = &record.draft;
        Self {
            seq: record.seq,
            wall: d.at.wall.0,
            session: d.session.0.into(),
            conn: d.conn.into(),
            kind: d.kind as i64,
            direction: d.direction as i64,
            flags: d.flags.0.into(),
            code: d.code.into(),
            size: i64::try_from(d.size).unwrap_or(i64::MAX),
            head: d.head.as_bytes(),
            body: &d.body,
        }
    }
}

/// The columns that a filter looks at, a set. Reading only these makes a scan much quicker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns(u16);

impl Columns {
    pub const NONE: Self = Self(0);
    pub const WALL: Self = Self(1);
    pub const SESSION: Self = Self(1 << 1);
    pub const CONN: Self = Self(1 << 2);
    pub const KIND: Self = Self(1 << 3);
    pub const DIRECTION: Self = Self(1 << 4);
    pub const FLAGS: Self = Self(1 << 5);
    pub const CODE: Self = Self(1 << 6);
    pub const SIZE: Self = Self(1 << 7);
    pub const HEAD: Self = Self(1 << 8);
    pub const BODY: Self = Self(1 << 9);
    /// No column: which records are marked.
    pub const MARKS: Self = Self(1 << 15);

    /// In the order of the table, with their names there.
    pub const NAMED: [(Self, &str); 10] = [
        (Self::WALL, "wall"),
        (Self::SESSION, "session"),
        (Self::CONN, "conn"),
        (Self::KIND, "kind"),
        (Self::DIRECTION, "direction"),
        (Self::FLAGS, "flags"),
        (Self::CODE, "code"),
        (Self::SIZE, "size"),
        (Self::HEAD, "head"),
        (Self::BODY, "body"),
    ];

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

#[derive(Clone, Debug)]
pub enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
}

#[derive(Clone, Debug)]
pub enum Test {
    Text(Needle),
    Kinds(Vec<Kind>),
    Directions(Vec<i64>),
    /// Any of these.
    Flags(Flags),
    Seq(RangeInclusive<i64>),
    Session(RangeInclusive<i64>),
    Conn(RangeInclusive<i64>),
    Size(RangeInclusive<i64>),
    /// And the digits to look for first, where there is only one code.
    Code(RangeInclusive<i64>, Option<Box<Finder<'static>>>),
    Before(When),
    After(When),
    /// A JSON member, its value, and a quick test that must hold first.
    Member(&'static str, String, Needle),
    Url(Needle),
    Marked,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    Instant(Wall),
    /// Microseconds since local midnight.
    TimeOfDay(i64),
}

impl Node {
    pub fn columns(&self) -> Columns {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().fold(Columns::default(), |sum, n| sum.or(n.columns())),
            Self::Not(node) => node.columns(),
            Self::Test(test) => test.columns(),
        }
    }

    pub fn matches(&self, raw: &Raw<'_>, marked: &RowSet) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|n| n.matches(raw, marked)),
            Self::Any(nodes) => nodes.iter().any(|n| n.matches(raw, marked)),
            Self::Not(node) => !node.matches(raw, marked),
            Self::Test(test) => test.matches(raw, marked),
        }
    }
}

impl Test {
    fn columns(&self) -> Columns {
        match self {
            Self::Text(_) => Columns::HEAD.or(Columns::BODY),
            Self::Kinds(_) => Columns::KIND,
            Self::Directions(_) => Columns::DIRECTION,
            Self::Flags(_) => Columns::FLAGS,
            Self::Seq(_) => Columns::NONE,
            Self::Session(_) => Columns::SESSION,
            Self::Conn(_) => Columns::CONN,
            Self::Size(_) => Columns::SIZE,
            Self::Code(..) => Columns::CODE.or(Columns::KIND).or(Columns::BODY),
            Self::Before(_) | Self::After(_) => Columns::WALL,
            Self::Member(..) => Columns::BODY,
            Self::Url(_) => Columns::HEAD,
            Self::Marked => Columns::MARKS,
        }
    }

    fn matches(&self, raw: &Raw<'_>, marked: &RowSet) -> bool {
        match self {
            Self::Text(needle) => needle.is_in(raw.body) || (!raw.head.is_empty() && needle.is_in(raw.head)),
            Self::Kinds(kinds) => kinds.iter().any(|k| *k as i64 == raw.kind),
            Self::Directions(list) => list.contains(&raw.direction),
            Self::Flags(flags) => raw.flags & i64::from(flags.0) != 0,
            Self::Seq(range) => range.contains(&i64::try_from(raw.seq).unwrap_or(i64::MAX)),
            Self::Session(range) => range.contains(&raw.session),
            Self::Conn(range) => range.contains(&raw.conn),
            Self::Size(range) => range.contains(&raw.size),
            Self::Code(range, quick) => {
                (raw.code != 0 && range.contains(&raw.code))
                    || (quick.as_ref().is_none_or(|q| q.find(raw.body).is_some()) && frame_code(raw, range))
            }
            Self::Before(when) => when.compare(raw.wall).is_lt(),
            Self::After(when) => when.compare(raw.wall).is_ge(),
            Self::Member(name, want, quick) => {
                quick.is_in(raw.body)
                    && json::member(raw.body, name)
                        .and_then(json::text)
                        .is_some_and(|found| found.to_lowercase() == *want)
            }
            Self::Url(needle) => {
                json::member(raw.head, "url").and_then(json::text).is_some_and(|url| needle.is_in(url.as_bytes()))
            }
            Self::Marked => marked.contains(raw.seq),
        }
    }
}

/// The `code` of a frame's envelope.
fn frame_code(raw: &Raw<'_>, range: &RangeInclusive<i64>) -> bool {
    raw.kind == Kind::Text as i64
        && json::member(raw.body, "code")
            .and_then(|v| std::str::from_utf8(v).ok()?.parse().ok())
            .is_some_and(|code: i64| range.contains(&code))
}

impl When {
    /// How an instant in microseconds lies to this one.
    fn compare(self, wall: i64) -> std::cmp::Ordering {
        match self {
            Self::Instant(at) => wall.cmp(&at.0),
            Self::TimeOfDay(want) => {
                let local = Wall(wall).timestamp().map_or(wall, |t| {
                    let offset = jiff::tz::TimeZone::system().to_offset(t);
                    wall.saturating_add(i64::from(offset.seconds()) * 1_000_000)
                });
                local.rem_euclid(86_400_000_000).cmp(&want)
            }
        }
    }
}
