//! Views of the log: folds that turn records into what the window shows. A saved capture folds to exactly what was
//! seen live.
//!
//! [`Board`] is the pure fold; [`Projector`] runs it on a thread of its own behind a capture and publishes snapshots.
//!
//! Failures are explained from the evidence: what is known of causes is data ([`knowledge`]), and a fold remembers what
//! decides between them ([`Finding`]). What no server refused but the protocol does not want is told too ([`Lint`]).
//!
//! Everything here is bounded, and what is bounded is counted: entries of a conversation ([`KEPT`]), names by which
//! messages are known again, faults, latencies, samples of the metrics, clocks, findings, lints. The log itself keeps all.

mod board;
pub mod causality;
mod clocks;
mod conversation;
mod desk;
pub mod ends;
mod evidence;
pub mod finding;
mod identity;
pub mod knowledge;
mod label;
mod latency;
pub mod lint;
mod markdown;
mod merge;
mod meters;
pub mod metrics;
mod projector;
pub mod report;
mod session;
pub mod text;
mod thread;
pub mod transcript;
mod weight;

pub use board::Board;
pub use clocks::{ClockPhase, ClockView, in_order};
pub use conversation::{Conversation, Entry, EntryState, KEPT, What};
pub use desk::{Desk, LOOKED_UP_WITHIN, Talk};
pub use ends::{Ends, Pair};
pub use finding::{Doubt, Finding, Findings, Subject, Verdict};
pub use knowledge::Knowledge;
pub use latency::{Latencies, LatencyFigures};
pub use lint::{Lint, Lints};
pub use meters::{Meter, Meters};
pub use metrics::Metrics;
pub use projector::Projector;
pub use session::SessionView;

#[cfg(test)]
mod tests;
