//! The inspector's place.

use egui::Ui;

use super::app::{Acts, Scene};
use crate::capture::Reader;

#[derive(Default)]
pub struct InspectorPane {}

impl InspectorPane {
    pub fn paint(&mut self, ui: &mut Ui, _reader: Option<&Reader>, scene: &Scene<'_>, _acts: &mut Acts) {
        ui.label(scene.selection.lead().map_or_else(|| "Select a record.".to_owned(), |s| format!("Record {s}")));
    }
}
