//! Puts together what the capture tells about one failure.

mod held;
mod request;

use self::held::{call_tokens, scopes, socket, token};
use self::request::{limits, request};
use super::calls::{Auth, Call};
use super::gathered::Gathered;
use super::tokens::{Moment, TokenRef};
use super::words::{self, FrameError};
use super::{Evidence, Scene};
use crate::model::fact::{End, SessionState};
use crate::model::record::HttpResponse;
use crate::model::{Fact, Now, Report, Wall};
use crate::projection::knowledge::names::seconds;
use crate::projection::session::SessionView;

/// Server minus ours, in seconds: how far, how sure, and the record that told it.
#[derive(Clone, Copy)]
struct Skew {
    secs: f64,
    uncertainty: f64,
}

/// Between which instants something was on its way.
#[derive(Clone, Copy)]
struct Span {
    sent: Moment,
    end: Moment,
}

pub fn answer(own: &Evidence, scene: &Scene<'_>, call: Option<&Call>) -> Gathered {
    let mut g = Gathered::new();
    let head: HttpResponse = scene.record.head_as().unwrap_or_default();
    let told = response(&mut g, scene, &head);
    let skew = skew_of(scene, call, &head);
    common(&mut g, own, scene, skew);
    if let Some(call) = call {
        let span = Span { sent: call.sent, end: scene.now() };
        request(&mut g, own, scene, call);
        limits(&mut g, own, scene, call, &told.text);
        let about_guest = ["session token", "guest token", "guesttoken"].iter().any(|t| g.text.contains(t))
            || told.code.starts_with("session.token")
            || told.code.starts_with("guest.token");
        call_tokens(&mut g, own, scene, call, span, about_guest, skew);
        scopes(&mut g, own, scene, bearer_of(call).or(own.bearer), &told.text);
    }
    g
}

pub fn no_answer(own: &Evidence, scene: &Scene<'_>, call: Option<&Call>, fact: Option<&Fact>) -> Gathered {
    let mut g = Gathered::new();
    report_of(&mut g, scene, fact);
    let skew = known_skew(scene.view);
    common(&mut g, own, scene, skew);
    if let Some(call) = call {
        request(&mut g, own, scene, call);
        call_tokens(&mut g, own, scene, call, Span { sent: call.sent, end: scene.now() }, false, skew);
    }
    g
}

pub fn upgrade(own: &Evidence, scene: &Scene<'_>, call: Option<&Call>, fact: Option<&Fact>) -> Gathered {
    let mut g = Gathered::new();
    let mut text = String::new();
    let mut skew = known_skew(scene.view);
    if scene.record.code == 0 {
        report_of(&mut g, scene, fact);
    } else {
        let head: HttpResponse = scene.record.head_as().unwrap_or_default();
        text = response(&mut g, scene, &head).text;
        skew = skew_of(scene, call, &head);
    }
    common(&mut g, own, scene, skew);
    if let Some(call) = call {
        let span = Span { sent: call.sent, end: scene.now() };
        request(&mut g, own, scene, call);
        call_tokens(&mut g, own, scene, call, span, false, skew);
        let name = bearer_of(call).or(call.token);
        if let Some(name) = name {
            token(&mut g, "token", own, scene.common, name, span, skew);
            token(&mut g, "handshake", own, scene.common, name, span, skew);
            g.token = Some(name);
        }
        scopes(&mut g, own, scene, name.or(own.bearer), &text);
    }
    if let Some((seq, found)) = &scene.common.probe {
        g.text("probe.fault", found, *seq);
    }
    g
}

