//! The conversation as Markdown, for a ticket or a report.
//!
//! Written as it folds: any number of messages in bounded memory. Entries are put in the server's order within a
//! window of [`WINDOW`]; what is told later than that stands in a section of its own at the end.

use std::io::Write;

use super::conversation::{Entry, EntryState, What};
use super::markdown::{escape, escape_inline};
use super::session::{SessionFold, SessionView};
use crate::capture::{Reader, Rows};
use crate::model::fact::{Delivery, SessionState};
use crate::model::happening::{AttachmentState, Card, CardAction, Part, Presence, Side};
use crate::model::{Fact, Flags, Kind, Message, Record, Report, SessionId, Wall};

/// So many entries are held back until their order is settled, fewer where they weigh more than [`WINDOW_BYTES`].
pub const WINDOW: usize = 50_000;

/// See [`WINDOW`].
pub const WINDOW_BYTES: usize = 64 << 20;

/// So many records at the end of a session are searched for how it ended.
const LOOK_BACK: u64 = 20_000;

const SLICE: u64 = 512;

/// A longer payload is not read together with others.
const LONG: usize = 1 << 16;

/// Writes a session, or all of a capture one after another. `progress` is told records done and to do, and ends the
/// work by returning false; that is an error with the code `cancelled`. Blocks: not for the interface thread.
pub fn write(
    reader: &Reader,
    session: Option<SessionId>,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<(), Report> {
    let sessions = match session {
        Some(id) => vec![(id, reader.rows(Some(id), false))],
        None => sessions(reader),
    };
    let total = sessions.iter().map(|(_, rows)| rows.len()).sum();
    let mut step = Step { done: 0, total, progress };
    put(out, format_args!("# Transcript\n\nTimes are the server's where it told them, in UTC.\n"))?;
    if total == 0 {
        put(out, format_args!("\n*There is no session in this capture.*\n"))?;
    }
    for (id, rows) in sessions {
        Writing { reader, out, date: String::new() }.session(id, &rows, &mut step)?;
    }
    out.flush().map_err(|e| unwritable(&e))
}

fn sessions(reader: &Reader) -> Vec<(SessionId, Rows)> {
    let ids = reader.sessions().into_iter().filter(|id| *id != SessionId::NONE);
    ids.map(|id| (id, reader.rows(Some(id), false))).collect()
}

/// Records with their whole payloads, long ones read one at a time so that a slice of them stays small.
fn whole(reader: &Reader, seqs: &[u64], each: &mut dyn FnMut(&Record)) -> Result<(), Report> {
    for mut record in reader.records(seqs, LONG)? {
        if !record.flags.has(Flags::STORY) {
            continue;
        }
        if record.body.len() == LONG
            && let Some(all) = reader.record(record.seq)?
        {
            record = all;
        }
        each(&record);
    }
    Ok(())
}

fn count(messages: u64) -> String {
    format!("{messages} {}", if messages == 1 { "message" } else { "messages" })
}

struct Step<'a> {
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64) -> bool,
}

impl Step<'_> {
    fn by(&mut self, records: u64) -> Result<(), Report> {
        self.done += records;
        if (self.progress)(self.done, self.total) {
            return Ok(());
        }
        Err(Report::new("cancelled", "The transcript was not finished", "It was cancelled."))
    }
}

struct Writing<'a> {
    reader: &'a Reader,
    out: &'a mut dyn Write,
    /// The last date written.
    date: String,
}

