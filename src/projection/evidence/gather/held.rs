//! What was held: tokens and their scopes, and the socket that one of them opened.

use serde_json::Value;

use super::super::calls::Call;
use super::super::gathered::Gathered;
use super::super::sockets::Socket;
use super::super::tokens::{Moment, Token, TokenRef};
use super::super::{Common, Evidence, GUEST, Scene, words};
use super::{Skew, Span, bearer_of, known_skew, secs_between};
use crate::model::flows::Flows;
use crate::model::{DialectId, Now};
use crate::projection::knowledge::names::seconds;

/// The tokens of a call, and the one that its refusal is about.
pub(super) fn call_tokens(
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
pub(super) fn token(
    g: &mut Gathered,
    group: &str,
    own: &Evidence,
    common: &Common,
    name: TokenRef,
    span: Span,
    skew: Option<Skew>,
) {
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
        let dead_at_end = server(span.end.at) - until_s;
        g.number(&key("dead_at_end_s"), dead_at_end, told);
        g.text(&key("fate"), &fate(dead_by, dead_at_end), told);
        // Servers count lives in whole seconds.
        let life = until.micros_since(known.issued.unwrap_or(known.from)) as f64 / 1e6;
        g.number(&key("life_s"), life.round(), told);
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

/// How a token stood while something was on its way with it, by the server's clock.
fn fate(dead_by: f64, dead_at_end: f64) -> String {
    match (dead_by > 0.0, dead_at_end > 0.0) {
        (true, _) => format!("had been dead for {} when it was sent", seconds(dead_by)),
        (_, true) => {
            let (left, dead) = (seconds(-dead_by), seconds(dead_at_end));
            format!("had {left} left when it was sent, and had been dead for {dead} when the reply or the end came")
        }
        _ => format!("had {} left when it was sent", seconds(-dead_by)),
    }
}

/// What was granted, and what is needed.
pub(super) fn scopes(g: &mut Gathered, own: &Evidence, scene: &Scene<'_>, bearer: Option<TokenRef>, text: &str) {
    let shared = bearer.and_then(|name| scene.common.tokens.get(name));
    let known: Option<&Token> = shared.or_else(|| own.tokens.get(bearer?));
    let granted = known.and_then(|t| t.scope.as_deref()).map(split);
    let asked = known.and_then(|t| t.asked.as_deref()).map(split);
    if let Some(asked) = &asked {
        g.list("scope.asked", asked.clone(), known.map_or(0, |t| t.told.seq));
    }
    let dialect = scene.view.start.as_ref().map(|s| s.dialect);
    if let (Some(granted), Some(dialect)) = (&granted, dialect) {
        let short = of_flow(dialect).into_iter().filter(|n| !granted.contains(n)).collect();
        g.list("scope.flow_missing", short, known.map_or(0, |t| t.told.seq));
    }
    let named = words::scopes_named(text);
    // An environment asks for the scopes that its server has, which may be others than the description's.
    let needed = match (named.is_empty(), asked, dialect) {
        (false, ..) => named,
        (true, Some(asked), _) => asked,
        (true, None, Some(dialect)) => of_flow(dialect),
        (true, None, None) => Vec::new(),
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
        DialectId::WebMessaging | DialectId::Agent => "",
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
pub(super) fn socket(g: &mut Gathered, own: &Evidence, scene: &Scene<'_>) {
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
