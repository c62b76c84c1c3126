//! What tellings say, beside messages (for those see [`super::super::merge`]).

use crate::model::happening::{AttachmentState, Presence};
use crate::projection::conversation::What;
use crate::projection::merge::merge;

pub fn word(what: &Presence) -> &str {
    match what {
        Presence::Joined => "joined",
        Presence::Disconnected { .. } => "disconnected",
        Presence::ClearAsked => "clear",
        Presence::SignedIn { .. } => "signed-in",
        Presence::Other(name) => name,
    }
}

pub fn join_content(kept: &mut What, new: What) {
    match (kept, new) {
        (What::Message(kept), What::Message(new)) => merge(kept, new),
        (What::Presence(_, kept), What::Presence(_, new)) => better_presence(kept, new),
        _ => {}
    }
}

/// Keeps what is told: one telling may say less than another.
fn better_presence(kept: &mut Presence, new: Presence) {
    match (kept, new) {
        (Presence::Disconnected { read_only: known @ None }, Presence::Disconnected { read_only }) => {
            *known = read_only;
        }
        (Presence::SignedIn { name: known }, Presence::SignedIn { name }) if known.is_empty() => *known = name,
        _ => {}
    }
}

pub fn can_be_cleared(what: &What) -> bool {
    match what {
        What::Message(_) | What::Upload { .. } => true,
        What::Presence(_, what) => !matches!(what, Presence::ClearAsked),
        What::State(_) | What::Note(_) => false,
    }
}

/// True where `next` can follow `now`: tellings on several connections come late and twice.
pub fn follows(now: &AttachmentState, next: &AttachmentState) -> bool {
    fn step(state: &AttachmentState) -> u8 {
        match state {
            AttachmentState::Asked { .. } => 0,
            // A grant without headers cannot be told from a fresh link; after the upload neither says more than it.
            AttachmentState::Granted | AttachmentState::LinkRefreshed => 1,
            AttachmentState::Failed { .. } | AttachmentState::Uploaded => 2,
            AttachmentState::Deleted => 3,
        }
    }
    // A failed upload may be tried again under its id.
    step(next) > step(now)
        || matches!(
            (now, next),
            (AttachmentState::Failed { .. }, AttachmentState::Asked { .. } | AttachmentState::Uploaded)
        )
}
