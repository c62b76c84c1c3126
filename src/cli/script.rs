//! Test scripts: what is said and what must be answered.
//!
//! The shape is that of the ovotech web-messaging tester, so that its scripts run here unchanged:
//!
//! ```yaml
//! config:                 # optional where --environment or --sandbox is given
//!   deploymentId: 00000000-0000-0000-0000-000000000000
//!   region: mypurecloud.ie
//!   origin: https://shop.example     # optional
//! scenarios:
//!   "Asks for a colour":
//!     - say: hello
//!     - waitForReplyContaining: which colour    # whatever the case
//!     - say: Yes
//!     - waitForReplyMatching: ^thank you,? .*$  # JavaScript regular expression, flags i and m
//! ```
//!
//! Beyond that, a scenario may be a map that names its flow, and steps may order the sandbox, let time pass, and look
//! at what was recorded:
//!
//! ```yaml
//! scenarios:
//!   "Renewed before it dies":
//!     flow: session-token
//!     settings: {flows: {session_token: {preflight_secs: 60}}}   # members of the environment
//!     steps:
//!       - say: hello
//!       - pass: 14m
//!       - say: still there?
//!       - record: kind:audit token.refresh success               # the filter language of the record table
//! ```

use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::step::Step;
use crate::model::flows::GuestForm;
use crate::model::{DialectId, Environment, Report};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    #[serde(default)]
    pub config: Option<Config>,
    pub scenarios: Scenarios,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    pub deployment_id: String,
    pub region: String,
    #[serde(default)]
    pub origin: Option<String>,
}

/// Scenarios in the order of the file.
#[derive(Debug)]
pub struct Scenarios(pub Vec<(String, Scenario)>);

/// A JavaScript regular expression as the scripts hold it, compiled with the flags `i` and `m`.
pub struct Pattern {
    pub source: String,
    compiled: regress::Regex,
}

impl Pattern {
    pub fn new(source: String) -> Result<Self, String> {
        let compiled = regress::Regex::with_flags(&source, "im").map_err(|e| e.to_string())?;
        Ok(Self { source, compiled })
    }

    pub fn matches(&self, text: &str) -> bool {
        self.compiled.find(text).is_some()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/im", self.source)
    }
}

impl<'de> Deserialize<'de> for Scenarios {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Scenarios;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("scenario names with their steps")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scenarios, A::Error> {
                let mut all: Vec<(String, Scenario)> = Vec::new();
                while let Some((Text(name), AnyScenario(scenario))) = map.next_entry::<Text, AnyScenario>()? {
                    if all.iter().any(|(n, _)| *n == name) {
                        return Err(de::Error::custom(format!("there are two scenarios with the name “{name}”")));
                    }
                    if scenario.steps.is_empty() {
                        return Err(de::Error::custom(format!("the scenario “{name}” has no steps")));
                    }
                    all.push((name, scenario));
                }
                if all.is_empty() {
                    return Err(de::Error::custom("there is no scenario"));
                }
                Ok(Scenarios(all))
            }
        }
        d.deserialize_map(V)
    }
}

/// How a scenario's session is made, and what it plays.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// The dialect, by its name.
    pub flow: DialectId,
    pub form: GuestForm,
    /// Goes on with what an earlier scenario's session kept last.
    pub resume: bool,
    /// Members of the environment that are otherwise for this scenario. `{api}` and `{queue}` are filled in.
    pub settings: Option<Value>,
    /// Whether the session is opened at the begin, and what is waited for then.
    pub connect: Connect,
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connect {
    /// It is opened, and must become ready.
    #[default]
    Ready,
    /// It is opened, and the steps say what comes of it.
    Start,
    /// The steps open it.
    No,
}

/// A list of steps is a scenario of web messaging.
struct AnyScenario(Scenario);

impl<'de> Deserialize<'de> for AnyScenario {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = AnyScenario;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of steps, or a map with the member steps")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<AnyScenario, A::Error> {
                let steps = Vec::<Step>::deserialize(de::value::SeqAccessDeserializer::new(seq))?;
                Ok(AnyScenario(Scenario { steps, ..Scenario::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AnyScenario, A::Error> {
                Scenario::deserialize(de::value::MapAccessDeserializer::new(map)).map(AnyScenario)
            }
        }
        d.deserialize_any(V)
    }
}

/// Text in a script: also what YAML would read as a number or a truth value.
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Text)
    }
}