impl Writing<'_> {
    fn session(&mut self, id: SessionId, rows: &Rows, step: &mut Step<'_>) -> Result<(), Report> {
        let mut view = SessionView::new(id);
        let mut fold = SessionFold::windowed(WINDOW, WINDOW_BYTES);
        let (mut told, mut late, mut messages) = (Vec::new(), Vec::new(), 0u64);
        let mut row = 0;
        let mut headed = false;
        while row < rows.len() {
            let seqs: Vec<u64> = (row..rows.len().min(row + SLICE)).filter_map(|r| rows.seq(r)).collect();
            whole(self.reader, &seqs, &mut |record| fold.fold(&mut view, record, &mut told))?;
            if !headed {
                self.header(&view, rows)?;
                headed = true;
            }
            if let Some(cut) = &mut fold.thread.cut {
                late.append(&mut cut.too_late);
                for entry in cut.in_order.drain(..) {
                    messages += self.entry(&entry)?;
                }
            }
            let read = SLICE.min(rows.len() - row);
            row += read;
            step.by(read)?;
        }
        for entry in &view.conversation.entries {
            messages += self.entry(entry)?;
        }
        if !late.is_empty() {
            put(self.out, format_args!("\n### Told too late to stand in their place\n"))?;
            self.date.clear();
            for entry in &late {
                messages += self.entry(entry)?;
            }
        }
        put(self.out, format_args!("\n---\n\n{}", count(messages)))?;
        if let Some(f) = view.latencies.figures() {
            let ms = |d: std::time::Duration| d.as_secs_f64() * 1e3;
            let (count, p50, p95, max) = (f.count, ms(f.p50), ms(f.p95), ms(f.max));
            put(
                self.out,
                format_args!(
                    "; echo of the last {count}: median {p50:.0} ms, 95 % within {p95:.0} ms, longest {max:.0} ms"
                ),
            )?;
        }
        put(self.out, format_args!(".\n"))
    }

    fn header(&mut self, view: &SessionView, rows: &Rows) -> Result<(), Report> {
        let name = view.start.as_ref().map_or("", |s| s.name.as_str());
        put(self.out, format_args!("\n## Session {} {}\n\n", view.id.0, escape_inline(name)))?;
        if let Some(start) = &view.start {
            self.field("Protocol", start.dialect.title())?;
            self.field("Environment", &start.environment)?;
            self.field("Guest socket", &start.hosts.guest_socket)?;
            self.field("Deployment", &start.deployment_id)?;
            if start.tls_unverified {
                self.field("Warning", "certificates were not verified")?;
            }
        }
        self.field("Began", &view.started.wall.rfc3339())?;
        let last = match rows.len().checked_sub(1).and_then(|row| rows.seq(row)) {
            Some(seq) => self.reader.records(&[seq], 0)?.first().map(|r| r.at.wall),
            None => None,
        };
        self.field("Last record", &last.map(Wall::rfc3339).unwrap_or_default())?;
        let ended = self.how_it_ended(rows)?;
        self.field("Ended", &ended)
    }

    fn field(&mut self, name: &str, value: &str) -> Result<(), Report> {
        put(self.out, format_args!("- {name}: {}\n", escape_inline(value)))
    }

    /// The last state of the session, searched from the end.
    fn how_it_ended(&self, rows: &Rows) -> Result<String, Report> {
        let (mut end, stop) = (rows.len(), rows.len().saturating_sub(LOOK_BACK));
        while end > stop {
            let from = end.saturating_sub(SLICE).max(stop);
            let seqs: Vec<u64> = (from..end).filter_map(|r| rows.seq(r)).collect();
            for record in self.reader.records(&seqs, 0)?.iter().rev().filter(|r| r.kind == Kind::State) {
                if let Some(Fact::State(change)) = record.fact() {
                    return Ok(match change.to {
                        SessionState::Ended(how) => how.sentence(),
                        state if !self.reader.is_running() => {
                            format!("cut off; the capture ends in the state “{}”", state.word())
                        }
                        state => format!("not yet; the last state is “{}”", state.word()),
                    });
                }
            }
            end = from;
        }
        Ok("not told among the last records".into())
    }

    /// Writes one entry; gives 1 for a message.
    fn entry(&mut self, entry: &Entry) -> Result<u64, Report> {
        let (date, time) = match entry.at.timestamp() {
            Some(t) => (t.strftime("%Y-%m-%d").to_string(), t.strftime("%H:%M:%S%.3f").to_string()),
            None => (String::new(), entry.at.rfc3339()),
        };
        if date != self.date {
            put(self.out, format_args!("\n### {date}\n"))?;
            self.date = date;
        }
        let cleared = if entry.cleared { " *(before clearing)*" } else { "" };
        let mark = delivery_mark(&entry.state);
        match &entry.what {
            What::Message(m) => {
                let who = match &m.from {
                    Some(name) => format!("{} ({})", m.side.word(), escape_inline(name)),
                    None => m.side.word().to_owned(),
                };
                put(self.out, format_args!("\n**{time} {who}**{}{mark}{cleared}\n", body(m)))?;
                return Ok(1);
            }
            What::Presence(side, what) => {
                put(self.out, format_args!("\n*{time} {}*{mark}{cleared}\n", presence(*side, what)))?;
            }
            What::Upload { name, size, state, .. } => {
                let name = if name.is_empty() { "a file".to_owned() } else { escape_inline(name) };
                let state = upload(state);
                put(self.out, format_args!("\n*{time} upload of {name} ({size} bytes): {state}*{cleared}\n"))?;
            }
            What::State(line) => put(self.out, format_args!("\n*{time} {}*\n", escape_inline(line)))?,
            What::Note(text) => put(self.out, format_args!("\n**{time} note** {}\n", escape(text)))?,
        }
        Ok(0)
    }
}

