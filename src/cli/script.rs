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
use serde_saphyr::{Location, Spanned};

use super::explain::LintStep;
use super::has;
use super::login::AnyLogin;
use super::step::Step;
use crate::model::agents::AgentForm;
use crate::model::flows::GuestForm;
use crate::model::{DialectId, Environment, Report};
use crate::projection::knowledge::Knowledge;

/// So many causes are offered for one that is not known.
const LIKE: usize = 5;

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
                f.write_str("a map of names, each with a list of steps")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Scenarios, E> {
                Err(E::custom("there is no scenario: “scenarios” is empty"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Scenarios, A::Error> {
                let wanted = "“scenarios” is a list; write a map: the name of each scenario, and under it its steps";
                Err(de::Error::custom(wanted))
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
        d.deserialize_any(V)
    }
}

/// How a scenario's session is made, and what it plays.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// The dialect, by its name.
    pub flow: DialectId,
    pub form: GuestForm,
    /// The guest signs in with this as the session is opened.
    pub login: Option<AnyLogin>,
    /// Goes on with what an earlier scenario's session kept last.
    pub resume: bool,
    /// Members of the environment that are otherwise for this scenario. `{api}` and `{queue}` are filled in.
    pub settings: Option<Value>,
    /// Whether the session is opened at the begin, and what is waited for then.
    pub connect: Connect,
    /// Agents of the scenario, who sign in before the guest comes. `{}` is enough for the sandbox's first one. Where the
    /// flow is `agent`, the first is the scenario's session itself, and nobody is there beside it.
    pub agent: Option<AgentForm>,
    pub agent2: Option<AgentForm>,
    pub steps: Vec<Spanned<Step>>,
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
                let steps = Vec::<Spanned<Step>>::deserialize(de::value::SeqAccessDeserializer::new(seq))?;
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
        let text = Option::<String>::deserialize(d)?;
        text.map(Text).ok_or_else(|| de::Error::custom("nothing stands here, and a text is wanted"))
    }
}

/// Reads a script; an error names line and column. `why:` and `lint:` may name what comes with the program.
pub fn parse_script(text: &str, file: &str) -> Result<Script, Report> {
    parse_script_knowing(text, file, &Knowledge::embedded())
}

/// The same, where they may name these causes and rules.
pub fn parse_script_knowing(text: &str, file: &str, knowledge: &Knowledge) -> Result<Script, Report> {
    let script: Script = serde_saphyr::from_str(text).map_err(|e| malformed("script", file, &e))?;
    for (_, scenario) in &script.scenarios.0 {
        for step in &scenario.steps {
            let outcome = has::login(scenario)
                .and_then(|()| has::check(scenario.flow, &step.value))
                .and_then(|()| check_cause(&step.value, knowledge))
                .and_then(|()| check_agent(&step.value, scenario));
            outcome.map_err(|why| refused("script", file, &place(&step.referenced), &why))?;
        }
    }
    Ok(script)
}

fn check_agent(step: &Step, scenario: &Scenario) -> Result<(), String> {
    match step {
        Step::Ends(_) if scenario.flow == DialectId::Agent => {
            Err("ends: an agent by itself has no guest; leave the flow out, and give the scenario an agent".to_owned())
        }
        Step::Agent(0, _) if scenario.flow == DialectId::Agent => Ok(()),
        Step::Agent(0, _) | Step::Ends(_) if scenario.agent.is_none() => {
            Err("the scenario has no agent: give it “agent: {on_queue: true, auto_answer: true}”".to_owned())
        }
        Step::Agent(1, _) if scenario.agent2.is_none() => Err("the scenario has no agent2".to_owned()),
        _ => Ok(()),
    }
}

/// Refuses a cause or a rule that nobody knows, and offers those whose names are like it.
fn check_cause(step: &Step, knowledge: &Knowledge) -> Result<(), String> {
    match step {
        Step::Why(cause) => check_id("why", "cause", cause, knowledge.ids()),
        Step::Lint(LintStep::Broken(rule)) => {
            check_id("lint", "rule", rule, knowledge.rules.iter().map(|r| r.id.as_str()))
        }
        _ => Ok(()),
    }
}

fn check_id<'a>(key: &str, what: &str, id: &str, known: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let known: Vec<&str> = known.collect();
    if known.contains(&id) {
        return Ok(());
    }
    // Words count as alike from four equal letters on: what is mistyped is mostly an end.
    let alike = |a: &str, b: &str| a == b || a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count() >= 4;
    let likeness = |other: &str| other.split('-').filter(|word| id.split('-').any(|w| alike(w, word))).count();
    let mut like: Vec<&str> = known.into_iter().filter(|other| likeness(other) > 0).collect();
    like.sort_by_key(|other| (std::cmp::Reverse(likeness(other)), other.len()));
    like.truncate(LIKE);
    let like = if like.is_empty() { String::new() } else { format!("; like it are {}", like.join(", ")) };
    Err(format!("{key}: there is no {what} “{id}”{like}"))
}

/// Reads an environment file: YAML, or JSON such as the sandbox's ready line.
pub fn parse_environment(text: &str, file: &str) -> Result<Environment, Report> {
    let mut environment: Environment = serde_saphyr::from_str(text).map_err(|e| malformed("environment", file, &e))?;
    // A sandbox tells it beside its users.
    if let Some(client) = environment.pkce_client_id.take() {
        environment.agents.client_id.get_or_insert(client);
    }
    Ok(environment)
}

