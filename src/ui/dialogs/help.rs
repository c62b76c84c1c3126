//! The help: pages that come with the program.

use egui::{Label, RichText, ScrollArea, Ui};

use crate::model::DialectId;
use crate::ui::app::Acts;
use crate::ui::theme::{font, space, tokens};

/// Name and text of each page.
const PAGES: [(&str, &str); 6] = [
    ("index", include_str!("../../../assets/help/index.md")),
    ("session-token", include_str!("../../../assets/help/session-token.md")),
    ("external-contact", include_str!("../../../assets/help/external-contact.md")),
    ("signed-guest", include_str!("../../../assets/help/signed-guest.md")),
    ("managed-conversation", include_str!("../../../assets/help/managed-conversation.md")),
    ("guest-resource", include_str!("../../../assets/help/guest-resource.md")),
];

#[derive(Debug)]
pub struct Help {
    page: &'static str,
}

impl Help {
    /// The page of this name, else the first.
    pub fn at(page: &str) -> Self {
        Self { page: PAGES.iter().map(|(name, _)| *name).find(|name| *name == page).unwrap_or("index") }
    }

    pub fn paint(&mut self, ui: &mut Ui, _: &mut Acts) -> bool {
        let height = (ui.ctx().content_rect().height() - 150.0).clamp(200.0, 640.0);
        let size = egui::vec2(ui.available_width(), height);
        ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Min), |ui| {
            let list = egui::Layout::top_down_justified(egui::Align::Min);
            ui.allocate_ui_with_layout(egui::vec2((size.x * 0.35).min(280.0), height), list, |ui| {
                for (name, _) in PAGES {
                    let title = DialectId::of_key(name).map_or("Overview", DialectId::title);
                    if ui.add(egui::Button::selectable(self.page == name, title).wrap()).clicked() {
                        self.page = name;
                    }
                }
            });
            ui.separator();
            let area = ScrollArea::vertical().id_salt(("help", self.page)).auto_shrink([false, false]);
            let text = PAGES.iter().find(|(name, _)| *name == self.page).map_or("", |(_, text)| *text);
            ui.vertical(|ui| area.show(ui, |ui| page(ui, text)));
        });
        false
    }
}

/// Headings, paragraphs and lists; words in back quotes are set as data.
fn page(ui: &mut Ui, text: &str) {
    let t = tokens(ui);
    for line in text.lines().map(str::trim_end) {
        if let Some(title) = line.strip_prefix("# ") {
            ui.label(RichText::new(title).font(font::title()).color(t.text.strong));
        } else if let Some(heading) = line.strip_prefix("## ") {
            ui.add_space(space::NORMAL);
            ui.label(RichText::new(heading).font(font::strong()).color(t.text.strong));
        } else if let Some(item) = line.strip_prefix("- ") {
            ui.horizontal_top(|ui| {
                ui.label("–");
                ui.add(Label::new(marked(ui, item)).wrap());
            });
        } else if line.is_empty() {
            ui.add_space(space::TIGHT);
        } else {
            ui.add(Label::new(marked(ui, line)).wrap());
        }
    }
}

/// Back quotes make data, asterisks emphasis.
fn marked(ui: &Ui, text: &str) -> egui::text::LayoutJob {
    let t = tokens(ui);
    let mut job = egui::text::LayoutJob::default();
    let plain = egui::TextFormat::simple(font::body(), t.text.normal);
    let data =
        egui::TextFormat { background: t.surface.sunken, ..egui::TextFormat::simple(font::data(), t.text.strong) };
    for (n, part) in text.split('`').enumerate() {
        if n % 2 == 1 {
            job.append(part, 0.0, data.clone());
            continue;
        }
        for (m, word) in part.split('*').enumerate() {
            let italics = m % 2 == 1;
            job.append(word, 0.0, egui::TextFormat { italics, ..plain.clone() });
        }
    }
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unverified_flow_has_a_page_that_says_what_is_doubtful() {
        for dialect in DialectId::ALL.into_iter().filter(|d| !d.is_verified()) {
            let help = Help::at(dialect.key());
            let (_, text) = PAGES.iter().find(|(name, _)| *name == help.page).unwrap();
            assert_eq!(help.page, dialect.key());
            for part in ["## Where it comes from", "## What happens", "## What is doubtful"] {
                assert!(text.contains(part), "{}: {part}", dialect.key());
            }
            assert_eq!(text.lines().next(), Some(format!("# {}", dialect.title()).as_str()));
        }
        assert_eq!(Help::at("nowhere").page, "index");
    }
}
