//! Version and licences.

use std::sync::LazyLock;

use egui::{Label, RichText, ScrollArea, TextEdit, Ui};

use super::hint;
use crate::ui::theme::{font, space, tokens};

/// The lock file names every library with its exact version.
const LOCK: &str = include_str!("../../../Cargo.lock");

static CRATES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| crates(LOCK));

pub(super) fn paint(ui: &mut Ui, filter: &mut String) {
    let t = tokens(ui);
    ui.label(
        RichText::new(format!("Sessionscope {}", env!("CARGO_PKG_VERSION"))).font(font::strong()).color(t.text.strong),
    );
    ui.add(Label::new(env!("CARGO_PKG_DESCRIPTION")).wrap());
    ui.label(format!("Licence: {}", env!("CARGO_PKG_LICENSE")));
    ui.add_space(space::NORMAL);
    ui.add(
        Label::new(
            "Fonts: Noto Sans and JetBrains Mono, under the SIL Open Font License 1.1. Symbols from the fonts that \
             come with egui.",
        )
        .wrap(),
    );
    ui.add_space(space::NORMAL);
    ui.label(RichText::new(format!("Made with {} libraries", CRATES.len())).font(font::strong()));
    hint(
        ui,
        "Which of them are in a build depends on the system. Their licences are MIT, Apache-2.0, BSD, ISC, Zlib, \
         Unicode-3.0 and alike; each library's page on crates.io holds its text.",
    );
    ui.add(TextEdit::singleline(filter).hint_text("Filter libraries").desired_width(f32::INFINITY))
        .accessible_name("Filter libraries");
    let found: Vec<_> = CRATES.iter().filter(|(name, _)| name.contains(filter.trim())).collect();
    let height = ui.text_style_height(&egui::TextStyle::Monospace);
    ScrollArea::vertical().id_salt("libraries").max_height(220.0).auto_shrink([false, false]).show_rows(
        ui,
        height,
        found.len(),
        |ui, rows| {
            for (name, version) in &found[rows] {
                ui.label(RichText::new(format!("{name} {version}")).font(font::small_data()));
            }
        },
    );
}

fn crates(lock: &str) -> Vec<(&str, &str)> {
    let mut out = Vec::new();
    let mut name = None;
    for line in lock.lines() {
        if let Some(n) = line.strip_prefix("name = \"") {
            name = n.strip_suffix('"');
        } else if let Some(v) = line.strip_prefix("version = \"")
            && let (Some(n), Some(v)) = (name.take(), v.strip_suffix('"'))
            && n != env!("CARGO_PKG_NAME")
        {
            out.push((n, v));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_are_read_from_the_lock_file() {
        assert!(CRATES.iter().any(|(n, v)| *n == "egui" && v.starts_with("0.37")));
        assert!(!CRATES.iter().any(|(n, _)| *n == env!("CARGO_PKG_NAME")));
        assert!(CRATES.len() > 100);
    }
}
