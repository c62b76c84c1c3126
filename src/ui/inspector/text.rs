//! A payload as text and as bytes.

use std::fmt::Write as _;

use egui::{Align2, Label, Rect, RichText, Role, Ui, UiBuilder, pos2};

use super::lines::Lines;
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Scroller, Tone, Weight, badge, button, format, row_list};

/// Bytes shown at first.
const HEAD: usize = 64 * 1024;
const ROW: f32 = 17.0;

/// The text tab.
#[derive(Default)]
pub(super) struct TextView {
    lines: Option<Lines>,
    scroller: Scroller,
    all: bool,
}

impl TextView {
    /// `text` must stay the same until the view is made anew. `marker` is a byte to point at (where JSON broke).
    pub fn show(&mut self, ui: &mut Ui, text: &str, marker: Option<usize>) {
        let t = tokens(ui);
        let shown = if self.all { text } else { head(text) };
        if shown.len() < text.len() {
            ui.horizontal(|ui| {
                badge(ui, None, &format!("first {} of {}", size(shown.len()), size(text.len())), Tone::Amber);
                if button(ui, None, &format!("Show all {}", size(text.len())), Weight::Normal).clicked() {
                    self.all = true;
                    self.lines = None;
                }
            });
        }
        let mono = font::data();
        let glyph = ui.ctx().fonts_mut(|f| f.glyph_width(&mono, '0')).max(1.0);
        let gutter = 48.0;
        let width = ui.available_width() - gutter - crate::ui::widgets::BAR - space::NORMAL;
        let columns = ((width / glyph).floor() as usize).max(8);
        if self.lines.as_ref().is_none_or(|l| l.columns() != columns) {
            self.lines = Some(Lines::new(shown, columns));
        }
        let Some(lines) = &self.lines else { return };
        row_list(
            ui,
            &mut self.scroller,
            "Lines of the payload",
            Role::Document,
            lines.len() as u64,
            ROW,
            |ui, row, rect| {
                let (line, number) = lines.line(shown, row as usize);
                if let Some(number) = number {
                    let at = pos2(rect.left() + gutter - space::NORMAL, rect.center().y);
                    let ink = t.text.weak;
                    ui.painter().text(at, Align2::RIGHT_CENTER, number.to_string(), font::small_data(), ink);
                }
                let start = lines.start(row as usize);
                if marker.is_some_and(|m| (start..=start + line.len()).contains(&m)) {
                    ui.painter().rect_filled(rect, 0, t.red.tint);
                }
                let room = Rect::from_min_max(pos2(rect.left() + gutter, rect.top()), rect.max);
                mono_line(ui, room, &format::visible_controls(line), row);
            },
        );
    }
}

fn head(text: &str) -> &str {
    if text.len() <= HEAD {
        return text;
    }
    let mut end = HEAD;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn size(n: usize) -> String {
    format::bytes(n as u64)
}

/// One selectable line of data.
pub(super) fn mono_line(ui: &mut Ui, rect: Rect, line: &str, row: u64) {
    if line.is_empty() {
        return;
    }
    let t = tokens(ui);
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(rect).layout(layout).id_salt(("line", row)), |ui| {
        let rich = RichText::new(line).font(font::data()).color(t.text.normal);
        ui.add(Label::new(rich).extend().selectable(true));
    });
}

/// The hex tab.
#[derive(Default)]
pub(super) struct HexView {
    scroller: Scroller,
    line: String,
}

impl HexView {
    pub fn show(&mut self, ui: &mut Ui, bytes: &[u8]) {
        // Sixteen bytes a row where there is room for them, else eight.
        let mono = font::data();
        let glyph = ui.ctx().fonts_mut(|f| f.glyph_width(&mono, '0'));
        let room = ui.available_width() - crate::ui::widgets::BAR - space::NORMAL;
        let per_row = if glyph * 77.0 <= room { 16 } else { 8 };
        let rows = bytes.len().div_ceil(per_row) as u64;
        let line = &mut self.line;
        row_list(ui, &mut self.scroller, "Bytes of the payload", Role::Document, rows, ROW, |ui, row, rect| {
            let start = row as usize * per_row;
            hex_line(line, start, per_row, &bytes[start..(start + per_row).min(bytes.len())]);
            let room = Rect::from_min_max(pos2(rect.left() + space::NORMAL, rect.top()), rect.max);
            mono_line(ui, room, line, row);
        });
    }
}

/// `00000010  48 65 6c 6c 6f 20 …  Hello …`
pub(super) fn hex_line(out: &mut String, offset: usize, per_row: usize, bytes: &[u8]) {
    out.clear();
    let _ = write!(out, "{offset:08x}  ");
    for k in 0..per_row {
        match bytes.get(k) {
            Some(byte) => {
                let _ = write!(out, "{byte:02x} ");
            }
            None => out.push_str("   "),
        }
        if k == 7 && per_row > 8 {
            out.push(' ');
        }
    }
    out.push(' ');
    out.extend(bytes.iter().map(|b| if (0x20..0x7F).contains(b) { *b as char } else { '·' }));
}

#[cfg(test)]
mod tests {
    #[test]
    fn hex_has_offset_bytes_and_signs() {
        let mut out = String::new();
        super::hex_line(&mut out, 16, 16, b"Hello\x00\xff world");
        assert_eq!(out, "00000010  48 65 6c 6c 6f 00 ff 20  77 6f 72 6c 64           Hello·· world");
        super::hex_line(&mut out, 0, 16, &[b'a'; 16]);
        assert!(out.ends_with("61  aaaaaaaaaaaaaaaa"));
        super::hex_line(&mut out, 8, 8, b"abc");
        assert_eq!(out, "00000008  61 62 63                 abc");
    }
}