pub fn frame(own: &Evidence, scene: &Scene<'_>, error: &FrameError) -> Gathered {
    let mut g = Gathered::new();
    let record = scene.record;
    common(&mut g, own, scene, known_skew(scene.view));
    g.number("frame.code", f64::from(error.code), record.seq);
    g.text("frame.text", &error.text, record.seq);
    g.text = error.text.to_lowercase();
    if let Some(secs) = error.retry_after {
        g.number("answer.retry_after_s", secs, record.seq);
    }
    if let Some(size) = own.sockets.size_of(record.reply_to) {
        g.number("frame.bytes", size as f64, record.reply_to);
    }
    if let Some(meter) = scene.view.meters.get("messages") {
        g.number("rate.frames", f64::from(meter.used(record.at.mono)), 0);
        g.number("rate.frames_limit", f64::from(meter.limit), 0);
    }
    if let Some(start) = &scene.view.start {
        g.number("limit.message_bytes", f64::from(start.limits.message_bytes), 0);
    }
    socket(&mut g, own, scene);
    // It is the JWT of a guest who has signed in that such a frame is about, not what the socket was opened with.
    if error.code == 401
        && let Some(known) = own.tokens.newest(&["guest-auth"], record.at)
    {
        let span = Span { sent: scene.now(), end: scene.now() };
        token(&mut g, "token", own, scene.common, known.name, span, known_skew(scene.view));
        g.token = Some(known.name);
    }
    g
}

pub fn close(own: &Evidence, scene: &Scene<'_>) -> Gathered {
    let mut g = Gathered::new();
    let record = scene.record;
    g.number("close.code", f64::from(record.code), record.seq);
    let reason = record.text().unwrap_or_default();
    g.text("close.reason", reason, record.seq);
    g.text = reason.to_lowercase();
    common(&mut g, own, scene, known_skew(scene.view));
    socket(&mut g, own, scene);
    g
}

pub fn lost(own: &Evidence, scene: &Scene<'_>, fact: Option<&Fact>) -> Gathered {
    let mut g = Gathered::new();
    report_of(&mut g, scene, fact);
    common(&mut g, own, scene, known_skew(scene.view));
    socket(&mut g, own, scene);
    g
}

pub fn fault(own: &Evidence, scene: &Scene<'_>, report: &Report) -> Gathered {
    let mut g = Gathered::new();
    common(&mut g, own, scene, known_skew(scene.view));
    report_into(&mut g, scene, report);
    g
}

pub fn delivery(own: &Evidence, scene: &Scene<'_>, why: &str) -> Gathered {
    let mut g = Gathered::new();
    common(&mut g, own, scene, known_skew(scene.view));
    g.text("refused.why", why, scene.record.seq);
    g.text = why.to_lowercase();
    g
}

pub fn ended(own: &Evidence, scene: &Scene<'_>, end: &End) -> Gathered {
    let mut g = Gathered::new();
    common(&mut g, own, scene, known_skew(scene.view));
    let sentence = end.sentence();
    g.text("state.end", &sentence, scene.record.seq);
    g.text = sentence.to_lowercase();
    g
}

fn report_of(g: &mut Gathered, scene: &Scene<'_>, fact: Option<&Fact>) {
    if let Some(Fact::Fault(report)) = fact {
        report_into(g, scene, report);
    }
}

fn report_into(g: &mut Gathered, scene: &Scene<'_>, report: &Report) {
    g.text("fault.code", &report.code, scene.record.seq);
    g.text("fault.text", &report.what, scene.record.seq);
    g.text = format!("{} {}", report.title, report.what).to_lowercase();
}

/// What the head and the body of an answer say.
fn response(g: &mut Gathered, scene: &Scene<'_>, head: &HttpResponse) -> words::Told {
    let record = scene.record;
    let told = words::told(&record.body);
    g.number("answer.status", f64::from(record.code), record.seq);
    g.text("answer.text", &told.text, record.seq);
    g.text("answer.code", &told.code, record.seq);
    g.text = told.text.to_lowercase();
    g.text("answer.field", told.field.as_deref().unwrap_or_default(), record.seq);
    g.number("answer.wait_s", (head.wait_us + head.receive_us) as f64 / 1e6, record.seq);
    let after = header(head, "retry-after").and_then(|text| {
        let date = header(head, "date").and_then(Wall::parse_http_date).unwrap_or(record.at.wall);
        let secs = |until: Wall| until.micros_since(date).max(0) as f64 / 1e6;
        text.trim().parse::<f64>().ok().or_else(|| Wall::parse_http_date(text).map(secs))
    });
    g.retry_after = after.filter(|s| s.is_finite());
    if let Some(secs) = g.retry_after {
        g.number("answer.retry_after_s", secs, record.seq);
    }
    told
}

