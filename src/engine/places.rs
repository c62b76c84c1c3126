//! Where this program keeps its files.

use std::path::PathBuf;

use etcetera::app_strategy::{AppStrategy, AppStrategyArgs, choose_native_strategy};

use crate::model::Report;

/// Overrides both folders: for tests, and for a portable installation.
pub const HOME_VARIABLE: &str = "SESSIONSCOPE_HOME";

/// The two folders of this program, by the customs of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Settings. Linux `~/.config/sessionscope`, macOS `~/Library/Preferences/…`, Windows `%APPDATA%\…`.
    pub config: PathBuf,
    /// Captures. Linux `~/.local/share/sessionscope/captures`, elsewhere likewise.
    pub captures: PathBuf,
}

impl Places {
    pub fn find() -> Result<Self, Report> {
        if let Some(home) = std::env::var_os(HOME_VARIABLE).filter(|h| !h.is_empty()) {
            let home = PathBuf::from(home);
            return Ok(Self { config: home.join("config"), captures: home.join("captures") });
        }
        let names = AppStrategyArgs {
            top_level_domain: "org".into(),
            author: "sessionscope".into(),
            app_name: "sessionscope".into(),
        };
        let strategy = choose_native_strategy(names).map_err(|e| {
            Report::new("no-home", "There is no home folder", e.to_string())
                .remedy(format!("Set HOME, or name a folder in {HOME_VARIABLE}."))
        })?;
        Ok(Self { config: strategy.config_dir(), captures: strategy.data_dir().join("captures") })
    }

    /// The audit log, beside the captures.
    pub fn audit(&self) -> PathBuf {
        self.captures.with_file_name("audit")
    }

    /// Knowledge that testers added, beside the settings.
    pub fn knowledge(&self) -> PathBuf {
        self.config.join("knowledge")
    }

    pub fn settings_file(&self) -> PathBuf {
        self.config.join("settings.json")
    }
}
