//! The command palette: fuzzy search over commands, sessions and environments.

use std::path::PathBuf;

use egui::{
    Align2, Key, Modifiers, Rect, Response, RichText, Role, ScrollArea, Sense, TextEdit, Ui, UiBuilder, WidgetInfo,
    pos2, vec2,
};

use super::app::{Act, Acts, FilePurpose, Scene};
use super::commands::{ALL, Cmd};
use super::format;
use super::settings::SANDBOX;
use super::theme::{font, radius, space, tokens};
use super::widgets::key_caps;
use crate::model::SessionId;

#[derive(Debug, Default)]
pub struct Palette {
    text: String,
    at: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Target {
    Command(Cmd),
    Session(SessionId),
    Environment(String),
    Capture(PathBuf),
}

struct Item {
    target: Target,
    title: String,
    kind: &'static str,
    hint: String,
    enabled: bool,
}

/// How well `text` answers to `wanted`: none where its letters do not stand there in this order. Letters at the
/// beginning of words and side by side count more.
pub fn score(wanted: &str, text: &str) -> Option<u32> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut at, mut total, mut last) = (0, 0_u32, None);
    for w in wanted.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let found = (at..text.len()).find(|i| text[*i] == w)?;
        let starts_word = found == 0 || !text[found - 1].is_alphanumeric();
        let follows = last.is_some_and(|l| l + 1 == found);
        total += 1 + if starts_word { 4 } else { 0 } + if follows { 3 } else { 0 };
        last = Some(found);
        at = found + 1;
    }
    let wanted = wanted.trim().to_lowercase();
    if !wanted.is_empty() && text.iter().collect::<String>().contains(&wanted) {
        total += 6;
    }
    // A short title that is matched whole stands before a long one.
    Some((total * 100 + 100).saturating_sub((text.len() as u32).min(99)))
}

fn items(scene: &Scene<'_>, ctx: &egui::Context) -> Vec<Item> {
    let mut out: Vec<Item> = ALL
        .iter()
        .filter(|e| !matches!(e.cmd, Cmd::Session(_) | Cmd::Palette))
        .map(|e| Item {
            target: Target::Command(e.cmd),
            title: e.title.to_owned(),
            kind: e.section.title(),
            hint: e.key_text(ctx),
            enabled: e.enabled(&scene.situation),
        })
        .collect();
    out.extend(scene.book.listed(scene.board).into_iter().map(|s| Item {
        target: Target::Session(s.id),
        title: format!("Go to {}", scene.book.name(s)),
        kind: "Session",
        hint: String::new(),
        enabled: true,
    }));
    let environments = scene.settings.environments.iter().map(|e| (e.id.clone(), e.name.clone()));
    out.extend(std::iter::once((SANDBOX.to_owned(), "Sandbox".to_owned())).chain(environments).map(|(id, name)| {
        Item {
            target: Target::Environment(id),
            title: format!("Use environment {name}"),
            kind: "Environment",
            hint: String::new(),
            enabled: true,
        }
    }));
    out.extend(scene.settings.recent.iter().map(|file| Item {
        target: Target::Capture(file.clone()),
        title: format!("Open {}", format::capture(file, scene.settings.utc)),
        kind: "Recent capture",
        hint: String::new(),
        enabled: true,
    }));
    out
}

/// One line: title, kind, keys. The whole of it is a button.
fn row(ui: &mut Ui, item: &Item, chosen: bool, place: (usize, usize)) -> Response {
    let t = tokens(ui);
    let sense = if item.enabled { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 26.0), sense);
    response.widget_info(|| WidgetInfo::selected(Role::Button, item.enabled, chosen, item.title.as_str()));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_position_in_set(place.0);
        node.set_size_of_set(place.1);
    });
    if chosen {
        ui.painter().rect_filled(rect, radius::NORMAL, t.surface.selected);
    } else if response.hovered() && item.enabled {
        ui.painter().rect_filled(rect, radius::NORMAL, t.surface.hover);
    }
    let ink = if item.enabled { t.text.strong } else { t.text.weak };
    let at = |x: f32| pos2(rect.left() + x, rect.center().y);
    let title = if item.enabled { item.title.clone() } else { format!("{} (not now)", item.title) };
    ui.painter().text(at(8.0), Align2::LEFT_CENTER, title, font::body(), ink);
    ui.painter().text(at(rect.width() - 210.0), Align2::LEFT_CENTER, item.kind, font::small(), t.text.weak);
    let keys = Rect::from_min_max(pos2(rect.right() - 110.0, rect.top() + 3.0), rect.max);
    key_caps(&mut ui.new_child(UiBuilder::new().id_salt(place.0).max_rect(keys)), &item.hint);
    response
}

