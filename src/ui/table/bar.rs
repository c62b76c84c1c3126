//! The bar over the table: filter, lanes, folding, following, and how much is shown.

use egui::{EventFilter, Key, RichText, TextEdit, Ui};

use super::source::TableEvent;
use super::view::RecordTable;
use crate::capture::Rows;
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, format, icon_button, named_toggle, progress, text_toggle};

/// The filter as it stands in its field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterBox {
    pub text: String,
    /// Why it could not be read, with the place.
    pub error: Option<String>,
    /// Records looked at and to look at, while a search runs.
    pub busy: Option<(u64, u64)>,
}

/// What stands behind the filter takes about so much.
const BESIDE_FILTER: f32 = 530.0;

impl RecordTable {
    /// Id of the filter's field, for Ctrl+F.
    pub fn filter_id(&self) -> egui::Id {
        egui::Id::unique("record filter")
    }

    /// Shows the bar, behind what `lead` puts there. `total` records are in the log, `noise` of them are (or would be)
    /// folded away.
    pub fn bar(
        &mut self,
        ui: &mut Ui,
        lead: &mut dyn FnMut(&mut Ui),
        filter: &mut FilterBox,
        rows: &Rows,
        (total, noise): (u64, u64),
    ) -> Vec<TableEvent> {
        let mut events = Vec::new();
        let t = tokens(ui);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = space::SMALL;
            lead(ui);
            let width = (ui.max_rect().right() - ui.cursor().left() - BESIDE_FILTER).clamp(130.0, 240.0);
            self.filter_field(ui, filter, width, &mut events);
            let before = self.show;
            text_toggle(ui, None, "HTTP", &mut self.show.http).on_hover_text("Requests and answers");
            text_toggle(ui, None, "Socket", &mut self.show.socket).on_hover_text("Frames, opens and closes");
            text_toggle(ui, None, "Lifecycle", &mut self.show.lifecycle)
                .on_hover_text("States, clocks, faults, notes: what this program knows");
            let count = format::count(noise);
            let name = format!("{count} heartbeats, typing");
            let help =
                if self.show.noise { "Shown. Click to fold them away" } else { "Folded away. Click to show them" };
            let icon = if self.show.noise { Icon::Bubble } else { Icon::Mute };
            named_toggle(ui, Some(icon), &count, &name, &mut self.show.noise)
                .on_hover_text(format!("Heartbeats and typing. {help}"));
            if self.show != before {
                events.push(TableEvent::ShowChanged);
            }
            // Always as wide: what a click in the table changes here must not move the rows under it.
            let mut following = self.follow.is_following();
            let help = if following { "Pause (Space)" } else { "Held. Go on (Space)" };
            if text_toggle(ui, Some(Icon::ArrowDown), "Follow", &mut following).on_hover_text(help).clicked() {
                if following {
                    self.follow_tail();
                } else {
                    self.hold(rows);
                }
                events.push(TableEvent::FollowChanged(self.follow));
            }
            self.columns.button(ui);
            let shown = rows.len();
            let text = match self.gap() {
                Some(gap) => format!("gap {}", format::signed_span(gap)),
                None if shown == total => format!("{} records", format::count(total)),
                None => format!("{} of {}", format::count(shown), format::count(total)),
            };
            let ink = if self.gap().is_some() { t.accent } else { t.text.weak };
            ui.label(RichText::new(text).font(font::small()).color(ink));
        });
        // On a line of its own: a row within a wrapped row does not wrap.
        if let Some((done, total)) = filter.busy
            && progress(ui, "Searching", done, total)
        {
            events.push(TableEvent::CancelSearch);
        }
        if let Some(error) = &filter.error {
            ui.label(RichText::new(error).font(font::small()).color(t.red.ink));
        }
        events
    }

    fn filter_field(&mut self, ui: &mut Ui, filter: &mut FilterBox, width: f32, events: &mut Vec<TableEvent>) {
        let t = tokens(ui);
        let id = self.filter_id();
        let focused = ui.memory(|m| m.has_focus(id));
        // Escape clears the filter first and gives the keyboard back then.
        if focused && ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, Key::Escape)) {
            if filter.text.is_empty() {
                let table = self.focus_id();
                ui.memory_mut(|m| m.request_focus(table));
            } else {
                filter.text.clear();
                events.push(TableEvent::FilterChanged);
            }
        }
        let ink = if filter.error.is_some() { t.red.ink } else { t.text.normal };
        let edit = TextEdit::singleline(&mut filter.text)
            .id(id)
            .hint_text("Filter: words, kind:text, code:4011 …")
            .font(font::data())
            .text_color(ink)
            .event_filter(EventFilter { horizontal_arrows: true, vertical_arrows: true, tab: false, escape: true })
            .desired_width(width);
        if ui.add(edit).accessible_name("Filter").changed() {
            events.push(TableEvent::FilterChanged);
        }
        if !filter.text.is_empty() && icon_button(ui, Icon::Cross, "Clear filter").clicked() {
            filter.text.clear();
            events.push(TableEvent::FilterChanged);
        }
    }
}
