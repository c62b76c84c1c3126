//! ui

use crate::model::Report;
/// Stand-in.
pub fn show(_f: Option<&std::path::Path>) -> Result<(), Report> { Err(Report::new("no-display", "no", "DISPLAY is not set").remedy("apt install x")) }
/// Stand-in.
pub fn probe() -> Result<String, Report> { Err(Report::new("no-display", "no", "DISPLAY is not set").remedy("apt install x")) }
/// Stand-in.
pub fn dialogs() -> Result<String, Report> { Ok("none".into()) }
