//! What became of a session, as Markdown: for a ticket, or to be kept with the result of a test.

use std::fmt::Write as _;

use super::markdown::escape_inline;
use super::session::SessionView;
use crate::model::fact::{ErrorCategory, SessionState};
use crate::model::{UNVERIFIED, Wall};

/// So many of the newest faults are told one by one.
const FAULTS: usize = 20;

/// The report of a session as it stands at `now`. `name` is what it is called by the user.
pub fn write(view: &SessionView, name: &str, now: Wall) -> String {
    let mut out = String::new();
    let _ = write_to(&mut out, view, name, now);
    out
}

fn write_to(out: &mut String, view: &SessionView, name: &str, now: Wall) -> std::fmt::Result {
    writeln!(out, "# Report of session {} {}\n", view.id.0, escape_inline(name))?;
    let mut field = |name: &str, value: &str| writeln!(out, "- {name}: {}", escape_inline(value));
    if let Some(start) = &view.start {
        field("Protocol", start.dialect.title())?;
        if !start.dialect.is_verified() {
            field("Unverified", UNVERIFIED)?;
        }
        field("Environment", &start.environment)?;
        if start.tls_unverified {
            field("Warning", "certificates were not verified")?;
        }
    }
    for (form, name) in view.metrics.forms.iter().zip(["Messages sent as", "Tokens renewed by"]) {
        if let Some(form) = form {
            field(name, form)?;
        }
    }
    let last = view.metrics.activity.back();
    let ended = last.filter(|_| view.state.as_ref().is_some_and(SessionState::is_ended)).map(|a| a.at);
    field("Began", &view.started.wall.rfc3339())?;
    match (&view.state, ended) {
        (Some(SessionState::Ended(end)), Some(at)) => {
            field("Ended", &format!("{}: {}", at.rfc3339(), end.sentence()))?;
        }
        (Some(state), _) => field("Ended", &format!("not yet; the state is “{}”", state.word()))?,
        (None, _) => field("Ended", "not yet; nothing was tried")?,
    }
    field("Duration", &span(ended.unwrap_or(now).micros_since(view.started.wall).max(0) as u64))?;
    ids(out, view)?;
    figures(out, view)?;
    states(out, view, ended.unwrap_or(now))?;
    faults(out, view)?;
    lints(out, view)
}

