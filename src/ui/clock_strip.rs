//! One strip for everything that expires, in the order in which it will break.

use std::time::Duration;

use egui::{Label, Popup, PopupCloseBehavior, RichText, Role, ScrollArea, Ui, UiBuilder};

use super::app::{Act, Acts, Scene};
use super::format;
use super::settings::SANDBOX;
use super::theme::{font, space, tokens};
use super::widgets::{RingClock, Weight, button, phase_word};
use crate::dialect::Wish;
use crate::engine::{Command, uses_clock};
use crate::model::fact::ClockDeed;
use crate::model::{Environment, Wall};
use crate::projection::{ClockPhase, ClockView, SessionView};
use crate::sandbox::Order;

/// Id of a session's JWT clock.
const JWT: &str = "guest-jwt";

/// A clock, whose it is, and the server's time for it.
struct Placed<'a> {
    clock: &'a ClockView,
    /// None for those of no session (OAuth).
    session: Option<&'a SessionView>,
    now: Wall,
}

/// Paints the clocks of the chosen session and those that stand alone. Asks for a repaint at the next change.
pub fn paint(ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) {
    let t = tokens(ui);
    let clocks = gather(scene);
    if let Some(wait) = next_change(&clocks).filter(|_| !scene.situation.saved) {
        ui.ctx().request_repaint_after(wait);
    }
    let builder = UiBuilder::new().accessibility_role(Role::List).accessibility_label("Clocks");
    ui.scope_builder(builder, |ui| {
        // The bar lies over the lower edge: the window must not jump when one clock more has no room.
        ui.spacing_mut().scroll.floating_allocated_width = 0.0;
        ui.spacing_mut().scroll.floating_width = 3.0;
        ScrollArea::horizontal().id_salt("clocks").auto_shrink([false, true]).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.set_height(31.0);
                ui.label(RichText::new("Clocks").font(font::small_strong()).color(t.text.weak));
                if clocks.is_empty() {
                    ui.label(RichText::new("Nothing expires yet.").color(t.text.weak));
                }
                for (n, placed) in clocks.iter().enumerate() {
                    ui.push_id(n, |ui| one(ui, placed, scene, acts));
                }
            });
        });
    });
}

/// Living ones by what is left, then those without an end, then dead ones. OAuth tokens of which the session has no
/// need stand behind its own: with many flows in use they are many. What is about to break stands before all.
fn gather<'a>(scene: &Scene<'a>) -> Vec<Placed<'a>> {
    let general = &scene.board.general;
    let now = general.server_now(scene.shown_at);
    let mut out: Vec<Placed<'_>> = general.clocks.iter().map(|clock| Placed { clock, session: None, now }).collect();
    if let Some(view) = scene.session {
        let now = view.server_now(scene.shown_at);
        out.extend(view.clocks.iter().map(|clock| Placed { clock, session: Some(view), now }));
    }
    // Not known in a saved capture: there all of them count.
    let used = scene.session.and_then(|view| {
        let environment = scene.book.environments.get(&view.id)?;
        Some((view.dialect(), environment))
    });
    out.sort_by_key(|p| {
        let foreign = p.session.is_none() && used.is_some_and(|(d, e)| !uses_clock(d, e, &p.clock.fact.id));
        match (p.clock.phase(p.now), p.clock.left(p.now)) {
            (ClockPhase::Margin | ClockPhase::Last, Some(left)) => (false, 0, left),
            (ClockPhase::Dead, _) => (foreign, 3, Duration::ZERO),
            (ClockPhase::Open, _) | (_, None) => (foreign, 2, Duration::ZERO),
            (_, Some(left)) => (foreign, 1, left),
        }
    });
    out
}

