//! The names: what a colour is for, how far things stand apart, how large text is.

use egui::Color32;

use crate::model::{Direction, happening};

/// All colours of a theme, by role.
#[derive(Debug)]
pub struct Tokens {
    pub dark: bool,
    pub surface: Surfaces,
    pub text: Texts,
    pub line: Lines,
    /// The one accent: what can be acted on, what is chosen. Readable on every surface.
    pub accent: Color32,
    /// The accent as a fill, under [`Texts::on_accent`].
    pub accent_fill: Color32,
    pub accent_fill_hover: Color32,
    /// Around what has the keyboard.
    pub focus: Color32,
    pub sent: Color32,
    pub received: Color32,
    pub local: Color32,
    pub guest: Side,
    pub agent: Side,
    pub bot: Side,
    pub system: Side,
    pub ok: State,
    pub amber: State,
    pub red: State,
    /// Over and done with.
    pub dead: State,
    /// Stands for a secret that was replaced.
    pub placeholder: Chip,
    /// What a search or a lit relation points at.
    pub lit: Color32,
    pub syntax: Syntax,
    /// Fill behind an added line of a difference, under [`Texts::normal`].
    pub added: Color32,
    pub removed: Color32,
    /// Dims what lies under a dialog.
    pub shade: Color32,
    pub shadow: Color32,
}

/// Backgrounds, from deepest to nearest.
#[derive(Debug)]
pub struct Surfaces {
    /// Text fields, tables, wells.
    pub sunken: Color32,
    /// Every other row of a table.
    pub stripe: Color32,
    /// Panels.
    pub ground: Color32,
    /// Bars, headers, buttons at rest.
    pub raised: Color32,
    /// Buttons under the pointer.
    pub hover: Color32,
    /// Menus, tooltips, dialogs.
    pub overlay: Color32,
    /// The chosen row.
    pub selected: Color32,
    /// The chosen row of a list that has not the keyboard, or its second row.
    pub selected_quiet: Color32,
}

/// Text colours. All can be read on every surface.
#[derive(Debug)]
pub struct Texts {
    pub strong: Color32,
    pub normal: Color32,
    pub weak: Color32,
    /// On [`Tokens::accent_fill`].
    pub on_accent: Color32,
}

#[derive(Debug)]
pub struct Lines {
    /// Between regions; decoration.
    pub faint: Color32,
    /// Around fields and buttons.
    pub normal: Color32,
    /// Where the shape itself tells something.
    pub strong: Color32,
}

/// A side of the conversation: its name and its bubble.
#[derive(Debug)]
pub struct Side {
    pub ink: Color32,
    pub bubble: Color32,
}

/// A state: its word or shape, and the tint of a card or badge that speaks of it.
#[derive(Debug)]
pub struct State {
    pub ink: Color32,
    pub tint: Color32,
}

#[derive(Debug)]
pub struct Chip {
    pub ink: Color32,
    pub fill: Color32,
}

/// Parts of JSON and of heads.
#[derive(Debug)]
pub struct Syntax {
    pub key: Color32,
    pub string: Color32,
    pub number: Color32,
    /// `true`, `false`, `null`.
    pub word: Color32,
    pub punctuation: Color32,
}

impl Tokens {
    pub fn direction(&self, direction: Direction) -> Color32 {
        match direction {
            Direction::Sent => self.sent,
            Direction::Received => self.received,
            Direction::Local => self.local,
        }
    }

    pub fn side(&self, side: happening::Side) -> &Side {
        match side {
            happening::Side::Guest => &self.guest,
            happening::Side::Agent => &self.agent,
            happening::Side::Bot => &self.bot,
            happening::Side::System => &self.system,
        }
    }
}

/// Distances in points.
pub mod space {
    pub const HAIR: f32 = 2.0;
    pub const TIGHT: f32 = 4.0;
    pub const SMALL: f32 = 6.0;
    pub const NORMAL: f32 = 8.0;
    pub const WIDE: f32 = 12.0;
    pub const ROOM: f32 = 16.0;
    pub const HALL: f32 = 24.0;
    /// Height of a row in dense lists.
    pub const ROW: f32 = 22.0;
    /// Height of buttons and fields.
    pub const CONTROL: f32 = 24.0;
    /// Height of bars (toolbar, clock strip, table head).
    pub const BAR: f32 = 36.0;
}

/// Corner radii in points.
pub mod radius {
    pub const SMALL: u8 = 3;
    pub const NORMAL: u8 = 5;
    pub const LARGE: u8 = 8;
    /// Chips and bubbles.
    pub const ROUND: u8 = 10;
}

/// Type sizes in points.
pub mod size {
    pub const SMALL: f32 = 11.5;
    pub const BODY: f32 = 13.0;
    pub const DATA: f32 = 12.5;
    pub const TITLE: f32 = 15.0;
    pub const HEADING: f32 = 20.0;
}