fn ids(out: &mut String, view: &SessionView) -> std::fmt::Result {
    if view.ids.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Ids at the server\n")?;
    for id in &view.ids {
        write!(out, "- {}: `{}`", escape_inline(&id.name), id.value.replace('`', "'"))?;
        match &id.mismatch {
            Some(why) => writeln!(out, " **does not fit:** {}", escape_inline(why))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn figures(out: &mut String, view: &SessionView) -> std::fmt::Result {
    let m = &view.metrics;
    writeln!(out, "\n## Figures\n")?;
    writeln!(out, "- Attempts: {}, failed {}, made again {}", m.attempts(), m.total_errors(), m.retries())?;
    let kinds: Vec<String> = ErrorCategory::ALL
        .into_iter()
        .filter(|c| m.errors_of(*c) > 0)
        .map(|c| format!("{} {}", c.word(), m.errors_of(c)))
        .collect();
    if !kinds.is_empty() {
        writeln!(out, "- Errors by kind: {}", kinds.join(", "))?;
    }
    if let Some(rate) = m.validation_failure_rate() {
        writeln!(out, "- Failed token validations among the errors: {:.1} %", rate * 100.0)?;
    }
    writeln!(out, "- Disconnections: {}", m.disconnections)?;
    if let Some(s) = &view.summary {
        let (sent, delivered) = (s.sent, s.delivered);
        writeln!(out, "- Messages sent {sent}, delivered {delivered}; tokens renewed {}", s.refreshes)?;
        if s.heartbeats > 0 {
            writeln!(out, "- Heartbeats: {}", s.heartbeats)?;
        }
    }
    if m.actions.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| Action | Attempts | Errors | Average | p50 | p90 | p95 | p99 | Longest |")?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
    for a in &m.actions {
        let l = &a.latency;
        write!(out, "| {} | {} | {} |", escape_inline(&a.name), a.attempts, a.errors)?;
        let percentiles = [50, 90, 95, 99].map(|p| l.percentile_us(p));
        let longest = (l.count > 0).then_some(l.most_us);
        for us in std::iter::once(l.average_us()).chain(percentiles).chain([longest]) {
            match us {
                Some(us) => write!(out, " {} |", span(us))?,
                None => write!(out, " – |")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn states(out: &mut String, view: &SessionView, end: Wall) -> std::fmt::Result {
    let m = &view.metrics;
    if m.activity.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## States\n")?;
    if m.activity_left_out > 0 {
        writeln!(out, "*{} older ones stand in the records.*\n", m.activity_left_out)?;
    }
    let until = m.activity.iter().skip(1).map(|a| Some(a.at)).chain([None]);
    for (a, until) in m.activity.iter().zip(until) {
        write!(out, "- {} **{}**", a.at.rfc3339(), a.state)?;
        if !a.why.is_empty() {
            write!(out, ": {}", escape_inline(&a.why))?;
        }
        let last = until.is_none() && a.state == "ended";
        if !last {
            write!(out, " ({})", span(until.unwrap_or(end).micros_since(a.at).max(0) as u64))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn faults(out: &mut String, view: &SessionView) -> std::fmt::Result {
    writeln!(out, "\n## Faults\n")?;
    if view.faults_told == 0 {
        return writeln!(out, "None.");
    }
    let shown = view.faults.len().min(FAULTS);
    let older = view.faults_told.saturating_sub(shown as u64);
    if older > 0 {
        writeln!(out, "*{older} older ones stand in the records.*\n")?;
    }
    for (seq, report) in view.faults.iter().skip(view.faults.len() - shown) {
        writeln!(out, "- Record {seq}: **{}** {}", escape_inline(&report.title), escape_inline(&report.what))?;
        for remedy in &report.remedies {
            writeln!(out, "  - {}", escape_inline(remedy))?;
        }
    }
    Ok(())
}

fn lints(out: &mut String, view: &SessionView) -> std::fmt::Result {
    writeln!(out, "\n## Lint of the protocol\n")?;
    if view.lints.told == 0 {
        return writeln!(out, "Nothing was broken.");
    }
    for broken in &view.lints.broken {
        let (rule, count) = (&broken.rule, broken.count);
        write!(out, "- **{}** ({}, {}), {count} times", escape_inline(&rule.title), rule.weight, rule.id)?;
        match broken.lints.back() {
            Some(last) => writeln!(out, "; last in record {}: {}", last.seq, escape_inline(&last.says))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn span(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..60_000_000 => format!("{:.1} s", us as f64 / 1e6),
        _ => {
            let s = us / 1_000_000;
            format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::{Audit, AuditOutcome, End, NamedId, StateChange};
    use crate::model::{Draft, Fact, Mono, Now, Record, Report, SessionId};
    use crate::projection::Board;

    fn folded(facts: &[Fact]) -> Board {
        let mut board = Board::default();
        for (n, fact) in facts.iter().enumerate() {
            let n = n as u64 + 1;
            let now = Now { wall: Wall::from_secs(1_767_705_974 + n as i64), mono: Mono(1_000_000 * n) };
            board.fold(&Record { seq: n, draft: Draft::fact(now, SessionId(1), fact) });
        }
        board
    }

    fn state(to: SessionState) -> Fact {
        Fact::State(StateChange { to, why: String::new() })
    }

    #[test]
    fn it_tells_states_figures_names_and_faults_and_nothing_in_it_becomes_markup() {
        let mismatch = Some("differs from the session's".into());
        let board = folded(&[
            state(SessionState::Connecting),
            state(SessionState::Ready),
            Fact::Id(NamedId { name: "contact".into(), value: "c-1".into(), mismatch }),
            Fact::Audit(Audit { action: "message.send".into(), latency_us: 84_000, ..Audit::default() }),
            Fact::Audit(Audit {
                action: "message.send".into(),
                outcome: AuditOutcome::Failed,
                category: Some(ErrorCategory::Auth),
                latency_us: 20_000,
                ..Audit::default()
            }),
            Fact::Fault(Report::new("f", "It *failed*", "with 401").remedy("Renew it.")),
            state(SessionState::Ended(End::ByUser)),
        ]);
        let view = &board.sessions[0];
        let text = write(view, "Guest <1>", Wall::from_secs(1_800_000_000));
        for line in [
            "# Report of session 1 Guest \\<1\\>",
            "- Ended: 2026-01-06T13:26:21.000000Z: closed by you",
            "- Duration: 6.0 s",
            "- contact: `c-1` **does not fit:** differs from the session's",
            "- Attempts: 2, failed 1, made again 0",
            "- Errors by kind: auth 1",
            "| message.send | 2 | 1 | 52 ms | 20 ms | 84 ms | 84 ms | 84 ms | 84 ms |",
            "- 2026-01-06T13:26:16.000000Z **ready** (5.0 s)",
            "- 2026-01-06T13:26:21.000000Z **ended**: closed by you",
            "- Record 6: **It \\*failed\\*** with 401",
            "  - Renew it.",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n--\n{text}");
        }
    }

    #[test]
    fn a_session_that_goes_on_says_so() {
        let board = folded(&[state(SessionState::Ready)]);
        let text = write(&board.sessions[0], "x", Wall::from_secs(1_767_705_975 + 90));
        assert!(text.contains("- Ended: not yet; the state is “ready”"), "{text}");
        assert!(text.contains("- Duration: 0:01:30"));
        assert!(text.contains("## Faults\n\nNone."));
    }
}