fn next_change(clocks: &[Placed<'_>]) -> Option<Duration> {
    clocks.iter().filter_map(|p| p.clock.next_change(p.now)).min().map(|d| d.max(Duration::from_millis(5)))
}

fn one(ui: &mut Ui, placed: &Placed<'_>, scene: &Scene<'_>, acts: &mut Acts) {
    let fact = &placed.clock.fact;
    let ring = RingClock {
        title: &fact.title,
        left: placed.clock.left(placed.now),
        share: placed.clock.share(placed.now),
        phase: placed.clock.phase(placed.now),
        breaks: &fact.breaks,
        assumed: fact.assumed,
    };
    let response = ring.show(ui);
    if response.gained_focus() {
        response.scroll_to_me(None);
    }
    let hint = if fact.breaks.is_empty() { String::new() } else { format!("Then fails: {}. ", fact.breaks) };
    let response =
        response.on_hover_text(format!("{hint}Click for claims and history, right-click for what can be done."));
    Popup::menu(&response)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .accessible_name(format!("Clock {}", fact.title))
        .show(|ui| details(ui, placed, scene, acts));
    // Two popups of one widget need two ids.
    Popup::context_menu(&response).id(response.id.with("deeds")).show(|ui| {
        ui.set_min_width(180.0);
        deeds(ui, placed, scene, acts);
    });
}

fn deeds(ui: &mut Ui, placed: &Placed<'_>, scene: &Scene<'_>, acts: &mut Acts) {
    let live = match placed.session {
        Some(view) => scene.is_live(view.id),
        None => !scene.situation.saved,
    };
    let server = whose(placed, scene);
    let (expire, expire_tip) = match &server {
        Server::Sandbox(_) => ("Expire now", "From now on the sandbox refuses it, and this program takes it for dead."),
        Server::Unknown => (
            "Treat as expired",
            "Only here. Which of the sandbox's sessions this is, is known once it has fetched a JWT.",
        ),
        Server::Vendor => ("Treat as expired", "Only here: the server cannot be told and goes on taking it."),
    };
    for (deed, title, tip) in [
        (ClockDeed::Refresh, "Refresh now", "Get a fresh one now."),
        (ClockDeed::Expire, expire, expire_tip),
        (ClockDeed::Corrupt, "Corrupt", "Damage the copy in memory, so that the server refuses it."),
        (ClockDeed::Forget, "Forget", forget_tip(&placed.clock.fact.id)),
    ] {
        let can = live && placed.clock.fact.can.contains(&deed);
        let why = if live { "Not possible for this clock." } else { "This session is not live." };
        let response = ui.add_enabled(can, egui::Button::new(title)).on_hover_text(tip);
        if response.on_disabled_hover_text(why).clicked() {
            if deed == ClockDeed::Expire {
                at_server(placed, &server, acts);
            }
            acts.push(order(placed, deed));
            ui.close();
        }
    }
    let token = placed.clock.fact.token.as_deref();
    if ui.add_enabled(token.is_some(), egui::Button::new("Copy masked")).clicked()
        && let Some(token) = token
    {
        acts.push(Act::Copy(token.to_owned()));
        ui.close();
    }
}

/// Who decides whether the thing behind a clock is alive.
#[derive(Debug, PartialEq, Eq)]
enum Server {
    /// The built-in sandbox, which can be told; by its name for the session, none where there is only this one.
    Sandbox(Option<String>),
    /// The sandbox, but it is not known which of its sessions this is.
    Unknown,
    Vendor,
}

fn whose(placed: &Placed<'_>, scene: &Scene<'_>) -> Server {
    let Some(sandbox) = scene.book.sandbox_environment() else { return Server::Vendor };
    let Some(view) = placed.session else {
        let mine = placed.clock.fact.id.split_once(':').is_some_and(|(_, id)| id == SANDBOX);
        return if mine { Server::Sandbox(None) } else { Server::Vendor };
    };
    // A sandbox that was started again has other addresses.
    let in_it = |e: &&Environment| e.guest_socket.is_some() && e.guest_socket == sandbox.guest_socket;
    if scene.book.environments.get(&view.id).as_ref().is_none_or(|e| !in_it(e)) {
        return Server::Vendor;
    }
    // A name from before the last change of state may be that of another session of this guest.
    let known = scene.book.sandbox_names.get(&view.id);
    match known.filter(|(_, seq)| placed.clock.fact.id == JWT || *seq > view.state_seq) {
        Some((name, _)) => Server::Sandbox(Some(name.clone())),
        None if scene.book.environments.values().filter(in_it).count() == 1 => Server::Sandbox(None),
        None => Server::Unknown,
    }
}

/// Tells the sandbox that the thing is dead.
fn at_server(placed: &Placed<'_>, server: &Server, acts: &mut Acts) {
    let Server::Sandbox(session) = server else { return };
    let token = |kind: &str| Order::ExpireToken { token: kind.to_owned(), in_seconds: None };
    let order = match (placed.clock.fact.id.as_str(), session) {
        (JWT, Some(session)) => return acts.push(Act::ExpireJwt(session.clone())),
        (JWT, None) => token("jwt"),
        _ if placed.session.is_none() => token("oauth"),
        _ => Order::ExpireSession { session: session.clone(), in_seconds: None },
    };
    acts.push(Act::Engine(Box::new(Command::Order { order })));
}

/// What is forgotten, and where.
fn forget_tip(id: &str) -> &'static str {
    match id {
        JWT => "Drops this JWT from memory. It is not in the keyring. The next call that needs one fetches another.",
        "session-idle" => {
            "Takes the session token out of the keyring: once closed, the session cannot be resumed. Until then it goes \
             on."
        }
        _ if id.starts_with("oauth") => {
            "Drops the access token from memory. It is not in the keyring; the client secret there stays."
        }
        _ if id.starts_with("link:") => "Takes this link off the strip. The file stays at the server.",
        _ => "Takes it out of memory.",
    }
}

