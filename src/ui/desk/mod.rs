//! An agent's desk: the conversations at the left, the one in front at the right; and both ends of a conversation on
//! one timeline.

mod ends;
mod form;
mod head;
mod list;
mod status;
mod talk;

pub use ends::{EndsPane, offer, paint as paint_ends};
pub use talk::paint;

use std::collections::HashMap;
use std::sync::Arc;

use crate::dialect::{Deed, DeskWish, Wish};
use crate::projection::{SessionView, Talk};
use crate::ui::composer::Composer;
use crate::ui::conversation::ConversationList;

/// What the window keeps of a desk, or of a guest's session whose other end is shown.
#[derive(Default)]
pub struct DeskPane {
    /// The conversation in front.
    pub talk: Option<String>,
    /// The one of which the engine knows that it is.
    looked_at: Option<String>,
    /// Drafts of each conversation.
    pub composers: HashMap<String, Composer>,
    list: ConversationList,
    face: Option<Face>,
    form: form::DeedForm,
    /// Both ends are shown instead of the conversation.
    pub ends: bool,
    pub pane: EndsPane,
}

impl DeskPane {
    /// Brings what came from one of these records into view, where it stands in the conversation in front.
    pub fn reveal(&mut self, seqs: &[u64]) {
        if let Some(face) = &self.face {
            self.list.reveal(&face.view, seqs);
        }
    }

    /// Brings a conversation to the front.
    pub fn bring(&mut self, talk: String) {
        if self.talk.as_ref() != Some(&talk) {
            self.talk = Some(talk);
            self.list = ConversationList::default();
        }
    }
}

/// A conversation of the desk in the shape of a session, so that one list and one composer paint both. Made anew when it
/// changed; it has of the session only what these two look at.
struct Face {
    of: Arc<Talk>,
    view: SessionView,
}

impl Face {
    fn new(talk: &Arc<Talk>, view: &SessionView) -> Self {
        let shown = SessionView {
            id: view.id,
            start: view.start.clone(),
            state: view.state.clone(),
            conversation: talk.conversation.clone(),
            not_sent: view.not_sent.clone(),
            ..SessionView::default()
        };
        Self { of: Arc::clone(talk), view: shown }
    }

    fn is_of(&self, talk: &Arc<Talk>, view: &SessionView) -> bool {
        Arc::ptr_eq(&self.of, talk) && self.view.state == view.state && self.view.not_sent == view.not_sent
    }
}

/// What a composer wishes, as a deed in a conversation of the desk.
pub fn in_talk(wish: Wish, conversation: &str) -> Wish {
    let deed = match wish {
        Wish::Text { tracing, text, attachments, .. } => Deed::Say { tracing, text, files: attachments },
        Wish::Attach { attachment, name, mime, bytes } => Deed::Attach { attachment, name, mime, bytes },
        Wish::DeleteAttachment { attachment } => Deed::DropFile { attachment },
        Wish::Typing { tracing } => Deed::Typing { tracing },
        other => return other,
    };
    within(conversation, deed)
}

/// A deed in a conversation.
pub fn within(conversation: &str, deed: Deed) -> Wish {
    Wish::Desk(DeskWish::In { conversation: conversation.to_owned(), deed })
}
