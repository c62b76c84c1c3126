//! The stored settings, as far as the command line needs them: the environments. The window owns the file.

use serde_json::Value;

use super::places::Places;
use crate::model::{Environment, Report};

/// Environments that the window has stored; none where it never ran.
pub fn environments(places: &Places) -> Result<Vec<Environment>, Report> {
    let file = places.settings_file();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => {
            return Err(Report::new("settings", "The settings cannot be read", format!("{}: {e}", file.display())));
        }
    };
    let settings: Value = serde_json::from_str(&text)
        .map_err(|e| Report::new("settings", "The settings cannot be read", format!("{}: {e}", file.display())))?;
    let stored = settings.get("environments").and_then(Value::as_array).cloned().unwrap_or_default();
    // One that a newer version wrote is left to it.
    Ok(stored.into_iter().filter_map(|e| serde_json::from_value(e).ok()).collect())
}
