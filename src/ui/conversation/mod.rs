//! What was said, as a chat: guest at the right, agent and bot at the left, the session's own lines in the middle.

mod bubble;
mod column;
mod lines;
mod list;
mod names;
mod offers;
mod parts;

pub use column::{
    paint as paint_column, session_head as paint_session_head, slim_head as paint_slim_head, thread as paint_thread,
};
pub use list::ConversationList;
