//! Runs the fold behind a capture.
use std::sync::Arc;

use super::Board;
use crate::capture::Reader;

/// A thread that folds what is new and publishes the board.
pub struct Projector {}

impl Projector {
    /// `wake` is called after a new board was published.
    pub fn start(_reader: Reader, _wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        todo!()
    }

    /// Tells that the capture has grown. Cheap; called by the writer after each commit.
    pub fn grown(&self) {
        todo!()
    }

    pub fn board(&self) -> Arc<Board> {
        todo!()
    }

    /// Records folded and to fold, while it is behind.
    pub fn behind(&self) -> Option<(u64, u64)> {
        todo!()
    }
}
