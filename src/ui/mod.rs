//! The window: everything that names egui.

pub mod inspector;
pub mod table;
pub mod theme;
pub mod widgets;
