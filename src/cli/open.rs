//! `sessionscope open` where no window can be shown: tells what the capture holds.

use std::path::Path;
use std::process::ExitCode;

use super::Outcome;
use crate::capture::Reader;
use crate::model::Report;
use crate::projection::Board;

pub fn run(file: &Path, missing: &Report) -> Outcome {
    let reader = Reader::open(file)?;
    eprintln!("There is no window here. {}", missing.text());
    println!("{}: {} records", file.display(), reader.len());
    let mut board = Board::default();
    loop {
        let story = reader.story(board.seq, 4096)?;
        if story.is_empty() {
            break;
        }
        for record in &story {
            board.fold(record);
        }
    }
    for session in &board.sessions {
        let name = session.start.as_ref().map_or("session", |s| s.name.as_str());
        let state = session.state.as_ref().map_or("new", |s| s.word());
        println!("  {} {name}: {state}, {} lines of conversation", session.id.0, session.conversation.entries.len());
    }
    Ok(ExitCode::SUCCESS)
}
