//! Views of the log: folds that turn records into what the window shows. A saved capture folds to exactly what was
//! seen live.
//!
//! [`Board`] is the pure fold; [`Projector`] runs it on a thread of its own behind a capture and publishes snapshots.

mod board;
mod clocks;
mod conversation;
mod meters;
mod projector;

pub use board::{Board, SessionView};
pub use clocks::{ClockPhase, ClockView};
pub use conversation::{Conversation, Entry, EntryState, What};
pub use meters::{Meter, Meters};
pub use projector::Projector;
