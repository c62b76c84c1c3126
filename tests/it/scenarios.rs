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
fn lint_holds() {
    holds("lint.yaml");
}

#[test]
fn authenticated_guest_holds() {
    holds("authenticated-guest.yaml");
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

/// Everything that lies in a folder, one file after the other.
fn everything(folder: &Path, all: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            everything(&path, all);
        } else {
            all.extend(std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn what_a_guest_signs_in_with_lands_in_no_file() {
    let home = tempfile::tempdir().unwrap();
    let script = r#"
scenarios:
  "a code that nobody gave":
    login: {code: zq8Vcode-4711-abcdef, verifier: zq8Vverifier-4712-abcdef, nonce: n}
    connect: start
    steps:
      - state: ended not known
  "an id token that nobody gave":
    login: {id_token: eyJhbGciOiJub25lIn0.eyJzdWIiOiJ6cThWIn0.zq8Vsignature4713}
    connect: start
    steps:
      - state: ended idToken
  "one that is good":
    login: {sandbox: ada}
    steps:
      - clock: guest-auth refresh
      - record: kind:expiry guest-auth refreshed
      - do: sign-out
      - state: ended logged out
"#;
    let file = home.path().join("script.yaml");
    std::fs::write(&file, script).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sessionscope"))
        .env("SESSIONSCOPE_HOME", home.path().join("home"))
        .arg("run")
        .arg(&file)
        .args(["--sandbox", "--timeout", "20s"])
        .output()
        .unwrap();
    let mut all = output.stdout.clone();
    all.extend(&output.stderr);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&all));
    everything(&home.path().join("home"), &mut all);
    let text = String::from_utf8_lossy(&all);
    assert!(
        text.contains("oauthcodegrantjwtexchange") && text.contains("\"refreshToken\":\"["),
        "nothing was recorded"
    );
    // Header of the sandbox's JWTs, and of the one that was made up.
    for secret in ["zq8V", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", "eyJhbGciOiJub25lIn0."] {
        assert!(!text.contains(secret), "{secret}");
    }
    let bare = text.match_indices("\"refreshToken\":\"").find(|(at, m)| !text[at + m.len()..].starts_with('['));
    assert!(bare.is_none(), "a refresh token stands as it is");
}
