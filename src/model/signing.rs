//! What is known of the keys that sign guest tokens. None of it is a secret: private parts live in the keyring.

use serde::{Deserialize, Serialize};

use super::time::Wall;

/// A key pair of an environment, without its private part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyInfo {
    /// Its name in the header of tokens.
    pub kid: String,
    /// SPKI, for the administrator of the other side.
    pub public_pem: String,
    /// When it was made or imported here.
    pub made: Wall,
    pub state: KeyState,
}

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Signs new tokens.
    Active,
    /// Another one signs now; tokens of this one are still good, until an instant or until it is retired by hand.
    Overlapping {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Wall>,
    },
    /// Nothing that it signed is believed any more.
    Retired,
}

impl KeyInfo {
    /// Whether tokens signed with it are good at `now`.
    pub fn is_good(&self, now: Wall) -> bool {
        match self.state {
            KeyState::Active | KeyState::Overlapping { until: None } => true,
            KeyState::Overlapping { until: Some(until) } => now < until,
            KeyState::Retired => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_stored_in_words_and_read_back() {
        let of = |state| KeyInfo { kid: "k".into(), public_pem: "p".into(), made: Wall(5), state };
        for (state, word) in [
            (KeyState::Active, r#""active""#),
            (KeyState::Overlapping { until: None }, r#"{"overlapping":{}}"#),
            (KeyState::Overlapping { until: Some(Wall(7)) }, r#"{"overlapping":{"until":7}}"#),
            (KeyState::Retired, r#""retired""#),
        ] {
            let text = serde_json::to_string(&of(state)).unwrap();
            assert_eq!(text, format!(r#"{{"kid":"k","public_pem":"p","made":5,"state":{word}}}"#));
            assert_eq!(serde_json::from_str::<KeyInfo>(&text).unwrap(), of(state));
        }
    }

    #[test]
    fn an_overlap_ends_at_its_instant() {
        let mut key = KeyInfo { kid: "k".into(), public_pem: "p".into(), made: Wall(0), state: KeyState::Active };
        assert!(key.is_good(Wall(9)));
        key.state = KeyState::Overlapping { until: Some(Wall(7)) };
        assert!(key.is_good(Wall(6)) && !key.is_good(Wall(7)));
        key.state = KeyState::Overlapping { until: None };
        assert!(key.is_good(Wall(i64::MAX)));
        key.state = KeyState::Retired;
        assert!(!key.is_good(Wall(0)));
    }
}