/// Reads a script; an error names line and column.
pub fn parse_script(text: &str, file: &str) -> Result<Script, Report> {
    serde_saphyr::from_str(text).map_err(|e| malformed("script", file, &e))
}

/// Reads an environment file: YAML, or JSON such as the sandbox's ready line.
pub fn parse_environment(text: &str, file: &str) -> Result<Environment, Report> {
    serde_saphyr::from_str(text).map_err(|e| malformed("environment", file, &e))
}

/// Tells where and what, never the text itself: it may hold a secret.
fn malformed(what: &str, file: &str, e: &serde_saphyr::Error) -> Report {
    let place = e.location().map(|l| format!("line {}, column {}", l.line(), l.column())).unwrap_or_default();
    let text = e.without_snippet().to_string();
    let first = text.lines().next().unwrap_or("").trim();
    // The place stands before the mistake already.
    let first = first.strip_suffix(&format!(" at {place}")).unwrap_or(first);
    let comma = if place.is_empty() { "" } else { ", " };
    Report::new(
        &format!("bad-{what}"),
        format!("The {what} file cannot be read"),
        format!("{file}{comma}{place}: {first}"),
    )
    .remedy("Mend it there; the README shows the shape of such a file.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = r#"
config:
  deploymentId: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
  region: xxxx.pure.cloud
scenarios:
  "Accept":
    - say: hi
    - waitForReplyContaining: a question
    - say: Yes
    - waitForReplyMatching: thank you[.!]?$
  Decline:
    - say: No
    - say: 42
"#;

    #[test]
    fn scripts_of_the_other_tester_are_read_unchanged() {
        let script = parse_script(EXAMPLE, "example.yml").unwrap();
        assert_eq!(script.config.unwrap().region, "xxxx.pure.cloud");
        let names: Vec<_> = script.scenarios.0.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["Accept", "Decline"]);
        assert!(matches!(&script.scenarios.0[0].1.steps[2], Step::Say(t) if t == "Yes"));
        assert!(matches!(&script.scenarios.0[1].1.steps[1], Step::Say(t) if t == "42"));
        let Step::Matching(p) = &script.scenarios.0[0].1.steps[3] else { panic!() };
        assert!(p.matches("first line\nTHANK YOU!"));
    }

    #[test]
    fn mistakes_are_told_with_line_and_column() {
        for (text, place, word) in [
            ("scenarios:\n  A:\n    - shout: hi\n", "line 3", "shout"),
            ("scenarios:\n  A:\n    - say: hi\n   - say: x\n", "line 4", ""),
            ("scenarios:\n  A:\n    - waitForReplyMatching: '('\n", "line 3", "regular expression"),
            ("scenarios: {}\n", "line 1", "no scenario"),
            ("config:\n  deploymentId: a\n  regon: b\nscenarios: {A: [{say: x}]}\n", "line 3", "regon"),
        ] {
            let report = parse_script(text, "s.yml").unwrap_err();
            assert!(report.what.contains(place), "{text:?}: {report:?}");
            assert!(report.text().contains(word), "{text:?}: {report:?}");
            assert_eq!(report.text().matches(place).count(), 1, "the place is told once: {report:?}");
        }
    }

    #[test]
    fn the_ready_line_of_a_sandbox_is_an_environment_file() {
        let line = r#"{"api":"http://127.0.0.1:1","login":"http://127.0.0.1:1","guest_socket":"ws://127.0.0.1:1/v1","cdn":"http://127.0.0.1:1","streaming":"ws://127.0.0.1:1","control":"http://127.0.0.1:1/control","deployment_id":"d","client_id":"c","client_secret":"s","queue_id":"q"}"#;
        let env = parse_environment(line, "ready.json").unwrap();
        assert_eq!(env.hosts().unwrap().guest_socket, "ws://127.0.0.1:1/v1");
        assert!(env.client_secret.is_some());
        assert!(!serde_json::to_string(&env).unwrap().contains("\"s\""));
    }

    #[test]
    fn a_mistake_beside_a_secret_does_not_show_it() {
        for text in [
            "name: x\nclient_secret: hunter2-hunter2\nverify_tls: perhaps\n",
            "client_secret: [hunter2-hunter2]\n",
            "client_secret: hunter2-hunter2\n- x\n",
        ] {
            let report = parse_environment(text, "e.yaml").unwrap_err();
            assert!(!report.text().contains("hunter2"), "{report:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ -~\n]{0,200}") {
            let _ = parse_script(&text, "x");
            let _ = parse_environment(&text, "x");
        }
    }
}