impl Palette {
    /// Paints the palette. True when it shall close.
    pub fn paint(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) -> bool {
        let t = tokens(ui);
        let (up, down, enter) = ui.ctx().input_mut(|i| {
            (
                i.consume_key(Modifiers::NONE, Key::ArrowUp),
                i.consume_key(Modifiers::NONE, Key::ArrowDown),
                i.consume_key(Modifiers::NONE, Key::Enter),
            )
        });
        let edit = TextEdit::singleline(&mut self.text)
            .hint_text("Type a command, a session or an environment")
            .desired_width(f32::INFINITY);
        let field = ui.add(edit).accessible_name("Find a command");
        if !field.has_focus() {
            field.request_focus();
        }
        if field.changed() {
            self.at = 0;
        }
        let mut found: Vec<(u32, Item)> =
            items(scene, ui.ctx()).into_iter().filter_map(|i| score(&self.text, &i.title).map(|s| (s, i))).collect();
        if !self.text.trim().is_empty() {
            found.sort_by_key(|(s, i)| (std::cmp::Reverse(*s), !i.enabled));
        }
        let last = found.len().saturating_sub(1);
        self.at = self.at.min(last);
        if up {
            self.at = self.at.checked_sub(1).unwrap_or(last);
        }
        if down {
            self.at = if self.at == last { 0 } else { self.at + 1 };
        }
        let mut chosen = None;
        ui.add_space(space::TIGHT);
        ScrollArea::vertical().id_salt("palette").max_height(360.0).auto_shrink([false, true]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            if found.is_empty() {
                ui.label(RichText::new("Nothing is called like this.").color(t.text.weak));
            }
            for (n, (_, item)) in found.iter().enumerate() {
                let response = row(ui, item, n == self.at, (n + 1, found.len()));
                if n == self.at && (up || down) {
                    response.scroll_to_me(None);
                }
                if response.clicked() || (enter && n == self.at && item.enabled) {
                    chosen = Some(item.target.clone());
                }
            }
        });
        match chosen {
            Some(Target::Command(cmd)) => {
                acts.run(cmd);
                true
            }
            Some(Target::Session(id)) => {
                acts.push(Act::Show(id));
                true
            }
            Some(Target::Environment(id)) => {
                acts.push(Act::ChooseEnvironment(id));
                true
            }
            Some(Target::Capture(file)) => {
                acts.push(Act::File(FilePurpose::OpenCapture, file));
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_are_found_and_beginnings_count_more() {
        assert!(score("nse", "New session").is_some());
        assert!(score("xyz", "New session").is_none());
        assert!(score("", "anything").is_some());
        let best = |wanted: &str| {
            ALL.iter()
                .filter_map(|e| score(wanted, e.title).map(|s| (s, e.cmd)))
                .max_by_key(|(s, _)| *s)
                .map(|(_, c)| c)
        };
        assert_eq!(best("export"), Some(Cmd::Export));
        assert_eq!(best("new ses"), Some(Cmd::NewSession));
        assert_eq!(best("settings"), Some(Cmd::Settings));
        assert_eq!(best("sett"), Some(Cmd::Settings));
        assert_eq!(best("tz"), Some(Cmd::TimeZero));
    }

    #[test]
    fn odd_text_does_no_harm() {
        assert!(score("ÄÖ", "äö x").is_some());
        assert!(score("a", "").is_none());
    }
}
