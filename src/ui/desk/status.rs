//! What the agent is: who, present how, routed to or not, of which queues.

use std::sync::Arc;

use egui::{Checkbox, ComboBox, Label, Popup, PopupCloseBehavior, RichText, Ui, vec2};

use crate::dialect::{DeskWish, Wish};
use crate::model::Mono;
use crate::model::desk::Stage;
use crate::projection::{Desk, SessionView, Talk};
use crate::ui::app::Acts;
use crate::ui::format;
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, Tone, Weight, badge, button, icon_button};

/// Over the list of conversations.
pub fn paint(ui: &mut Ui, view: &SessionView, desk: &Desk, live: bool, now: Mono, acts: &mut Acts) {
    ui.horizontal(|ui| {
        ui.set_height(space::CONTROL);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let response = icon_button(ui, Icon::More, "More about the desk");
            Popup::menu(&response).show(|ui| more(ui, view, live, acts));
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.add(Label::new(RichText::new(name(desk)).font(font::small_strong())).truncate());
            });
        });
    });
    ui.add_enabled_ui(live && !desk.presences.is_empty(), |ui| {
        ComboBox::from_id_salt("presence")
            .selected_text(presence(desk))
            .width(ui.available_width())
            .truncate()
            .show_ui(ui, |ui| presences(ui, view, desk, acts))
            .response
            .accessible_name("Presence")
            .on_hover_text("On queue, the platform routes conversations here");
    });
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::TIGHT, space::HAIR);
        routing(ui, view, desk, live, acts);
        let waits = |t: &&Arc<Talk>| t.is_kept_waiting(now) && desk.stage(t) != Stage::Ended;
        let waiting = desk.talks.iter().filter(waits).count();
        if live && waiting > 0 {
            badge(ui, Some(Icon::Clock), &format!("texts wait in {waiting}"), Tone::Amber)
                .on_hover_text("Look-ups of texts have a budget, and conversations take turns");
        }
        if !desk.queues.is_empty() {
            let joined = desk.queues.iter().filter(|q| q.joined).count();
            let text = format!("{joined} of {}", format::plural(desk.queues.len() as u64, "queue", "queues"));
            let response = button(ui, None, &text, Weight::Quiet).on_hover_text("Queues of this agent");
            Popup::menu(&response).show(|ui| queues(ui, view, desk, live, acts));
        }
    });
}

/// All of it behind one button, where there is no room.
pub fn slim(ui: &mut Ui, view: &SessionView, desk: &Desk, live: bool, acts: &mut Acts) {
    let icon = match desk.routing.as_str() {
        "NOT_RESPONDING" => Icon::Warning,
        _ => Icon::ChevronDown,
    };
    let text = match desk.routing.as_str() {
        "NOT_RESPONDING" => "Not responding",
        _ => presence(desk),
    };
    let response = button(ui, Some(icon), text, Weight::Normal);
    let response = response.on_hover_text("Presence, routing status and queues of this agent");
    Popup::menu(&response).close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
        let t = tokens(ui);
        let head = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).small().color(t.text.weak));
        ui.set_min_width(220.0);
        egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.label(RichText::new(name(desk)).font(font::small_strong()));
                routing(ui, view, desk, live, acts);
            });
            head(ui, "Presence");
            ui.add_enabled_ui(live, |ui| presences(ui, view, desk, acts));
            queues(ui, view, desk, live, acts);
            ui.separator();
            more(ui, view, live, acts);
        });
    });
}

fn name(desk: &Desk) -> String {
    format::shown(desk.user.as_ref().map_or("not signed in", |(_, name, _)| name.as_str())).into_owned()
}

fn presence(desk: &Desk) -> &str {
    if desk.presence.is_empty() { "presence" } else { &desk.presence }
}

fn wish(view: &SessionView, acts: &mut Acts, wish: DeskWish) {
    acts.wish(view.id, Wish::Desk(wish));
}

fn presences(ui: &mut Ui, view: &SessionView, desk: &Desk, acts: &mut Acts) {
    for p in &desk.presences {
        if ui.selectable_label(p.name == desk.presence, &p.name).clicked() {
            wish(view, acts, DeskWish::Presence { is: p.id.clone() });
            ui.close();
        }
    }
}

fn routing(ui: &mut Ui, view: &SessionView, desk: &Desk, live: bool, acts: &mut Acts) {
    if desk.routing.is_empty() {
        return;
    }
    let (icon, tone) = match desk.routing.as_str() {
        "IDLE" => (Icon::Ring, Tone::Ok),
        "INTERACTING" | "COMMUNICATING" => (Icon::Dot, Tone::Ok),
        "NOT_RESPONDING" => (Icon::Warning, Tone::Red),
        _ => (Icon::Square, Tone::Plain),
    };
    badge(ui, Some(icon), &desk.routing.to_lowercase().replace('_', " "), tone).on_hover_text("Routing status");
    if live && desk.routing == "NOT_RESPONDING" && button(ui, None, "Back to idle", Weight::Primary).clicked() {
        wish(view, acts, DeskWish::Routing { status: "IDLE".into() });
    }
}

fn queues(ui: &mut Ui, view: &SessionView, desk: &Desk, live: bool, acts: &mut Acts) {
    if desk.queues.is_empty() {
        return;
    }
    let t = tokens(ui);
    ui.label(RichText::new("Joined queues").small().color(t.text.weak));
    for q in &desk.queues {
        let mut on = q.joined;
        let name = if q.name.is_empty() { &q.id } else { &q.name };
        if ui.add_enabled(live, Checkbox::new(&mut on, format::shown(name).as_ref())).clicked() {
            wish(view, acts, DeskWish::Queue { id: q.id.clone(), joined: on });
        }
    }
}

fn more(ui: &mut Ui, view: &SessionView, live: bool, acts: &mut Acts) {
    for (text, deed) in [
        ("Read everything again by REST", DeskWish::Reload),
        ("Make a new notification channel", DeskWish::NewChannel),
        ("Ping the notification socket", DeskWish::Ping),
        ("Fetch ready-made replies", DeskWish::Replies),
        ("Check the token", DeskWish::CheckToken),
        ("Revoke the token", DeskWish::RevokeToken),
    ] {
        if ui.add_enabled(live, egui::Button::new(text)).clicked() {
            wish(view, acts, deed);
            ui.close();
        }
    }
}
