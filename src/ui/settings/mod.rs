//! What survives a restart: environments, looks, panes, filters, drafts. Never a secret.
//!
//! The file is read field by field: one damaged field loses its own value and nothing else, unknown fields and
//! environments that cannot be read are kept and written back.

mod store;

pub use store::Store;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::drafts::Drafts;
use super::theme::Choice;
use crate::model::{Environment, Wall};

/// Name by which the built-in sandbox is chosen.
pub const SANDBOX: &str = "sandbox";

/// So many sessions can be resumed at most; of more, the oldest are forgotten.
pub const KEPT: usize = 100;

/// At most so many captures are remembered.
const RECENT: usize = 12;

/// Sizes are in points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Panes {
    pub rail: f32,
    pub inspector: f32,
    pub records: f32,
    pub show_records: bool,
    pub show_inspector: bool,
    pub split: bool,
    pub lower: LowerPane,
    /// Those of all sessions.
    pub metrics_of_all: bool,
    pub lint_of_all: bool,
}

/// What the lower pane shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LowerPane {
    #[default]
    Records,
    Metrics,
    Lint,
}

impl Default for Panes {
    fn default() -> Self {
        Self {
            rail: 220.0,
            inspector: 380.0,
            records: 290.0,
            show_records: true,
            show_inspector: true,
            split: false,
            lower: LowerPane::Records,
            metrics_of_all: false,
            lint_of_all: false,
        }
    }
}

