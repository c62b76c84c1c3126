//! Puts together what the capture tells about one failure.

use serde_json::Value;

use super::calls::{Auth, Call};
use super::gathered::Gathered;
use super::sockets::Socket;
use super::tokens::{Moment, Token, TokenRef};
use super::words::{self, FrameError};
use super::{Common, Evidence, GUEST, Scene};
use crate::model::fact::End;
use crate::model::flows::Flows;
use crate::model::record::HttpResponse;
use crate::model::{DialectId, Fact, Now, Report, Wall};
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
            _ if far <= skew.uncertainty.max(0.5) => "ours agrees with it".to_owned(),
            s if s > 0.0 => format!("ours is {far:.1} s behind"),
            _ => format!("ours is {far:.1} s ahead"),
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
        if let crate::model::fact::SessionState::Ended(end) = state {
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

/// The request: its head, and of its body what the known causes ask for.
fn request(g: &mut Gathered, own: &Evidence, scene: &Scene<'_>, call: &Call) {
    let seq = call.sent.seq;
    g.text("request.method", &call.method, seq);
    g.text("request.path", call.path(), seq);
    g.text("request.host", call.host(), seq);
    g.text("request.purpose", &call.purpose, seq);
    g.number("request.bytes", call.size as f64, seq);
    g.text("request.content_type", call.content_type.as_deref().unwrap_or_default(), seq);
    g.text("request.origin", call.origin.as_deref().unwrap_or_default(), seq);
    let auth = match call.auth {
        Auth::None => "none",
        Auth::Bearer(token) => token.kind.word(),
        Auth::Basic => "basic",
        Auth::Other => "other",
    };
    g.text("request.auth", auth, seq);
    g.flag("refresh.is_this", call.is_refresh(), seq);
    g.flag("signin.is_this", call.is_signin(), seq);
    g.flag("heartbeat.is_this", call.is_heartbeat(), seq);
    g.number("request.failures", f64::from(own.calls.failures(call)), seq);
    g.flag("idempotency.sent", call.key.is_some(), seq);
    if let (Some(text), Some(key)) = (&call.key, own.calls.key(call)) {
        g.text("idempotency.key", text, seq);
        g.number("idempotency.uses", f64::from(key.uses), key.first.seq);
        g.number("idempotency.age_s", secs_between(key.first.at, call.sent.at), key.first.seq);
        g.flag("idempotency.body_differs", key.body != super::calls::hash(&call.body[..]), key.first.seq);
    }
    let body = words::json(&call.body);
    if let Some(body) = &body {
        members(g, call, body);
    }
    named(g, own, scene, call, body.as_ref());
    g.number("limit.attribute_bytes", f64::from(Flows::default().guest_resource.attribute_bytes), 0);
}

fn members(g: &mut Gathered, call: &Call, body: &Value) {
    let seq = call.sent.seq;
    let at = |path: &str| path.split('.').try_fold(body, |v, name| v.get(name));
    let word = |path: &str| at(path).and_then(Value::as_str);
    if let Some(text) = word("text") {
        g.number("body.text_bytes", text.len() as f64, seq);
    }
    if let Some(attributes) = at("customAttributes").or_else(|| at("attributes")) {
        // A placeholder is shorter than the token that stood there.
        let hidden = call.size.saturating_sub(call.body.len() as u64);
        g.number("body.attributes_bytes", attributes.to_string().len() as f64 + hidden as f64, seq);
    }
    if let Some(secs) = at("metadata.sessionDurationLimit").and_then(Value::as_f64) {
        g.number("body.duration_s", secs, seq);
    }
    if let Some(list) = at("context.capabilities").and_then(Value::as_array) {
        let given: Vec<String> = list.iter().filter_map(|c| c.as_str().map(str::to_owned)).collect();
        let needed = Flows::default().managed_conversation.required_capabilities;
        let missing = needed.into_iter().filter(|n| !given.contains(n)).collect();
        g.list("body.capabilities", given, seq);
        g.list("body.capabilities_missing", missing, seq);
    }
}

/// The ids that a request names, in its path or its body, and whether they are those that were told.
fn named(g: &mut Gathered, own: &Evidence, scene: &Scene<'_>, call: &Call, body: Option<&Value>) {
    let seq = call.sent.seq;
    let path = words::path_ids(call.path());
    let in_body = words::body_ids(body);
    let told = |name: &str| scene.view.ids.iter().find(|i| i.name == name).map(|i| i.value.as_str());
    for (name, in_path, in_body) in [
        ("conversation", path.conversation, in_body.conversation),
        ("guest", path.guest, in_body.guest),
        ("contact", path.contact, in_body.contact),
        ("queue", path.queue, in_body.queue),
    ] {
        let known = told(name);
        let differs = |id: &&str| known.is_some_and(|known| known != *id);
        let ids = [in_path, in_body].into_iter().flatten();
        let Some(id) = ids.clone().find(differs).or_else(|| ids.clone().next()) else { continue };
        g.text(&format!("request.{name}"), id, seq);
        if known.is_some() && matches!(name, "conversation" | "guest") {
            g.flag(&format!("ids.{name}_differs"), differs(&id), seq);
        }
        if name == "conversation" {
            let before = own.ids_before.iter().any(|(n, value)| &**n == name && &**value == id);
            g.flag("ids.conversation_stale", before && differs(&id), seq);
        }
    }
}

/// How often was called, and what the limits are.
fn limits(g: &mut Gathered, own: &Evidence, scene: &Scene<'_>, call: &Call, text: &str) {
    let (host, at) = (call.host(), call.sent.at);
    let rates = &scene.common.rates;
    for (name, secs) in [("rate.second", 1.0), ("rate.minute", 60.0)] {
        if let Some(n) = rates.within(host, at, secs) {
            g.number(name, n as f64, 0);
        }
    }
    g.number("rate.path_minute", own.calls.on_path(call) as f64, 0);
    let seq = scene.record.seq;
    match words::numbers(text)[..] {
        [limit, window, ..] if text.to_lowercase().contains("within") => {
            g.number("rate.limit", limit, seq);
            g.number("rate.window_s", window, seq);
            if let Some(n) = rates.within(host, at, window) {
                g.number("rate.count", n as f64, 0);
            }
        }
        [_, limit, ..] if text.to_lowercase().contains("concurrent") => g.number("sessions.limit", limit, seq),
        _ => {}
    }
    let minute = |at: Moment| secs_between(at.at, call.sent.at) < 60.0;
    let before = own.calls.limited.iter().filter(|l| minute(l.at) && l.at.at.mono <= call.sent.at.mono).count();
    g.number("rate.refused_before", before as f64, 0);
    if let Some(limited) = own.calls.limited_before(call)
        && let Some(secs) = limited.retry_after
    {
        let early = secs - secs_between(limited.at.at, call.sent.at);
        // A hundredth is the work of clocks.
        g.flag("rate.obeyed", early <= 0.01, limited.at.seq);
        g.number("rate.early_s", early, limited.at.seq);
    }
}

fn bearer_of(call: &Call) -> Option<TokenRef> {
    if let Auth::Bearer(token) = call.auth { Some(token) } else { None }
}

/// The tokens of a call, and the one that its refusal is about.
fn call_tokens(
    g: &mut Gathered,
    own: &Evidence,
    scene: &Scene<'_>,
    call: &Call,
    span: Span,
    about_guest: bool,
    skew: Option<Skew>,
) {
    let bearer = bearer_of(call);
    let guest = call.token.or(call.guest);
    if let Some(name) = bearer {
        token(g, "bearer", own, scene.common, name, span, skew);
    }
    if let Some(name) = guest {
        token(g, "guest", own, scene.common, name, span, skew);
    }
    let meant = match about_guest {
        true => guest.or(bearer),
        false => bearer.or(guest),
    };
    if let Some(name) = meant {
        token(g, "token", own, scene.common, name, span, skew);
        g.token = Some(name);
    }
}

/// The members of a group that speaks of a token.
fn token(g: &mut Gathered, group: &str, own: &Evidence, common: &Common, name: TokenRef, span: Span, skew: Option<Skew>) {
    let key = |member: &str| format!("{group}.{member}");
    g.text(&key("name"), &name.to_string(), span.sent.seq);
    g.text(&key("kind"), name.kind.word(), span.sent.seq);
    let (mine, shared) = (own.tokens.get(name), common.tokens.get(name));
    let Some(known) = mine.or(shared) else { return };
    let told = known.told.seq;
    g.text(&key("title"), &known.title, told);
    g.text(&key("by"), &known.by, told);
    g.flag(&key("assumed"), known.assumed, told);
    let offset = skew.map_or(0.0, |s| s.secs);
    let server = |at: Now| at.wall.0 as f64 / 1e6 + offset;
    if let Some(until) = known.until {
        let until_s = until.0 as f64 / 1e6;
        let dead_by = server(span.sent.at) - until_s;
        g.number(&key("dead_by_s"), dead_by, told);
        g.number(&key("left_s"), -dead_by, told);
        g.number(&key("dead_by_ours_s"), span.sent.at.wall.0 as f64 / 1e6 - until_s, told);
        g.number(&key("dead_at_end_s"), server(span.end.at) - until_s, told);
        g.number(&key("life_s"), until.micros_since(known.from) as f64 / 1e6, told);
        g.text(&key("until"), &until.rfc3339(), told);
    }
    g.number(&key("age_s"), secs_between(known.told.at, span.sent.at), told);
    g.flag(&key("corrupted"), known.corrupted, told);
    g.flag(&key("expired_by_hand"), known.by_hand, told);
    g.flag(&key("forgotten"), known.forgotten, told);
    let refused = known.refused.filter(|m| m.at.mono <= span.sent.at.mono);
    g.flag(&key("refused_before"), refused.is_some(), refused.map_or(0, |m| m.seq));
    let accepted = known.accepted.or_else(|| shared.and_then(|t| t.accepted));
    g.flag(&key("accepted_before"), accepted.is_some(), accepted.map_or(0, |m| m.seq));
    let replaced = known.replaced.as_ref().filter(|(m, _)| m.at.mono <= span.end.at.mono);
    let in_flight = replaced.is_some_and(|(m, _)| m.seq > span.sent.seq);
    g.flag(&key("replaced_in_flight"), in_flight, replaced.map_or(0, |(m, _)| m.seq));
    if let Some((moment, by)) = replaced {
        let before = secs_between(moment.at, span.sent.at) - secs_between(span.sent.at, moment.at);
        g.number(&key("replaced_before_s"), before, moment.seq);
        g.text(&key("successor"), &by.to_string(), moment.seq);
    }
    if let Some(scope) = known.scope.as_ref().or_else(|| shared?.scope.as_ref()) {
        g.list(&key("scope"), split(scope), told);
    }
    if let Some(kid) = &known.kid {
        g.text(&key("kid"), kid, told);
        g.flag(&key("kid_accepted"), common.kids.contains(kid), 0);
    }
    if let Some(guest) = &known.guest {
        g.text(&key("guest_id"), guest, told);
    }
    if let Some(issued) = known.issued {
        g.number(&key("iat_ahead_s"), issued.0 as f64 / 1e6 - server(span.sent.at), told);
    }
}

/// What was granted, and what is needed.
fn scopes(g: &mut Gathered, own: &Evidence, scene: &Scene<'_>, bearer: Option<TokenRef>, text: &str) {
    let shared = bearer.and_then(|name| scene.common.tokens.get(name));
    let known: Option<&Token> = shared.or_else(|| own.tokens.get(bearer?));
    let granted = known.and_then(|t| t.scope.as_deref()).map(split);
    if let Some(asked) = known.and_then(|t| t.asked.as_deref()) {
        g.list("scope.asked", split(asked), known.map_or(0, |t| t.told.seq));
    }
    let named = words::scopes_named(text);
    let needed = match (named.is_empty(), scene.view.start.as_ref().map(|s| s.dialect)) {
        (false, _) => named,
        (true, Some(dialect)) => of_flow(dialect),
        (true, None) => Vec::new(),
    };
    if needed.is_empty() {
        return;
    }
    g.list("scope.needed", needed.clone(), scene.record.seq);
    if let Some(granted) = granted {
        let missing = needed.into_iter().filter(|n| !granted.contains(n)).collect();
        let told = known.map_or(0, |t| t.told.seq);
        g.list("scope.granted", granted, told);
        g.list("scope.missing", missing, told);
    }
}

/// The scopes that a flow's description asks for.
fn of_flow(dialect: DialectId) -> Vec<String> {
    let flows = Flows::default();
    split(match dialect {
        DialectId::WebMessaging => "",
        DialectId::SessionToken => &flows.session_token.oauth.scope,
        DialectId::ExternalContact => &flows.external_contact.oauth.scope,
        DialectId::SignedGuest => &flows.signed_guest.oauth.scope,
        DialectId::ManagedConversation => &flows.managed_conversation.oauth.scope,
        DialectId::GuestResource => &flows.guest_resource.oauth.scope,
    })
}

fn split(scope: &str) -> Vec<String> {
    scope.split_whitespace().map(str::to_owned).collect()
}

/// The socket that the record is about.
fn socket(g: &mut Gathered, own: &Evidence, scene: &Scene<'_>) {
    let now = scene.now();
    let Some(socket) = own.sockets.get(scene.record.conn) else { return };
    let ago = |at: Moment| secs_between(at.at, now.at);
    g.flag("socket.was_open", socket.opened.is_some(), socket.opened.map_or(0, |m| m.seq));
    g.flag("close.by_us", socket.closed_by_us.is_some(), socket.closed_by_us.map_or(0, |m| m.seq));
    if let Some(opened) = socket.opened {
        g.number("socket.open_s", ago(opened), opened.seq);
    }
    let last = [socket.last_received, socket.last_sent, socket.opened].into_iter().flatten().max_by_key(|m| m.seq);
    if let Some(last) = last {
        g.number("socket.idle_s", ago(last), last.seq);
    }
    g.flag("socket.hello_sent", socket.hello.is_some(), socket.hello.map_or(0, |m| m.seq));
    g.flag("socket.confirmed", socket.confirmed.is_some(), socket.confirmed.map_or(0, |m| m.seq));
    last_words(g, socket, now);
    if let Some(post) = &own.post {
        g.number("post.before_close_ms", ago(post.sent) * 1e3, post.sent.seq);
        g.flag("post.confirmed", post.confirmed, post.sent.seq);
        if let Some((seq, status)) = post.answered {
            g.number("post.status", f64::from(status), seq);
        }
    }
    let skew = known_skew(scene.view);
    if let Some((name, at)) = socket.token {
        let span = Span { sent: at, end: now };
        token(g, "handshake", own, scene.common, name, span, skew);
        token(g, "token", own, scene.common, name, span, skew);
        g.token = Some(name);
    } else if let Some(known) = own.tokens.newest(&GUEST, now.at) {
        token(g, "token", own, scene.common, known.name, Span { sent: socket.opening, end: now }, skew);
    }
    scopes(g, own, scene, own.bearer, "");
}

/// What the server said before the end.
fn last_words(g: &mut Gathered, socket: &Socket, now: Moment) {
    let last = socket.last_received.map_or(0, |m| m.seq);
    if let Some(frame) = words::json(&socket.last_frame) {
        let word = |name: &str| frame.get(name).and_then(Value::as_str).filter(|w| !w.is_empty());
        if let Some(kind) = word("class").or_else(|| word("type")) {
            g.text("socket.last_frame", kind, last);
        }
    }
    match &socket.error {
        Some((at, text)) if secs_between(at.at, now.at) <= 5.0 => g.text("socket.told", text, at.seq),
        _ => g.text("socket.told", "", 0),
    }
}

fn secs_between(from: Now, to: Now) -> f64 {
    to.mono.since(from.mono).as_micros() as f64 / 1e6
}
