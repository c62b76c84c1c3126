//! What is odd with a message, told in place: sentences, and the two texts where they differ.

use egui::text::{LayoutJob, TextFormat};
use egui::{Grid, Label, RichText, Stroke, Ui, vec2};

use super::rows::Row;
use crate::projection::ends::Difference;
use crate::ui::format;
use crate::ui::theme::{Tokens, font, space, tokens};

/// Of what both ends have, so many letters are shown at either side.
const CONTEXT: usize = 80;
/// So many of what only one end has, and of a sentence; the records have all.
const OWN: usize = 300;
const SENTENCE: usize = 200;

pub(super) fn paint(ui: &mut Ui, row: &Row) {
    let t = tokens(ui);
    ui.spacing_mut().item_spacing.y = space::HAIR;
    for sentence in row.odd.iter().flat_map(|(_, all)| all.lines()) {
        let shown = cut(sentence, SENTENCE);
        ui.add(Label::new(RichText::new(format::shown(&shown).as_ref()).small().color(t.amber.ink)).wrap());
    }
    let Some(d) = &row.differs else { return };
    Grid::new("difference").num_columns(2).spacing(vec2(space::NORMAL, space::HAIR)).show(ui, |ui| {
        for (end, own) in [("guest's end", &d.at_guest), ("agent's end", &d.at_agent)] {
            ui.label(RichText::new(end).font(font::small_strong()).color(t.text.weak));
            let mut job = marked(d, own, t);
            job.wrap.max_width = ui.available_width();
            ui.add(Label::new(job));
            ui.end_row();
        }
    });
}

/// At most so many letters of a text.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A text with what the other end has not underlined, on a ground of its own.
fn marked(d: &Difference, own: &str, t: &Tokens) -> LayoutJob {
    let mut job = LayoutJob::default();
    let plain = TextFormat::simple(font::body(), t.text.normal);
    let lit = TextFormat {
        background: t.amber.tint,
        underline: Stroke::new(1.5, t.amber.ink),
        ..TextFormat::simple(font::strong(), t.text.strong)
    };
    let gone = d.before.chars().count().saturating_sub(CONTEXT);
    let before: String = d.before.chars().skip(gone).collect();
    let dots = if gone > 0 { "…" } else { "" };
    job.append(&format!("{dots}{}", format::shown(&before)), 0.0, plain.clone());
    match own.is_empty() {
        true => job.append("(nothing)", 0.0, TextFormat::simple(font::small(), t.amber.ink)),
        false => job.append(&format::shown(&cut(own, OWN)), 0.0, lit),
    }
    job.append(&format::shown(&cut(&d.after, CONTEXT)), 0.0, plain);
    job
}
