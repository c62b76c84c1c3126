//! What to export, and as what.

use egui::Ui;

use super::{field, hint};
use crate::engine::ExportFormat;
use crate::model::SessionId;
use crate::ui::app::{Act, Acts, FilePurpose, Scene};
use crate::ui::theme::space;
use crate::ui::widgets::{Icon, Weight, button};

#[derive(Debug)]
pub struct Export {
    format: ExportFormat,
    /// The session that was chosen when the dialog opened.
    session: Option<SessionId>,
    only_session: bool,
}

impl Export {
    pub fn new(session: Option<SessionId>) -> Self {
        Self { format: ExportFormat::Har, session, only_session: session.is_some() }
    }

    pub fn paint(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) -> bool {
        field(ui, "Format", |ui| {
            for (format, name, about) in [
                (ExportFormat::Har, "HAR 1.2", "HTTP and socket messages; opens in browser developer tools"),
                (ExportFormat::JsonLines, "JSON Lines", "every record, one per line, for scripts"),
                (ExportFormat::Transcript, "Transcript", "the conversation as Markdown, for a ticket"),
            ] {
                ui.radio_value(&mut self.format, format, name).on_hover_text(about);
                hint(ui, about);
            }
        });
        ui.add_space(space::SMALL);
        field(ui, "What", |ui| {
            ui.radio_value(&mut self.only_session, false, "The whole capture");
            if let Some(view) = self.session.and_then(|id| scene.board.session(id)) {
                let name = format!("Only {}", scene.book.name(view));
                ui.radio_value(&mut self.only_session, true, name);
            }
        });
        ui.add_space(space::NORMAL);
        hint(
            ui,
            "Secrets were replaced by placeholders such as [session-token#1] when the records were written. The export \
             holds none of them. What people wrote is exported as it is.",
        );
        ui.add_space(space::NORMAL);
        let mut done = false;
        ui.horizontal(|ui| {
            if button(ui, Some(Icon::Save), "Export…", Weight::Primary).clicked() {
                let session = self.session.filter(|_| self.only_session);
                acts.push(Act::AskFile(FilePurpose::Export { format: self.format, session }));
                done = true;
            }
            done |= button(ui, None, "Cancel", Weight::Normal).clicked();
        });
        done
    }
}
