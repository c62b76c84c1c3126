//! The inspector: all of one record. Tree, text and bytes of its payload, its token, its times, and how it differs from
//! another.
//!
//! Nothing here reads a log: the shell gives the record ([`Subject`]) and answers what else is asked
//! ([`InspectorHost`]). Work on a payload is done once per selection, and on a thread where it is long.

mod diff;
mod head;
mod host;
mod job;
mod json;
mod lines;
mod placeholder;
mod reveal;
mod text;
mod timing;
mod token;
mod tree;
mod view;
mod why;

pub use host::{InspectorEvent, InspectorHost, Link, Subject};
pub use view::{Inspector, Tab};