fn body(m: &Message) -> String {
    let mut out = String::new();
    if let Some(text) = m.text.as_deref().filter(|t| !t.trim().is_empty()) {
        out.push(' ');
        out.push_str(&escape(text));
    }
    let mut line = |text: String| {
        out.push_str("\\\n↳ ");
        out.push_str(&text);
    };
    for part in &m.parts {
        match part {
            Part::QuickReply { text, payload, .. } => line(format!("quick reply: {}", choice(text, payload))),
            Part::Answer { kind, text, payload } => {
                line(format!("pressed {}: {}", escape_inline(kind), choice(text, payload)));
            }
            Part::Card(c) => card(c, &mut line),
            Part::Carousel(cards) => cards.iter().for_each(|c| card(c, &mut line)),
            Part::Attachment(a) => {
                let size = a.size.map(|n| format!(", {n} bytes")).unwrap_or_default();
                let mime = if a.mime.is_empty() { String::new() } else { format!(", {}", escape_inline(&a.mime)) };
                line(format!("file: {}{mime}{size}", escape_inline(&a.name)));
            }
            Part::Date(d) => {
                line(format!("date picker: {}", escape_inline(&d.title)));
                d.slots.iter().for_each(|s| line(format!("time offered: {}", escape_inline(&s.time))));
            }
            Part::List(l) => {
                line(format!("list picker: {}", escape_inline(&l.prompt.title)));
                let items = l.sections.iter().flat_map(|s| s.items.iter());
                items.for_each(|i| line(format!("item offered: {}", choice(&i.title, &i.id))));
            }
            Part::Form(f) => {
                line(format!("form: {}", escape_inline(&f.prompt.title)));
                let fields = f.pages.iter().flat_map(|p| p.fields.iter());
                fields.for_each(|f| line(format!("field of the form: {}", escape_inline(f.title()))));
            }
            Part::Chosen(c) => {
                for (field, one) in &c.choices {
                    let of = if field.is_empty() { &c.kind } else { field };
                    line(format!("chose {}: {}", escape_inline(of), choice(&one.text, &one.payload)));
                }
            }
            Part::Other { kind, json } => {
                line(format!("{}: {}", escape_inline(kind), escape_inline(&json.to_string())))
            }
        }
    }
    for (key, value) in &m.attributes {
        line(format!("attribute {} = {}", escape_inline(key), escape_inline(value)));
    }
    out
}

fn choice(text: &str, payload: &str) -> String {
    if payload.is_empty() || payload == text {
        escape_inline(text)
    } else {
        format!("{} ({})", escape_inline(text), escape_inline(payload))
    }
}

fn card(card: &Card, line: &mut impl FnMut(String)) {
    let description = if card.description.is_empty() { String::new() } else { format!(": {}", card.description) };
    line(format!("card: {}", escape_inline(&format!("{}{description}", card.title))));
    for action in &card.actions {
        line(match action {
            CardAction::Link { text, url } => format!("link of the card: {}", choice(text, url)),
            CardAction::Postback { text, payload } => format!("button of the card: {}", choice(text, payload)),
        });
    }
}

fn presence(side: Side, what: &Presence) -> String {
    let side = side.word();
    match what {
        Presence::Joined => format!("{side} joined"),
        Presence::Disconnected { read_only: Some(true) } => format!("{side} disconnected, read-only"),
        Presence::Disconnected { .. } => format!("{side} disconnected"),
        Presence::ClearAsked => format!("{side} cleared the conversation"),
        Presence::SignedIn { name } => format!("{side} signed in {}", escape_inline(name)).trim_end().to_owned(),
        Presence::Other(name) => format!("{side}: {}", escape_inline(name)),
    }
}

fn upload(state: &AttachmentState) -> String {
    match state {
        AttachmentState::Asked { .. } => "asked for".into(),
        AttachmentState::Granted => "granted".into(),
        AttachmentState::Uploaded => "done".into(),
        AttachmentState::Failed { code, text } => format!("failed with {code}: {}", escape_inline(text)),
        AttachmentState::LinkRefreshed => "link refreshed".into(),
        AttachmentState::Deleted => "deleted".into(),
    }
}

fn delivery_mark(state: &EntryState) -> String {
    let EntryState::Own(delivery, latency) = state else { return String::new() };
    match (delivery, latency) {
        (Delivery::Delivered, Some(micros)) => format!(" ✓ {:.0} ms", *micros as f64 / 1e3),
        (Delivery::Delivered, None) => " ✓".into(),
        (Delivery::Sent, _) => " *(sent, no echo)*".into(),
        (Delivery::Retrying { why, .. }, _) => format!(" *(to be sent again: {})*", escape_inline(why)),
        (Delivery::Refused { code, text }, _) => format!(" ✗ *refused with {code}: {}*", escape_inline(text)),
        (Delivery::NotSent { why }, _) => format!(" ✗ *not sent: {}*", escape_inline(why)),
        (Delivery::Unconfirmed { why }, _) => format!(" ✗ *unconfirmed: {}*", escape_inline(why)),
    }
}

fn put(out: &mut dyn Write, text: std::fmt::Arguments<'_>) -> Result<(), Report> {
    out.write_fmt(text).map_err(|e| unwritable(&e))
}

fn unwritable(e: &std::io::Error) -> Report {
    Report::new("export-failed", "The transcript could not be written", e.to_string())
        .remedy("Check that the disk has room and the folder can be written to.")
}

#[cfg(test)]
mod tests;
