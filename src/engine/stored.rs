//! The stored settings, as far as the command line needs them. The window owns the file.

use serde_json::Value;

use super::places::Places;
use crate::model::{Environment, Report};

/// What the window has stored; what it would start with where it never ran.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub environments: Vec<Environment>,
    /// Captures stay in memory.
    pub private_mode: bool,
    /// Captures older than this are deleted at start; zero keeps all.
    pub keep_days: u32,
}

impl Default for Stored {
    fn default() -> Self {
        Self { environments: Vec::new(), private_mode: false, keep_days: 14 }
    }
}

impl Stored {
    /// Reads the file as the window does: a field or an environment that cannot be read loses its own value only.
    pub fn read(places: &Places) -> Result<Self, Report> {
        let file = places.settings_file();
        let unreadable = |why: String| {
            Report::new("settings", "The settings cannot be read", format!("{}: {why}", file.display()))
                .remedy("Mend the file, or delete it: then everything has its usual value.")
        };
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(unreadable(e.to_string())),
        };
        let settings: Value = serde_json::from_str(&text).map_err(|e| unreadable(e.to_string()))?;
        let usual = Self::default();
        let environments = settings.get("environments").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            environments: environments.filter_map(environment).collect(),
            private_mode: settings.get("private_mode").and_then(Value::as_bool).unwrap_or(usual.private_mode),
            keep_days: (settings.get("keep_days").and_then(Value::as_u64).and_then(|n| n.try_into().ok()))
                .unwrap_or(usual.keep_days),
        })
    }
}

/// One that another version wrote is left to it. A secret does not belong into this file: it is not read.
fn environment(value: &Value) -> Option<Environment> {
    let mut value = value.clone();
    value.as_object_mut()?.remove("client_secret");
    serde_json::from_value(value).ok()
}