/// A session that can be resumed. The token itself is in the keyring, under `key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSession {
    pub environment_id: String,
    pub key: String,
    pub name: String,
    /// When it was kept.
    pub at: Wall,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub environments: Vec<Environment>,
    /// `id` of the chosen environment, or [`SANDBOX`].
    pub chosen: String,
    pub theme: Choice,
    /// The next start keeps its capture in memory only.
    pub private_mode: bool,
    /// Captures older than this are deleted at start; zero keeps all.
    pub keep_days: u32,
    /// 1 is the usual size.
    pub scale: f32,
    pub reduced_motion: bool,
    /// Times are shown in UTC instead of the local zone.
    pub utc: bool,
    /// Guests are told while an agent's message is written.
    pub tell_typing: bool,
    /// Inner size of the window in points.
    pub window: Option<[f32; 2]>,
    pub maximised: bool,
    pub panes: Panes,
    /// What the record table keeps: filter, lanes, columns.
    pub table: Value,
    pub recent: Vec<PathBuf>,
    /// Sessions whose tokens the keyring holds, newest last; at most [`KEPT`].
    pub kept: Vec<KeptSession>,
    /// Keys under which the keyring holds tokens of people who signed in as agents.
    pub user_keys: BTreeSet<String>,
    /// Keys that the keyring shall forget, until it says that it has.
    pub forget: Vec<String>,
    pub drafts: Drafts,
    /// Fields of another version of this program.
    pub other: Map<String, Value>,
    /// Environments that could not be read, kept as they were.
    pub unread_environments: Vec<Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            environments: Vec::new(),
            chosen: SANDBOX.to_owned(),
            theme: Choice::System,
            private_mode: false,
            keep_days: 14,
            scale: 1.0,
            reduced_motion: false,
            utc: false,
            tell_typing: true,
            window: None,
            maximised: false,
            panes: Panes::default(),
            table: Value::Null,
            recent: Vec::new(),
            kept: Vec::new(),
            user_keys: BTreeSet::new(),
            forget: Vec::new(),
            drafts: Drafts::default(),
            other: Map::new(),
            unread_environments: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads what can be read. The second value names each field that could not.
    pub fn from_json(text: &str) -> Result<(Self, Vec<String>), serde_json::Error> {
        let mut map: Map<String, Value> = serde_json::from_str(text)?;
        let mut bad = Vec::new();
        let mut out = Self::default();
        let mut take = |key: &str| map.remove(key);
        fn set<T: for<'de> Deserialize<'de>>(to: &mut T, value: Option<Value>, key: &str, bad: &mut Vec<String>) {
            match value.map(serde_json::from_value) {
                Some(Ok(v)) => *to = v,
                Some(Err(e)) => bad.push(format!("{key}: {e}")),
                None => {}
            }
        }
        let mut environments: Vec<Value> = Vec::new();
        set(&mut environments, take("environments"), "environments", &mut bad);
        set(&mut out.chosen, take("chosen"), "chosen", &mut bad);
        set(&mut out.theme, take("theme"), "theme", &mut bad);
        set(&mut out.private_mode, take("private_mode"), "private_mode", &mut bad);
        set(&mut out.keep_days, take("keep_days"), "keep_days", &mut bad);
        set(&mut out.scale, take("scale"), "scale", &mut bad);
        set(&mut out.reduced_motion, take("reduced_motion"), "reduced_motion", &mut bad);
        set(&mut out.utc, take("utc"), "utc", &mut bad);
        set(&mut out.tell_typing, take("tell_typing"), "tell_typing", &mut bad);
        set(&mut out.window, take("window"), "window", &mut bad);
        set(&mut out.maximised, take("maximised"), "maximised", &mut bad);
        set(&mut out.panes, take("panes"), "panes", &mut bad);
        set(&mut out.table, take("table"), "table", &mut bad);
        set(&mut out.recent, take("recent"), "recent", &mut bad);
        set(&mut out.kept, take("kept"), "kept", &mut bad);
        set(&mut out.user_keys, take("user_keys"), "user_keys", &mut bad);
        set(&mut out.forget, take("forget"), "forget", &mut bad);
        set(&mut out.drafts, take("drafts"), "drafts", &mut bad);
        for value in environments {
            // A secret in a settings file was put there by hand: it is not read and not written back.
            let mut value = value;
            if let Some(fields) = value.as_object_mut() {
                fields.remove("client_secret");
            }
            match serde_json::from_value::<Environment>(value.clone()) {
                Ok(e) => out.environments.push(e),
                Err(e) => {
                    bad.push(format!("an environment: {e}"));
                    out.unread_environments.push(value);
                }
            }
        }
        out.other = map;
        out.tidy();
        Ok((out, bad))
    }

    pub fn to_json(&self) -> String {
        let mut map = self.other.clone();
        let mut environments: Vec<Value> =
            self.environments.iter().filter_map(|e| serde_json::to_value(e).ok()).collect();
        environments.extend(self.unread_environments.iter().cloned());
        let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
        put("environments", Value::Array(environments));
        put("chosen", Value::from(self.chosen.as_str()));
        put("theme", json(&self.theme));
        put("private_mode", Value::from(self.private_mode));
        put("keep_days", Value::from(self.keep_days));
        put("scale", json(&self.scale));
        put("reduced_motion", Value::from(self.reduced_motion));
        put("utc", Value::from(self.utc));
        put("tell_typing", Value::from(self.tell_typing));
        put("window", json(&self.window));
        put("maximised", Value::from(self.maximised));
        put("panes", json(&self.panes));
        put("table", self.table.clone());
        put("recent", json(&self.recent));
        put("kept", json(&self.kept));
        put("user_keys", json(&self.user_keys));
        put("forget", json(&self.forget));
        put("drafts", json(&self.drafts));
        serde_json::to_string_pretty(&map).unwrap_or_default()
    }

    /// Numbers that a hand or a damaged file may have driven out of use.
    fn tidy(&mut self) {
        self.scale = clamp(self.scale, 0.5, 3.0, 1.0);
        let usual = Panes::default();
        self.panes.rail = clamp(self.panes.rail, 120.0, 600.0, usual.rail);
        self.panes.inspector = clamp(self.panes.inspector, 200.0, 1600.0, usual.inspector);
        self.panes.records = clamp(self.panes.records, 80.0, 1600.0, usual.records);
        if let Some([w, h]) = self.window {
            self.window = Some([clamp(w, 640.0, 10_000.0, 1440.0), clamp(h, 400.0, 10_000.0, 900.0)]);
        }
        self.recent.truncate(RECENT);
        self.bound_kept();
        for e in &mut self.environments {
            if e.id.is_empty() {
                e.id = new_id();
            }
        }
    }

    /// Lets go of the oldest kept sessions where there are too many; what the keyring holds for them goes too.
    pub fn bound_kept(&mut self) {
        let over = self.kept.len().saturating_sub(KEPT);
        self.forget.extend(self.kept.drain(..over).map(|k| k.key));
    }

    pub fn environment(&self, id: &str) -> Option<&Environment> {
        self.environments.iter().find(|e| e.id == id)
    }

    /// Puts a capture first in the list of recent ones.
    pub fn remember(&mut self, file: PathBuf) {
        self.recent.retain(|f| *f != file);
        self.recent.insert(0, file);
        self.recent.truncate(RECENT);
    }
}

