//! Colours, spacing, radii, type and fonts: the one place that names them.
//!
//! [`install`] gives them to egui. Widgets ask [`tokens`] for a colour by its role and [`space`], [`radius`] and
//! [`font`] for the rest; a test reads all of `ui` and fails where anything else names a colour.

mod fonts;
mod palette;
mod style;
mod tokens;

#[cfg(test)]
mod tests;

pub use fonts::{STRONG, font};
pub use palette::{DARK, LIGHT};
pub use tokens::{Chip, Lines, Side, State, Surfaces, Syntax, Texts, Tokens, radius, size, space};

use serde::{Deserialize, Serialize};

/// What the user chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// As the desktop says.
    #[default]
    System,
    Light,
    Dark,
}

impl Choice {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub fn word(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }
}

/// Gives fonts and both styles to egui. Once, before the first frame.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts::definitions());
    ctx.set_style_of(egui::Theme::Dark, style::style(&DARK));
    ctx.set_style_of(egui::Theme::Light, style::style(&LIGHT));
}

/// Follows the system or forces a theme.
pub fn choose(ctx: &egui::Context, choice: Choice) {
    ctx.set_theme(match choice {
        Choice::System => egui::ThemePreference::System,
        Choice::Light => egui::ThemePreference::Light,
        Choice::Dark => egui::ThemePreference::Dark,
    });
}

/// The tokens of the theme that this part of the window is painted in.
pub fn tokens(ui: &egui::Ui) -> &'static Tokens {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

/// The tokens of the theme of the whole window.
pub fn tokens_of(ctx: &egui::Context) -> &'static Tokens {
    match ctx.theme() {
        egui::Theme::Dark => &DARK,
        egui::Theme::Light => &LIGHT,
    }
}
