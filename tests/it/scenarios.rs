//! The scripts that come with the program hold against the sandbox, each as a person would run it.

use std::path::Path;
use std::process::Command;

use sessionscope::model::DialectId;

fn holds(name: &str) {
    let home = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenarios").join(name);
    let output = Command::new(env!("CARGO_BIN_EXE_sessionscope"))
        .env("SESSIONSCOPE_HOME", home.path())
        .arg("run")
        .arg(&script)
        .args(["--sandbox", "--timeout", "20s"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<&str> = text.lines().skip_while(|l| !l.contains("FAILS")).take(20).collect();
    assert!(output.status.success(), "{name}:\n{}\n{}", failed.join("\n"), String::from_utf8_lossy(&output.stderr));
}

/// Each flow of the help has its script here, so that none is forgotten.
#[test]
fn every_flow_has_a_script() {
    for dialect in DialectId::ALL {
        // An agent alone has nobody to speak with.
        let name = if dialect == DialectId::Agent { "both-ends" } else { dialect.key() };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/scenarios/{name}.yaml"));
        assert!(script.is_file(), "{}", script.display());
    }
}

#[test]
fn both_ends_hold() {
    holds("both-ends.yaml");
}

#[test]
fn web_messaging_holds() {
    holds("web-messaging.yaml");
}

#[test]
fn session_token_holds() {
    holds("session-token.yaml");
}

#[test]
fn external_contact_holds() {
    holds("external-contact.yaml");
}

#[test]
fn signed_guest_holds() {
    holds("signed-guest.yaml");
}

#[test]
fn managed_conversation_holds() {
    holds("managed-conversation.yaml");
}

#[test]
fn guest_resource_holds() {
    holds("guest-resource.yaml");
}
