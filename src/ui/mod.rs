//! The window: everything that names egui.
//!
//! `app` takes in events, paints and carries out; everything else is a part that it paints. Parts look at a
//! [`app::Scene`] and collect [`app::Act`]s; nothing changes while it is being painted.

pub mod app;
mod clock_strip;
pub mod commands;
pub mod composer;
mod conversation;
pub mod desk;
pub mod dialogs;
pub mod drafts;
mod first_run;
mod format;
pub mod inspector;
mod inspector_pane;
mod keys;
mod lint;
mod menu;
mod metrics;
mod palette;
pub mod picker;
mod plot;
mod rail;
mod records;
mod ringing;
pub mod seams;
pub mod settings;
mod start;
mod status_bar;
pub mod table;
pub mod theme;
mod toolbar;
pub mod tour;
mod trouble;
pub mod widgets;
mod window;

pub use start::{dialogs, probe, show};
pub use window::{Wake, run};
