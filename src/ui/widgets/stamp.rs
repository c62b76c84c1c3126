//! Whether text that was laid out may be painted again.

use std::sync::Arc;

use egui::{Color32, Galley, Ui};

use crate::ui::theme::font;

/// Laid-out text is good as long as this stays the same: what it tells (the key), the width, the theme, and fonts,
/// scale and atlas. Of the latter egui does not tell, but hands out another galley for the same text: the canary is
/// laid out in every frame.
pub struct Stamp<K> {
    key: K,
    width: u32,
    dark: bool,
    canary: Arc<Galley>,
}

impl<K> Stamp<K> {
    /// For what is left of `ui`.
    pub fn new(ui: &Ui, key: K) -> Self {
        Self {
            key,
            width: ui.available_width() as u32,
            dark: ui.visuals().dark_mode,
            canary: ui.painter().layout_no_wrap("0123456789".to_owned(), font::small_data(), Color32::PLACEHOLDER),
        }
    }
}

impl<K: PartialEq> PartialEq for Stamp<K> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
            && self.width == other.width
            && self.dark == other.dark
            && Arc::ptr_eq(&self.canary, &other.canary)
    }
}
