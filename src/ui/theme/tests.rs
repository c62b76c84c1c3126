use std::path::{Path, PathBuf};

use egui::Color32;

use super::{DARK, LIGHT, Tokens};

fn luminance(c: Color32) -> f64 {
    let part = |v: u8| {
        let v = f64::from(v) / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(c.r()) + 0.7152 * part(c.g()) + 0.0722 * part(c.b())
}

/// The ratio of WCAG 2.
fn contrast(a: Color32, b: Color32) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn surfaces(t: &Tokens) -> Vec<(&'static str, Color32)> {
    let s = &t.surface;
    vec![
        ("sunken", s.sunken),
        ("stripe", s.stripe),
        ("ground", s.ground),
        ("raised", s.raised),
        ("hover", s.hover),
        ("overlay", s.overlay),
        ("selected", s.selected),
        ("selected quiet", s.selected_quiet),
        ("lit", t.lit),
    ]
}

fn inks(t: &Tokens) -> Vec<(&'static str, Color32)> {
    vec![
        ("strong", t.text.strong),
        ("normal", t.text.normal),
        ("weak", t.text.weak),
        ("accent", t.accent),
        ("sent", t.sent),
        ("received", t.received),
        ("local", t.local),
        ("guest", t.guest.ink),
        ("agent", t.agent.ink),
        ("bot", t.bot.ink),
        ("system", t.system.ink),
        ("ok", t.ok.ink),
        ("amber", t.amber.ink),
        ("red", t.red.ink),
        ("dead", t.dead.ink),
        ("key", t.syntax.key),
        ("string", t.syntax.string),
        ("number", t.syntax.number),
        ("word", t.syntax.word),
        ("punctuation", t.syntax.punctuation),
    ]
}

/// Text on fills that are not surfaces.
fn pairs(t: &Tokens) -> Vec<(&'static str, Color32, Color32)> {
    let mut pairs = vec![
        ("on accent", t.text.on_accent, t.accent_fill),
        ("on accent under the pointer", t.text.on_accent, t.accent_fill_hover),
        ("placeholder", t.placeholder.ink, t.placeholder.fill),
    ];
    for (name, fill) in [("added", t.added), ("removed", t.removed)] {
        pairs.extend(
            inks(t)
                .into_iter()
                .filter(|(n, _)| ["strong", "normal", "weak"].contains(n))
                .map(|(_, ink)| (name, ink, fill)),
        );
    }
    for (name, side) in [("guest", &t.guest), ("agent", &t.agent), ("bot", &t.bot), ("system", &t.system)] {
        for ink in [side.ink, t.text.strong, t.text.normal, t.text.weak, t.accent, t.red.ink, t.amber.ink] {
            pairs.push((name, ink, side.bubble));
        }
    }
    for (name, state) in [("ok", &t.ok), ("amber", &t.amber), ("red", &t.red), ("dead", &t.dead)] {
        for ink in [state.ink, t.text.strong, t.text.normal, t.text.weak, t.accent] {
            pairs.push((name, ink, state.tint));
        }
    }
    pairs
}

#[test]
fn every_text_can_be_read_where_it_stands() {
    let mut poor = Vec::new();
    for (theme, t) in [("dark", &DARK), ("light", &LIGHT)] {
        for (ink_name, ink) in inks(t) {
            for (surface_name, surface) in surfaces(t) {
                let ratio = contrast(ink, surface);
                if ratio < 4.5 {
                    poor.push(format!("{theme}: {ink_name} on {surface_name} {ratio:.2}"));
                }
            }
        }
        for (name, ink, fill) in pairs(t) {
            let ratio = contrast(ink, fill);
            if ratio < 4.5 {
                poor.push(format!("{theme}: {name} {ink:?} on {fill:?} {ratio:.2}"));
            }
        }
    }
    assert!(poor.is_empty(), "{poor:#?}");
}

#[test]
fn shapes_that_tell_something_can_be_seen() {
    for (theme, t) in [("dark", &DARK), ("light", &LIGHT)] {
        for (name, surface) in surfaces(t) {
            for (what, colour) in [("strong line", t.line.strong), ("focus", t.focus), ("accent", t.accent)] {
                let ratio = contrast(colour, surface);
                assert!(ratio >= 3.0, "{theme}: {what} on {name} {ratio:.2}");
            }
        }
    }
}

#[test]
fn the_measure_of_contrast_is_right() {
    assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 1e-9);
    // A known pair: #767676 on white is the lightest grey that passes.
    assert!((contrast(Color32::from_gray(0x76), Color32::WHITE) - 4.54).abs() < 0.01);
}

fn rust_files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn nothing_but_the_theme_names_a_colour() {
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui");
    let mut files = Vec::new();
    rust_files(&ui, &mut files);
    let mut seen = 0;
    let mut bad = Vec::new();
    for file in files.iter().filter(|f| !f.starts_with(ui.join("theme"))) {
        seen += 1;
        for (n, line) in std::fs::read_to_string(file).unwrap().lines().enumerate() {
            let named = ["Color32::", "from_rgb", "Rgba::", "Hsva::", "hex_color!", "from_gray", "from_black_alpha"];
            if named.iter().any(|word| line.contains(word)) && !line.contains("Color32::PLACEHOLDER") {
                bad.push(format!("{}:{}: {}", file.display(), n + 1, line.trim()));
            }
        }
    }
    assert!(seen > 0);
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn the_fonts_hold_the_signs_that_we_use() {
    let ctx = egui::Context::default();
    super::install(&ctx);
    let mut missing = Vec::new();
    let mut output = ctx.run_ui(Default::default(), |ui| {
        for id in [super::font::body(), super::font::strong(), super::font::data()] {
            ui.ctx().fonts_mut(|fonts| {
                for c in "→←↑↓↵▶●○✓×…Δ·–—“”µ−≥≤‹›".chars() {
                    if !fonts.has_glyph(&id, c) {
                        missing.push((id.clone(), c));
                    }
                }
            });
        }
    });
    output.textures_delta.clear();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn figures_have_one_width() {
    let ctx = egui::Context::default();
    super::install(&ctx);
    let mut output = ctx.run_ui(Default::default(), |ui| {
        for id in [super::font::body(), super::font::small(), super::font::strong(), super::font::data()] {
            ui.ctx().fonts_mut(|fonts| {
                let one = fonts.glyph_width(&id, '1');
                assert!("0123456789".chars().all(|c| (fonts.glyph_width(&id, c) - one).abs() < 1e-3), "{id:?}");
            });
        }
    });
    output.textures_delta.clear();
}

#[test]
fn what_has_the_keyboard_has_an_edge_in_the_accent() {
    for t in [&DARK, &LIGHT] {
        let visuals = super::style::style(t).visuals;
        // Text fields take their edge from the selection, buttons from what is active.
        assert_eq!(visuals.selection.stroke.color, t.accent);
        assert_eq!(visuals.widgets.active.bg_stroke.color, t.accent);
        assert!(visuals.selection.stroke.width >= 2.0);
    }
}
