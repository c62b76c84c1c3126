//! The table of causes against the sandbox: `fixtures/causes.yaml` makes each cause that the flows' descriptions list
//! happen, end to end, and the cause must be named before all others.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use sessionscope::projection::knowledge::{DESCRIBED, Knowledge};

/// What cannot happen between this program and this sandbox, and why not.
const OUT_OF_REACH: [(&str, &str); 0] = [];

/// Causes of agents that no script can make happen: somebody is at a browser, or another program. Tests of the engine
/// do (`engine_user_sign_in`, `engine_agent_failures`).
const BY_HAND: [&str; 5] = [
    "agent-client-credentials",
    "agent-code-refused",
    "agent-redirect-port-taken",
    "agent-sign-in-cancelled",
    "agent-sign-in-timed-out",
];

fn table() -> String {
    fixture("causes.yaml")
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn run(script: &str, limit: &str) -> Output {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("script.yaml");
    std::fs::write(&file, script).unwrap();
    Command::new(env!("CARGO_BIN_EXE_sessionscope"))
        .env("SESSIONSCOPE_HOME", home.path())
        .arg("run")
        .arg(&file)
        .args(["--sandbox", "--timeout", limit])
        .output()
        .unwrap()
}

/// The causes that a script asks for, with the scenario of each.
fn asked(script: &str) -> Vec<(&str, &str)> {
    let mut scenario = "";
    let mut asked = Vec::new();
    for line in script.lines() {
        if let Some(name) = line.strip_prefix("  \"") {
            scenario = name.trim_end_matches("\":");
        } else if let Some(cause) = line.trim_start().strip_prefix("- why: ") {
            asked.push((scenario, cause.trim()));
        }
    }
    asked
}

#[test]
fn each_cause_that_the_flows_describe_happens_in_the_sandbox_and_is_named_first() {
    happens(&table());
}

#[test]
fn each_cause_of_agents_happens_in_the_sandbox_and_is_named_first() {
    happens(&fixture("causes-agents.yaml"));
}

fn happens(table: &str) {
    let output = run(table, "20s");
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<&str> = text.lines().skip_while(|l| !l.contains("FAILS")).take(40).collect();
    assert!(output.status.success(), "{}\n{}", failed.join("\n"), String::from_utf8_lossy(&output.stderr));
    // Each explanation is told, and tells only what is known.
    assert_eq!(text.matches("ok    why: ").count(), asked(table).len());
    assert!(!text.contains("(not known)"), "{text}");
}

#[test]
fn the_table_leaves_no_described_cause_out() {
    let script = table();
    let asked = asked(&script);
    let excused: BTreeSet<&str> = OUT_OF_REACH.iter().map(|(cause, _)| *cause).collect();
    let covered: BTreeSet<&str> = asked.iter().map(|(_, cause)| *cause).collect();
    let missing: Vec<_> = DESCRIBED.iter().filter(|c| !covered.contains(**c) && !excused.contains(**c)).collect();
    assert!(missing.is_empty(), "no scenario for {missing:?}");
    let needless: Vec<_> = excused.intersection(&covered).collect();
    assert!(needless.is_empty(), "{needless:?} happen after all");
    let misnamed: Vec<_> = asked.iter().filter(|(name, cause)| !name.starts_with(&format!("{cause}: "))).collect();
    assert!(misnamed.is_empty(), "{misnamed:?}");
}

#[test]
fn the_table_leaves_no_cause_of_agents_out() {
    let script = fixture("causes-agents.yaml");
    let asked = asked(&script);
    let covered: BTreeSet<&str> = asked.iter().map(|(_, cause)| *cause).chain(BY_HAND).collect();
    let all = Knowledge::embedded();
    let of_agents: BTreeSet<&str> =
        all.causes.iter().filter(|c| c.file == "agents.yaml").map(|c| c.id.as_str()).collect();
    assert_eq!(covered, of_agents);
    let named = |(name, cause): &(&str, &str)| name.starts_with(&format!("{cause}: "));
    let scenarios: BTreeSet<&str> = asked.iter().map(|(name, _)| *name).collect();
    let of_its_own: BTreeSet<&str> = asked.iter().filter(|a| named(a)).map(|(name, _)| *name).collect();
    assert_eq!(of_its_own, scenarios, "each is named after what it is about");
}

/// A script that asks for a cause which stands behind another one, or for none that was found, does not hold.
#[test]
fn a_cause_that_is_not_the_first_one_does_not_count() {
    let script = |cause: &str| {
        format!(
            r#"
scenarios:
  "attributes":
    flow: guest-resource
    form: {{skill: support}}
    steps:
      - request: {{method: PUT, path: "/api/v2/guests/{{guestId}}", body: {{attributes: none}}}}
      - why: {cause}
"#
        )
    };
    assert!(run(&script("attributes-refused"), "20s").status.success());
    for other in ["field-refused", "request-refused", "guest-gone"] {
        let output = run(&script(other), "1s");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{other}: {text}");
        assert!(text.contains("attributes-refused"), "it says what was found instead: {text}");
    }
}
