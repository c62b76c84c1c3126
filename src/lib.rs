//! Sessionscope: a desktop test console for web-messaging sessions.
//!
//! This page is the way in: what the program is made of, and where a change belongs. What each part does in detail
//! stands at the head of its own module.
//!
//! # One log, many views
//!
//! Everything that happens is one [record](model::Record) in one append-only log, the [capture]: an HTTP request and
//! its answer, a frame, an open and a close, a token that was issued or has expired, a change of state, a fault, a note
//! of the user. Nothing else is kept. The conversation, the clocks, the meters and the links between a request and its
//! answer are [projections](projection): folds over the log. So a saved capture opens to exactly what was seen live,
//! each bubble knows the records that it came from, and the window needs no messages about traffic: it reads the log.
//!
//! ```text
//!      main thread                                      runtime threads
//!  +----------------------+   Command (bounded)   +------------------------------------+
//!  | ui   (or cli)        | --------------------> | engine: one task per session       |
//!  |   takes in events,   |                       |   dialect (pure) <-> HTTP, socket  |
//!  |   paints             | <-------------------- | sign-ins, jobs, sandbox (0 or 1)   |
//!  +----------+-----------+   Event (few, small)  +-----------------+------------------+
//!             |                                                     | Draft
//!             |                                               +-----v------+
//!             |                                               |  redactor  |  the door
//!             |                                               +-----+------+
//!             | reads the rows that are visible                     | appends
//!             |                                               +-----v------+
//!             +---------------------------------------------> |  capture   |  SQLite
//!             |                                               +-----+------+
//!             | reads snapshots         +-----------+               | the story
//!             +-----------------------> | projector | <-------------+
//!                                       +-----------+
//! ```
//!
//! # Rooms
//!
//! One crate; each module below is a room, and imports point one way only. Rooms in the same braces do not know each
//! other.
//!
//! `model <- {capture, vault, dialect} <- {projection, sandbox} <- engine <- {ui, cli} <- main`
//!
//! | room | what lives there | built on |
//! | --- | --- | --- |
//! | [`model`] | what all speak of: records, facts, environments, [`Report`](model::Report) (what a user reads when something fails), clocks. No I/O | |
//! | [`capture`] | the log: writer, reader, search, filters, exports, retention, versions of the file | SQLite |
//! | [`vault`] | the keyring, the [keys](vault::keys) that sign guest tokens, and the [redactor](vault::Redactor) | keyring, aws-lc-rs |
//! | [`dialect`] | one folder per protocol: a pure state machine, and the small machines that they share | |
//! | [`projection`] | the folds, and the thread that runs them behind a capture: conversation, clocks, both ends, what explains a failure, the lint | |
//! | [`sandbox`] | a server that speaks the other side of each protocol, with faults on demand. It never sees a dialect: it is written from the protocol's documents, or a test of one against the other would prove nothing | tokio, axum |
//! | [`engine`] | runs dialects: sockets, HTTP, OAuth, jobs. [`engine::console`] puts a whole run together | tokio |
//! | [`ui`] | the window | egui |
//! | [`cli`] | what runs without one; the window is handed to it by `main` | tokio |
//!
//! # Threads and channels
//!
//! The **interface thread** never waits: it drains events, paints, and reads the rows that are in view through a cache.
//! Files, dialogs and searches have threads of their own. The **engine** has a runtime with a loop in `engine::core`
//! and a task for each session. The **writer** of the capture commits in batches, the **projector** folds behind it
//! and publishes snapshots that anybody may hold, and the **keyring** is called on a thread of its own, since it may
//! wait for a person.
//!
//! Three lanes lie between them. *Commands* go to the engine through a bounded queue, and a full one is an error that
//! is shown, never waited for. *Events* come back: few, small, none may be lost. *Traffic* takes neither lane: it goes
//! into the log, and a closure (`wake`) says that there is something new. Every channel is bounded. Where the disk is
//! slower than a socket, the socket is read more slowly; before that kills the connection, payloads are left out, and
//! counted, and the count is shown.
//!
//! # The door
//!
//! `engine::log` is the only way into a capture, and it passes every draft through the [redactor](vault::Redactor):
//! values that were made known (`learn`), in every encoding, and whatever betrays itself by its shape or by the name
//! before it, become placeholders such as `[session-token#1]`. Reports that are shown without becoming records go
//! through it as well, and so does all that the command line prints. The values stay in memory and in the keyring; a
//! placeholder can be revealed by an explicit act while the program runs. A [`Secret`](model::Secret) does not print
//! itself; whoever reads code for leaks looks for `expose`.
//!
//! # Time
//!
//! Code asks a [`Clock`](model::Clock), never the system, so that tests can stop it and move it. Expiry is an instant
//! on the server's clock: [`ServerTime`](model::ServerTime) measures the skew from `Date` headers. Countdowns are
//! computed from the clock each time, never counted down; waits use the monotonic clock.
//!
//! # A new dialect
//!
//! 1. A variant of [`DialectId`](model::DialectId). The compiler shows where dialects are told apart; a search for the
//!    variant that is there already shows where only one was thought of.
//! 2. A folder in [`dialect`]: a type that implements [`Dialect`](dialect::Dialect) (inputs in, actions out, no clock,
//!    no socket), and the functions behind [`dialect::read`] and [`dialect::line`], which tell records without it.
//! 3. Its construction in `engine::core`; its server's side in [`sandbox`]; its actions in the composer of [`ui`].
//! 4. Playbooks and random schedules as in `dialect/web_messaging/tests`, and its shapes in `tests/fixtures`.
//!
//! # Tests
//!
//! Pure machines are tested beside the code: playbooks that read like a protocol's description, properties, ten
//! thousand random schedules of drops, delays, repeats and refusals. Everything else is one binary, `tests/it`: the
//! engine against the sandbox, captures that are killed and damaged, the whole interface by accessible label with
//! pictures painted on the processor, a real window under Xvfb, a real Secret Service, the program as a process, a
//! search for secrets in all that is written, fuzzing, and `architecture.rs`, which reads the sources and holds the
//! rules of this page. `tests/it/support` has a console in a folder of its own with a clock that can stand still.
//! Speed is measured in `tests/bench`, never asserted.

pub mod capture;
pub mod cli;
pub mod dialect;
pub mod engine;
pub mod model;
pub mod projection;
pub mod sandbox;
pub mod ui;
pub mod vault;
