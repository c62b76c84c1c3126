//! The window: everything that names egui.

pub mod table;
pub mod theme;
pub mod widgets;
