//! Web Messaging, the vendor's Guest API over one socket.
use crate::model::{Happening, Record};

use super::Line;

/// See [`super::read`].
pub fn read(_record: &Record, _out: &mut Vec<Happening>) {}

/// See [`super::line`].
pub fn line(_record: &Record) -> Line {
    Line::default()
}
