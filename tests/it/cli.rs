//! The program as a process: its subcommands, what they print and how they exit.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::window::program;

/// The program in a home of its own, without a display and without a keyring.
pub fn sessionscope(home: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .env("SESSIONSCOPE_HOME", home)
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn ready_sandbox(home: &Path) -> (Child, Value) {
    let mut child = sessionscope(home).arg("sandbox").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).expect("the ready line is JSON"))
}

#[cfg(unix)]
fn interrupt(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn the_sandbox_tells_when_it_is_ready_and_ends_on_both_signals() {
    for signal in ["INT", "TERM"] {
        let home = tempfile::tempdir().unwrap();
        let (mut child, ready) = ready_sandbox(home.path());
        for key in [
            "api",
            "login",
            "guest_socket",
            "cdn",
            "streaming",
            "control",
            "deployment_id",
            "client_id",
            "client_secret",
            "queue_id",
        ] {
            assert!(ready[key].as_str().is_some_and(|v| !v.is_empty()), "{key} in {ready}");
        }
        assert_eq!(ready.as_object().unwrap().len(), 10);
        assert!(ready["guest_socket"].as_str().unwrap().starts_with("ws://127.0.0.1:"));
        interrupt(&child, signal);
        let end = Instant::now() + Duration::from_secs(10);
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it does not end on SIG{signal}");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(0), "SIG{signal}");
        let mut rest = String::new();
        child.stdout.unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line on standard output");
    }
}

#[test]
fn the_sandbox_does_not_listen_where_others_could_reach_it() {
    let home = tempfile::tempdir().unwrap();
    let output = sessionscope(home.path()).args(["sandbox", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output).contains("loopback"), "{}", text(&output));
}

#[test]
fn without_a_display_the_first_conversation_runs_in_the_terminal() {
    let home = tempfile::tempdir().unwrap();
    let output = sessionscope(home.path()).output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    for part in ["DISPLAY", "apt-get install", "hello", "clocks", "OAuth", "records", "capture"] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    let captures: Vec<_> = std::fs::read_dir(home.path().join("captures")).unwrap().collect();
    assert_eq!(captures.len(), 1, "one capture, no leftovers: {captures:?}");
    let file = captures[0].as_ref().unwrap().path();
    let opened = sessionscope(home.path()).arg("open").arg(&file).output().unwrap();
    assert!(opened.status.success() && text(&opened).contains("First light"), "{}", text(&opened));
}

#[test]
fn a_script_runs_against_the_embedded_sandbox() {
    let home = tempfile::tempdir().unwrap();
    let capture = home.path().join("run.sscope");
    let output = sessionscope(home.path())
        .args(["run", "tests/fixtures/script.yaml", "--sandbox", "--capture"])
        .arg(&capture)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("2 of 2 scenarios hold"));
    assert!(capture.exists());
}

#[cfg(unix)]
#[test]
fn a_script_runs_against_an_environment_file_and_fails_where_a_reply_stays_out() {
    let home = tempfile::tempdir().unwrap();
    let (mut child, ready) = ready_sandbox(home.path());
    let file = home.path().join("environment.json");
    std::fs::write(&file, ready.to_string()).unwrap();
    let script = home.path().join("script.yaml");
    std::fs::write(
        &script,
        "scenarios:\n  Fails:\n    - say: hello\n    - waitForReplyContaining: something nobody says\n  Holds:\n    - say: hello\n    - waitForReplyContaining: You said\n",
    )
    .unwrap();
    let output = sessionscope(home.path())
        .arg("run")
        .arg(&script)
        .arg("--environment")
        .arg(&file)
        .args(["--timeout", "2s"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("1 of 2 scenarios hold") && said.contains("FAILS") && said.contains("received:"), "{said}");
    assert!(!said.contains(ready["client_secret"].as_str().unwrap()));
    interrupt(&child, "TERM");
    child.wait().unwrap();
}

#[test]
fn bad_files_are_told_with_line_and_column() {
    let home = tempfile::tempdir().unwrap();
    let script = home.path().join("bad.yaml");
    std::fs::write(&script, "scenarios:\n  A:\n    - shout: hi\n").unwrap();
    let output = sessionscope(home.path()).arg("run").arg(&script).arg("--sandbox").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("line 3, column"), "{}", text(&output));
    let capture = home.path().join("not-a-capture.sscope");
    std::fs::write(&capture, "hello").unwrap();
    let output = sessionscope(home.path()).arg("open").arg(&capture).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
}

#[test]
fn the_doctor_says_what_is_missing_and_how_to_mend_it() {
    let home = tempfile::tempdir().unwrap();
    let output = sessionscope(home.path()).arg("doctor").output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["BAD   window", "keyring", "captures", "apt-get install"] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
}
