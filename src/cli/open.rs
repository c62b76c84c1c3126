//! `sessionscope open` where no window can be shown: tells what the capture holds.

use std::path::Path;
use std::process::ExitCode;

use super::out::{Ended, Out, Outcome};
use crate::capture::Reader;
use crate::model::{Record, Report};
use crate::projection::Board;

/// Records read in one go.
const SLICE: usize = 4096;

pub fn run(out: &mut Out, file: &Path, missing: &Report) -> Outcome {
    let reader = Reader::open(file)?;
    out.complain(&format!("There is no window here. {}", missing.text()));
    writeln!(out, "{}: {} records", file.display(), reader.len())?;
    for oddity in reader.oddities() {
        writeln!(out, "  damaged: {oddity}")?;
    }
    let mut board = Board::default();
    let read = fold(&mut board, |after| reader.story(after, SLICE));
    for session in &board.sessions {
        let name = session.start.as_ref().map_or("session", |s| s.name.as_str());
        let state = session.state.as_ref().map_or("new", |s| s.word());
        // Whoever writes it may still be at work, so it is not called cut off.
        let open = session.state.as_ref().is_some_and(|s| !s.is_ended());
        let state = if open { format!("{state} at the end of the capture") } else { state.to_owned() };
        writeln!(
            out,
            "  {} {name}: {state}, {} lines of conversation",
            session.id.0,
            session.conversation.entries.len()
        )?;
    }
    // What could be read is told all the same.
    read.map_err(Ended::from)?;
    Ok(ExitCode::SUCCESS)
}

/// Folds a whole capture. One that gives the same records again and again must not hold us for ever.
fn fold(board: &mut Board, mut next: impl FnMut(u64) -> Result<Vec<Record>, Report>) -> Result<(), Report> {
    loop {
        let before = board.seq;
        let slice = next(before)?;
        if slice.is_empty() {
            return Ok(());
        }
        slice.iter().for_each(|record| board.fold(record));
        if board.seq == before {
            let what = format!("After record {before} the file gives records that it gave before. It is damaged.");
            return Err(Report::new("story-stuck", "The capture cannot be read on", what)
                .remedy("Open an intact copy of the file, if there is one."));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Draft, Fact, Now, SessionId};

    fn record(seq: u64) -> Record {
        Record { seq, draft: Draft::fact(Now::default(), SessionId(1), &Fact::Note { text: format!("note {seq}") }) }
    }

    #[test]
    fn a_capture_is_folded_to_its_end() {
        let mut board = Board::default();
        let mut asked = Vec::new();
        fold(&mut board, |after| {
            asked.push(after);
            Ok((after + 1..=(after + 2).min(5)).map(record).collect())
        })
        .unwrap();
        assert_eq!((board.seq, asked), (5, vec![0, 2, 4, 5]));
    }

    #[test]
    fn a_capture_that_repeats_its_records_ends_the_reading() {
        let mut board = Board::default();
        let report = fold(&mut board, |_| Ok(vec![record(1), record(2)])).unwrap_err();
        assert_eq!((report.code.as_str(), board.seq), ("story-stuck", 2));
    }
}