fn order(placed: &Placed<'_>, deed: ClockDeed) -> Act {
    match placed.session {
        Some(view) => Act::Wish(view.id, Wish::Clock { id: placed.clock.fact.id.clone(), deed }),
        None => {
            let id = placed.clock.fact.id.clone();
            Act::Engine(Box::new(Command::OauthClock { id, deed }))
        }
    }
}

/// Claims and history.
fn details(ui: &mut Ui, placed: &Placed<'_>, scene: &Scene<'_>, acts: &mut Acts) {
    let t = tokens(ui);
    let fact = &placed.clock.fact;
    let utc = scene.settings.utc;
    ui.set_width(340.0);
    ui.spacing_mut().item_spacing.y = space::TIGHT;
    ui.label(RichText::new(&fact.title).font(font::title()));
    let phase = phase_word(placed.clock.phase(placed.now));
    let mut lines = vec![
        ("State", format!("{phase}; {:?} by {}", fact.event, fact.by)),
        ("From", format::full_time(fact.from, utc)),
        ("Until", fact.until.map_or_else(|| "not known".into(), |u| format::full_time(u, utc))),
        ("Margin", format!("treated as dead {} s early", fact.margin_secs)),
    ];
    if !fact.breaks.is_empty() {
        lines.push(("Then fails", fact.breaks.clone()));
    }
    if fact.assumed {
        lines.push(("Length", "assumed: the server did not tell it".into()));
    }
    if let Some(token) = &fact.token {
        lines.push(("Token", token.clone()));
    }
    egui::Grid::new("facts").num_columns(2).spacing([12.0, 3.0]).show(ui, |ui| {
        for (name, value) in lines {
            ui.label(RichText::new(name).small().color(t.text.weak));
            ui.add(Label::new(RichText::new(value).small()).wrap());
            ui.end_row();
        }
    });
    if let Some(claims) = &fact.claims {
        ui.label(RichText::new("Claims").font(font::small_strong()));
        let text = serde_json::to_string_pretty(claims).unwrap_or_default();
        ScrollArea::vertical().id_salt("claims").max_height(180.0).show(ui, |ui| {
            ui.add(Label::new(RichText::new(format::shown(&text)).font(font::small_data())).extend());
        });
    }
    ui.label(RichText::new("History").font(font::small_strong()));
    ui.horizontal_wrapped(|ui| {
        for seq in placed.clock.history.iter().rev().take(20) {
            if button(ui, None, &format!("#{seq}"), Weight::Quiet).on_hover_text("Show this record").clicked() {
                acts.push(Act::Select(vec![*seq]));
            }
        }
    });
    ui.separator();
    deeds(ui, placed, scene, acts);
}
