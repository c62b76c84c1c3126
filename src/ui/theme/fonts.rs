//! Fonts: Noto Sans for text, JetBrains Mono (without ligatures) for data, egui's own behind them for symbols.
//!
//! What none of them holds (CJK, Arabic, Hebrew, emoji) eframe finds among the fonts of the system.

use std::sync::Arc;

use egui::{FontData, FontDefinitions, FontFamily};

/// Name of the family of titles.
pub const STRONG: &str = "strong";

const SANS: &[u8] = include_bytes!("../../../assets/fonts/NotoSans-Regular.ttf");
const SANS_STRONG: &[u8] = include_bytes!("../../../assets/fonts/NotoSans-SemiBold.ttf");
const MONO: &[u8] = include_bytes!("../../../assets/fonts/JetBrainsMonoNL-Regular.ttf");

/// Ready font ids by role.
pub mod font {
    use egui::{FontFamily, FontId};

    use super::super::tokens::size;
    use super::strong as semi_bold;

    pub fn body() -> FontId {
        FontId::new(size::BODY, FontFamily::Proportional)
    }

    pub fn small() -> FontId {
        FontId::new(size::SMALL, FontFamily::Proportional)
    }

    /// Body size, semi-bold.
    pub fn strong() -> FontId {
        FontId::new(size::BODY, semi_bold())
    }

    pub fn small_strong() -> FontId {
        FontId::new(size::SMALL, semi_bold())
    }

    pub fn title() -> FontId {
        FontId::new(size::TITLE, semi_bold())
    }

    pub fn heading() -> FontId {
        FontId::new(size::HEADING, semi_bold())
    }

    pub fn data() -> FontId {
        FontId::new(size::DATA, FontFamily::Monospace)
    }

    pub fn small_data() -> FontId {
        FontId::new(size::SMALL, FontFamily::Monospace)
    }
}

/// The family of titles.
pub(super) fn strong() -> FontFamily {
    FontFamily::Name(STRONG.into())
}

pub(super) fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    for (name, data) in [("noto-sans", SANS), ("noto-sans-semibold", SANS_STRONG), ("jetbrains-mono", MONO)] {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(data)));
    }
    let stock = |fonts: &FontDefinitions, family| fonts.families.get(&family).cloned().unwrap_or_default();
    let sans = stock(&fonts, FontFamily::Proportional);
    let mono = stock(&fonts, FontFamily::Monospace);
    // The mono face holds the arrows and shapes that the sans lacks, so it is the next to be asked.
    let chain = |first: &[&str], stock: &[&Vec<String>]| -> Vec<String> {
        let mut names: Vec<String> = first.iter().map(|s| (*s).to_owned()).collect();
        for name in stock.iter().flat_map(|list| list.iter()) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    };
    fonts.families.insert(FontFamily::Proportional, chain(&["noto-sans", "jetbrains-mono"], &[&sans, &mono]));
    fonts.families.insert(strong(), chain(&["noto-sans-semibold", "noto-sans", "jetbrains-mono"], &[&sans, &mono]));
    fonts.families.insert(FontFamily::Monospace, chain(&["jetbrains-mono", "noto-sans"], &[&mono, &sans]));
    fonts
}