/// A fresh key for an environment.
pub fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

fn clamp(n: f32, low: f32, high: f32, usual: f32) -> f32 {
    if n.is_finite() { n.clamp(low, high) } else { usual }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::model::environment::ClientSecret;

    fn example() -> Settings {
        let mut s = Settings { theme: Choice::Dark, keep_days: 3, scale: 1.5, utc: true, ..Settings::default() };
        s.environments.push(Environment {
            id: "e1".into(),
            name: "Test".into(),
            region: Some("mypurecloud.ie".into()),
            deployment_id: "d".into(),
            client_id: Some("c".into()),
            ..Environment::default()
        });
        s.panes.rail = 300.0;
        s.remember("/a/b.capture".into());
        s
    }

    #[test]
    fn what_is_written_is_read_again() {
        let s = example();
        let (back, bad) = Settings::from_json(&s.to_json()).unwrap();
        assert_eq!(bad, Vec::<String>::new());
        assert_eq!(back, s);
    }

    #[test]
    fn a_client_secret_is_neither_written_nor_read() {
        let mut s = example();
        s.environments[0].client_secret = Some(ClientSecret(Secret::from("hunter2")));
        let text = s.to_json();
        assert!(!text.contains("hunter2") && !text.contains("client_secret"));
        let by_hand = r#"{"environments":[{"id":"x","name":"n","client_secret":"hunter2"}]}"#;
        let (back, _) = Settings::from_json(by_hand).unwrap();
        assert_eq!(back.environments.len(), 1);
        assert!(back.environments[0].client_secret.is_none());
        assert!(!back.to_json().contains("hunter2"));
    }

    #[test]
    fn one_damaged_field_loses_only_itself_and_unknown_ones_are_kept() {
        let text = r#"{"theme":"purple","keep_days":7,"scale":1e9,"from_the_future":{"a":1},
            "environments":[{"name":"good","deployment_id":"d"},{"name":"odd","new_field":true}]}"#;
        let (s, bad) = Settings::from_json(text).unwrap();
        assert_eq!(bad.len(), 2, "{bad:?}");
        assert_eq!((s.theme, s.keep_days, s.scale), (Choice::System, 7, 3.0));
        assert_eq!(s.environments.len(), 1);
        assert!(!s.environments[0].id.is_empty());
        let again: Value = serde_json::from_str(&s.to_json()).unwrap();
        assert_eq!(again["from_the_future"]["a"], 1);
        assert_eq!(again["environments"][1]["new_field"], true);
    }

    #[test]
    fn kept_sessions_are_bounded_and_what_goes_is_to_be_forgotten() {
        let mut s = Settings::default();
        for n in 0..KEPT + 3 {
            let key = format!("e/session-token/{n}");
            s.kept.push(KeptSession { environment_id: "e".into(), key, name: String::new(), at: Wall(0) });
        }
        let (back, bad) = Settings::from_json(&s.to_json()).unwrap();
        assert!(bad.is_empty());
        assert_eq!((back.kept.len(), back.forget.len()), (KEPT, 3));
        assert_eq!(back.forget[0], "e/session-token/0");
        assert_eq!(Settings::from_json(&back.to_json()).unwrap().0, back);
    }

    #[test]
    fn recent_captures_are_bounded_and_newest_first() {
        let mut s = Settings::default();
        for n in 0..40 {
            s.remember(format!("/c/{n}").into());
        }
        s.remember("/c/35".into());
        assert_eq!(s.recent.len(), RECENT);
        assert_eq!(s.recent[0], PathBuf::from("/c/35"));
        assert_eq!(s.recent.iter().filter(|p| p.ends_with("35")).count(), 1);
    }
}
