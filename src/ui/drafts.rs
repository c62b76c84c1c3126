//! Unsent drafts, as they are stored: per session and action, with secrets replaced.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::composer::{Action, Form};
use crate::model::rich::Draft;

/// Sessions whose drafts are kept, and bytes of one draft. What is longer is not stored.
const SESSIONS: usize = 60;
const BYTES: usize = 64 * 1024;

/// Drafts by session key ([`session_key`]) and action.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Drafts(BTreeMap<String, BTreeMap<Action, Form>>);

/// Under which name the drafts of a session are found after a restart.
pub fn session_key(environment: &str, session: &str) -> String {
    format!("{environment}/{session}")
}

impl Drafts {
    /// Keeps a draft, or forgets it where the form is empty. `mask` replaces secrets: a pasted token must not land
    /// in the settings. True where something changed.
    pub fn keep(&mut self, key: &str, action: Action, form: &Form, mask: &dyn Fn(&str) -> String) -> bool {
        let forms = self.0.get(key);
        if form.is_empty() || !action.has_draft() {
            let Some(forms) = self.0.get_mut(key) else { return false };
            let changed = forms.remove(&action).is_some();
            if forms.is_empty() {
                self.0.remove(key);
            }
            return changed;
        }
        let picks = form.picks.iter().map(|(to, d)| (to.clone(), masked_pick(d, mask))).collect();
        let masked = Form {
            picks,
            pick: form.pick.clone(),
            text: mask(&form.text),
            payload: mask(&form.payload),
            path: mask(&form.path),
            method: form.method.clone(),
            attributes: form.attributes.iter().map(|(k, v)| (mask(k), mask(v))).collect(),
            attachments: Vec::new(),
            ..*form
        };
        if masked.text.len() + masked.payload.len() + masked.attribute_bytes() + masked.pick_bytes() > BYTES {
            return false;
        }
        if forms.and_then(|f| f.get(&action)) == Some(&masked) {
            return false;
        }
        if forms.is_none() && self.0.len() >= SESSIONS {
            self.0.pop_first();
        }
        self.0.entry(key.to_owned()).or_default().insert(action, masked);
        true
    }

    /// The stored drafts of a session.
    pub fn of(&self, key: &str) -> BTreeMap<Action, Form> {
        self.0.get(key).cloned().unwrap_or_default()
    }
}

fn masked_pick(draft: &Draft, mask: &dyn Fn(&str) -> String) -> Draft {
    Draft(draft.0.iter().map(|(field, all)| (field.clone(), all.iter().map(|v| mask(v)).collect())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(s: &str) -> String {
        s.to_owned()
    }

    fn text(t: &str) -> Form {
        Form { text: t.into(), ..Form::default() }
    }

    #[test]
    fn drafts_come_back_per_session_and_action() {
        let mut d = Drafts::default();
        let key = session_key("env", "Guest 1");
        assert!(d.keep(&key, Action::Text, &text("hello"), &plain));
        assert!(d.keep(&key, Action::Raw, &text("{}"), &plain));
        assert!(!d.keep(&key, Action::Raw, &text("{}"), &plain), "nothing new");
        let back: Drafts = serde_json::from_str(&serde_json::to_string(&d).unwrap()).unwrap();
        assert_eq!(back.of(&key)[&Action::Text].text, "hello");
        assert_eq!(back.of(&key)[&Action::Raw].text, "{}");
        assert!(back.of("other").is_empty());
        assert!(d.keep(&key, Action::Text, &Form::default(), &plain));
        assert_eq!(d.of(&key).len(), 1);
    }

    #[test]
    fn a_pasted_secret_is_stored_masked() {
        let mut d = Drafts::default();
        let mask = |s: &str| s.replace("tok-123", "[session-token#1]");
        let form = Form {
            text: "my tok-123".into(),
            payload: "tok-123".into(),
            attributes: vec![("k".into(), "tok-123".into())],
            ..Form::default()
        };
        d.keep("s", Action::Text, &form, &mask);
        let stored = serde_json::to_string(&d).unwrap();
        assert!(!stored.contains("tok-123") && stored.contains("[session-token#1]"));
    }

    #[test]
    fn drafts_are_bounded() {
        let mut d = Drafts::default();
        assert!(!d.keep("s", Action::Text, &text(&"x".repeat(BYTES + 1)), &plain));
        for n in 0..SESSIONS + 20 {
            d.keep(&format!("s{n:03}"), Action::Text, &text("x"), &plain);
        }
        assert_eq!(d.0.len(), SESSIONS);
        assert!(!d.of(&format!("s{:03}", SESSIONS + 19)).is_empty());
    }
}
