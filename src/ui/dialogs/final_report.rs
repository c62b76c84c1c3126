//! What became of a session, as text that can be copied and written to a file.

use egui::{ScrollArea, TextEdit, Ui};

use super::hint;
use crate::model::SessionId;
use crate::projection::report;
use crate::ui::app::{Act, Acts, FilePurpose, Scene};
use crate::ui::theme::{font, space};
use crate::ui::widgets::{Icon, Weight, button};

#[derive(Debug)]
pub struct FinalReport {
    session: SessionId,
    /// The text, and the records that it was written from.
    text: Option<(u64, String)>,
}

impl FinalReport {
    pub fn new(session: SessionId) -> Self {
        Self { session, text: None }
    }

    pub fn paint(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) -> bool {
        let Some(view) = scene.board.session(self.session) else {
            ui.label("The session is not in this capture.");
            return false;
        };
        if self.text.as_ref().is_none_or(|(records, _)| *records != view.records) {
            self.text = Some((view.records, text_of(view, scene)));
        }
        let text = self.text.as_ref().map_or("", |(_, text)| text.as_str());
        hint(ui, "Markdown, for a ticket. Secrets were replaced by placeholders when the records were written.");
        ui.add_space(space::SMALL);
        let height = (ui.ctx().content_rect().height() - 220.0).clamp(120.0, 560.0);
        ScrollArea::vertical().id_salt("report").max_height(height).auto_shrink([false, true]).show(ui, |ui| {
            let mut shown = text;
            let edit = TextEdit::multiline(&mut shown).font(font::small_data()).desired_width(f32::INFINITY);
            ui.add(edit.id_salt("report-text")).accessible_name("Report");
        });
        ui.add_space(space::NORMAL);
        let mut done = false;
        ui.horizontal(|ui| {
            if button(ui, Some(Icon::Copy), "Copy", Weight::Primary).clicked() {
                acts.push(Act::Copy(text.to_owned()));
                acts.push(Act::Info("The report is in the clipboard.".into()));
            }
            if button(ui, Some(Icon::Save), "Export…", Weight::Normal).clicked() {
                acts.push(Act::AskFile(FilePurpose::ExportReport(self.session)));
            }
            done = button(ui, None, "Close", Weight::Normal).clicked();
        });
        done
    }
}

fn text_of(view: &crate::projection::SessionView, scene: &Scene<'_>) -> String {
    scene.mask.text(&report::write(view, &scene.book.name(view), scene.shown_at.wall))
}
