//! What is odd with a message, told in place: sentences, and the two texts where they differ.

use egui::text::{LayoutJob, TextFormat};
use egui::{Grid, Label, RichText, ScrollArea, Stroke, Ui, vec2};

use super::rows::Row;
use crate::projection::ends::Difference;
use crate::ui::format;
use crate::ui::theme::{Tokens, font, space, tokens};

/// Of what both ends have, so many letters are shown at either side.
const CONTEXT: usize = 80;

pub(super) fn paint(ui: &mut Ui, row: &Row) {
    let t = tokens(ui);
    ui.spacing_mut().item_spacing.y = space::HAIR;
    ScrollArea::vertical().id_salt("odd").show(ui, |ui| {
        for sentence in row.odd.iter().flat_map(|(_, all)| all.lines()) {
            let shown = format::shown(sentence);
            ui.add(Label::new(RichText::new(shown.as_ref()).small().color(t.amber.ink)).wrap());
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
    });
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
    let cut = d.before.chars().count().saturating_sub(CONTEXT);
    let before: String = d.before.chars().skip(cut).collect();
    let mut after: String = d.after.chars().take(CONTEXT).collect();
    if after.len() < d.after.len() {
        after.push('…');
    }
    let dots = if cut > 0 { "…" } else { "" };
    job.append(&format!("{dots}{}", format::shown(&before)), 0.0, plain.clone());
    match own.is_empty() {
        true => job.append("(nothing)", 0.0, TextFormat::simple(font::small(), t.amber.ink)),
        false => job.append(&format::shown(own), 0.0, lit),
    }
    job.append(&format::shown(&after), 0.0, plain);
    job
}