fn header<'a>(head: &'a HttpResponse, name: &str) -> Option<&'a str> {
    head.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}

fn known_skew(view: &SessionView) -> Option<Skew> {
    let secs = |us: i64| us as f64 / 1e6;
    view.skew.map(|s| Skew { secs: secs(s.skew_us), uncertainty: secs(s.uncertainty_us.saturating_abs()) })
}

/// What was known, unless this very answer says otherwise: the first answer is what the clock is learnt from.
fn skew_of(scene: &Scene<'_>, call: Option<&Call>, head: &HttpResponse) -> Option<Skew> {
    let known = known_skew(scene.view);
    let (Some(call), Some(date)) = (call, header(head, "date").and_then(Wall::parse_http_date)) else { return known };
    // A Date has whole seconds.
    let low = date.micros_since(scene.record.at.wall) as f64 / 1e6;
    let high = (date.plus_micros(1_000_000).micros_since(call.sent.at.wall) as f64 / 1e6).max(low);
    match known {
        Some(skew) if skew.secs >= low - 0.1 && skew.secs <= high + 0.1 => Some(skew),
        _ => Some(Skew { secs: (low + high) / 2.0, uncertainty: (high - low) / 2.0 }),
    }
}

/// The clocks, the ids, the sessions and the heartbeats.
fn common(g: &mut Gathered, own: &Evidence, scene: &Scene<'_>, skew: Option<Skew>) {
    let now = scene.now();
    if let Some(skew) = skew {
        g.number("skew_s", skew.secs, 0);
        let far = skew.secs.abs();
        let ours = match skew.secs {
            _ if far <= skew.uncertainty.max(0.5) => "our clock agrees with it".to_owned(),
            s if s > 0.0 => format!("our clock is {} behind", seconds(far)),
            _ => format!("our clock is {} ahead", seconds(far)),
        };
        g.text("clock.ours", &ours, 0);
    }
    if let Some((at, us)) = own.jump {
        g.number("clock.jump_s", us as f64 / 1e6, at.seq);
        g.number("clock.jump_ago_s", secs_between(at.at, now.at), at.seq);
    }
    if let Some(start) = &scene.view.start {
        g.text("dialect", start.dialect.key(), 0);
        let active = scene.common.active.get(start.dialect as usize).copied().unwrap_or_default();
        g.number("sessions.active", f64::from(active), 0);
    }
    for name in ["conversation", "guest", "contact", "session"] {
        if let Some(id) = scene.view.ids.iter().find(|i| i.name == name) {
            g.text(&format!("ids.{name}"), &id.value, 0);
        }
    }
    if let Some(why) = scene.view.ids.iter().find_map(|i| i.mismatch.as_deref()) {
        g.text("ids.mismatch", why, 0);
    }
    if let Some(state) = &scene.view.state {
        g.text("state.word", state.word(), scene.view.state_seq);
        if let SessionState::Ended(end) = state {
            g.text("state.end", &end.sentence(), scene.view.state_seq);
        }
    }
    g.number("heartbeat.failures", f64::from(own.beats.failures), 0);
    if let Some(last) = own.beats.last {
        g.number("heartbeat.gap_s", secs_between(last.at, now.at), last.seq);
    }
    if let Some((at, status)) = own.refresh_failed {
        g.number("refresh.failed_ago_s", secs_between(at.at, now.at), at.seq);
        if let Some(status) = status {
            g.number("refresh.status", f64::from(status), at.seq);
        }
    }
    g.number("others.calls_failed", scene.common.around.calls_failed(now.at) as f64, 0);
    if let Some(last) = scene.common.around.answered {
        g.number("others.answered_ago_s", secs_between(last.at, now.at), last.seq);
    }
    g.number("others.lost", scene.common.around.lost_beside(scene.view.id, now.at) as f64, 0);
    g.number("others.open", scene.common.around.open_beside(own.sockets.open()) as f64, 0);
}

fn bearer_of(call: &Call) -> Option<TokenRef> {
    if let Auth::Bearer(token) = call.auth { Some(token) } else { None }
}

fn secs_between(from: Now, to: Now) -> f64 {
    to.mono.since(from.mono).as_micros() as f64 / 1e6
}
