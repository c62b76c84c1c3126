//! Plain data that every room speaks of. No I/O, no async, no clock of its own.

pub mod agents;
pub mod clock;
pub mod desk;
pub mod environment;
pub mod fact;
pub mod flows;
pub mod happening;
pub mod hosts;
pub mod id;
pub mod login;
pub mod record;
pub mod report;
pub mod rich;
pub mod secret;
pub mod signing;
pub mod time;

pub use clock::{Clock, ManualClock, Now, ServerTime, SteppedClock, SystemClock};
pub use environment::Environment;
pub use fact::Fact;
pub use happening::{Happening, Message};
pub use hosts::{Hosts, Region};
pub use id::{DialectId, SessionId, UNVERIFIED};
pub use record::{Direction, Draft, Flags, Kind, Record};
pub use report::Report;
pub use secret::{Secret, SecretKind};
pub use signing::{KeyInfo, KeyState};
pub use time::{Mono, Wall};
