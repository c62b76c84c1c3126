//! Where no window can be shown: says what is missing, and runs the first conversation in the terminal.

use std::process::ExitCode;
use std::time::Duration;

use super::Outcome;
use super::headless::Headless;
use crate::capture::Opened;
use crate::dialect::Wish;
use crate::engine::Command;
use crate::engine::console::ConsoleOptions;
use crate::model::fact::{Delivery, SessionState};
use crate::model::happening::{Part, Side};
use crate::model::{Report, SessionId};
use crate::projection::{ClockView, Entry, EntryState, SessionView, What};

const LIMIT: Duration = Duration::from_secs(15);

pub fn run(missing: &Report) -> Outcome {
    eprintln!("There is no window here. {}", missing.text());
    println!("First conversation, in the terminal, against the embedded sandbox:\n");
    let mut headless = Headless::start(ConsoleOptions::default())?;
    let environment = headless.start_sandbox()?;
    println!("sandbox    {}", environment.hosts()?.guest_socket);
    headless.console.engine.send(Command::SignIn { environment: environment.clone() })?;
    let session = headless.open("First light", &environment)?;
    wait_ready(&headless, session)?;
    println!("session    configured\n");
    let mut printed = 0;
    for text in ["hello", "quick", "card"] {
        say(&headless, session, text)?;
        printed = print_new(&headless, session, printed);
    }
    ask_jwt(&headless, session)?;
    println!();
    print_clocks(&headless, session);
    headless.console.engine.send(Command::CloseSession { session })?;
    headless.until(LIMIT, |h| h.view(session)?.state.as_ref().filter(|s| s.is_ended()).map(|_| ()));
    let writer = headless.writer().clone();
    headless.console.close(Duration::from_secs(5))?;
    let status = writer.status();
    println!("\nrecords    {} ({} bytes on disk, {} payloads left out)", status.records, status.bytes, status.left_out);
    if let Opened::File(file) = writer.opened() {
        println!("capture    {}", file.display());
        println!("           look at it again with: sessionscope open {}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn wait_ready(headless: &Headless, session: SessionId) -> Result<(), Report> {
    let outcome = headless.until(LIMIT, |h| match h.view(session)?.state.as_ref()? {
        SessionState::Ready => Some(Ok(())),
        SessionState::Ended(end) => Some(Err(Report::new("ended", "The session ended", end.sentence()))),
        _ => None,
    });
    outcome.unwrap_or_else(|| {
        Err(Report::new("timeout", "The session was not configured in time", "No SessionResponse came."))
    })
}

/// Says it and waits for the echo and for an answer.
fn say(headless: &Headless, session: SessionId, text: &str) -> Result<(), Report> {
    let answers = |v: &SessionView| v.conversation.entries.iter().filter(|e| is_answer(e)).count();
    let before = headless.view(session).map_or(0, |v| answers(&v));
    let tracing = uuid::Uuid::new_v4().to_string();
    let wish = Wish::Text { tracing, text: text.to_owned(), attributes: Vec::new(), attachments: Vec::new() };
    headless.console.engine.send(Command::Wish { session, wish })?;
    let answered = headless.until(LIMIT, |h| (answers(&*h.view(session)?) > before).then_some(()));
    answered
        .ok_or_else(|| Report::new("no-reply", "The sandbox did not answer", format!("Nothing came after “{text}”.")))
}

fn is_answer(entry: &Entry) -> bool {
    matches!(&entry.what, What::Message(m) if m.side != Side::Guest)
}

/// The JWT's clock is the most instructive one: it lives for a minute.
fn ask_jwt(headless: &Headless, session: SessionId) -> Result<(), Report> {
    headless.console.engine.send(Command::Wish { session, wish: Wish::GetJwt })?;
    headless.until(LIMIT, |h| h.view(session)?.clocks.iter().any(|c| c.fact.id == "guest-jwt").then_some(()));
    Ok(())
}

fn print_new(headless: &Headless, session: SessionId, printed: usize) -> usize {
    let Some(view) = headless.view(session) else { return printed };
    let entries = &view.conversation.entries;
    for entry in entries.iter().skip(printed) {
        if let Some(line) = line(entry) {
            println!("{line}");
        }
    }
    entries.len()
}

fn line(entry: &Entry) -> Option<String> {
    let What::Message(m) = &entry.what else { return None };
    let time = entry.at.timestamp().map(|t| t.strftime("%H:%M:%S%.3f").to_string()).unwrap_or_default();
    let mut text = m.text.clone().unwrap_or_default();
    for part in &m.parts {
        match part {
            Part::QuickReply { text: t, .. } => text.push_str(&format!("  [{t}]")),
            Part::Card(card) => text.push_str(&format!("  [card: {}]", card.title)),
            Part::Carousel(cards) => text.push_str(&format!("  [carousel of {} cards]", cards.len())),
            Part::Attachment(a) => text.push_str(&format!("  [file: {}]", a.name)),
            Part::Answer { text: t, .. } => text.push_str(&format!("  ({t})")),
            Part::Other { kind, .. } => text.push_str(&format!("  [{kind}]")),
        }
    }
    let mark = match &entry.state {
        EntryState::Received => String::new(),
        EntryState::Own(Delivery::Delivered, Some(us)) => format!("   ({} ms)", us / 1000),
        EntryState::Own(delivery, _) => format!("   ({delivery:?})"),
    };
    Some(format!("{time}  {:<6} {text}{mark}", m.side.word()))
}

fn print_clocks(headless: &Headless, session: SessionId) {
    let board = headless.board();
    let now = headless.console.clock.now();
    println!("clocks");
    let views = [Some(board.general.clone()), board.session(session).cloned()];
    for view in views.into_iter().flatten() {
        let server_now = view.server_now(now);
        for clock in &view.clocks {
            println!("  {}", clock_line(clock, clock.left(server_now)));
        }
    }
}

fn clock_line(clock: &ClockView, left: Option<Duration>) -> String {
    let left = left.map_or_else(
        || "no end known".to_owned(),
        |d| {
            let s = d.as_secs();
            format!("{:>3}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
        },
    );
    let assumed = if clock.fact.assumed { " (assumed)" } else { "" };
    format!("{:<22} {left}{assumed}  then: {}", clock.fact.title, clock.fact.breaks)
}
