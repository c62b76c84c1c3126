//! The names by which servers know a session, and the disputed forms that are in use. Folded behind one line where
//! there is little room.

use egui::{Label, RichText, Role, Ui, UiBuilder};

use crate::model::DialectId;
use crate::model::fact::NamedId;
use crate::model::flows::{RefreshForm, SendForm};
use crate::projection::SessionView;
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::format;
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, Tone, badge, disclosure, icon_button};

/// With so much room for the conversation, all names are shown at first.
const ROOMY: f32 = 340.0;

pub(super) fn paint(ui: &mut Ui, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts) {
    let forms = forms(view, scene);
    if view.ids.is_empty() && forms.is_empty() {
        return;
    }
    let id = ui.scope_id().with(("names", view.id.0));
    let mut open = ui.data(|d| d.get_temp::<bool>(id)).unwrap_or(ui.available_height() >= ROOMY);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = space::HAIR;
        folded(ui, view, forms, (id, &mut open));
        if open && !view.ids.is_empty() {
            list(ui, view, acts);
        }
    });
}

fn folded(ui: &mut Ui, view: &SessionView, forms: Vec<(&str, String)>, (id, open): (egui::Id, &mut bool)) {
    // One line, whatever the width: the conversation needs the room more.
    ui.horizontal(|ui| {
        if !view.ids.is_empty() {
            let title = format::plural(view.ids.len() as u64, "id", "ids");
            if disclosure(ui, &title, open) {
                ui.data_mut(|d| d.insert_temp(id, *open));
            }
        }
        if let Some(why) = view.ids.iter().find_map(|i| i.mismatch.as_ref()).filter(|_| !*open) {
            badge(ui, Some(Icon::Warning), "does not fit", Tone::Amber).on_hover_text(why);
        }
        let t = tokens(ui);
        for (what, form) in forms {
            let text = RichText::new(format!("{what}: {form}")).font(font::small()).color(t.text.weak);
            ui.add(Label::new(text).truncate());
        }
    });
}

fn list(ui: &mut Ui, view: &SessionView, acts: &mut Acts) {
    let builder = UiBuilder::new().accessibility_role(Role::List).accessibility_label("Ids at the server");
    ui.scope_builder(builder, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = egui::vec2(space::TIGHT, 0.0);
            for id in &view.ids {
                one(ui, id, acts);
            }
        });
        for id in &view.ids {
            mismatch(ui, id);
        }
    });
}

/// Name, value and a button that copies it; they stay together.
fn one(ui: &mut Ui, id: &NamedId, acts: &mut Acts) {
    let t = tokens(ui);
    let ink = if id.mismatch.is_some() { t.amber.ink } else { t.text.normal };
    let name = ui.painter().layout_no_wrap(id.name.clone(), font::small(), t.text.weak);
    let value = ui.painter().layout_no_wrap(format::shown(&id.value).into_owned(), font::small_data(), ink);
    let width = name.size().x + value.size().x + space::CONTROL + 2.0 * space::TIGHT + space::WIDE;
    let width = width.min(ui.max_rect().width());
    ui.allocate_ui_with_layout(
        egui::vec2(width, space::CONTROL),
        egui::Layout::left_to_right(egui::Align::Center),
        |ui| {
            ui.set_min_width(width);
            ui.add(Label::new(name));
            if icon_button(ui, Icon::Copy, &format!("Copy {}", id.name)).clicked() {
                acts.push(Act::Copy(id.value.clone()));
            }
            ui.add(Label::new(value).truncate());
        },
    );
}

fn mismatch(ui: &mut Ui, id: &NamedId) {
    let Some(why) = &id.mismatch else { return };
    let t = tokens(ui);
    ui.horizontal_top(|ui| {
        super::lines::mark(ui, Icon::Warning, t.amber.ink);
        let text = format!("{} does not fit: {}", id.name, format::shown(why));
        ui.add(Label::new(RichText::new(text).font(font::small()).color(t.amber.ink)).wrap());
    });
}

/// What descriptions dispute, as it was used last; before the first call, as the environment has it.
fn forms(view: &SessionView, scene: &Scene<'_>) -> Vec<(&'static str, String)> {
    let flows = scene.book.environments.get(&view.id).filter(|_| !scene.situation.saved).map(|e| &e.flows);
    let used = |n: usize| view.metrics.forms.get(n).and_then(|f| f.as_deref());
    match view.dialect() {
        DialectId::SessionToken => {
            let sent =
                |form: &str| SendForm::ALL.into_iter().find(|f| f.purpose().ends_with(form)).map(SendForm::title);
            let renewed =
                |form: &str| RefreshForm::ALL.into_iter().find(|f| f.purpose().ends_with(form)).map(RefreshForm::title);
            let send = used(0).and_then(sent).or(flows.map(|f| f.session_token.send_form.title()));
            let refresh = used(1).and_then(renewed).or(flows.map(|f| f.session_token.refresh_form.title()));
            let named = [("Messages", send), ("Renewal", refresh)];
            named.into_iter().filter_map(|(what, form)| Some((what, form?.to_owned()))).collect()
        }
        DialectId::ExternalContact => {
            flows.map(|f| ("Renewal", f.external_contact.renew_by.title().to_owned())).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