fn place(location: &Location) -> String {
    format!("line {}, column {}", location.line(), location.column())
}

/// Tells where and what, never the text itself: it may hold a secret.
fn malformed(what: &str, file: &str, e: &serde_saphyr::Error) -> Report {
    let place = e.location().map(|l| place(&l)).unwrap_or_default();
    let text = e.without_snippet().to_string();
    let first = text.lines().next().unwrap_or("").trim();
    // The place stands before the mistake already.
    let first = first.strip_suffix(&format!(" at {place}")).unwrap_or(first);
    let first = match (first, what) {
        ("unexpected end of input", "script") => "it is empty; a script needs “scenarios:” with names and their steps",
        ("unexpected end of input", _) => "it is empty; names with their values are wanted",
        ("expected mapping start", _) => "names with their values are wanted here, such as “name: value”",
        ("expected sequence start", _) => "a list is wanted here; begin each of its lines with a dash",
        (first, _) => first,
    };
    refused(what, file, &place, first)
}

fn refused(what: &str, file: &str, place: &str, why: &str) -> Report {
    let comma = if place.is_empty() { "" } else { ", " };
    Report::new(
        &format!("bad-{what}"),
        format!("The {what} file cannot be read"),
        format!("{file}{comma}{place}: {why}"),
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
        assert!(matches!(&script.scenarios.0[0].1.steps[2].value, Step::Say(t) if t == "Yes"));
        assert!(matches!(&script.scenarios.0[1].1.steps[1].value, Step::Say(t) if t == "42"));
        let Step::Matching(p) = &script.scenarios.0[0].1.steps[3].value else { panic!() };
        assert!(p.matches("first line\nTHANK YOU!"));
    }

    #[test]
    fn mistakes_are_told_with_line_and_column() {
        for (text, place, word) in [
            ("scenarios:\n  A:\n    - shout: hi\n", "line 3", "shout"),
            ("scenarios:\n  A:\n    - say: hi\n   - say: x\n", "line 4", ""),
            ("scenarios:\n  A:\n    - waitForReplyMatching: '('\n", "line 3", "regular expression"),
            ("scenarios: {}\n", "line 1", "no scenario"),
            ("scenarios: []\n", "line 1", "is a list"),
            ("scenarios:\n", "line 1", "is empty"),
            ("scenarios: yes\n", "line 1", "names"),
            ("- say: hi\n", "line 1", "names with their values"),
            ("scenarios:\n  A:\n    - state: endde\n", "line 3, column", "endde"),
            ("scenarios:\n  A:\n    - say: x\n    - why: no-such-cause\n", "line 4, column 7", "no-such-cause"),
            ("scenarios:\n  A:\n    - why: session-expird\n", "line 3, column 7", "session-expired"),
            (
                "scenarios:\n  A:\n    - clock: nosuch expire\n",
                "line 3, column 7",
                "guest-jwt, guest-auth, session-idle, link:ID",
            ),
            ("scenarios:\n  A:\n    - clock: 'link: refresh'\n", "line 3, column 7", "link:ID"),
            (
                "scenarios:\n  A:\n    - do: heartbeat\n",
                "line 3, column 7",
                "the flow web-messaging has no “heartbeat”",
            ),
            ("scenarios:\n  A:\n    - profile: {a: 1}\n", "line 3, column 7", "no “profile”"),
            ("scenarios:\n  A:\n    - send: {text: x, form: token-in-body}\n", "line 3, column 7", "no “form”"),
            // The flow may stand behind the steps.
            ("scenarios:\n  A:\n    steps:\n      - do: refresh\n    flow: guest-resource\n", "line 4", "profile"),
            ("scenarios:\n  A:\n    - pass: 999999h\n", "line 3", "jump"),
            ("config:\n  deploymentId: a\n  regon: b\nscenarios: {A: [{say: x}]}\n", "line 3", "regon"),
        ] {
            let report = parse_script(text, "s.yml").unwrap_err();
            assert!(report.what.contains(place), "{text:?}: {report:?}");
            assert!(report.text().contains(word), "{text:?}: {report:?}");
            assert_eq!(report.text().matches(place).count(), 1, "the place is told once: {report:?}");
        }
    }

    #[test]
    fn an_empty_file_is_told_what_it_lacks() {
        for text in ["", "\n", "# nothing yet\n", "---\n"] {
            let report = parse_script(text, "s.yml").unwrap_err();
            assert!(report.text().contains("scenarios"), "{text:?}: {report:?}");
        }
    }

    #[test]
    fn a_cause_of_a_testers_own_may_be_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let cause =
            "causes:\n  - {id: our-gateway, title: t, of: [http 502], says: s, fix: [f], would_decide: w, source: s}\n";
        std::fs::write(folder.path().join("own.yaml"), cause).unwrap();
        let (knowledge, reports) = Knowledge::with_folder(folder.path());
        assert_eq!(reports, []);
        let text = "scenarios:\n  A:\n    - why: our-gateway\n";
        parse_script_knowing(text, "s.yml", &knowledge).unwrap();
        assert!(parse_script(text, "s.yml").is_err());
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
